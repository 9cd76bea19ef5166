"""Several lenses in one figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.result import LensResult

if TYPE_CHECKING:
    import plotly.graph_objects as go


def compare_lenses(
    lenses: Mapping[str, LensResult],
    measure: str = "probability",
    *,
    group: str | None = None,
    title: str = "",
) -> "go.Figure":
    """One measure over layers, read through several lenses.

    Args:
        lenses: Results of the same read-outs by the lens' name, such as
            ``{"logit": logit_lens(...), "tuned": logit_lens(..., lens=tuned)}``.
        measure: ``"probability"``, ``"share"`` or ``"rank"``.
        group: Only this group's curves; None for all.
        title: Title of the figure.

    Returns:
        A curve with its band for each lens and group, named ``"tuned: hub"``.

    Raises:
        SemanticHubError: No lens, lenses that kept different read-outs, or no such measure or
            group.

    Example:
        >>> readouts = sh.spokes.arithmetic.readouts()[:5]
        >>> lenses = {name: sh.logit_lens(model, readouts, lens=name) for name in ("logit", "raw")}
        >>> figure = compare_lenses(lenses, group="hub")
        >>> [trace.name for trace in figure.data if trace.showlegend is None]
        ['logit: hub', 'raw: hub']
    """
    import pandas as pd

    from semantic_hub.plotting.curves import lens_curves

    _check_same_readouts(lenses)
    frames = [lens.to_frame().assign(lens=name) for name, lens in lenses.items()]
    rows = pd.concat(frames)
    if group is not None:
        rows = rows.loc[rows["group"] == _known(group, lenses)]
    named = rows.assign(group=rows["lens"] + ": " + rows["group"])
    return lens_curves(named, measure, title=title)


def _check_same_readouts(lenses: Mapping[str, LensResult]) -> None:
    read = {name: (lens.groups, lens.kept) for name, lens in lenses.items()}
    if len(set(read.values())) != 1:
        counts = ", ".join(f"{name!r} of {len(kept)}" for name, (_, kept) in read.items())
        raise SemanticHubError(
            "compare_lenses",
            got=f"lenses over different read-outs or groups ({counts})" if read else "no lens",
            expected="results of the same read-outs",
            fix="Read the same read-outs through every lens, and score words in the same way.",
        )


def _known(group: str, lenses: Mapping[str, LensResult]) -> str:
    groups = next(iter(lenses.values())).groups
    if group not in groups:
        raise SemanticHubError(
            "compare_lenses",
            got=f"the group {group!r}",
            expected=f"one of {', '.join(map(repr, groups))}",
            fix="Name one of these.",
        )
    return group


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
