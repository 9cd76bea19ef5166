"""Tokens colored by a number: HTML for pages, circuitsvis for notebooks, heat maps."""

import html
from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.plotting.style import DIVERGING, SEQUENTIAL, layout
from semantic_hub.plotting.text import display_token, escape

if TYPE_CHECKING:
    from circuitsvis.utils.render import RenderedHTML


_BELOW, _ABOVE = DIVERGING[0][1], DIVERGING[-1][1]

_STRONGEST = 0.6
"""Opacity of full color: more would hide the text on one of the two grounds."""


def colored_html(
    pieces: Sequence[str], values: Sequence[float], *, unit: str = "", limit: float | None = None
) -> str:
    """Colored tokens as HTML without scripts: one ``<span>`` for each token.

    Blue above 0, vermilion below, the stronger the further from it, transparent at 0, so that the
    text stays readable on a light and on a dark page. The number is in the tooltip. Everything that
    comes from the tokens is escaped; spaces, line breaks and bytes are shown as signs.

    Args:
        pieces: What each token adds to the text.
        values: A number for each; NaN for none.
        unit: What they count, for the tooltips.
        limit: The number with full color; None for the largest.

    Returns:
        A ``<p class="tokens">``.

    Raises:
        SemanticHubError: Not one number for each token.

    Example:
        >>> print(colored_html(["a", "<b>"], [float("nan"), 0.5], unit="nat"))
        <p class="tokens"><span title="–">a</span><wbr><span title="0.5 nat"
        style="background:rgba(0,114,178,0.60)">&lt;b&gt;</span></p>
    """
    _check("colored_html", pieces, values)
    full = _full(values, limit)
    spans = (_span(*pair, unit, full) for pair in zip(pieces, values, strict=True))
    return f'<p class="tokens">{"<wbr>".join(spans)}</p>'


def colored_notebook(
    pieces: Sequence[str], values: Sequence[float], *, limit: float | None = None
) -> "RenderedHTML":
    """Colored tokens for a notebook, drawn by ``circuitsvis.tokens.colored_tokens``.

    Notebooks show the value on their own. circuitsvis draws with a script: it asks the network
    whether it is there, and loads the script from a content network if it is, else it puts the one
    of the installed package into the notebook. So pages use `colored_html`. It writes tokens as
    HTML, so they are escaped here.

    Args:
        pieces: What each token adds to the text.
        values: A number for each; NaN is drawn as 0.
        limit: The number with full color; None for the largest.

    Raises:
        SemanticHubError: Not one number for each token.

    Example:
        >>> shown = colored_notebook(["a", "</script>"], [0.1, 0.5])
        >>> shown.cdn_src.count("</script>")
        1
    """
    require("circuitsvis")
    from circuitsvis.tokens import colored_tokens

    _check("colored_notebook", pieces, values)
    known = [0.0 if isnan(value) else value for value in values]
    full = _full(known, limit)
    return colored_tokens(
        [display_token(piece) for piece in pieces],
        known,
        min_value=-full,
        max_value=full,
        negative_color=_BELOW,
        positive_color=_ABOVE,
    )


def token_map(frame: pd.DataFrame, *, unit: str = "", title: str = "") -> go.Figure:
    """Heat map of rows × tokens, such as the probability of each token at each layer.

    Args:
        frame: ``TokenScores.to_frame()``.
        unit: What the numbers count.
        title: Title of the figure.

    Returns:
        A heat map, the first row below. Where numbers are below 0 as well as above, it is white at
        0, blue above. Tokens without a number are blank.

    Example:
        >>> frame = pd.DataFrame({"row": "layer 1", "pos": [0, 1], "piece": ["<b>", " dog"],
        ...                       "value": [float("nan"), 0.5]})
        >>> figure = token_map(frame, unit="probability")
        >>> figure.layout.xaxis.ticktext, list(figure.data[0].z[0])
        (('&lt;b&gt;', '␣dog'), [None, 0.5])
    """
    rows, places = list(dict.fromkeys(frame["row"])), sorted(set(frame["pos"].tolist()))
    table = frame.pivot(index="row", columns="pos", values="value").loc[rows, places]
    pieces = [
        display_token(text) for text in frame.drop_duplicates("pos").sort_values("pos")["piece"]
    ]
    signed, most = bool((frame["value"] < 0).any()), float(frame["value"].abs().max())
    figure = go.Figure(
        go.Heatmap(
            z=[[None if pd.isna(value) else value for value in row] for row in table.to_numpy()],
            x=places,
            y=[escape(row) for row in rows],
            customdata=[pieces] * len(rows),
            hovertemplate=f"%{{y}}, %{{customdata}}: %{{z:.3g}} {escape(unit)}<extra></extra>",
            colorscale=DIVERGING if signed else SEQUENTIAL,
            zmin=-most if signed else 0,
            zmax=most,
            colorbar={"title": {"text": escape(unit), "side": "right"}, "thickness": 12},
            xgap=1,
            ygap=1,
        ),
        layout=layout(title, "token", ""),
    )
    figure.update_xaxes(tickvals=places, ticktext=pieces, showgrid=False, zeroline=False)
    return figure.update_yaxes(type="category", showgrid=False)


def _span(piece: str, value: float, unit: str, full: float) -> str:
    return (
        f'<span title="{_tooltip(value, unit)}"{_ground(value, full)}>{display_token(piece)}</span>'
    )


def _full(values: Sequence[float], limit: float | None) -> float:
    """Number that gets the full color."""
    largest = max((abs(value) for value in values if not isnan(value)), default=0.0)
    return limit or largest or 1.0


def _tooltip(value: float, unit: str) -> str:
    return "–" if isnan(value) else html.escape(f"{value:.3g} {unit}".strip())


def _ground(value: float, full: float) -> str:
    """Style attribute with the background color of a token; empty for 0 or a missing number."""
    if isnan(value) or not value:
        return ""
    strength = _STRONGEST * min(1.0, abs(value) / full)
    color = _ABOVE if value > 0 else _BELOW
    channels = ",".join(str(int(color[start : start + 2], 16)) for start in (1, 3, 5))
    return f' style="background:rgba({channels},{strength:.2f})"'


def _check(operation: str, pieces: Sequence[str], values: Sequence[float]) -> None:
    if len(pieces) == len(values):
        return
    raise SemanticHubError(
        operation,
        got=f"{len(values)} numbers for {len(pieces)} tokens",
        expected="one for each token",
        fix="Pass the tokens of the prompt that the numbers belong to.",
    )
