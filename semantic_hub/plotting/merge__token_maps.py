"""Numbers of a prompt's tokens as a heat map: a data frame in, a figure out."""

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.plotting.style import DIVERGING, RISING, layout
from semantic_hub.plotting.text import escaped, legible


def token_map(frame: pd.DataFrame, *, unit: str = "", title: str = "") -> go.Figure:
    """Rows × tokens: how likely each token was at each layer, or what steering did to it.

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
    pieces = [legible(text) for text in frame.drop_duplicates("pos").sort_values("pos")["piece"]]
    signed, most = bool((frame["value"] < 0).any()), float(frame["value"].abs().max())
    figure = go.Figure(
        go.Heatmap(
            z=[[None if pd.isna(value) else value for value in row] for row in table.to_numpy()],
            x=places,
            y=[escaped(row) for row in rows],
            customdata=[pieces] * len(rows),
            hovertemplate=f"%{{y}}, %{{customdata}}: %{{z:.3g}} {escaped(unit)}<extra></extra>",
            colorscale=DIVERGING if signed else RISING,
            zmin=-most if signed else 0,
            zmax=most,
            colorbar={"title": {"text": escaped(unit), "side": "right"}, "thickness": 12},
            xgap=1,
            ygap=1,
        ),
        layout=layout(title, "token", ""),
    )
    figure.update_xaxes(tickvals=places, ticktext=pieces, showgrid=False, zeroline=False)
    return figure.update_yaxes(type="category", showgrid=False)
