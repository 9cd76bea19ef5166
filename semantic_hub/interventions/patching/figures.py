"""Figures of patching: data frames in, `plotly.graph_objects.Figure` out."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.curves import layer_curve
from semantic_hub.plotting.style import DIVERGING, layout
from semantic_hub.plotting.text import escape

_TITLES = {
    "effect": "effect (0 recipient, 1 reference)",
    "says": "share that says",
}


def patch_curves(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """One measure over layers: the patch and its controls.

    Args:
        frame: Rows of one measure, target and place of ``PatchResult.to_frame()``.
        title: Title of the figure.

    Returns:
        One curve with its band for each row.
    """
    is_effect = _measure(frame) == "effect"
    references = {"recipient": 0.0, "reference": 1.0} if is_effect else {}
    figure = layer_curve(frame, title=title, y_title=_y_title(frame), references=references)
    return figure if is_effect else figure.update_yaxes(range=[-0.02, 1.02])


def patch_map(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """One measure over layers and places (positions, spans, heads), without the controls.

    Args:
        frame: Rows of one measure and target of ``PatchResult.to_frame()``.
        title: Title of the figure.

    Returns:
        A heat map, white at 0, each cell's interval in its hover text.
    """
    rows = frame.loc[frame["row"] == "patched"]
    places = list(dict.fromkeys(rows["place"]))
    layers = sorted(set(rows["layer"]))
    cells = {(row["layer"], row["place"]): row for row in rows.to_dict("records")}
    table = [[cells[layer, place] for place in places] for layer in layers]
    x_title, names = _named(places)
    figure = go.Figure(
        go.Heatmap(
            x=[escape(name) for name in names],
            y=[layer_name(layer) for layer in layers],
            z=[[cell["value"] for cell in row] for row in table],
            customdata=[[_interval(cell) for cell in row] for row in table],
            hovertemplate="layer %{y}, %{x}: %{z:.3g} %{customdata}<extra></extra>",
            colorscale=DIVERGING,
            zmid=0,
            colorbar={"title": {"text": _y_title(rows), "side": "right"}},
        ),
        layout=layout(title, x_title, "layer"),
    )
    figure.update_xaxes(type="category")
    return figure.update_yaxes(type="category")


def _named(places: Sequence[str]) -> tuple[str, list[str]]:
    """Title of the axis and name of each place; heads of one place by their numbers alone."""
    parts = [place.rpartition(", head ") for place in places]
    wheres = {where for where, _, _ in parts}
    if len(wheres) == 1 and all(sep for _, sep, _ in parts):
        return f"head, at {wheres.pop()}", [f"H{head}" for _, _, head in parts]
    return "place", list(places)


def _interval(cell: Mapping[Hashable, Any]) -> str:
    return f"[{cell['low']:.3g}, {cell['high']:.3g}], n = {cell['n']}"


def _measure(frame: pd.DataFrame) -> str:
    return str(frame["measure"].iloc[0])


def _y_title(frame: pd.DataFrame) -> str:
    target = frame["target"].iloc[0]
    return _TITLES[_measure(frame)] + (f" “{escape(target)}”" if target else "")
