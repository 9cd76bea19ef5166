"""Figure of the language mass over layers."""

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.lenses.mass.result import SHARED
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import PALETTE, layer_ticks, layout, nth
from semantic_hub.plotting.text import escape

_COLORS, _GRAY = PALETTE[:-1], PALETTE[-1]
_PATTERNS = ("", "/", "x", ".")


def language_areas(frame: pd.DataFrame, *, title: str = "") -> go.Figure:
    """Stacked areas of the mass of every language over layers, the shared bucket in gray on top.

    Args:
        frame: ``LanguageMassResult.to_frame()``; rows of other measures than ``mass`` are left out.
        title: Title of the figure.

    Returns:
        One area for each language; intervals, and the language's share of the vocabulary, are in
        the hover text. Languages beyond the number of colors are told apart by patterns.

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
    color = _GRAY if name == SHARED else nth(_COLORS, index)
    return go.Scatter(
        x=rows["layer"].tolist(),
        y=rows["value"].tolist(),
        name=escape(name),
        stackgroup="mass",
        mode="lines",
        line={"width": 1, "color": color},
        fillpattern={"shape": nth(_PATTERNS, index // len(_COLORS))},
        customdata=[_hover(row) for row in rows.to_dict("records")],
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def _hover(row: dict) -> str:
    return (
        f"layer {layer_name(row['layer'])}: {row['value']:.3g} [{row['low']:.3g}, "
        f"{row['high']:.3g}], n = {row['n']}; of the vocabulary {row['vocabulary']:.3g}"
    )
