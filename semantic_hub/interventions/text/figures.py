"""Figures of steering free text: data frames in, `plotly.graph_objects.Figure` out."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from semantic_hub.plotting.curves import layer_curve
from semantic_hub.plotting.style import PALETTE, SYMBOLS, TEMPLATE, nth
from semantic_hub.plotting.text import escape

_PANEL_HEIGHT, _MARGIN_HEIGHT = 200, 120
"""Height of one panel, and of the space above and below all of them, in pixels."""


def layer_curves(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """One scorer over layers, a curve for each direction.

    Args:
        frame: Rows of one measure, scorer and strength of ``TextSteeringResult.to_frame()``.
        title: Title of the figure.
    """
    first = frame.iloc[0]
    y_title = f"{_y_title(first['measure'], first['scorer'])}, strength {first['strength']:g}"
    return layer_curve(frame, group="direction", title=title, y_title=y_title)


def strength_panels(frame: pd.DataFrame) -> go.Figure:
    """Every scorer over strengths, a panel for each scorer and a curve for each direction.

    Args:
        frame: Rows of one measure and layer of ``TextSteeringResult.to_frame()``.

    Returns:
        Panels below each other, as high as they need; points joined by lines, with the interval of
        each; one legend for all.
    """
    scorers = list(dict.fromkeys(frame["scorer"]))
    figure = make_subplots(
        rows=len(scorers), shared_xaxes=True, vertical_spacing=0.12 / len(scorers)
    )
    for panel, scorer in enumerate(scorers, start=1):
        rows = frame.loc[frame["scorer"] == scorer]
        for index, (name, points) in enumerate(rows.groupby("direction", sort=False)):
            trace = _points(points, escape(name), index, legend=panel == 1)
            figure.add_trace(trace, row=panel, col=1)
        title = escape(_y_title(frame["measure"].iloc[0], scorer))
        figure.update_yaxes(title={"text": title, "font": {"size": 12}}, row=panel, col=1)
    figure.update_xaxes(title_text="strength", row=len(scorers), col=1)
    height = _PANEL_HEIGHT * len(scorers)
    look = {"legend": {"y": -50 / height}, "margin": {"t": 36}}
    return figure.update_layout(template=TEMPLATE, height=height + _MARGIN_HEIGHT, **look)


def _points(rows: pd.DataFrame, name: str, index: int, *, legend: bool) -> go.Scatter:
    """Points with their intervals, joined by lines."""
    return go.Scatter(
        x=rows["strength"],
        y=rows["value"],
        error_y={
            "symmetric": False,
            "array": rows["high"] - rows["value"],
            "arrayminus": rows["value"] - rows["low"],
        },
        name=name,
        legendgroup=name,
        showlegend=legend,
        mode="lines+markers",
        line={"color": nth(PALETTE, index)},
        marker={"symbol": nth(SYMBOLS, index), "size": 7},
        customdata=rows[["low", "high", "n"]],
        hovertemplate="strength %{x}: %{y:.3g} [%{customdata[0]:.3g}, %{customdata[1]:.3g}], "
        "n = %{customdata[2]}<extra>%{fullData.name}</extra>",
    )


def _y_title(measure: str, scorer: str) -> str:
    """Title of a scorer's axis."""
    return f"change of {scorer}" if measure == "change" else scorer
