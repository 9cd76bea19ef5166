"""The logit-lens grid: tokens by layers, the likeliest token in each cell."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import log10
from typing import Any, Literal, get_args

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import (
    CELL_TEXT,
    MARKS,
    SEQUENTIAL,
    SYMBOLS,
    axis_ticks,
    layout,
    nth,
)
from semantic_hub.plotting.text import display_token, escape, shortened

CellColor = Literal["probability", "next", "rank"]
"""Meaning of the color of a cell; see `lens_grid`."""

_Cell = list[dict[Hashable, Any]]
"""The rows of one position and layer, the likeliest token first."""

_LONGEST = 10
"""Number of letters of a token that are shown in a cell; the hover text has all of them."""

_CELL, _ROW, _SIDES = 52, 18, 150
"""Pixels: width of a cell, height of a row, and room for axes and color scale."""

_FEW_LAYERS = 14
"""Number of rows that fit into the usual height of a figure."""

_RANKS = {"tickvals": list(range(7)), "ticktext": [f"{10**power:,}" for power in range(7)]}
"""Ticks of the color scale of ranks, which has their logarithm."""

_TITLES: Mapping[str, str] = {
    "probability": "probability, top token",
    "next": "probability, token that follows",
    "rank": "rank, token that follows",
}
"""Titles of the color scales."""


def lens_grid(
    frame: pd.DataFrame,
    columns: Sequence[str],
    *,
    color: CellColor = "probability",
    x_title: str = "token read",
    title: str = "",
) -> go.Figure:
    """Grid of the likeliest token at each position and layer, layer 0 at the bottom.

    The hover text lists the likeliest tokens with their probabilities. A cell
    whose top token is a candidate has a filled mark in its corner; one that only lists a candidate
    has an open mark.

    Args:
        frame: One row for each position, layer and rank: columns ``pos layer rank text
            probability``, ``group`` (the candidates that the token belongs to, or empty), and
            for the last two values of `color` ``next_probability`` and ``next_rank``.
        columns: Text below each position, such as the token that is read there.
        color: ``"probability"`` of the top token; ``"next"``, that of the token which really
            follows; ``"rank"``, that token's rank in the vocabulary, 1 darkest. Cells without a
            following token are left blank.
        x_title: Title of the x axis.
        title: Title of the figure.

    Returns:
        A heat map, and one or two traces of marks for each group of candidates. The layout's
        ``meta["min_width"]`` is the smallest width in pixels at which the words in it can be read.

    Raises:
        SemanticHubError: No such color, or a frame without the columns that it needs.

    Example:
        >>> frame = pd.DataFrame({"pos": 0, "layer": 1, "rank": [1, 2], "text": [" red", "<b>"],
        ...                       "probability": [0.9, 0.1], "group": ["hub", ""]})
        >>> grid, marks = lens_grid(frame, [" dog"]).data
        >>> grid.text[0][0], marks.name
        ('red', 'hub on top')
        >>> grid.customdata[0][0].split("<br>")
        ['layer 1, ␣dog', '1. ␣red 0.9 ← hub', '2. &lt;b&gt; 0.1']
    """
    _check(frame, color)
    layers = sorted(set(frame["layer"].tolist()))
    cells = _cells(frame)
    table = [[cells[layer, pos] for pos in range(len(columns))] for layer in layers]
    figure = go.Figure(layout=layout(title, x_title, "layer"))
    figure.update_layout(_size(len(columns), len(layers)))
    figure.add_trace(_heat(table, columns, color))
    marks = list(_marks(frame, {layer: row for row, layer in enumerate(layers)}))
    figure.add_traces(marks)
    if marks:
        figure.update_layout(_legend_above(figure))
    figure.update_xaxes(
        tickvals=list(range(len(columns))),
        ticktext=[display_token(shortened(text, _LONGEST)) for text in columns],
        showgrid=False,
        zeroline=False,
    )
    shown = axis_ticks(range(len(layers)))
    names = {"tickvals": shown, "ticktext": [layer_name(layers[row]) for row in shown]}
    return figure.update_yaxes(names, showgrid=False, zeroline=False)


def _cells(frame: pd.DataFrame) -> dict[tuple[int, int], _Cell]:
    cells: dict[tuple[int, int], _Cell] = {}
    for row in frame.sort_values("rank").to_dict("records"):
        cells.setdefault((row["layer"], row["pos"]), []).append(row)
    return cells


def _legend_above(figure: go.Figure) -> dict[str, Any]:
    """Layout with the legend between title and grid, since the words below may be turned."""
    margin = figure.to_dict()["layout"]["margin"]["t"]
    return {"margin": {"t": margin + 36}, "legend": {"y": 1.01, "yanchor": "bottom"}}


def _size(n_columns: int, n_layers: int) -> dict[str, Any]:
    """Smallest width of the figure, and its height where the usual one is too low."""
    height = {} if n_layers <= _FEW_LAYERS else {"height": _SIDES + _ROW * n_layers}
    return {"meta": {"min_width": _SIDES + _CELL * n_columns}, **height}


def _heat(table: Sequence[Sequence[_Cell]], columns: Sequence[str], color: CellColor) -> go.Heatmap:
    heights = [[_height(cell[0], color) for cell in row] for row in table]
    highest = max((z for row in heights for z in row if z is not None), default=1.0)
    return go.Heatmap(
        z=heights,
        text=[
            [_word(cell[0], known=z is not None) for cell, z in zip(row, of_row, strict=True)]
            for row, of_row in zip(table, heights, strict=True)
        ],
        texttemplate="%{text}",
        textfont={"color": CELL_TEXT},
        customdata=[
            [_hover(cell, column) for cell, column in zip(row, columns, strict=True)]
            for row in table
        ],
        hovertemplate="%{customdata}<extra></extra>",
        colorscale=SEQUENTIAL,
        reversescale=color == "rank",
        colorbar={
            "title": {"text": _TITLES[color], "side": "right"},
            "thickness": 12,
            **(_RANKS if color == "rank" else {}),
        },
        zmin=0,
        zmax=highest if color == "rank" else 1,
        xgap=1,
        ygap=1,
    )


def _height(top: Mapping[Hashable, Any], color: CellColor) -> float | None:
    """Number that the color of a cell shows; None, a blank, where no token follows."""
    if color == "probability":
        return top["probability"]
    if pd.isna(top["next_rank"]):
        return None
    return top["next_probability"] if color == "next" else log10(top["next_rank"])


def _hover(cell: _Cell, column: str) -> str:
    top = cell[0]
    lines = [f"layer {layer_name(top['layer'])}, {display_token(column)}"]
    if not pd.isna(top.get("next_rank", float("nan"))):
        lines.append(f"what follows: {top['next_probability']:.3g}, rank {top['next_rank']:g}")
    for row in cell:
        group = f" ← {escape(row['group'])}" if row.get("group") else ""
        lines.append(f"{row['rank']}. {display_token(row['text'])} {row['probability']:.3g}{group}")
    return "<br>".join(lines)


def _marks(frame: pd.DataFrame, heights: Mapping[int, int]) -> Iterator[go.Scatter]:
    """Marks of each group of candidates: filled where one is on top, open where one is listed."""
    if "group" not in frame:
        return
    candidates = frame.loc[frame["group"] != ""]
    for index, group in enumerate(sorted(set(candidates["group"]))):
        best = candidates.loc[candidates["group"] == group].groupby(["layer", "pos"])["rank"].min()
        for on_top in (True, False):
            cells = [cell for cell, rank in best.items() if (rank == 1) == on_top]
            if cells:
                yield _mark(group, index, cells, heights, on_top=on_top)


def _mark(
    group: str,
    index: int,
    cells: Sequence[Any],
    heights: Mapping[int, int],
    *,
    on_top: bool,
) -> go.Scatter:
    symbol, color = nth(SYMBOLS, index), nth(MARKS, index)
    return go.Scatter(
        x=[pos - 0.38 for _, pos in cells],
        y=[heights[layer] + 0.34 for layer, _ in cells],
        mode="markers",
        name=escape(f"{group} on top" if on_top else f"{group} in the list"),
        marker={
            "symbol": symbol if on_top else f"{symbol}-open",
            "size": 8,
            "color": color,
            "line": {"width": 1.5, "color": color},
        },
        hoverinfo="skip",
        showlegend=True,
    )


def _word(top: Mapping[Hashable, Any], *, known: bool) -> str:
    """Top token as shown in a cell, shortened; empty for a blank cell."""
    text = top["text"]
    return display_token(shortened(text.strip(" ") or text, _LONGEST)) if known else ""


def _check(frame: pd.DataFrame, color: CellColor) -> None:
    if color not in get_args(CellColor) or (color != "probability" and "next_rank" not in frame):
        raise SemanticHubError(
            "lens_grid",
            got=f"color={color!r}",
            expected=f"one of {', '.join(map(repr, get_args(CellColor)))}, with its columns",
            fix='Leave it out for "probability".',
        )
