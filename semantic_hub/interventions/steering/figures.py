"""Figures of steering: data frames in, `plotly.graph_objects.Figure` out."""

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.curves import band, line
from semantic_hub.plotting.style import layout
from semantic_hub.plotting.text import escape


def dose_response(
    frame: pd.DataFrame, layer: int, *, outcome: str = "success", title: str = ""
) -> go.Figure:
    """Share of an outcome over strengths, steered at one layer.

    Args:
        frame: ``SteeringResult.to_frame()``; rows of other layers and outcomes are left out.
        layer: The steered layer.
        outcome: ``"success"``, ``"unchanged"`` or ``"other"``.
        title: Title of the figure; empty for one that names the layer.

    Returns:
        For each direction, the placebo's last, a band and a line; one legend entry switches both.

    Raises:
        SemanticHubError: A layer or outcome that the frame lacks.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"direction": "words", "layer": 3, "strength": [0.0, 1.0],
        ...                       "outcome": "success", "value": [0.0, 0.9], "low": [0.0, 0.8],
        ...                       "high": [0.1, 0.95], "n": 50})
        >>> [trace.name for trace in dose_response(frame, 3).data]
        ['words', 'words']
    """
    rows = frame.loc[(frame["layer"] == layer) & (frame["outcome"] == outcome)]
    if rows.empty:
        raise SemanticHubError(
            "dose_response",
            got=f"layer {layer} and outcome {outcome!r}",
            expected="a layer and an outcome that the frame has",
            fix="Choose one of those that were steered.",
        )
    title = title or f"steered at layer {layer_name(layer)}"
    figure = go.Figure(layout=layout(title, "strength", f"share of prompts: {outcome}"))
    for index, (direction, curve) in enumerate(rows.groupby("direction", sort=False)):
        name = escape(direction)
        figure.add_trace(band(curve, "low", "high", name, index, "strength"))
        figure.add_trace(line(curve, "value", "low", "high", name, index, "strength"))
    return figure.update_yaxes(range=[-0.02, 1.02])
