"""Every measure by its name: value, interval, p-values and chance belong together."""

import itertools

import pytest
import torch
from by_loop import related_states

from semantic_hub.alignment.measures import MEASURES, cosine_measure
from semantic_hub.statistics.resampling import Resampling

NAMES = list(MEASURES)


@pytest.fixture(params=NAMES)
def measure(request):
    return MEASURES[request.param]


def test_names():
    assert NAMES == [
        "cosine",
        "centred cosine",
        "standardised cosine",
        "cosine without top components",
        "retrieval@1 x to y",
        "retrieval@1 y to x",
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


def test_unrelated_states_are_rejected_at_the_stated_rate(measure):
    worlds = [related_states(14, 3, signal=0, seed=seed) for seed in range(150)]
    p_values = [measure.p_values(x, y, permutations=99) for x, y in worlds]
    single = sum(p.p[0].item() <= 0.05 for p in p_values) / 150
    familywise = sum(p.corrected.min().item() <= 0.05 for p in p_values) / 150
    assert single <= 0.105  # the 99.9 % point of 150 draws at 0.05
    assert familywise <= 0.105


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
    flipped = cosine_measure(lambda x, y: (x, -y))
    x, y = related_states()
    torch.testing.assert_close(flipped(x, y), -MEASURES["cosine"](x, y))
