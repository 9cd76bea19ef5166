"""Figures of patching: data frames in, `plotly.graph_objects.Figure` out."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.interventions.patching.result import LOGIT_DIFF, PATCHED, TOP1
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.curves import layer_curve
from semantic_hub.plotting.style import DIVERGING, layout
from semantic_hub.plotting.text import escape

_TITLES = {
    LOGIT_DIFF: "normalized logit difference",
    TOP1: "share with top token",
}


def patch_curves(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Curves of one measure over layers, for the patch and its controls.

    Args:
        frame: Rows of one measure, answer and place of ``PatchResult.to_frame()``.
        title: Title of the figure.

    Returns:
        One curve with its band for each row, and one of the patched doable pairs if some pairs are
        not doable.
    """
    apart = (frame["row"] == PATCHED) & (frame["n_doable"] > 0) & (frame["n_doable"] < frame["n"])
    doable = {end: frame[f"{end}_doable"] for end in ("value", "low", "high", "n")}
    doable_rows = frame.assign(row=f"{PATCHED}, doable", **doable).loc[apart]
    frame = pd.concat([frame, doable_rows], ignore_index=True)
    is_difference = frame["measure"].iloc[0] == LOGIT_DIFF
    references = {"base": 0.0, "reference": 1.0} if is_difference else {}
    figure = layer_curve(frame, title=title, y_title=_y_title(frame), references=references)
    return figure if is_difference else figure.update_yaxes(range=[-0.02, 1.02])


def patch_map(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Heat map of one measure over layers and places (positions, spans, heads); no controls.

    Args:
        frame: Rows of one measure and answer of ``PatchResult.to_frame()``.
        title: Title of the figure.

    Returns:
        A heat map, white at 0, each cell's interval in its hover text.
    """
    rows = frame.loc[frame["row"] == PATCHED]
    places = list(dict.fromkeys(rows["place"]))
    layers = sorted(set(rows["layer"]))
    cells = {(row["layer"], row["place"]): row for row in rows.to_dict("records")}
    table = [[cells[layer, place] for place in places] for layer in layers]
    x_title, names = _place_axis(places)
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


def _place_axis(places: Sequence[str]) -> tuple[str, list[str]]:
    """Title of the axis and name of each place; heads of one place by their numbers alone."""
    parts = [place.rpartition(", head ") for place in places]
    positions = {position for position, _, _ in parts}
    if len(positions) == 1 and all(separator for _, separator, _ in parts):
        return f"head, at {positions.pop()}", [f"H{head}" for _, _, head in parts]
    return "place", list(places)


def _interval(cell: Mapping[Hashable, Any]) -> str:
    """Interval and number of items of one cell, for the hover text."""
    return f"[{cell['low']:.3g}, {cell['high']:.3g}], n = {cell['n']}"


def _y_title(frame: pd.DataFrame) -> str:
    """Name of the measure, and of the answer if it has one."""
    answer = frame["answer"].iloc[0]
    return _TITLES[frame["measure"].iloc[0]] + (f" “{escape(answer)}”" if answer else "")
