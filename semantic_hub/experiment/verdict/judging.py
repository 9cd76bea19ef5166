"""The verdict: for each spoke and each kind of evidence one line, by one rule for all."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import ceil
from typing import Any

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.evidence import cell_margins
from semantic_hub.experiment.verdict.result import SetVerdict, SpokeVerdict, Verdicts
from semantic_hub.experiment.verdict.rule import (
    NOT_SUPPORTED,
    SUPPORTED,
    Judgement,
    adjusted_p_values,
    judge,
    majority,
)
from semantic_hub.models.layers import layer_name
from semantic_hub.statistics.margins import CellMargins
from semantic_hub.statistics.resampling import Resampling

EVIDENCE: Mapping[str, tuple[str, ...]] = {
    "similarity": ("similarity",),
    "lens": ("lens",),
    "causal": ("patching", "steering", "texts"),
}
"""Each kind of evidence, a family of tests, and the fields of `Findings` that its sets are in."""


def verdicts(
    findings: Sequence[Findings],
    *,
    alpha: float = 0.05,
    smallest: float = 0.1,
    resampling: Resampling = Resampling(),
) -> Verdicts:
    """Judge all findings of one model together.

    Every set of pairs, read-outs and interventions gives an effect above its strongest control at
    each middle layer (`cell_margins`). `judge` says whether the set is supported; p-values are
    corrected over the cells of a set and, by Holm's method, over all sets of the same evidence. The
    line of a spoke is the `majority` of its sets.

    Args:
        findings: Of each spoke.
        alpha: Chance that is accepted of calling even one set of a kind of evidence supported
            where none has an effect.
        smallest: The smallest margin of interest: below it everywhere is "not supported". In the
            unit of the margin: mean cosine, share of items, and for texts the scorer's own unit.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: An alpha that is not between 0 and 1, or a smallest effect of 0 or less.

    Example:
        >>> from semantic_hub.zoo.planted.models import PlantedSpoke, planted_hub, planted_world
        >>> spoke = PlantedSpoke(planted_world("planted-hub"))
        >>> found = verdicts([sh.run(planted_hub(), spoke, resampling=sh.Resampling(resamples=200), permutations=200)])
        >>> [(line.evidence, line.verdict) for line in found.lines]
        [('similarity', 'supported'), ('lens', 'supported'), ('causal', 'supported')]
    """
    _check(alpha, smallest)
    judged = {}
    for evidence in EVIDENCE:
        finest = max(resampling.resamples, ceil(_FINER * _n_sets(findings, evidence) / alpha))
        draws = Resampling(finest, resampling.confidence, resampling.seed)
        judged[evidence] = _judged(findings, evidence, draws, alpha, smallest)
    return Verdicts(
        lines=tuple(
            _spoke_line(found.spoke, evidence, judged[evidence][place])
            for place, found in enumerate(findings)
            for evidence in EVIDENCE
        ),
        sets=tuple(chain.from_iterable(chain.from_iterable(judged.values()))),
        alpha=alpha,
        smallest=smallest,
        notes=_notes(findings, alpha),
    )


_FINER = 10
"""Resamples for each set of a family, times alpha: Holm's method multiplies p by up to as many."""


def _n_sets(findings: Sequence[Findings], evidence: str) -> int:
    return sum(len(getattr(found, kind)) for found in findings for kind in EVIDENCE[evidence])


def _notes(findings: Sequence[Findings], alpha: float) -> tuple[str, ...]:
    """Whether so many sets of pairs were measured that no p-value could be small enough."""
    measured = [one for found in findings for one in found.similarity.values() if one.strongest]
    drawn = [n for one in measured for n in (one.resampling.resamples, one.permutations)]
    needed = ceil(len(measured) / alpha) - 1
    if not drawn or min(drawn) >= needed:
        return ()
    return (
        f"Sets of pairs: {len(measured)}, measured with {min(drawn)} resamples or permutations. "
        "After the correction over sets no p-value can be small enough; "
        f"at least {needed} of both are needed.",
    )


def _judged(
    findings: Sequence[Findings], evidence: str, draws: Resampling, alpha: float, smallest: float
) -> list[list[SetVerdict]]:
    """The sets of one family, spoke by spoke."""
    measured = [list(_measured(found, evidence, draws)) for found in findings]
    family = [margins for sets in measured for _, margins in sets]
    adjusted = iter(adjusted_p_values(family))
    return [
        [_set_verdict(about, margins, next(adjusted), alpha, smallest) for about, margins in sets]
        for sets in measured
    ]


def _measured(
    found: Findings, evidence: str, draws: Resampling
) -> Iterator[tuple[dict[str, str], CellMargins]]:
    """What each set is called, and its margins."""
    for kind in EVIDENCE[evidence]:
        for name, result in getattr(found, kind).items():
            about = {"spoke": found.spoke, "evidence": evidence, "kind": kind, "name": name}
            yield about, cell_margins(result, draws)


def _set_verdict(
    about: Mapping[str, str],
    margins: CellMargins,
    p: Float[Tensor, " cell"],
    alpha: float,
    smallest: float,
) -> SetVerdict:
    judgement = judge(margins, p, alpha=alpha, smallest=smallest)
    return SetVerdict(**about, **_numbers(margins, p, judgement))


def _numbers(
    margins: CellMargins, p: Float[Tensor, " cell"], judgement: Judgement
) -> dict[str, Any]:
    about = {"verdict": judgement.verdict, "n": margins.n, "unit": margins.unit}
    at = judgement.shown
    if at is None:
        nothing = dict.fromkeys(("margin", "low", "high", "p"), float("nan"))
        empty = {"strongest": "", "where": "", "layers": (), "gaps": False}
        return about | nothing | empty | {"reason": margins.reason or "too few items"}
    layers, gaps = _layers(margins, judgement.carrying or (at,))
    ends = {"margin": margins.value, "low": margins.low, "high": margins.high, "p": p}
    cell = margins.cells[at]
    return {
        **about,
        **{name: float(values[at]) for name, values in ends.items()},
        "strongest": margins.strongest[at],
        "where": ", ".join(filter(None, (layer_name(cell.layer), cell.where))),
        "layers": layers,
        "gaps": gaps,
        "reason": "",
    }


def _layers(margins: CellMargins, cells: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """The layers of some cells, and whether others were measured between them."""
    layers = sorted({margins.cells[cell].layer for cell in cells})
    between = {cell.layer for cell in margins.cells if layers[0] <= cell.layer <= layers[-1]}
    return tuple(layers), len(between) > len(layers)


def _spoke_line(spoke: str, evidence: str, sets: Sequence[SetVerdict]) -> SpokeVerdict:
    told = [one.verdict for one in sets]
    measured = sorted((one for one in sets if one.layers), key=lambda one: one.margin)
    return SpokeVerdict(
        spoke=spoke,
        evidence=evidence,
        verdict=majority(told),
        n_sets=len(sets),
        n_supported=told.count(SUPPORTED),
        n_not_supported=told.count(NOT_SUPPORTED),
        typical=measured[(len(measured) - 1) // 2] if measured else None,
    )


def _check(alpha: float, smallest: float) -> None:
    if not 0 < alpha < 1 or not smallest > 0:
        raise SemanticHubError(
            "verdicts",
            got=f"alpha={alpha}, smallest={smallest}",
            expected="alpha between 0 and 1, and a smallest effect above 0",
            fix="Leave them at 0.05 and 0.1.",
        )
