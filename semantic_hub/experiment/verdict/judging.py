"""Verdicts on all findings of a model: one line for each spoke and kind of evidence."""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import ceil
from typing import Any, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_list, check_kinds
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.lines import LayerMargin, SetVerdict, SpokeVerdict
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.experiment.verdict.rule import (
    NOT_SUPPORTED,
    SUPPORTED,
    Judgment,
    adjusted_p_values,
    decide,
    majority,
)
from semantic_hub.models.layers import layer_name
from semantic_hub.results.result import Family
from semantic_hub.statistics.margins import CellMargins
from semantic_hub.statistics.resampling import Resampling

FAMILIES: tuple[Family, ...] = get_args(Family)
"""The kinds of evidence, each a family of tests: ``"similarity"``, ``"lens"``, ``"causal"``."""

_RESAMPLES_PER_SET = 10
"""Resamples for each set of a family, times 1 / alpha: Holm's method multiplies p by up to as many
sets, so that fewer resamples could not give a p-value that is small enough."""


def verdicts(
    findings: Findings | Sequence[Findings],
    *,
    alpha: float = 0.05,
    smallest: float = 0.1,
    resampling: Resampling = Resampling(),
) -> Verdicts:
    """Judge all findings of one model together.

    Every set of pairs, read-outs and interventions gives an effect above its strongest control at
    each middle layer (``Result.cell_margins``). `decide` says whether the set is supported;
    p-values are corrected over the cells of a set and, by Holm's method, over all sets of the same
    evidence. The line of a spoke is the `majority` of its sets.

    Args:
        findings: Of each spoke; those of a single one may stand alone.
        alpha: Accepted chance of calling even one set of a kind of evidence supported where none
            has an effect.
        smallest: The smallest margin of interest: below it everywhere is "not supported". In the
            unit of the margin: share of comparisons won, share of items, and for texts the
            scorer's own unit.
        resampling: Resamples over items for lens and interventions, and coverage of intervals; more
            are drawn where many sets need finer p-values. A similarity has its own.

    Raises:
        SemanticHubError: No findings, an alpha that is not between 0 and 1, or a smallest effect of
            0 or less.

    Example:
        >>> from semantic_hub.zoo.planted.models import planted_hub, planted_world
        >>> from semantic_hub.zoo.planted.spoke import PlantedSpoke
        >>> spoke, few = PlantedSpoke(planted_world("planted-hub")), sh.Resampling(resamples=200)
        >>> result = verdicts([sh.run(planted_hub(), spoke, resampling=few, permutations=200)])
        >>> [(line.evidence, line.verdict) for line in result.lines]
        [('similarity', 'supported'), ('lens', 'supported'), ('causal', 'supported')]
    """
    findings = as_list("verdicts", "findings", findings, Findings)
    check_kinds(
        "verdicts",
        alpha=(alpha, float),
        smallest=(smallest, float),
        resampling=(resampling, Resampling),
    )
    if not findings:
        raise SemanticHubError(
            "verdicts",
            got="no findings",
            expected="those of at least one spoke",
            fix="Pass what run returned, or the findings of a report.",
        )
    if not 0 < alpha < 1 or not smallest > 0:
        raise SemanticHubError(
            "verdicts",
            got=f"alpha={alpha}, smallest={smallest}",
            expected="alpha between 0 and 1, and a smallest effect above 0",
            fix="Leave them at 0.05 and 0.1.",
        )
    judged: dict[Family, list[list[SetVerdict]]] = {}
    for family in FAMILIES:
        n_sets = sum(1 for found in findings for _ in _tests(found, family))
        fine = max(resampling.resamples, ceil(_RESAMPLES_PER_SET * n_sets / alpha))
        finer = Resampling(fine, resampling.confidence, resampling.seed)
        judged[family] = _judge_family(findings, family, finer, alpha, smallest)
    return Verdicts(
        lines=tuple(
            _spoke_line(found.spoke, family, judged[family][index])
            for index, found in enumerate(findings)
            for family in FAMILIES
        ),
        sets=tuple(chain.from_iterable(chain.from_iterable(judged.values()))),
        alpha=alpha,
        smallest=smallest,
        notes=_notes(findings, alpha),
    )


class _Test(NamedTuple):
    """One set of a family: its kind of result, its name, and the result."""

    kind: str
    name: str
    result: Any


def _tests(findings: Findings, family: Family) -> Iterator[_Test]:
    for kind, sets in findings.results.items():
        for name, result in sets.items():
            if result.family == family:
                yield _Test(kind, name, result)


def _judge_family(
    findings: Sequence[Findings],
    family: Family,
    resampling: Resampling,
    alpha: float,
    smallest: float,
) -> list[list[SetVerdict]]:
    """The sets of one family, spoke by spoke."""
    margins = [
        [
            (test, margins)
            for test in _tests(found, family)
            if (margins := test.result.cell_margins(resampling)) is not None
        ]
        for found in findings
    ]
    adjusted = iter(adjusted_p_values([one for sets in margins for _, one in sets]))
    return [
        [
            _set_verdict(found.spoke, family, test, one, next(adjusted), alpha, smallest)
            for test, one in sets
        ]
        for found, sets in zip(findings, margins, strict=True)
    ]


def _set_verdict(
    spoke: str,
    family: Family,
    test: _Test,
    margins: CellMargins,
    p: Float[Tensor, " cell"],
    alpha: float,
    smallest: float,
) -> SetVerdict:
    judgment = decide(margins, p, alpha=alpha, smallest=smallest)
    return SetVerdict(
        spoke=spoke,
        evidence=family,
        kind=test.kind,
        name=test.name,
        verdict=judgment.verdict,
        n=margins.n,
        unit=margins.unit,
        profile=tuple(_profile(margins)),
        **_at_reported_cell(margins, p, judgment),
    )


def _at_reported_cell(
    margins: CellMargins, p: Float[Tensor, " cell"], judgment: Judgment
) -> dict[str, Any]:
    """Margin, interval, p and place of the cell that a set is reported by."""
    cell = judgment.reported_cell
    if cell is None:
        nothing = dict.fromkeys(("margin", "low", "high", "p"), float("nan"))
        empty = {"strongest": "", "where": "", "layers": (), "gaps": False}
        return nothing | empty | {"reason": margins.reason or "too few items"}
    layers, gaps = _layers(margins, judgment.supporting_cells or (cell,))
    layer, where = margins.cells[cell]
    return {
        "margin": float(margins.value[cell]),
        "low": float(margins.low[cell]),
        "high": float(margins.high[cell]),
        "p": float(p[cell]),
        "strongest": margins.strongest[cell],
        "where": ", ".join(filter(None, (layer_name(layer), where))),
        "layers": layers,
        "gaps": gaps,
        "reason": "",
    }


def _profile(margins: CellMargins) -> Iterator[LayerMargin]:
    """The cell with the largest margin at each layer."""
    cells: dict[int, list[int]] = {}
    for index, cell in enumerate(margins.cells):
        cells.setdefault(cell.layer, []).append(index)
    for layer in sorted(cells):
        best = max(cells[layer], key=lambda index: margins.value[index].nan_to_num(-torch.inf))
        ends = (float(getattr(margins, name)[best]) for name in ("value", "low", "high"))
        yield LayerMargin(layer, *ends)


def _layers(margins: CellMargins, cells: Sequence[int]) -> tuple[tuple[int, ...], bool]:
    """The layers of some cells, and whether others were measured between them."""
    layers = sorted({margins.cells[cell].layer for cell in cells})
    between = {cell.layer for cell in margins.cells if layers[0] <= cell.layer <= layers[-1]}
    return tuple(layers), len(between) > len(layers)


def _spoke_line(spoke: str, family: Family, sets: Sequence[SetVerdict]) -> SpokeVerdict:
    verdict_of_each = [one.verdict for one in sets]
    measured = sorted((one for one in sets if one.layers), key=lambda one: one.margin)
    return SpokeVerdict(
        spoke=spoke,
        evidence=family,
        verdict=majority(verdict_of_each),
        n_sets=len(sets),
        n_supported=verdict_of_each.count(SUPPORTED),
        n_not_supported=verdict_of_each.count(NOT_SUPPORTED),
        median_set=measured[(len(measured) - 1) // 2] if measured else None,
    )


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
