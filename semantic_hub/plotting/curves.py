"""Curves with interval bands: takes data frames, returns plotly figures and traces."""

from collections.abc import Hashable, Iterator, Mapping
from math import isnan
from typing import cast

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import (
    DASHES,
    PALETTE,
    SYMBOLS,
    TEXT_COLOR,
    layer_ticks,
    layout,
    nth,
)
from semantic_hub.plotting.text import escape


def band(
    rows: pd.DataFrame, low: str, high: str, name: str, index: int, x: str = "layer"
) -> go.Scatter:
    """Interval band of one curve as a closed outline.

    Args:
        rows: One curve, in the order of `x`; rows without an interval are left out.
        low: Column of the lower ends.
        high: Column of the upper ends.
        name: Name of the curve, escaped; its legend entry switches band and line.
        index: Which curve it is, for its color.
        x: Column of the horizontal axis.

    Example:
        >>> rows = pd.DataFrame({"layer": [0, 1], "low": [0.0, 0.1], "high": [0.2, 0.3]})
        >>> band(rows, "low", "high", "a", 0).y
        (0.2, 0.3, 0.1, 0.0)
    """
    rows = rows.dropna(subset=[low, high])
    along = rows[x].tolist()
    return go.Scatter(
        x=along + along[::-1],
        y=rows[high].tolist() + rows[low].tolist()[::-1],
        name=name,
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        mode="lines",
        line={"width": 0, "color": nth(PALETTE, index)},
        fill="toself",
        opacity=0.25,
    )


def line(
    rows: pd.DataFrame, value: str, low: str, high: str, name: str, index: int, x: str = "layer"
) -> go.Scatter:
    """Line of one curve, with value, interval and number of items in the hover text.

    Args:
        rows: One curve, in the order of `x`.
        value: Column of the heights.
        low: Column of the lower ends, for the hover text; it may be missing.
        high: Column of the upper ends.
        name: Name of the curve, escaped.
        index: Which curve it is, for color, dash and mark.
        x: Column of the horizontal axis.

    Example:
        >>> rows = pd.DataFrame({"layer": [0, 1], "value": [0.1, 0.2], "n": 9})
        >>> line(rows, "value", "low", "high", "a", 0).customdata
        ('layer emb: 0.1, n = 9', 'layer 1: 0.2, n = 9')
    """
    return go.Scatter(
        x=rows[x].tolist(),
        y=rows[value].tolist(),
        name=name,
        legendgroup=name,
        mode="lines+markers",
        line={"color": nth(PALETTE, index), "dash": nth(DASHES, index // len(PALETTE))},
        marker={"symbol": nth(SYMBOLS, index), "size": 7},
        customdata=[_hover(row, value, low, high, x) for row in rows.to_dict("records")],
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def _hover(row: Mapping[Hashable, object], value: str, low: str, high: str, x: str) -> str:
    text = f"{_place(row, x)}: {_number(row[value])}"
    if _is_number(row.get(low)) and _is_number(row.get(high)):
        text += f" [{_number(row[low])}, {_number(row[high])}]"
    return f"{text}, n = {row['n']}" if "n" in row else text


def _place(row: Mapping[Hashable, object], x: str) -> str:
    """Hover text for a point on the horizontal axis: layer, depth or number."""
    if x not in ("layer", "depth"):
        return f"{x} {_number(row[x])}"
    layer = f"layer {layer_name(cast(int, row['layer']))}"
    return layer if x == "layer" else f"{layer}, depth {_number(row[x])}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isnan(value)


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else escape(value)


def layer_curve(
    frame: pd.DataFrame,
    *,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    group: str = "row",
    title: str = "",
    y_title: str = "",
    references: Mapping[str, float] | None = None,
) -> go.Figure:
    """Curves over layers, one for each group, with interval bands.

    Args:
        frame: One row for each layer and group: the column ``layer`` (0 is the embedding), the
            columns named by the next four arguments, and ``n`` (number of items) if known.
        value: Column of the curve's height.
        low: Column of the interval's lower end; no band where the frame lacks it or has NaN.
        high: Column of the interval's upper end.
        group: Column whose values name the curves; they keep the order of the frame.
        title: Title of the figure.
        y_title: What the y axis shows, with its unit.
        references: Dotted horizontal lines, name to height, such as ``{"chance": 0.5}``.

    Returns:
        Two traces for each group, first the band, then the line; one legend entry switches both.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"layer": [0, 1], "row": "en - es", "value": [0.0, 0.4],
        ...                       "low": [-0.1, 0.3], "high": [0.1, 0.5], "n": 100})
        >>> [trace.name for trace in layer_curve(frame, y_title="cosine").data]
        ['en - es', 'en - es']
    """
    figure = go.Figure(layout=layout(title, "layer", y_title))
    for index, (name, rows) in enumerate(_groups(frame.sort_values("layer", kind="stable"), group)):
        if {low, high} <= set(rows.columns) and len(rows.dropna(subset=[low, high])):
            figure.add_trace(band(rows, low, high, name, index))
        figure.add_trace(line(rows, value, low, high, name, index))
    figure.update_xaxes(layer_ticks(frame["layer"].tolist()))
    return _with_references(figure, references or {})


def _groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, rows in frame.groupby(column, sort=False):
        yield escape(name), rows


def _with_references(figure: go.Figure, references: Mapping[str, float]) -> go.Figure:
    for name, height in references.items():
        figure.add_hline(
            y=height,
            line={"color": TEXT_COLOR, "dash": "dot", "width": 1},
            annotation={"text": escape(name), "font": {"size": 11, "color": TEXT_COLOR}},
            annotation_position="top right",
        )
    return figure
