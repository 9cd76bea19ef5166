"""Every read-out of a lens in one picture: a column for each, a row for each layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.result import LensResult

if TYPE_CHECKING:
    import plotly.graph_objects as go


def item_map(
    lens: LensResult,
    group: str = "hub",
    against: str = "surface",
    *,
    labels: Sequence[str] = (),
    title: str = "",
) -> "go.Figure":
    """Which of two groups each read-out is closer to at each layer.

    The colour is the log-odds ``log p(group) − log p(against)`` in nats: blue where the group is
    likelier, vermilion where the other is. The scale ends where 95 % of the cells do, so that a few
    extreme ones do not pale the rest.

    Args:
        lens: What was read.
        group: The group that is blue, such as the parameter's name.
        against: The group that it is compared with, such as the argument that is written there.
        labels: A name for each read-out in the list that was given to the lens, dropped ones
            included; empty for their numbers.
        title: Title of the figure.

    Returns:
        A heat map with as many columns as read-outs were kept. The layout's ``meta["min_width"]``
        is the width in pixels from which on their names can be read.

    Raises:
        SemanticHubError: No group of that name, or too few labels.

    Example:
        >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:5])
        >>> [column] = item_map(lens).data
        >>> column.z.shape
        (9, 5)

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 4 (code): columns of arguments by layers.
    """
    import plotly.graph_objects as go

    from semantic_hub.models.layers import layer_name
    from semantic_hub.plotting.style import DIVERGING, layer_ticks, layout
    from semantic_hub.plotting.text import escaped

    both = [_column(lens, name) for name in (group, against)]
    odds = (both[0] - both[1]).T.double()
    names, edge = _labels(lens, labels), max(float(odds.abs().quantile(0.95)), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=odds.numpy(),
            x=list(range(len(names))),
            y=list(lens.layers),
            customdata=[
                [f"{escaped(name)}<br>layer {layer_name(layer)}" for name in names]
                for layer in lens.layers
            ],
            hovertemplate="%{customdata}: %{z:.2f} nat<extra></extra>",
            colorscale=DIVERGING,
            zmid=0,
            zmin=-edge,
            zmax=edge,
            colorbar={"title": {"text": escaped(f"{group} − {against} (nat)"), "side": "right"}},
        ),
        layout(title, "read-out", "layer"),
    )
    shown = {"tickvals": list(range(len(names))), "ticktext": list(map(escaped, names))}
    figure.update_yaxes(layer_ticks(lens.layers))
    named = bool(labels) and len(names) <= _MOST_NAMED
    figure.update_layout(meta={"min_width": _SIDES + _COLUMN * len(names) if named else None})
    return figure.update_xaxes({**shown, "tickangle": -90} if named else {})


_SIDES, _COLUMN, _MOST_NAMED = 170, 16, 40
"""Columns that still have room for their names."""


def _column(lens: LensResult, group: str) -> Float[Tensor, "readout layer"]:
    if group not in lens.groups:
        raise SemanticHubError(
            "item_map",
            got=f"the group {group!r}",
            expected=f"one of {', '.join(map(repr, lens.groups))}",
            fix="Name one of these.",
        )
    return lens.log_prob[..., lens.groups.index(group)]


def _labels(lens: LensResult, labels: Sequence[str]) -> list[str]:
    if labels and len(labels) <= max(lens.kept):
        raise SemanticHubError(
            "item_map",
            got=f"{len(labels)} labels",
            expected=f"one for each read-out that was given, {max(lens.kept) + 1} or more",
            fix="Leave the labels out, or give them in the order of the read-outs.",
        )
    return [labels[index] if labels else f"read-out {index}" for index in lens.kept]
