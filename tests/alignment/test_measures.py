"""Every measure by its name: value, interval, p-values and chance belong together."""

import itertools
from dataclasses import replace

import pytest
import torch
from by_loop import related_states

from semantic_hub.alignment.measures import (
    MEASURES,
    Measure,
    cosine_measure,
    register_measure,
    run_measures,
)
from semantic_hub.alignment.normalized import centered
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.statistics.resampling import Resampling

NAMES = list(MEASURES)


@pytest.fixture(params=NAMES)
def measure(request):
    return MEASURES[request.param]


def test_names():
    assert NAMES == [
        "AUC",
        "cosine",
        "centered cosine",
        "standardized cosine",
        "cosine without top components",
        "retrieval@1 x to y",
        "retrieval@1 y to x",
        "mutual retrieval",
        "debiased CKA",
        "mutual k-NN",
    ]


def test_related_states_are_told_from_unrelated_ones(measure):
    related, unrelated = related_states(40, 2, signal=2), related_states(40, 2, signal=0)
    assert (measure(*related) > measure(*unrelated) + 0.1).all()
    p_values = measure.p_values(*related, permutations=99)
    assert p_values.p.tolist() == p_values.corrected.tolist() == [0.01, 0.01]
    low, high = measure.interval(*related, resampling=Resampling(resamples=200))
    assert ((low < measure(*related)) & (measure(*related) < high)).all()
    assert (low > measure.chance(40)).all()


@pytest.mark.slow
def test_chance_is_the_mean_over_all_pairings(measure):
    n = 13
    x, y = related_states(n, 1, signal=1)
    generator = torch.Generator().manual_seed(0)
    ways = [torch.randperm(n, generator=generator) for _ in range(600)]
    mean = torch.stack([measure(x, y[way]) for way in ways]).mean().item()
    assert mean == pytest.approx(measure.chance(n), abs=0.02)


def test_p_values_of_few_pairs_are_those_of_all_pairings(measure):
    if measure.least_pairs > 5:
        pytest.skip("more pairings than can be tried")
    x, y = related_states(5, 2, signal=1)
    ways = itertools.permutations(range(5))
    scores = torch.stack([measure(x, y[list(way)]) for way in ways])
    expected = (scores >= scores[0] - 2e-7).double().mean(dim=0)
    torch.testing.assert_close(measure.p_values(x, y).p, expected)


@pytest.mark.slow
def test_unrelated_states_are_rejected_at_the_stated_rate(measure):
    worlds = [related_states(14, 3, signal=0, seed=seed) for seed in range(150)]
    p_values = [measure.p_values(x, y, permutations=99) for x, y in worlds]
    single = sum(p.p[0].item() <= 0.05 for p in p_values) / 150
    familywise = sum(p.corrected.min().item() <= 0.05 for p in p_values) / 150
    assert single <= 0.105  # the 99.9 % point of 150 draws at 0.05
    assert familywise <= 0.105


@pytest.mark.slow
def test_intervals_cover_the_truth_at_least_about_as_often_as_they_say(measure):
    """Layers serve as worlds: they are independent of each other."""
    x, y = related_states(40, 200, 12, signal=1, seed=1)
    truth = measure(*related_states(40, 2000, 12, signal=1, seed=2)).mean()
    low, high = measure.interval(x, y, resampling=Resampling(resamples=300))
    covered = ((low <= truth) & (truth <= high)).double().mean().item()
    assert covered >= 0.90


def test_intervals_and_p_values_depend_on_the_seed_alone(measure):
    x, y = related_states(15, 2)
    same = {"atol": 0, "rtol": 0}
    drawn = [measure.interval(x, y, resampling=Resampling(50, seed=3)) for _ in range(2)]
    torch.testing.assert_close(tuple(drawn[0]), tuple(drawn[1]), **same)
    first, again = (measure.p_values(x, y, permutations=50, seed=3) for _ in range(2))
    torch.testing.assert_close(tuple(first), tuple(again), **same)
    others = [measure.p_values(x, y, permutations=50, seed=seed).p for seed in range(4, 10)]
    assert any(not torch.equal(other, first.p) for other in others)


def test_least_pairs_are_enough_for_everything(measure):
    x, y = related_states(measure.least_pairs, 2)
    assert measure(x, y).isfinite().all()
    assert len(measure.interval(x, y, resampling=Resampling(resamples=10)).low) == 2
    assert len(measure.p_values(x, y, permutations=10).p) == 2


def test_a_layer_where_all_prompts_have_one_state_says_nothing(measure):
    """As the embedding of a last token that all prompts share."""
    x, y = related_states(30, 2, 16, signal=2)
    x[:, 0], y[:, 0] = x[0, 0], y[0, 0]
    p_values = measure.p_values(x, y)
    assert p_values.corrected[0] > 0.05
    assert p_values.corrected[1] < 0.01
    assert measure(x, y)[0].item() == pytest.approx(measure.chance(30), abs=0.1)
    assert measure.interval(x, y).high.isfinite().all()


def test_a_measure_of_ones_own():
    flipped = cosine_measure("flipped", lambda x, y: (x, -y))
    x, y = related_states()
    torch.testing.assert_close(flipped(x, y), -MEASURES["cosine"](x, y))


COVARIANCE = Measure(
    name="covariance",
    value=lambda states: (states.x * states.y).sum(dim=-1).mean(dim=0),
    unit="dot product",
    change=centered,
)


@pytest.fixture
def covariance():
    register_measure(COVARIANCE)
    yield COVARIANCE
    MEASURES.unregister("covariance")


def test_name_value_and_unit_are_enough_for_a_measure():
    """What is left out is had from the value: without each pair, and under each pairing."""
    x, y = related_states(12, 2, signal=2)
    deviations = [side.double() - side.double().mean(dim=0) for side in (x, y)]
    value = torch.linalg.vecdot(*deviations).mean(dim=0)
    torch.testing.assert_close(COVARIANCE(x, y), value, atol=1e-5, rtol=1e-5, check_dtype=False)
    p_values = COVARIANCE.p_values(x, y, permutations=99)
    assert p_values.p.tolist() == p_values.corrected.tolist() == [0.01, 0.01]
    low, high = COVARIANCE.interval(x, y, resampling=Resampling(resamples=100))
    assert ((low > 0) & (low < value) & (value < high)).all()
    unrelated = related_states(12, 2, signal=0)
    assert (COVARIANCE.p_values(*unrelated, permutations=99).p > 0.05).all()


def test_defaults_agree_with_the_faster_ways():
    x, y = related_states(9, 3, signal=1)
    fast = MEASURES["cosine"]
    plain = Measure(name="plain", value=fast.value, unit=fast.unit)
    slow, quick = (one.p_values(x, y, permutations=50, seed=1) for one in (plain, fast))
    torch.testing.assert_close(slow.p, quick.p)
    fast = MEASURES["debiased CKA"]
    plain = Measure(name="plain", value=fast.value, unit=fast.unit)
    ends = [one.interval(x, y, resampling=Resampling(50)) for one in (plain, fast)]
    torch.testing.assert_close(ends[0].low.clamp(min=-1), ends[1].low, atol=1e-6, rtol=0)
    torch.testing.assert_close(ends[0].high.clamp(max=1), ends[1].high, atol=1e-6, rtol=0)


def test_a_registered_measure_is_taken_by_name(model, covariance):
    pairs = Pairs.from_prompts(["a", "the dog", "two", "five"], ["b", "el perro", "2", "5"])
    result = similarity(
        model, pairs, measures=["covariance"], resampling=Resampling(9), permutations=9
    )
    assert result.measures["covariance"].unit == "dot product"
    assert "covariance" in set(result.to_frame()["measure"])
    with pytest.raises(SemanticHubError, match="'covariance', which is in use"):
        register_measure(covariance)


def test_run_takes_the_measures_that_say_so(model, covariance):
    quick = run_measures()
    assert quick == (
        "AUC", "centered cosine", "standardized cosine", "retrieval@1 x to y",
        "retrieval@1 y to x", "mutual retrieval",
    )  # fmt: skip
    register_measure(replace(covariance, in_run=True), replace=True)
    assert run_measures() == (*quick, "covariance")
    pairs = {"few": Pairs.from_prompts(["a", "the dog", "two"], ["b", "el perro", "2"])}
    found = run(model, SmallSpoke(pairs), resampling=Resampling(9), permutations=9)
    assert tuple(found.similarity["few"].measures) == run_measures()


class SmallSpoke(Spoke):
    """One set of pairs."""

    name = "small"

    def __init__(self, sets):
        self.sets = sets

    def pairs(self):
        return self.sets
