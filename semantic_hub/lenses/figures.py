"""Several lenses in one figure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

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
            ``{"logit": logit_lens(...), "tuned": logit_lens(..., norm=tuned)}``.
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
        >>> lenses = {norm: sh.logit_lens(model, readouts, norm=norm) for norm in ("final", "none")}
        >>> figure = compare_lenses(lenses, group="hub")
        >>> [trace.name for trace in figure.data if trace.showlegend is None]
        ['final: hub', 'none: hub']
    """
    import pandas as pd

    from semantic_hub.plotting.merge__plotting import lens_curves

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
