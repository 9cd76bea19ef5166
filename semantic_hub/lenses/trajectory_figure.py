"""Figure of trajectories: paths of groups over layers, and words as anchors."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import PALETTE, SYMBOLS, TEXT_COLOR, layout, nth
from semantic_hub.plotting.text import display_token, escape


def paths(
    frame: pd.DataFrame,
    *,
    explained: tuple[float, float],
    fitted_to: str = "all",
    title: str = "",
) -> go.Figure:
    """Draw the path of each group over layers in a plane, with words as anchors.

    Args:
        frame: ``Trajectories.to_frame()``.
        explained: Share of the variance explained by each axis, 0 to 1.
        fitted_to: What the plane was fitted to, for the axis titles.
        title: Title of the figure.

    Returns:
        A trace for each group, its first and last layer named, then one of the words.

    Example:
        >>> frame = pd.DataFrame({"kind": ["states", "states", "anchor"], "name": ["a", "a", "<b>"],
        ...                       "layer": [0, 1, None], "x": [0.0, 1.0, 1.0],
        ...                       "y": [0.0, 0.5, 0.5], "n": [3, 3, 1]})
        >>> path, anchors = paths(frame, explained=(0.6, 0.2)).data
        >>> path.text, anchors.text
        (('emb', '1'), ('&lt;b&gt;',))
    """
    source = "words" if fitted_to == "anchors" else "states and words"
    x_title, y_title = (
        f"PC {number}, {share:.0%} of variance" for number, share in enumerate(explained, start=1)
    )
    figure = go.Figure(layout=layout(title, f"{x_title} of {source}", y_title))
    states = frame.loc[frame["kind"] == "states"].sort_values("layer", kind="stable")
    for index, (name, rows) in enumerate(states.groupby("name", sort=False)):
        figure.add_trace(_path(rows.to_dict("records"), str(name), index))
    figure.add_trace(_anchors(frame.loc[frame["kind"] == "anchor"]))
    return figure


def _path(rows: list[dict[Hashable, Any]], name: str, index: int) -> go.Scatter:
    layers = [layer_name(int(row["layer"])) for row in rows]
    last = len(rows) - 1
    color = nth(PALETTE, index)
    return go.Scatter(
        x=[row["x"] for row in rows],
        y=[row["y"] for row in rows],
        mode="lines+markers+text",
        name=escape(name),
        text=[layer if step in (0, last) else "" for step, layer in enumerate(layers)],
        textposition="top center",
        textfont={"size": 10, "color": color},
        line={"color": color, "width": 1.5},
        marker={
            "symbol": nth(SYMBOLS, index),
            "size": [5 + 6 * step / max(1, last) for step in range(len(rows))],
        },
        customdata=[
            f"{escape(name)}, layer {layer}, n = {row['n']}"
            for layer, row in zip(layers, rows, strict=True)
        ],
        cliponaxis=False,
        hovertemplate="%{customdata}<br>%{x:.3f}, %{y:.3f}<extra></extra>",
    )


def _anchors(rows: pd.DataFrame) -> go.Scatter:
    words = [display_token(word) for word in rows["name"]]
    return go.Scatter(
        x=rows["x"].tolist(),
        y=rows["y"].tolist(),
        mode="markers+text",
        name="words (unembedding)",
        text=words,
        textposition="bottom center",
        textfont={"color": TEXT_COLOR, "size": 13},
        marker={"symbol": "star-diamond", "size": 9, "color": TEXT_COLOR},
        cliponaxis=False,
        hovertemplate="%{text}<br>%{x:.3f}, %{y:.3f}<extra></extra>",
    )
