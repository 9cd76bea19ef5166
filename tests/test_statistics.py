"""Intervals and p-values against enumeration, explicit loops and known coverage."""

import itertools
import math

import numpy as np
import pytest
import torch

from semantic_hub import statistics
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics import (
    bootstrap_interval,
    pairings,
    percentile_interval,
    permutation_p_values,
    proportion_interval,
    resample_weights,
    weighted_mean,
)


def weights_of(n_items: int, **settings) -> torch.Tensor:
    return torch.cat(list(resample_weights(n_items, **settings)))


def pairings_of(n_items: int, permutations: int, seed: int = 0) -> list[tuple[int, ...]]:
    rows = torch.cat(list(pairings(n_items, permutations, seed=seed))).tolist()
    return [tuple(row) for row in rows]


def test_every_resample_draws_as_many_items_as_there_are():
    weights = weights_of(7, resamples=300)
    assert weights.shape == (300, 7)
    assert (weights.sum(dim=1) == 7).all()


def test_items_are_drawn_equally_often():
    weights = weights_of(5, resamples=4000)
    torch.testing.assert_close(weights.mean(dim=0), torch.ones(5).double(), atol=0.06, rtol=0)
    assert weights.var().item() == pytest.approx(1 - 1 / 5, abs=0.05)


def test_resamples_with_too_few_distinct_items_are_drawn_again():
    weights = weights_of(3, resamples=500, min_distinct=2)
    assert ((weights > 0).sum(dim=1) >= 2).all()
    assert ((weights_of(3, resamples=500) > 0).sum(dim=1) == 1).any()


def test_draws_depend_on_the_seed_alone(monkeypatch):
    whole = weights_of(50, resamples=100, seed=3), pairings_of(50, 100, seed=3)
    monkeypatch.setattr(statistics, "_WEIGHTS", 450)
    monkeypatch.setattr(statistics, "_PAIRINGS", 450)
    assert len(list(resample_weights(50, 100, seed=3))) > 10
    torch.testing.assert_close(weights_of(50, resamples=100, seed=3), whole[0], atol=0, rtol=0)
    assert pairings_of(50, 100, seed=3) == whole[1]
    assert pairings_of(50, 100, seed=4) != whole[1]


def test_bootstrap_of_the_mean_equals_resampling_by_index():
    values = torch.tensor([[0.0, 5.0], [1.0, 3.0], [4.0, 4.0]])
    means = []
    for counts in weights_of(3, resamples=200, seed=1).int().tolist():
        drawn = [values[i] for i, count in enumerate(counts) for _ in range(count)]
        means.append(torch.stack(drawn).mean(dim=0).numpy())
    low, high = np.quantile(np.stack(means), [0.05, 0.95], axis=0)
    interval = bootstrap_interval(values, resamples=200, confidence=0.9, seed=1)
    np.testing.assert_allclose(interval.low.numpy(), low, atol=1e-7)
    np.testing.assert_allclose(interval.high.numpy(), high, atol=1e-7)


def test_bootstrap_takes_values_of_any_shape_and_any_statistic():
    def largest(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return torch.where(weights > 0, values, -torch.inf).amax(dim=1)

    assert bootstrap_interval(torch.rand(9, 2, 3), resamples=20).low.shape == (2, 3)
    interval = bootstrap_interval(torch.arange(6.0), largest)
    assert interval.high.item() == 5


def test_bootstrap_is_the_middle_of_all_resamples_where_they_can_be_enumerated():
    values = [0.0, 1.0, 3.0, 7.0]
    means = [np.mean(draw) for draw in itertools.product(values, repeat=4)]
    exact = np.quantile(means, [0.025, 0.975])
    interval = bootstrap_interval(torch.tensor(values), resamples=20_000)
    np.testing.assert_allclose([interval.low, interval.high], exact, atol=0.26)


def test_interval_of_a_proportion_covers_the_truth_about_as_often_as_it_says():
    truth, worlds = 0.4, 300
    rng = np.random.default_rng(0)
    samples = torch.from_numpy(rng.binomial(1, truth, size=(60, worlds))).double()
    low, high = bootstrap_interval(samples)
    covered = ((low <= truth) & (truth <= high)).double().mean().item()
    assert 0.90 <= covered <= 0.98


def test_percentile_interval_of_a_known_list():
    low, high = percentile_interval(torch.arange(101.0), confidence=0.9)
    assert (low.item(), high.item()) == (pytest.approx(5), pytest.approx(95))


def test_weighted_mean_by_eye():
    weights = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0]])
    values = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 6.0]])
    assert weighted_mean(weights, values).tolist() == [[2, 2], [3, 6]]


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


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: bootstrap_interval(torch.zeros(3), resamples=0),
            "resamples = 0; expected at least 1",
        ),
        (lambda: bootstrap_interval(torch.zeros(3), confidence=95.0), "confidence = 95.0"),
        (lambda: bootstrap_interval(torch.zeros(0)), "got 0 items"),
        (lambda: bootstrap_interval(torch.tensor([1.0, math.nan])), "1 values not finite"),
        (lambda: list(resample_weights(1, min_distinct=2)), "items = 1; expected at least 2"),
        (lambda: list(pairings(4, permutations=0)), "permutations = 0; expected at least 1"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, text):
    with pytest.raises(SemanticHubError, match=text):
        call()


@pytest.mark.parametrize(
    ("wins", "n", "low", "high"),
    [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (81, 263, 0.2553, 0.3662)],
)  # the last is in Newcombe 1998, table I, method 3
def test_wilson_interval(wins, n, low, high):
    found = proportion_interval(torch.tensor([float(wins)]), n)
    assert [end.item() for end in found] == pytest.approx([low, high], abs=1e-4)


def test_wilson_ends_are_where_the_score_test_rejects():
    low, high = (end.item() for end in proportion_interval(torch.tensor([7.0]), 40))
    for end in (low, high):
        assert abs(7 / 40 - end) / (end * (1 - end) / 40) ** 0.5 == pytest.approx(1.95996, abs=1e-4)
