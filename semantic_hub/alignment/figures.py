"""Heat map of the similarity of forms: takes a data frame, returns a plotly figure."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.alignment.auc import CHANCE
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import DIVERGING, GRID, TEXT_COLOR, layout
from semantic_hub.plotting.text import escape


def form_map(frame: pd.DataFrame, layer: int, *, title: str = "") -> go.Figure:
    """Heat map of the similarity of every two forms, with a slider over layers.

    Args:
        frame: ``FormSimilarity.to_frame()``.
        layer: The layer that is shown first.
        title: Title of the figure.

    Returns:
        A heat map for each layer, one of them visible, on one scale, white at chance level; each
        cell shows its value, its hover text the interval and the number of labels. The diagonal
        and cells that cannot be compared are blank.

    Raises:
        SemanticHubError: A layer that the frame lacks.

    Example:
        >>> frame = pd.DataFrame({"form": ["en", "en"], "other": "es", "layer": [0, 1],
        ...                       "value": [0.0, 0.5], "low": -0.1, "high": 0.6, "n": 9})
        >>> [map.visible for map in form_map(frame, 1).data]
        [False, True]
    """
    layers = sorted(set(frame["layer"].tolist()))
    if layer not in layers:
        raise SemanticHubError(
            "form_map",
            got=f"layer {layer}",
            expected=f"one of {', '.join(map(str, layers))}",
            fix="Choose one of the layers that were read.",
        )
    edge = float((frame["value"] - CHANCE).abs().max())
    figure = go.Figure(layout=layout(title, "", ""))
    for each in layers:
        figure.add_trace(_map(frame.loc[frame["layer"] == each], edge, visible=each == layer))
    figure.update_layout(sliders=[_slider(layers, layers.index(layer))])
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(type="category", autorange="reversed", showgrid=False)


def _map(rows: pd.DataFrame, edge: float, *, visible: bool) -> go.Heatmap:
    forms, others = list(dict.fromkeys(rows["form"])), list(dict.fromkeys(rows["other"]))
    cells = {(row["form"], row["other"]): row for row in rows.to_dict("records")}
    table = [[cells[form, other] for other in others] for form in forms]
    return go.Heatmap(
        x=list(map(escape, others)),
        y=list(map(escape, forms)),
        z=[[_number(cell) for cell in row] for row in table],
        text=[[_text(cell) for cell in row] for row in table],
        texttemplate="%{text}",
        customdata=[[_interval(cell) for cell in row] for row in table],
        hovertemplate="%{y} – %{x}: %{z:.3f} %{customdata}<extra></extra>",
        colorscale=DIVERGING,
        zmin=CHANCE - edge,
        zmax=CHANCE + edge,
        colorbar={
            "title": {"text": "share of mismatches beaten", "side": "right"},
            "thickness": 12,
        },
        xgap=1,
        ygap=1,
        visible=visible,
    )


def _slider(layers: list[int], active: int) -> dict[str, Any]:
    steps = [
        {
            "method": "restyle",
            "label": layer_name(layer),
            "args": ["visible", [place == index for place in range(len(layers))]],
        }
        for index, layer in enumerate(layers)
    ]
    value = {"prefix": "layer ", "font": {"size": 13, "color": TEXT_COLOR}}
    look = {
        "bgcolor": GRID,
        "activebgcolor": TEXT_COLOR,
        "bordercolor": TEXT_COLOR,
        "tickcolor": TEXT_COLOR,
    }
    return {"active": active, "steps": steps, "currentvalue": value, "pad": {"t": 40}, **look}


def _number(cell: dict[Hashable, Any]) -> float | None:
    return None if pd.isna(cell["value"]) else float(cell["value"])


def _text(cell: dict[Hashable, Any]) -> str:
    return "" if pd.isna(cell["value"]) else f"{cell['value']:.2f}"


def _interval(cell: dict[Hashable, Any]) -> str:
    return f"[{cell['low']:.3g}, {cell['high']:.3g}], {cell['n']} labels"
