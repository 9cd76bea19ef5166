"""The verdict on one set, and on the sets of a spoke, as values."""

from dataclasses import dataclass
from typing import NamedTuple

from semantic_hub.experiment.verdict.rule import (
    CANNOT_TELL,
    NOT_MEASURED,
    NOT_SUPPORTED,
    SUPPORTED,
)
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.values import short_repr

HEADINGS = {
    "similarity": "Shared states",
    "lens": "Read in the dominant language",
    "causal": "Used by the model",
}
"""What each kind of evidence asks of a model, as a heading."""

SIGNS = {SUPPORTED: "✓", NOT_SUPPORTED: "✗", CANNOT_TELL: "?", NOT_MEASURED: "–"}
"""A sign for each verdict, so that no color is needed to tell them apart."""


class LayerMargin(NamedTuple):
    """Effect above the strongest control at one layer, with the ends of its interval."""

    layer: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SetVerdict:
    """The verdict on one set.

    Args:
        spoke: The spoke's name.
        evidence: ``"similarity"``, ``"lens"`` or ``"causal"``.
        kind: The kind of result, such as ``"patching"``.
        name: The set's name.
        verdict: ``"supported"``, ``"not supported"`` or ``"cannot tell"``.
        margin: Effect above the strongest control, in `unit`, where it is largest (of the cells
            that support the set, if any does); NaN where nothing was measured.
        low: Lower end of its interval over items.
        high: Upper end.
        p: Its p-value, corrected over cells and over the sets of its kind of evidence.
        strongest: The strongest control there.
        where: The layer there, with place or strength.
        layers: The layers that support the set, else the one where the margin is largest.
        gaps: Whether layers were measured between these that do not support it.
        n: Number of items.
        unit: What the margin counts.
        reason: Why nothing was measured.
        profile: The margin at each middle layer: of several places or strengths there, the largest.
    """

    spoke: str
    evidence: str
    kind: str
    name: str
    verdict: str
    margin: float
    low: float
    high: float
    p: float
    strongest: str
    where: str
    layers: tuple[int, ...]
    gaps: bool
    n: int
    unit: str
    reason: str
    profile: tuple[LayerMargin, ...] = ()
    __repr__ = short_repr

    @property
    def layer_range(self) -> str:
        """The layers as text: ``"4"``, ``"3–6"``, ``"3–6, with gaps"``."""
        ends = dict.fromkeys(layer_name(layer) for layer in self.layers[:1] + self.layers[-1:])
        return "–".join(ends) + (", with gaps" if self.gaps else "")


@dataclass(frozen=True, kw_only=True)
class SpokeVerdict:
    """The verdict on one spoke's sets of one kind of evidence.

    Args:
        spoke: The spoke's name.
        evidence: ``"similarity"``, ``"lens"`` or ``"causal"``.
        verdict: What more than half of the sets say, else ``"cannot tell"``; ``"not measured"``
            where there are none.
        n_sets: Number of sets.
        n_supported: How many of them are supported.
        n_not_supported: How many are not.
        median_set: The set with the median margin (the lower of the two middle ones); None where no
            set has a margin.
    """

    spoke: str
    evidence: str
    verdict: str
    n_sets: int
    n_supported: int
    n_not_supported: int
    median_set: SetVerdict | None
    __repr__ = short_repr
