"""Style of all figures: colors, marks, template, titles and ticks."""

import textwrap
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.text import escape

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
"""Okabe and Ito's colors, told apart by color-blind readers, on white and on black.

Of the eight, black and yellow are replaced by a gray: one of them is lost on either ground.
"""

DIVERGING = ((0.0, "#D55E00"), (0.5, "#F0F0F0"), (1.0, "#0072B2"))
"""Below and above a middle: vermilion and blue."""

SEQUENTIAL = ((0.0, "#F7F5EF"), (1.0, "#56B4E9"))
"""From nothing to the most: pale to sky blue. `CELL_TEXT` is readable on all of it."""

CELL_TEXT = "#1A1A1A"
"""Text on `SEQUENTIAL`: contrast 7.6 : 1 or more."""

MARKS = ("#D55E00", "#009E73", "#CC79A7", "#000000")
"""Colors of marks upon `SEQUENTIAL`: those that are not blue."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")
DASHES = ("solid", "dash", "dot", "dashdot")
TEXT_COLOR = "#767676"
"""Gray for text and axes: contrast 4.5 : 1 on white, 4.6 : 1 on black."""

GRID = "rgba(127, 127, 127, 0.25)"
"""Gray for grid lines, faint on white and on black."""

_AXIS = {
    "gridcolor": GRID,
    "zerolinecolor": GRID,
    "linecolor": TEXT_COLOR,
    "automargin": True,
    "title": {"standoff": 8},
}
_TITLE_WIDTH = 38
_TOP, _LINE, _TICKS = 36, 20, 13

TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"color": TEXT_COLOR, "family": "system-ui, sans-serif", "size": 13},
        "colorway": PALETTE,
        "title": {
            "x": 0,
            "xref": "paper",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
            "font": {"size": 15},
        },
        "legend": {"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"},
        "margin": {"l": 56, "r": 16, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "modebar": {
            "bgcolor": "rgba(0, 0, 0, 0)",
            "color": TEXT_COLOR,
            "remove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
        },
        "hoverlabel": {"align": "left", "namelength": -1},
    }
)
"""The one look of all figures: transparent, so that it takes the page's light or dark ground."""


def layout(title: str, x_title: str, y_title: str) -> dict[str, object]:
    """Layout of a figure: the template and three titles, escaped and wrapped."""
    lines = _lines(title)
    return {
        "template": TEMPLATE,
        "title": {"text": "<br>".join(lines)},
        "margin": {"t": _TOP + _LINE * len(lines)},
        "xaxis": {"title": {"text": escape(x_title)}},
        "yaxis": {"title": {"text": escape(y_title)}},
    }


def layer_ticks(layers: Iterable[int]) -> dict[str, object]:
    """Ticks for an axis of layers: about a dozen, layer 0 named ``emb``.

    Example:
        >>> layer_ticks([2, 0, 1, 0])["ticktext"]
        ['emb', '1', '2']
    """
    ticks = axis_ticks(sorted(set(layers)))
    return {"tickvals": ticks, "ticktext": [layer_name(layer) for layer in ticks]}


def axis_ticks(numbers: Sequence[int]) -> list[int]:
    """Choose about a dozen of ascending numbers, always with the first and the last.

    Example:
        >>> axis_ticks(range(33))
        [0, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32]
    """
    step = max(1, -(-len(numbers) // _TICKS))
    kept = [*numbers][::-1][::step][::-1]
    return [*numbers[:1], *kept[1:]]


def nth(choices: Sequence[str], index: int) -> str:
    """Element at an index modulo the length, to cycle through colors or symbols."""
    return choices[index % len(choices)]


def _lines(title: str) -> list[str]:
    return [escape(line) for line in textwrap.wrap(title, _TITLE_WIDTH)]
