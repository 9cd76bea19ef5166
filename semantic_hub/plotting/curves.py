"""The two traces of a curve: its interval as a band, and its line."""

from collections.abc import Hashable, Mapping
from math import isnan
from typing import cast

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import DASHES, PALETTE, SYMBOLS, cycle
from semantic_hub.plotting.text import escaped


def band(
    rows: pd.DataFrame, low: str, high: str, name: str, index: int, x: str = "layer"
) -> go.Scatter:
    """One closed outline: along the upper ends, back along the lower ones.

    Args:
        rows: One curve, in the order of `x`; rows without an interval are left out.
        low: Column of the lower ends.
        high: Column of the upper ends.
        name: Name of the curve, escaped; its legend entry switches band and line.
        index: Which curve it is, for its colour.
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
        line={"width": 0, "color": cycle(PALETTE, index)},
        fill="toself",
        opacity=0.25,
    )


def line(
    rows: pd.DataFrame, value: str, low: str, high: str, name: str, index: int, x: str = "layer"
) -> go.Scatter:
    """The line through the values, with value, interval and number in the hover text.

    Args:
        rows: One curve, in the order of `x`.
        value: Column of the heights.
        low: Column of the lower ends, for the hover text; it may be missing.
        high: Column of the upper ends.
        name: Name of the curve, escaped.
        index: Which curve it is, for colour, dash and mark.
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
        line={"color": cycle(PALETTE, index), "dash": cycle(DASHES, index // len(PALETTE))},
        marker={"symbol": cycle(SYMBOLS, index), "size": 7},
        customdata=[_hover(row, value, low, high, x) for row in rows.to_dict("records")],
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def _hover(row: Mapping[Hashable, object], value: str, low: str, high: str, x: str) -> str:
    text = f"{_place(row, x)}: {_number(row[value])}"
    if _is_number(row.get(low)) and _is_number(row.get(high)):
        text += f" [{_number(row[low])}, {_number(row[high])}]"
    return f"{text}, n = {row['n']}" if "n" in row else text


def _place(row: Mapping[Hashable, object], x: str) -> str:
    """Layers by name, a depth with its layer, anything else by its number."""
    if x not in ("layer", "depth"):
        return f"{x} {_number(row[x])}"
    layer = f"layer {layer_name(cast(int, row['layer']))}"
    return layer if x == "layer" else f"{layer}, depth {_number(row[x])}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isnan(value)


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else escaped(value)
