"""Small multiples: curves of several models or sets in panels on shared axes."""

from collections.abc import Iterator, Sequence
from typing import cast

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.curves import band, line
from semantic_hub.plotting.style import TEXT_COLOR, layout
from semantic_hub.plotting.text import escape

_PANEL = 210
"""Height of a panel in pixels."""


def small_multiples(
    frame: pd.DataFrame,
    *,
    panel: str = "model",
    curve: str = "row",
    columns: int = 3,
    y_title: str = "",
    title: str = "",
) -> go.Figure:
    """Panels of curves over relative depth, one for each model, on shared axes.

    Models of different depth stand side by side, since a layer's place is its number over that of
    the model's last layer: 0 is the embedding, 1 the last block. The last layer is in the column
    ``n_layers`` if there is one, else it is the highest that the frame has of the model.

    Args:
        frame: Columns ``layer`` and ``value``, ``low`` and ``high`` for bands, ``n`` for the hover
            text, and the two that the next arguments name. Rows of one measure only. To compare
            models by set, swap the two: ``panel="set", curve="model"``.
        panel: Column that names the panels.
        curve: Column that names the curves; one color and mark for each throughout.
        columns: Panels beside each other; 1 for a narrow page.
        y_title: What is measured, with its unit.
        title: Title of the figure.

    Returns:
        A figure as high as its rows of panels need, with one legend for all of them.

    Raises:
        SemanticHubError: No rows, or two values of one curve at one layer.

    Example:
        >>> frame = pd.DataFrame({"model": ["a", "a", "b", "b", "b"], "layer": [0, 4, 0, 1, 2],
        ...                       "row": "pairs", "value": [0.0, 0.4, 0.0, 0.1, 0.2]})
        >>> [tuple(line.x) for line in small_multiples(frame).data]
        [(0.0, 1.0), (0.0, 0.5, 1.0)]
    """
    _check(frame, [panel, curve, "layer"])
    depths = _with_depth(frame, panel if panel == "model" or "model" not in frame else "model")
    panels, curves = (list(dict.fromkeys(frame[name])) for name in (panel, curve))
    across = min(columns, len(panels))
    figure = _grid([escape(name) for name in panels], across, escape(y_title))
    in_legend: set[str] = set()
    for names, rows in depths.groupby([panel, curve], sort=False):
        place, name = cast(tuple[object, object], names)
        row, column = divmod(panels.index(place), across)
        for trace in _traces(rows, str(name), curves.index(name), legend=name not in in_legend):
            figure.add_trace(trace, row=row + 1, col=column + 1)
        in_legend.add(str(name))
    return _finished(figure, title, -(-len(panels) // across))


def _grid(titles: Sequence[str], across: int, y_title: str) -> go.Figure:
    """Empty panels on shared axes."""
    down = -(-len(titles) // across)
    return make_subplots(
        rows=down,
        cols=across,
        shared_xaxes=True,
        shared_yaxes=True,
        subplot_titles=titles,
        vertical_spacing=0.24 / down,
        horizontal_spacing=0.1 / across,
        x_title="relative depth (0 embedding, 1 last block)",
        y_title=y_title,
    )


def _with_depth(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Rows sorted by layer, with a column ``depth``."""
    if "n_layers" in frame:
        last = frame["n_layers"]
    else:
        last = frame.groupby(model)["layer"].transform("max").clip(lower=1)
    return frame.assign(depth=frame["layer"] / last).sort_values("layer", kind="stable")


def _traces(rows: pd.DataFrame, name: str, index: int, *, legend: bool) -> Iterator[go.Scatter]:
    """Band and line of one curve in one panel."""
    shown, ends = escape(name), ("low", "high")
    if {*ends} <= set(rows.columns) and len(rows.dropna(subset=[*ends])):
        yield band(rows, *ends, shown, index, "depth")
    yield line(rows, "value", *ends, shown, index, "depth").update(showlegend=legend)


def _finished(figure: go.Figure, title: str, down: int) -> go.Figure:
    """Apply template, margins, height and legend to the figure."""
    look = layout(title, "", "")
    figure.update_layout(template=look["template"], title=look["title"], margin=look["margin"])
    figure.update_annotations(font={"size": 13, "color": TEXT_COLOR})
    return figure.update_layout(
        height=_PANEL * down + 170,
        legend={"y": -75 / (_PANEL * down)},
        margin={"l": 70, "b": 100},
    )


def _check(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if len(frame) and not frame.duplicated(list(names)).any():
        return
    raise SemanticHubError(
        "small_multiples",
        got="values that share panel, curve and layer" if len(frame) else "no rows",
        expected=f"one value for each {', '.join(names)}",
        fix="Choose the rows of one measure and set first.",
    )
