"""Figures of language mass: data frames in, `plotly.graph_objects.Figure` out."""

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import PALETTE, cycle, layer_ticks, layout
from semantic_hub.plotting.text import escaped

_COLOURS, _GREY = PALETTE[:-1], PALETTE[-1]
_PATTERNS = ("", "/", "x", ".")
_SHARED = "shared"


def language_areas(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Mass of every language over layers, stacked up to 1, the shared bucket in grey on top.

    Args:
        frame: ``LanguageMassResult.to_frame()``; rows of other measures than ``mass`` are left out.
        title: Title of the figure.

    Returns:
        One area for each language; intervals, and the language's part of the vocabulary, are in
        the hover text. Where colours run out, patterns tell areas apart.

    Example:
        >>> frame = pd.DataFrame({"measure": "mass", "layer": [0, 0], "group": ["en", "shared"],
        ...                       "value": [0.4, 0.6], "low": 0.3, "high": 0.7, "n": 9,
        ...                       "vocabulary": [0.2, 0.8]})
        >>> [area.name for area in language_areas(frame).data]
        ['en', 'shared']
    """
    rows = frame.loc[frame["measure"] == "mass"].sort_values("layer", kind="stable")
    figure = go.Figure(layout=layout(title, "layer", "mean next-token probability"))
    groups = dict(list(rows.groupby("group", sort=False)))
    for index, (name, area) in enumerate(groups.items()):
        figure.add_trace(_area(area, str(name), index))
    figure.update_xaxes(layer_ticks(rows["layer"].tolist()))
    return figure.update_yaxes(range=[0, 1])


def _area(rows: pd.DataFrame, name: str, index: int) -> go.Scatter:
    colour = _GREY if name == _SHARED else cycle(_COLOURS, index)
    return go.Scatter(
        x=rows["layer"].tolist(),
        y=rows["value"].tolist(),
        name=escaped(name),
        stackgroup="mass",
        mode="lines",
        line={"width": 1, "color": colour},
        fillpattern={"shape": cycle(_PATTERNS, index // len(_COLOURS))},
        customdata=[_hover(row) for row in rows.to_dict("records")],
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def _hover(row: dict) -> str:
    return (
        f"layer {layer_name(row['layer'])}: {row['value']:.3g} [{row['low']:.3g}, "
        f"{row['high']:.3g}], n = {row['n']}; of the vocabulary {row['vocabulary']:.3g}"
    )
