"""Paired cosine similarity against the paper's formula, computed the slow and obvious way."""

import itertools
import math

import numpy as np
import pytest
import torch
from by_loop import cosine_matrix, related_states, similarity_by_loop

from semantic_hub.alignment import cosine, states
from semantic_hub.alignment.cosine import (
    paired_cosines,
    paired_interval,
    paired_p_values,
    paired_similarity,
)
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.intervals import bca_interval
from semantic_hub.statistics.p_values import pairings
from semantic_hub.statistics.resampling import Resampling, resample_weights


@pytest.mark.parametrize("n_pairs", [2, 3, 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_papers_formula(n_pairs, dtype):
    x, y = (side.to(dtype) for side in related_states(n_pairs))
    matched, mismatched = similarity_by_loop(x, y)
    cosines = paired_cosines(x, y)
    np.testing.assert_allclose(cosines.matched, matched, atol=1e-6)
    np.testing.assert_allclose(cosines.mismatched, mismatched, atol=1e-6)
    expected = np.subtract(matched, mismatched)
    np.testing.assert_allclose(paired_similarity(x, y), expected, atol=1e-6)


def test_agrees_with_broadcasting_where_one_dimension_dominates():
    x, y = related_states(60, 2, 32)
    x[..., 5] += 1000
    y[..., 5] += 1000
    cosines = cosine_matrix(x, y)
    matched = cosines.diagonal(dim1=1, dim2=2)
    mismatched = (cosines.sum((1, 2)) - matched.sum(1)) / (60 * 59)
    torch.testing.assert_close(
        paired_similarity(x, y), matched.mean(1) - mismatched, atol=1e-9, rtol=0
    )


def test_blocks_change_nothing(monkeypatch):
    x, y = related_states(23)
    expected = paired_similarity(x, y), paired_interval(x, y), paired_p_values(x, y)
    monkeypatch.setattr(states, "_BLOCK", 50)
    monkeypatch.setattr(cosine, "_TILE", 50)
    torch.testing.assert_close(paired_similarity(x, y), expected[0])
    torch.testing.assert_close(paired_interval(x, y), expected[1], atol=1e-7, rtol=0)
    torch.testing.assert_close(paired_p_values(x, y), expected[2], atol=0, rtol=0)


def test_similarity_by_eye():
    x = torch.eye(3)[:, None]
    assert paired_cosines(x, x).matched.item() == 1
    assert paired_cosines(x, x).mismatched.item() == 0
    assert paired_similarity(x, x[[1, 2, 0]]).item() == pytest.approx(-1 / 2)


def test_separable_layer_scores_one_and_layer_without_concepts_zero():
    x = torch.stack([torch.eye(6), torch.eye(6)[:1].expand(6, 6)], dim=1)
    y = torch.stack([torch.eye(6), 1 + torch.eye(6)], dim=1)
    torch.testing.assert_close(paired_similarity(x, y), torch.tensor([1.0, 0.0]).double())


def test_does_not_change_with_rotation_scale_or_order():
    x, y = related_states()
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    lengths = torch.rand(12, 3, 1, generator=generator) * 10 + 0.1
    order = torch.randperm(12, generator=generator)
    expected = paired_similarity(x, y)
    changed = [(x @ rotation, y @ rotation), (x * lengths, y), (x[order], y[order]), (y, x)]
    for a, b in changed:
        torch.testing.assert_close(paired_similarity(a, b), expected, atol=1e-6, rtol=0)


def test_layers_do_not_touch_each_other():
    x, y = related_states(n_layers=4)
    single = [paired_similarity(x[:, [k]], y[:, [k]]).item() for k in range(4)]
    torch.testing.assert_close(paired_similarity(x, y), torch.tensor(single).double())


@pytest.mark.parametrize("convert", [torch.Tensor.numpy, torch.Tensor.half, torch.Tensor.bfloat16])
def test_takes_arrays_from_anywhere(convert):
    x, y = related_states()
    torch.testing.assert_close(
        paired_similarity(convert(x), convert(y)), paired_similarity(x, y), atol=5e-3, rtol=0
    )


def test_takes_read_only_numpy_arrays_and_states_with_gradients():
    x, y = related_states()
    frozen = x.numpy().copy()
    frozen.setflags(write=False)
    torch.testing.assert_close(paired_similarity(frozen, y.numpy()), paired_similarity(x, y))
    assert not paired_similarity(x.clone().requires_grad_(), y).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_are_left_as_they_were(dtype):
    x, y = (side.to(dtype) for side in related_states())
    kept = x.clone(), y.clone()
    for measure in (paired_similarity, paired_interval, paired_p_values):
        measure(x, y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


@pytest.mark.parametrize("n_pairs", [3, 7])
def test_interval_equals_resampling_by_index(n_pairs):
    """Copies of one original are not counted as mismatches of each other."""
    x, y = related_states(n_pairs)
    cosines = cosine_matrix(x, y)
    replicates = []
    blocks = resample_weights(n_pairs, 150, seed=5, min_distinct=2)
    weights = torch.cat(list(blocks)).int().tolist()
    for counts in weights:
        drawn = [i for i, count in enumerate(counts) for _ in range(count)]
        matched = torch.stack([cosines[:, i, i] for i in drawn]).mean(dim=0)
        others = [cosines[:, i, j] for i, j in itertools.product(drawn, drawn) if i != j]
        replicates.append((matched - torch.stack(others).mean(dim=0)).numpy())
    low, high = np.quantile(np.stack(replicates), [0.1, 0.9], axis=0)
    interval = paired_interval(
        x,
        y,
        resampling=Resampling(resamples=150, confidence=0.8, seed=5),
    )
    np.testing.assert_allclose(interval.low, low, atol=1e-5)
    np.testing.assert_allclose(interval.high, high, atol=1e-5)


def test_bca_interval_takes_the_similarity_without_each_pair():
    x, y = related_states(9)
    order = [torch.arange(9) != i for i in range(9)]
    left_out = torch.stack([paired_similarity(x[kept], y[kept]) for kept in order])
    weights = torch.cat(list(resample_weights(9, 400, seed=5, min_distinct=2))).int()
    cosines, replicates = cosine_matrix(x, y), []
    for counts in weights:
        drawn = torch.arange(9).repeat_interleave(counts)
        others = drawn[:, None] != drawn
        block = cosines[:, drawn][:, :, drawn]
        matched = block.diagonal(dim1=1, dim2=2).mean(dim=1)
        replicates.append(matched - block[:, others].mean(dim=1))
    expected = bca_interval(torch.stack(replicates), paired_similarity(x, y), left_out)
    found = paired_interval(
        x,
        y,
        method="bca",
        resampling=Resampling(resamples=400, seed=5),
    )
    torch.testing.assert_close(tuple(found), tuple(expected), atol=1e-5, rtol=0)
    assert paired_interval(x[:2], y[:2], method="bca").low.isnan().all()


def test_interval_is_seeded_and_holds_the_estimate():
    x, y = related_states(40)
    interval, estimate = (
        paired_interval(x, y, resampling=Resampling(seed=2)),
        paired_similarity(x, y),
    )
    torch.testing.assert_close(
        interval, paired_interval(x, y, resampling=Resampling(seed=2)), atol=0, rtol=0
    )
    assert not torch.equal(interval.low, paired_interval(x, y, resampling=Resampling(seed=3)).low)
    assert ((interval.low < estimate) & (estimate < interval.high)).all()


def test_two_pairs_have_no_interval():
    low, high = paired_interval(*related_states(2))
    assert low.isnan().all()
    assert high.isnan().all()


def test_interval_covers_the_truth_about_as_often_as_it_says():
    truth = paired_similarity(*related_states(6000, 1)).item()
    covered = 0
    for seed in range(1, 201):
        low, high = paired_interval(
            *related_states(50, 1, seed=seed), resampling=Resampling(resamples=300)
        )
        covered += low.item() <= truth <= high.item()
    assert 0.89 <= covered / 200 <= 0.985


def enumerated_p_values(x: torch.Tensor, y: torch.Tensor) -> list[float]:
    """The share of all n! pairings that score at least as high, from Eq. 1 itself."""
    true = paired_similarity(x, y)
    ways = list(itertools.permutations(range(len(x))))
    scores = torch.stack([paired_similarity(x, y[list(way)]) for way in ways])
    return (scores >= true - 1e-9).double().mean(dim=0).tolist()


@pytest.mark.parametrize("n_pairs", [2, 3, 5, 6])
def test_p_values_of_few_pairs_are_exact(n_pairs):
    x, y = related_states(n_pairs, signal=1)
    assert paired_p_values(x, y).p.tolist() == pytest.approx(enumerated_p_values(x, y))


def test_p_values_from_drawn_pairings_are_near_the_exact_ones():
    x, y = related_states(6, signal=0.7)
    drawn = paired_p_values(x, y, permutations=600).p.numpy()
    np.testing.assert_allclose(drawn, enumerated_p_values(x, y), atol=0.06)


def test_p_values_equal_scoring_every_drawn_pairing_with_the_formula():
    x, y = related_states(15, signal=0.6)
    ways = next(pairings(15, 80, seed=9)).long()
    scores = torch.stack([paired_similarity(x, y[way]) for way in ways])
    spread = scores.std(dim=0, correction=0)
    highest = (scores / spread).amax(dim=1, keepdim=True)
    p_values = paired_p_values(x, y, permutations=80, seed=9)
    torch.testing.assert_close(p_values.p, (scores >= scores[0] - 1e-9).double().mean(dim=0))
    corrected = (highest >= (scores / spread)[0] - 1e-9).double().mean(dim=0)
    torch.testing.assert_close(p_values.corrected, corrected)


def test_related_states_get_the_smallest_p_value_there_is():
    p_values = paired_p_values(*related_states(40, signal=3), permutations=200)
    assert p_values.p.tolist() == p_values.corrected.tolist() == [1 / 201] * 3


def test_a_layer_where_all_prompts_have_one_state_says_nothing():
    x, y = related_states(30, 2, 64, signal=2)
    x[:, 0] = x[0, 0]
    p_values = paired_p_values(x, y)
    assert paired_similarity(x, y)[0].abs() < 1e-12
    assert (p_values.p[0], p_values.corrected[0]) == (1, 1)
    assert p_values.corrected[1] < 0.01


def test_unrelated_states_are_rejected_at_the_stated_rate():
    worlds = [related_states(20, 4, signal=0, seed=seed) for seed in range(200)]
    p_values = [paired_p_values(x, y, permutations=199) for x, y in worlds]
    single = sum(p.p[0].item() <= 0.05 for p in p_values) / 200
    familywise = sum(p.corrected.min().item() <= 0.05 for p in p_values) / 200
    assert 0.015 <= single <= 0.095
    assert 0.015 <= familywise <= 0.095


@pytest.mark.parametrize(
    ("x_shape", "y_shape"),
    [((4, 2, 3), (5, 2, 3)), ((4, 2, 3), (4, 1, 3)), ((4, 3), (4, 3)), ((1, 2, 3), (1, 2, 3))],
)
def test_wrong_shapes_are_told(without_shape_checks, x_shape, y_shape):
    with pytest.raises(SemanticHubError) as error:
        paired_similarity(torch.ones(x_shape), torch.ones(y_shape))
    assert str(x_shape) in str(error.value)
    assert str(y_shape) in str(error.value)
    assert "[pair, layer, d_model]" in str(error.value)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "length 0"), (math.nan, "length nan"), (math.inf, "length inf")]
)
@pytest.mark.parametrize("measure", [paired_similarity, paired_interval, paired_p_values])
def test_states_without_a_direction_are_named(measure, value, text):
    x, y = related_states()
    y[7, 1] = value
    with pytest.raises(SemanticHubError, match=f"{text} of y, pair 7, layer 1;"):
        measure(x, y)
