"""The rule: each branch of it, Holm's order, and the majority."""

from dataclasses import replace

import pytest
import torch

from semantic_hub.experiment.verdict.rule import adjusted_p_values, decide, majority
from semantic_hub.statistics.margins import Cell, CellMargins
from semantic_hub.statistics.p_values import holm

NAN = float("nan")


def found(p=(0.01,), low=None, high=None, value=None) -> CellMargins:
    n = len(p)
    columns = {"p": p, "low": low or (0.2,) * n, "high": high or (0.8,) * n}
    columns["value"] = value or (0.5,) * n
    return CellMargins(
        cells=tuple(Cell(layer + 1) for layer in range(n)),
        strongest=("twin",) * n,
        n=40,
        unit="share",
        **{name: torch.tensor(column, dtype=torch.float64) for name, column in columns.items()},
    )


def verdict(margins: CellMargins) -> str:
    return decide(margins, margins.p, alpha=0.05, smallest=0.1).verdict


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        (found(p=(0.05,)), "supported"),
        (found(p=(0.051,)), "cannot tell"),
        (found(p=(0.01,), low=(0.0,)), "cannot tell"),
        (found(p=(0.01,), low=(0.01,), high=(0.05,)), "supported"),
        (found(p=(0.5,), low=(-0.1,), high=(0.09,)), "not supported"),
        (found(p=(0.5,), low=(-0.1,), high=(0.1,)), "cannot tell"),
        (found(p=(0.5, 0.5), low=(-0.1, -0.1), high=(0.09, 0.2)), "cannot tell"),
        (found(p=(0.5, 0.01), low=(-0.1, 0.1)), "supported"),
        (found(p=(0.01, 0.5), low=(-0.1, 0.1)), "cannot tell"),
        (found(p=(NAN,), low=(NAN,), high=(NAN,), value=(NAN,)), "cannot tell"),
        (found(p=(NAN, 0.5), low=(NAN, -0.1), high=(NAN, 0.05)), "cannot tell"),
        (CellMargins.none("share", "no null controls"), "cannot tell"),
    ],
)
def test_each_branch(margins: CellMargins, expected: str) -> None:
    assert verdict(margins) == expected


@pytest.mark.parametrize(("n", "expected"), [(4, "cannot tell"), (5, "not supported")])
def test_few_items_tell_nothing(n: int, expected: str) -> None:
    """With 4 of them even a sign test could not reach .05: 1/16."""
    margins = replace(found(p=(1.0,), low=(-0.01,), high=(0.01,)), n=n)
    assert verdict(margins) == expected


def test_what_is_shown_is_the_largest_that_supports() -> None:
    margins = found(p=(0.01, 0.2, 0.04), value=(0.3, 0.9, 0.4))
    judged = decide(margins, margins.p, alpha=0.05, smallest=0.1)
    assert (judged.supporting_cells, judged.reported_cell) == ((0, 2), 2)
    nothing = decide(margins, margins.p + 0.5, alpha=0.05, smallest=0.1)
    assert (nothing.supporting_cells, nothing.reported_cell) == ((), 1)


def test_nothing_measured_shows_nothing() -> None:
    margins = found(p=(NAN,), low=(NAN,), high=(NAN,), value=(NAN,))
    assert decide(margins, margins.p, alpha=0.05, smallest=0.1).reported_cell is None


def test_holm_over_the_smallest_p_of_each_set() -> None:
    """Three sets: .01, .02, .03 become .03, .04, .04, in whatever order they come."""
    sets = [found(p=(0.5, 0.03)), found(p=(0.01, 0.02)), found(p=(0.02, 0.9))]
    adjusted = adjusted_p_values(sets)
    smallest = torch.tensor([0.03, 0.01, 0.02], dtype=torch.float64)
    assert torch.stack([p.amin() for p in adjusted]).tolist() == holm(smallest).tolist()
    assert [p.amin().item() for p in adjusted] == pytest.approx([0.04, 0.03, 0.04])
    assert adjusted[1].tolist() == pytest.approx([0.03, 0.06])  # .02 beside another .02 and .03


def test_a_cell_is_never_below_its_own_p_nor_its_sets() -> None:
    generator = torch.Generator().manual_seed(0)
    sets = [found(p=tuple(torch.rand(4, generator=generator).tolist())) for _ in range(6)]
    for own, p in zip(sets, adjusted_p_values(sets), strict=True):
        assert (p >= own.p).all()
        assert p[own.p.argmin()] == p.amin()


def test_a_set_without_p_is_no_test() -> None:
    sets = [found(p=(NAN,)), found(p=(0.04, NAN)), CellMargins.none("share", "none")]
    first, second, third = adjusted_p_values(sets)
    assert first.isnan().all()
    assert second[0].item() == pytest.approx(0.04)
    assert second[1].isnan()
    assert len(third) == 0
    assert adjusted_p_values([]) == []


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0), "not measured"),
        ((2, 1, 0), "supported"),
        ((1, 1, 0), "cannot tell"),
        ((2, 1, 1), "cannot tell"),
        ((0, 2, 1), "not supported"),
        ((0, 0, 1), "cannot tell"),
    ],
)
def test_majority(counts: tuple[int, int, int], expected: str) -> None:
    names = ("supported", "not supported", "cannot tell")
    told = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    assert majority(told) == expected
