"""The figure of a role matrix: a data frame in, `plotly.graph_objects.Figure` out."""

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import DIVERGING, layout
from semantic_hub.plotting.text import escaped


def role_map(frame: pd.DataFrame, layer: int, *, title: str = "") -> go.Figure:
    """Gold role × read role at one layer.

    Args:
        frame: ``RoleMatrix.to_frame()``; rows of other layers are left out.
        layer: The layer.
        title: Title of the figure; empty for one that names the layer.

    Returns:
        A heat map, white at 0; each cell shows its value, its hover text the interval.

    Raises:
        SemanticHubError: A layer that the frame lacks.

    Example:
        >>> import pandas as pd
        >>> cells = [("agent", "agent", 0.1), ("agent", "theme", -0.1),
        ...          ("theme", "agent", -0.1), ("theme", "theme", 0.1)]
        >>> frame = pd.DataFrame(cells, columns=["gold", "read", "value"]).assign(
        ...     layer=3, low=-0.2, high=0.2, n=10)
        >>> list(map(list, role_map(frame, 3).data[0].z))
        [[0.1, -0.1], [-0.1, 0.1]]
    """
    rows = frame.loc[frame["layer"] == layer]
    if rows.empty:
        raise SemanticHubError(
            "role_map",
            got=f"layer {layer}",
            expected=f"one of {', '.join(map(str, frame['layer'].unique()))}",
            fix="Choose one of those that were read.",
        )
    roles = list(dict.fromkeys(rows["gold"]))
    cells = {(row["gold"], row["read"]): row for row in rows.to_dict("records")}
    table = [[cells[gold, read] for read in roles] for gold in roles]
    names = [escaped(role) for role in roles]
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=[[cell["value"] for cell in row] for row in table],
            customdata=[[_interval(cell) for cell in row] for row in table],
            texttemplate="%{z:.3f}",
            hovertemplate="before %{y}, read %{x}: %{z:.3g} %{customdata}<extra></extra>",
            colorscale=DIVERGING,
            zmid=0,
            colorbar={"title": {"text": "probability, centred", "side": "right"}},
        ),
        layout=layout(title or f"layer {layer_name(layer)}", "role read", "role of the name"),
    )
    figure.update_xaxes(type="category")
    return figure.update_yaxes(type="category", autorange="reversed")


def _interval(cell: dict) -> str:
    return f"[{cell['low']:.3g}, {cell['high']:.3g}], n = {cell['n']}"
