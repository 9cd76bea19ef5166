"""Intervals against enumeration, SciPy and known coverage."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.intervals import (
    bca_interval,
    bootstrap_interval,
    percentile_interval,
    proportion_interval,
)
from semantic_hub.statistics.resampling import Resampling, resample_weights, weighted_mean


def variance(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """The biased variance of each resample."""
    return weighted_mean(weights, values.square()) - weighted_mean(weights, values).square()


def test_bootstrap_of_the_mean_equals_resampling_by_index():
    values = torch.tensor([[0.0, 5.0], [1.0, 3.0], [4.0, 4.0]])
    means = []
    for counts in torch.cat(list(resample_weights(3, 200, seed=1))).int().tolist():
        drawn = [values[i] for i, count in enumerate(counts) for _ in range(count)]
        means.append(torch.stack(drawn).mean(dim=0).numpy())
    low, high = np.quantile(np.stack(means), [0.05, 0.95], axis=0)
    interval = bootstrap_interval(
        values,
        resampling=Resampling(resamples=200, confidence=0.9, seed=1),
    )
    np.testing.assert_allclose(interval.low.numpy(), low, atol=1e-7)
    np.testing.assert_allclose(interval.high.numpy(), high, atol=1e-7)


def test_bootstrap_takes_values_of_any_shape_and_any_statistic():
    def largest(weights: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return torch.where(weights > 0, values, -torch.inf).amax(dim=1)

    assert bootstrap_interval(
        torch.rand(9, 2, 3), resampling=Resampling(resamples=20)
    ).low.shape == (2, 3)
    interval = bootstrap_interval(torch.arange(6.0), largest)
    assert interval.high.item() == 5


def test_bootstrap_is_the_middle_of_all_resamples_where_they_can_be_enumerated():
    values = [0.0, 1.0, 3.0, 7.0]
    means = [np.mean(draw) for draw in itertools.product(values, repeat=4)]
    exact = np.quantile(means, [0.025, 0.975])
    interval = bootstrap_interval(torch.tensor(values), resampling=Resampling(resamples=20_000))
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


def all_resamples(values: list[float], statistic) -> np.ndarray:
    return np.array([statistic(draw) for draw in itertools.product(values, repeat=len(values))])


def bca_by_hand(replicates: np.ndarray, estimate: float, left_out: list[float]) -> list[float]:
    """Efron's formula with the standard library's normal distribution."""
    normal, centre = NormalDist(), np.mean(left_out)
    below = np.mean(replicates < estimate) + np.mean(replicates == estimate) / 2
    bias = normal.inv_cdf(below)
    thirds = sum((centre - value) ** 3 for value in left_out)
    squares = sum((centre - value) ** 2 for value in left_out)
    acceleration = thirds / (6 * squares**1.5)
    ends = []
    for z in (normal.inv_cdf(0.05), normal.inv_cdf(0.95)):
        share = normal.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(np.quantile(replicates, share))
    return ends


@pytest.mark.parametrize("values", [[0.0, 1.0, 5.0], [0.0, 1.0, 3.0, 8.0]])
@pytest.mark.parametrize("statistic", [np.mean, np.var])
def test_bca_from_all_resamples_equals_the_formula(values, statistic):
    replicates = all_resamples(values, statistic)
    left_out = [statistic(values[:i] + values[i + 1 :]) for i in range(len(values))]
    found = bca_interval(
        torch.from_numpy(replicates),
        torch.tensor(statistic(values), dtype=torch.float64),
        torch.tensor(left_out, dtype=torch.float64),
        confidence=0.9,
    )
    expected = bca_by_hand(replicates, statistic(values), left_out)
    np.testing.assert_allclose([found.low, found.high], expected, atol=1e-9)


def test_bca_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).exponential(size=25)
    theirs = stats.bootstrap((values,), np.var, n_resamples=20_000, method="BCa", rng=1)
    settings = {"method": "bca", "resampling": Resampling(20_000)}
    ours = bootstrap_interval(torch.from_numpy(values), variance, **settings)
    percentile = bootstrap_interval(
        torch.from_numpy(values), variance, resampling=Resampling(resamples=20_000)
    )
    np.testing.assert_allclose([ours.low, ours.high], list(theirs.confidence_interval), rtol=0.03)
    assert ours.high - percentile.high > 0.5  # far from what it corrects


def test_bca_takes_each_column_for_itself():
    values = torch.rand(12, 2, 3, generator=torch.Generator().manual_seed(2)) ** 3
    low, high = bootstrap_interval(values, method="bca", resampling=Resampling(resamples=400))
    for row, column in itertools.product(range(2), range(3)):
        alone = bootstrap_interval(
            values[:, row, column], method="bca", resampling=Resampling(resamples=400)
        )
        torch.testing.assert_close((low[row, column], high[row, column]), tuple(alone))


def test_bca_of_a_statistic_that_never_varies_is_that_statistic():
    low, high = bootstrap_interval(torch.full((6,), 0.25), method="bca")
    assert low.item() == high.item() == 0.25


def test_bca_covers_a_skewed_variance_more_often_than_the_percentile_interval():
    samples = torch.from_numpy(np.random.default_rng(1).exponential(size=(40, 300)))
    covered = {}
    for method in ("percentile", "bca"):
        low, high = bootstrap_interval(
            samples, variance, method=method, resampling=Resampling(resamples=400)
        )
        covered[method] = ((low <= 1) & (high >= 1)).double().mean().item()
    assert covered["bca"] > covered["percentile"] + 0.01


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: bootstrap_interval(torch.zeros(3), resampling=Resampling(resamples=0)),
            "resamples = 0; expected at least 1",
        ),
        (
            lambda: bootstrap_interval(torch.zeros(3), resampling=Resampling(confidence=95.0)),
            "confidence = 95.0",
        ),
        (lambda: bootstrap_interval(torch.zeros(0)), "got 0 items"),
        (lambda: bootstrap_interval(torch.tensor([1.0, math.nan])), "1 values not finite"),
        (
            lambda: bootstrap_interval(torch.zeros(1), method="bca"),
            "items = 1; expected at least 2",
        ),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, text):
    with pytest.raises(SemanticHubError, match=text):
        call()


def test_an_unknown_method_is_told(without_shape_checks):
    with pytest.raises(SemanticHubError, match="method = 'basic'; expected \"percentile\" or"):
        bootstrap_interval(torch.zeros(3), method="basic")  # pyright: ignore
