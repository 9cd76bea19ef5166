"""P-values against enumeration, explicit loops and known rates."""

import itertools
import math

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics import p_values as permutations
from semantic_hub.statistics.p_values import holm, pairings, permutation_p_values


def pairings_of(n_items: int, permutations: int, seed: int = 0) -> list[tuple[int, ...]]:
    rows = torch.cat(list(pairings(n_items, permutations, seed=seed))).tolist()
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("n_items", [2, 3, 4, 5, 6])
def test_few_pairings_are_all_taken_once(n_items):
    drawn = pairings_of(n_items, permutations=1000)
    assert drawn[0] == tuple(range(n_items))
    assert sorted(drawn) == sorted(itertools.permutations(range(n_items)))


def test_many_pairings_are_drawn_evenly_after_the_identity():
    drawn = pairings_of(8, permutations=4000)
    assert len(drawn) == 4001
    assert drawn[0] == tuple(range(8))
    assert all(sorted(row) == list(range(8)) for row in drawn[:50])
    shares = torch.tensor(drawn[1:]).eq(3).double().mean(dim=0)
    torch.testing.assert_close(shares, torch.full((8,), 1 / 8).double(), atol=0.025, rtol=0)


def test_p_value_counts_the_true_pairing_among_those_that_score_as_high():
    statistics_ = torch.tensor([[1.0, 0.0], [2.0, -1.0], [1.0, -2.0], [0.0, 3.0]])
    assert permutation_p_values(statistics_).p.tolist() == [0.75, 0.5]


def test_corrected_p_value_by_a_loop_over_pairings():
    drawn = torch.randn(60, 5, generator=torch.Generator().manual_seed(0)).double()
    drawn *= torch.tensor([1, 10, 0.1, 1, 1])
    spread = [math.sqrt(((c - c.mean()) ** 2).mean()) for c in drawn.T]
    for layer in range(5):
        true = drawn[0, layer] / spread[layer]
        as_high = [max(row[k] / spread[k] for k in range(5)) >= true for row in drawn]
        corrected = permutation_p_values(drawn).corrected[layer].item()
        assert corrected == pytest.approx(sum(as_high) / 60)


def test_corrected_p_value_does_not_depend_on_a_layers_scale():
    drawn = torch.randn(200, 4, generator=torch.Generator().manual_seed(1)).double()
    scaled = drawn * torch.tensor([1.0, 100.0, 0.01, 3.0])
    assert torch.equal(
        permutation_p_values(drawn).corrected, permutation_p_values(scaled).corrected
    )


def test_corrected_p_value_is_never_smaller():
    drawn = torch.randn(100, 6, generator=torch.Generator().manual_seed(2))
    p_values = permutation_p_values(drawn)
    assert (p_values.corrected >= p_values.p).all()
    assert (p_values.p >= 1 / 100).all()


def test_rounding_in_a_layer_without_any_difference_is_not_evidence():
    drawn = torch.randn(100, 3, generator=torch.Generator().manual_seed(3)).double()
    drawn[:, 1] *= 1e-9
    drawn[0, 1] = 1e-8
    p_values = permutation_p_values(drawn)
    assert p_values.p[1] == p_values.corrected[1] == 1
    alone = permutation_p_values(drawn[:, [0, 2]])
    assert (p_values.corrected[[0, 2]] >= alone.corrected).all()


def test_corrected_p_values_are_uniform_under_the_null():
    generator = torch.Generator().manual_seed(4)
    worlds = [torch.randn(100, 8, generator=generator) for _ in range(300)]
    smallest = [permutation_p_values(world).corrected.min().item() for world in worlds]
    rejected = sum(p <= 0.05 for p in smallest) / 300
    assert 0.02 <= rejected <= 0.085


def test_draws_depend_on_the_seed_alone(monkeypatch):
    whole = pairings_of(50, 100, seed=3)
    monkeypatch.setattr(permutations, "_PAIRINGS", 450)
    assert len(list(pairings(50, 100, seed=3))) > 10
    assert pairings_of(50, 100, seed=3) == whole
    assert pairings_of(50, 100, seed=4) != whole


def holm_by_rejection(p_values: list[float]) -> list[float]:
    """The smallest level at which the step-down procedure rejects each hypothesis."""
    levels = sorted({min(1.0, p * m) for p in p_values for m in range(1, len(p_values) + 1)})
    return [
        next(level for level in levels if level == 1 or test in _rejected(p_values, level))
        for test in range(len(p_values))
    ]


def _rejected(p_values: list[float], level: float) -> set[int]:
    rejected: set[int] = set()
    for test in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[test] * (len(p_values) - len(rejected)) > level + 1e-15:
            break
        rejected.add(test)
    return rejected


def test_holm_by_eye():
    found = holm(torch.tensor([0.01, 0.04, 0.03, 0.005], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("seed", range(8))
def test_holm_equals_the_step_down_procedure(seed):
    generator = torch.Generator().manual_seed(seed)
    p_values = torch.rand(6, generator=generator).double() ** 3
    p_values[1] = p_values[4]
    assert holm(p_values).tolist() == pytest.approx(holm_by_rejection(p_values.tolist()))


def test_holm_keeps_one_p_value_and_an_empty_family():
    assert holm(torch.tensor([0.25])).tolist() == [0.25]
    assert holm(torch.tensor([])).tolist() == []


def test_holm_rejects_any_true_null_at_the_stated_rate():
    p_values = torch.rand(2000, 5, generator=torch.Generator().manual_seed(0))
    p_values[:, :2] /= 1000  # two that are false
    smallest = torch.stack([holm(family)[2:].min() for family in p_values])
    assert 0.03 <= (smallest <= 0.05).double().mean().item() <= 0.065


@pytest.mark.parametrize("p_values", [[0.1, math.nan], [1.5], [-0.1]])
def test_holm_takes_p_values_alone(p_values):
    with pytest.raises(SemanticHubError, match="expected numbers between 0 and 1"):
        holm(torch.tensor(p_values))


def test_too_few_permutations_are_told():
    with pytest.raises(SemanticHubError, match="permutations = 0; expected at least 1"):
        list(pairings(4, permutations=0))
