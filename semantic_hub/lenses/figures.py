"""Figures of lens results: curves, several lenses in one figure, and heat maps."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.lenses.result import LensResult
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.curves import layer_curve
from semantic_hub.plotting.style import DIVERGING, layer_ticks, layout
from semantic_hub.plotting.text import escape
from semantic_hub.prompts.prompt import HUB, SURFACE

_RANKS: dict[str, object] = {
    "type": "log",
    "autorange": "reversed",
    "tickvals": [digit * 10**power for power in range(7) for digit in (1, 3)],
}
_MEASURES: dict[str, tuple[str, dict[str, float], dict[str, object]]] = {
    "probability": ("mean probability", {}, {"rangemode": "tozero"}),
    "share": ("share of read-outs", {"as often": 0.5}, {"range": [-0.02, 1.02]}),
    "rank": ("geometric mean of ranks", {}, _RANKS),
}
"""Title of the y axis, reference lines, and settings of the y axis, by measure."""

_SIDES, _COLUMN = 170, 16
"""Width in pixels beside the columns of `item_map`, and of a column whose name can be read."""

_MOST_NAMED = 40
"""Number of columns up to which `item_map` writes their names."""


def lens_curves(frame: pd.DataFrame, measure: str = "probability", *, title: str = "") -> go.Figure:
    """Curves of one measure of a lens over layers, one for each candidate group.

    Args:
        frame: ``LensResult.to_frame()``; rows of other measures are left out.
        measure: ``"probability"``: mean probability of each candidate group;
            ``"share"``: how often one group is likelier than another;
            ``"rank"``: rank in the vocabulary of each group's best token, log scale, 1 on top.
        title: Title of the figure.

    Returns:
        One curve with its band for each group, or for each pair of groups.

    Raises:
        SemanticHubError: No such measure.
    """
    check_choice("lens_curves", "measure", measure, tuple(_MEASURES))
    y_title, references, y_axis = _MEASURES[measure]
    rows = frame.loc[frame["measure"] == measure]
    pairs = zip(rows["group"], rows["against"], strict=True)
    curves = [f"{group} > {against}" if against else group for group, against in pairs]
    figure = layer_curve(
        rows.assign(curve=curves),
        group="curve",
        title=title,
        y_title=y_title,
        references=references,
    )
    return figure.update_yaxes(y_axis)


def compare_lenses(
    lenses: Mapping[str, LensResult],
    measure: str = "probability",
    *,
    group: str | None = None,
    title: str = "",
) -> go.Figure:
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
    _check_same_readouts(lenses)
    frames = [lens.to_frame().assign(lens=name) for name, lens in lenses.items()]
    rows = pd.concat(frames)
    if group is not None:
        groups = next(iter(lenses.values())).groups
        check_choice("compare_lenses", "group", group, groups)
        rows = rows.loc[rows["group"] == group]
    named = rows.assign(group=rows["lens"] + ": " + rows["group"])
    return lens_curves(named, measure, title=title)


def item_map(
    lens: LensResult,
    group: str = HUB,
    against: str = SURFACE,
    *,
    labels: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Heat map of read-outs by layers: which of two candidate groups is likelier.

    The color is the log-odds ``log p(group) − log p(against)`` in nats: blue where the group is
    likelier, vermilion where the other is. The scale ends where 95 % of the cells do, so that a few
    extreme ones do not make the rest pale.

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
    columns = [check_choice("item_map", "group", name, lens.groups) for name in (group, against)]
    log_prob, against_log_prob = lens.log_prob[..., columns].unbind(dim=-1)
    odds = (log_prob - against_log_prob).T.double()
    names, edge = _labels(lens, labels), max(float(odds.abs().quantile(0.95)), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=odds.numpy(),
            x=list(range(len(names))),
            y=list(lens.layers),
            customdata=[
                [f"{escape(name)}<br>layer {layer_name(layer)}" for name in names]
                for layer in lens.layers
            ],
            hovertemplate="%{customdata}: %{z:.2f} nat<extra></extra>",
            colorscale=DIVERGING,
            zmid=0,
            zmin=-edge,
            zmax=edge,
            colorbar={"title": {"text": escape(f"{group} − {against} (nat)"), "side": "right"}},
        ),
        layout(title, "read-out", "layer"),
    )
    shown = {"tickvals": list(range(len(names))), "ticktext": list(map(escape, names))}
    figure.update_yaxes(layer_ticks(lens.layers))
    named = bool(labels) and len(names) <= _MOST_NAMED
    figure.update_layout(meta={"min_width": _SIDES + _COLUMN * len(names) if named else None})
    return figure.update_xaxes({**shown, "tickangle": -90} if named else {})


def label_map(frame: pd.DataFrame, layer: int, *, title: str = "") -> go.Figure:
    """Heat map of gold labels by read labels at one layer.

    Args:
        frame: ``LabelMatrix.to_frame()``; rows of other layers are left out.
        layer: The layer.
        title: Title of the figure; empty for one that names the layer.

    Returns:
        A heat map, white at 0; each cell shows its value, its hover text the interval.

    Raises:
        SemanticHubError: A layer that the frame lacks.

    Example:
        >>> cells = [("agent", "agent", 0.1), ("agent", "theme", -0.1),
        ...          ("theme", "agent", -0.1), ("theme", "theme", 0.1)]
        >>> frame = pd.DataFrame(cells, columns=["gold", "read", "value"]).assign(
        ...     layer=3, low=-0.2, high=0.2, n=10)
        >>> list(map(list, label_map(frame, 3).data[0].z))
        [[0.1, -0.1], [-0.1, 0.1]]
    """
    check_choice("label_map", "layer", layer, frame["layer"].unique().tolist())
    rows = frame.loc[frame["layer"] == layer]
    labels = list(dict.fromkeys(rows["gold"]))
    cells = {(row["gold"], row["read"]): row for row in rows.to_dict("records")}
    table = [[cells[gold, read] for read in labels] for gold in labels]
    names = [escape(label) for label in labels]
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=[[cell["value"] for cell in row] for row in table],
            customdata=[
                [f"[{cell['low']:.3g}, {cell['high']:.3g}], n = {cell['n']}" for cell in row]
                for row in table
            ],
            texttemplate="%{z:.3f}",
            hovertemplate="gold %{y}, read %{x}: %{z:.3g} %{customdata}<extra></extra>",
            colorscale=DIVERGING,
            zmid=0,
            colorbar={"title": {"text": "probability, centered", "side": "right"}},
        ),
        layout=layout(title or f"layer {layer_name(layer)}", "label read", "gold label"),
    )
    figure.update_xaxes(type="category")
    return figure.update_yaxes(type="category", autorange="reversed")


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


def _labels(lens: LensResult, labels: Sequence[str]) -> list[str]:
    if labels and len(labels) <= max(lens.kept):
        raise SemanticHubError(
            "item_map",
            got=f"{len(labels)} labels",
            expected=f"one for each read-out that was given, {max(lens.kept) + 1} or more",
            fix="Leave the labels out, or give them in the order of the read-outs.",
        )
    return [labels[index] if labels else f"read-out {index}" for index in lens.kept]
