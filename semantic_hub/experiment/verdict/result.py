"""Verdicts as values: one for each set, one for each spoke and kind of evidence, and all."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from semantic_hub.experiment.verdict.rule import (
    CANNOT_TELL,
    NOT_MEASURED,
    NOT_SUPPORTED,
    SUPPORTED,
)
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.values import Displayable, short_repr

if TYPE_CHECKING:
    import pandas as pd


HEADINGS = {
    "similarity": "Shared states",
    "lens": "Read in the dominant language",
    "causal": "Used by the model",
}
"""What each kind of evidence asks of a model, as a heading."""

SIGNS = {SUPPORTED: "✓", NOT_SUPPORTED: "✗", CANNOT_TELL: "?", NOT_MEASURED: "–"}
"""A sign for each verdict, so that no color is needed to tell them apart."""

_MEDIAN = ("name", "margin", "low", "high", "strongest", "p")
_COUNTS = ("spoke", "evidence", "verdict", "n_sets", "n_supported", "n_not_supported")
_LINE_COLUMNS = (*_COUNTS, "name", "layers", "margin", "low", "high", "strongest", "p")


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


@dataclass(frozen=True, kw_only=True)
class Verdicts(Displayable):
    """Verdicts on all sets and spokes, and the alpha and smallest margin used.

    Args:
        lines: One for each spoke and kind of evidence.
        sets: One for each set.
        alpha: Chance of a false "supported" that is accepted in each kind of evidence.
        smallest: The smallest margin of interest.
        notes: What kept the rule from deciding, such as too few permutations for so many sets.
    """

    lines: tuple[SpokeVerdict, ...]
    sets: tuple[SetVerdict, ...]
    alpha: float
    smallest: float
    notes: tuple[str, ...] = ()

    def _lines(self) -> Iterator[str]:
        said = Counter(line.verdict for line in self.lines)
        counted = ", ".join(f"{n} {verdict}" for verdict, n in said.items())
        yield f"Verdicts on {len(self.sets)} sets: {counted}"
        for line in self.lines[:3]:
            yield f"{line.spoke}, {line.evidence}: {line.verdict}, {line.n_sets} sets"
        yield "to_frame()  sets_frame()  profiles_frame()  sentences()  to_latex()"

    def _table(self) -> "pd.DataFrame":
        return self.to_frame()

    def _repr_html_(self) -> str:
        from semantic_hub.experiment.verdict.picture import verdict_html

        return verdict_html(self)

    def to_frame(self) -> "pd.DataFrame":
        """The verdicts of all spokes as a frame.

        Returns:
            Columns ``spoke evidence verdict n_sets n_supported n_not_supported``, then of the set
            with the median margin ``name layers margin low high strongest p``.
        """
        return _frame([_line(line) for line in self.lines], _LINE_COLUMNS)

    def sets_frame(self) -> "pd.DataFrame":
        """The verdicts of all sets as a frame: the fields of `SetVerdict` but ``profile``.

        ``layers`` are text.
        """
        rows = [{**vars(one), "layers": one.layer_range} for one in self.sets]
        return _frame(rows, [name for name in SetVerdict.__dataclass_fields__ if name != "profile"])

    def profiles_frame(self) -> "pd.DataFrame":
        """The margin of every set at each middle layer.

        Returns:
            Columns ``spoke evidence name layer value low high``.
        """
        rows = [
            {"spoke": one.spoke, "evidence": one.evidence, "name": one.name, **at._asdict()}
            for one in self.sets
            for at in one.profile
        ]
        return _frame(rows, ("spoke", "evidence", "name", *LayerMargin._fields))

    def sentences(self) -> dict[str, str]:
        """What each kind of evidence says of all spokes, one sentence each.

        The layers are those of the spoke's set with the median margin, where they support it.

        Returns:
            Kind of evidence to its sentence.

        Example:
            >>> verdict = Verdicts(lines=(), sets=(), alpha=0.05, smallest=0.1)
            >>> verdict.sentences()
            {}
        """
        spoken: dict[str, dict[str, list[str]]] = {}
        for line in self.lines:
            said = spoken.setdefault(line.evidence, {})
            said.setdefault(line.verdict, []).append(_with_layers(line))
        return {
            evidence: f"{HEADINGS.get(evidence, evidence)}: "
            + "; ".join(
                f"{verdict} for {_listed(said[verdict])}" for verdict in SIGNS if verdict in said
            )
            + "."
            for evidence, said in spoken.items()
        }


def _with_layers(line: SpokeVerdict) -> str:
    """The spoke, with the layers that support it."""
    one = line.median_set
    if line.verdict != SUPPORTED or one is None or one.verdict != SUPPORTED:
        return line.spoke
    return f"{line.spoke} ({'layer' if len(one.layers) == 1 else 'layers'} {one.layer_range})"


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _line(line: SpokeVerdict) -> dict[str, Any]:
    row = {name: getattr(line, name) for name in _COUNTS}
    if line.median_set is None:
        return row
    median_set = {name: getattr(line.median_set, name) for name in _MEDIAN}
    return row | median_set | {"layers": line.median_set.layer_range}


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))
