"""The logit-lens grid: tokens by layers, the likeliest token in each cell."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import log10
from typing import Any, Literal, get_args

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import MARKS, ON_CELL, RISING, SYMBOLS, cycle, layout, thinned
from semantic_hub.plotting.text import escaped, legible, shortened

Colour = Literal["probability", "next", "rank"]
"""What a cell's colour shows; see `lens_grid`."""

_LONGEST = 10
"""Letters of a token that a cell has room for; the hover text has all of it."""

_TITLES: Mapping[str, str] = {
    "probability": "probability, top token",
    "next": "probability, token that follows",
    "rank": "rank, token that follows",
}


def lens_grid(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    colour: Colour = "probability",
    x_title: str = "token read",
    title: str = "",
) -> go.Figure:
    """What a lens has on top at each place and layer, layer 0 below.

    The hover text lists the likeliest tokens with their probabilities. Where a candidate is on top
    a filled mark stands in the cell's corner, where it is further down the list an open one.

    Args:
        frame: One row for each place, layer and rank: columns ``pos layer rank text probability``,
            ``group`` (the candidates that the token belongs to, or empty) where there are any, and
            for the last two colours ``next_probability`` and ``next_rank``.
        columns: What stands under each place, such as the token that is read there.
        colour: ``"probability"`` of the top token; ``"next"``, that of the token which really
            follows; ``"rank"``, that token's rank in the vocabulary, 1 darkest. Cells without a
            following token are left blank.
        x_title: What the places are.
        title: Title of the figure.

    Returns:
        A heat map, and one or two traces of marks for each group of candidates. The layout's
        ``meta["min_width"]`` is the width in pixels from which on the words in it can be read.

    Raises:
        SemanticHubError: No such colour, or a frame that cannot tell it.

    Example:
        >>> frame = pd.DataFrame({"pos": 0, "layer": 1, "rank": [1, 2], "text": [" red", "<b>"],
        ...                       "probability": [0.9, 0.1], "group": ["hub", ""]})
        >>> grid, marks = lens_grid(frame, [" dog"]).data
        >>> grid.text[0][0], marks.name
        ('red', 'hub on top')
        >>> grid.customdata[0][0].split("<br>")
        ['layer 1, ␣dog', '1. ␣red 0.9 ← hub', '2. &lt;b&gt; 0.1']
    """
    _check(frame, colour)
    layers = sorted(set(frame["layer"].tolist()))
    cells = _cells(frame)
    table = [[cells[layer, pos] for pos in range(len(columns))] for layer in layers]
    figure = go.Figure(layout=layout(title, x_title, "layer"))
    figure.update_layout(_size(len(columns), len(layers)))
    figure.add_trace(_heat(table, columns, colour))
    marks = list(_marks(frame, {layer: row for row, layer in enumerate(layers)}))
    figure.add_traces(marks)
    if marks:
        figure.update_layout(_legend_above(figure))
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[legible(shortened(text, _LONGEST)) for text in columns],
        showgrid=False,
        zeroline=False,
    )
    shown = thinned(range(len(layers)))
    names = {"tickvals": shown, "ticktext": [layer_name(layers[row]) for row in shown]}
    return figure.update_yaxes(names, showgrid=False, zeroline=False)


_Cell = list[dict[Hashable, Any]]
"""The rows of one place and layer, the likeliest token first."""


def _cells(frame: pd.DataFrame) -> dict[tuple[int, int], _Cell]:
    cells: dict[tuple[int, int], _Cell] = {}
    for row in frame.sort_values("rank").to_dict("records"):
        cells.setdefault((row["layer"], row["pos"]), []).append(row)
    return cells


def _legend_above(figure: go.Figure) -> dict[str, Any]:
    """Room between title and grid for the legend: below it stand words that may be turned."""
    margin = figure.to_dict()["layout"]["margin"]["t"]
    return {"margin": {"t": margin + 36}, "legend": {"y": 1.01, "yanchor": "bottom"}}


def _size(n_columns: int, n_layers: int) -> dict[str, Any]:
    """How wide it should be at least; and how high, where the usual height is too low."""
    height = {} if n_layers <= _FEW_LAYERS else {"height": _SIDES + _ROW * n_layers}
    return {"meta": {"min_width": _SIDES + _CELL * n_columns}, **height}


_CELL, _ROW, _SIDES, _FEW_LAYERS = 52, 18, 150, 14
_RANKS = {"tickvals": list(range(7)), "ticktext": [f"{10**power:,}" for power in range(7)]}


def _heat(table: Sequence[Sequence[_Cell]], columns: Sequence[str], colour: Colour) -> go.Heatmap:
    heights = [[_height(cell[0], colour) for cell in row] for row in table]
    highest = max((z for row in heights for z in row if z is not None), default=1.0)
    return go.Heatmap(
        z=heights,
        text=[
            [_word(cell[0], known=z is not None) for cell, z in zip(row, of_row, strict=True)]
            for row, of_row in zip(table, heights, strict=True)
        ],
        texttemplate="%{text}",
        textfont={"color": ON_CELL},
        customdata=[
            [_hover(cell, column) for cell, column in zip(row, columns, strict=True)]
            for row in table
        ],
        hovertemplate="%{customdata}<extra></extra>",
        colorscale=RISING,
        reversescale=colour == "rank",
        colorbar={
            "title": {"text": _TITLES[colour], "side": "right"},
            "thickness": 12,
            **(_RANKS if colour == "rank" else {}),
        },
        zmin=0,
        zmax=highest if colour == "rank" else 1,
        xgap=1,
        ygap=1,
    )


def _height(top: Mapping[Hashable, Any], colour: Colour) -> float | None:
    """What the colour shows; None, a blank, where nothing follows."""
    if colour == "probability":
        return top["probability"]
    if pd.isna(top["next_rank"]):
        return None
    return top["next_probability"] if colour == "next" else log10(top["next_rank"])


def _hover(cell: _Cell, column: str) -> str:
    top = cell[0]
    lines = [f"layer {layer_name(top['layer'])}, {legible(column)}"]
    if not pd.isna(top.get("next_rank", float("nan"))):
        lines.append(f"what follows: {top['next_probability']:.3g}, rank {top['next_rank']:g}")
    for row in cell:
        group = f" ← {escaped(row['group'])}" if row.get("group") else ""
        lines.append(f"{row['rank']}. {legible(row['text'])} {row['probability']:.3g}{group}")
    return "<br>".join(lines)


def _marks(frame: pd.DataFrame, heights: Mapping[int, int]) -> Iterator[go.Scatter]:
    """For each group of candidates the cells that it is on top of, and those that list it."""
    if "group" not in frame:
        return
    found = frame.loc[frame["group"] != ""]
    for index, group in enumerate(sorted(set(found["group"]))):
        best = found.loc[found["group"] == group].groupby(["layer", "pos"])["rank"].min()
        for on_top in (True, False):
            places = [place for place, rank in best.items() if (rank == 1) == on_top]
            if places:
                yield _mark(group, index, places, heights, on_top=on_top)


def _mark(
    group: str,
    index: int,
    places: Sequence[Any],
    heights: Mapping[int, int],
    *,
    on_top: bool,
) -> go.Scatter:
    symbol, colour = cycle(SYMBOLS, index), cycle(MARKS, index)
    return go.Scatter(
        x=[pos - 0.38 for _, pos in places],
        y=[heights[layer] + 0.34 for layer, _ in places],
        mode="markers",
        name=escaped(f"{group} on top" if on_top else f"{group} in the list"),
        marker={
            "symbol": symbol if on_top else f"{symbol}-open",
            "size": 8,
            "color": colour,
            "line": {"width": 1.5, "color": colour},
        },
        hoverinfo="skip",
        showlegend=True,
    )


def _word(top: Mapping[Hashable, Any], *, known: bool) -> str:
    """The top token for a cell that has a colour: without the space before it, and not too long."""
    text = top["text"]
    return legible(shortened(text.strip(" ") or text, _LONGEST)) if known else ""


def _check(frame: pd.DataFrame, colour: Colour) -> None:
    if colour not in get_args(Colour) or (colour != "probability" and "next_rank" not in frame):
        raise SemanticHubError(
            "lens_grid",
            got=f"colour={colour!r}",
            expected=f"one of {', '.join(map(repr, get_args(Colour)))}, that the frame tells of",
            fix='Leave it out for "probability".',
        )
