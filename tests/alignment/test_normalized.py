"""Cosine of changed states against NumPy: loops, singular vectors and invariants."""

import numpy as np
import pytest
import torch
from by_loop import related_states, similarity_by_loop

from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.normalized import (
    centered,
    centered_cosine,
    cosine_without_components,
    standardized,
    standardized_cosine,
    without_components,
)
from semantic_hub.errors import SemanticHubError

COSINES = [centered_cosine, standardized_cosine, cosine_without_components]


def expected_similarity(change, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Eq. 1 by loops over states that NumPy changed, layer by layer."""
    layers = []
    for layer in range(x.shape[1]):
        a, b = change(x[:, layer].double().numpy(), y[:, layer].double().numpy())
        layers.append(similarity_by_loop(torch.tensor(a[:, None]), torch.tensor(b[:, None])))
    return np.array([matched[0] - mismatched[0] for matched, mismatched in layers])


def test_centered_cosine_is_eq_1_of_centered_states():
    x, y = related_states()
    expected = expected_similarity(lambda a, b: (a - a.mean(0), b - b.mean(0)), x, y)
    np.testing.assert_allclose(centered_cosine(x, y), expected, atol=1e-6)


def test_standardized_cosine_is_eq_1_of_standard_scores():
    x, y = related_states()
    x[..., 3] = 40 * x[..., 3] + 100
    expected = expected_similarity(
        lambda a, b: ((a - a.mean(0)) / a.std(0), (b - b.mean(0)) / b.std(0)), x, y
    )
    np.testing.assert_allclose(standardized_cosine(x, y), expected, atol=1e-5)


def without_singular_vectors(
    a: np.ndarray, b: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
    a, b = a - a.mean(0), b - b.mean(0)
    top = np.linalg.svd(np.concatenate([a, b]))[2][:number]
    keep = np.eye(a.shape[1]) - top.T @ top
    return a @ keep, b @ keep


@pytest.mark.parametrize("d_model", [8, 60])  # below and above the number of states
@pytest.mark.parametrize("number", [1, 3])
def test_without_components_equals_the_singular_value_decomposition(d_model, number):
    x, y = related_states(d_model=d_model)
    expected = expected_similarity(lambda a, b: without_singular_vectors(a, b, number), x, y)
    np.testing.assert_allclose(cosine_without_components(x, y, number), expected, atol=1e-5)
    left = without_components(x, y, number)
    rank = torch.linalg.matrix_rank(torch.cat([left.x, left.y])[:, 0].double(), rtol=1e-5)
    assert rank == min(d_model, 22) - number


@pytest.mark.parametrize(
    ("n_pairs", "d_model", "removed"), [(12, 8, 1), (12, 300, 1), (30, 500, 3), (60, 250, 2)]
)
def test_default_number_of_components(n_pairs, d_model, removed):
    x, y = related_states(n_pairs, 1, d_model)
    expected = cosine_without_components(x, y, removed)
    assert torch.equal(cosine_without_components(x, y), expected)


def test_centering_takes_away_a_constant_and_nothing_else():
    x, y = related_states()
    shifted = centered_cosine(x + torch.arange(8), y - 50)
    torch.testing.assert_close(shifted, centered_cosine(x, y), atol=1e-4, rtol=0)
    assert (
        paired_similarity(x + torch.arange(8), y - 50) - paired_similarity(x, y)
    ).abs().max() > 0.1


def test_one_dominant_dimension_decides_the_centered_cosine_and_not_the_standardized_one():
    x, y = related_states(40, 1, 30, signal=2)
    generator = torch.Generator().manual_seed(1)
    x[..., 7], y[..., 7] = 1000 * torch.randn(2, 40, 1, generator=generator)
    assert centered_cosine(x, y) < 0.1
    assert standardized_cosine(x, y) > 0.5
    assert cosine_without_components(x, y, 1) > 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_changes_by_eye(dtype):
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0], [7.0, 5.0]], dtype=dtype)[:, None]
    changed = centered(x, x).x[:, 0]
    assert changed.tolist() == [[-3, 0], [-1, 0], [1, 0], [3, 0]]
    assert changed.dtype == dtype
    deviation = 5**0.5
    assert standardized(x, x).y[:, 0, 0].tolist() == pytest.approx(
        [-3 / deviation, -1 / deviation, 1 / deviation, 3 / deviation]
    )


@pytest.mark.parametrize("cosine", COSINES)
def test_a_side_of_one_single_state_reads_zero(cosine):
    x, y = related_states(20, 2, 16)
    x[:, 0] = x[0, 0] * 1.2345
    found = cosine(x, y)
    assert found[0].abs() < 1e-12
    torch.testing.assert_close(found[1], cosine(x[:, [1]], y[:, [1]])[0])
    assert cosine(y, x)[0].abs() < 1e-12


def test_a_side_without_anything_but_its_components_reads_zero():
    _, y = related_states(20, 1, 16)
    line = torch.randn(20, 1, 1, generator=torch.Generator().manual_seed(2)) * torch.ones(16)
    assert cosine_without_components(line, line, 1).abs() < 1e-12
    assert cosine_without_components(100 * line, y, 1).abs() < 0.2


@pytest.mark.parametrize("change", [centered, standardized, without_components])
def test_states_are_left_as_they_were_and_numpy_is_taken(change):
    x, y = related_states()
    kept = x.clone(), y.clone()
    torch.testing.assert_close(tuple(change(x.numpy(), y.numpy())), tuple(change(x, y)))
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])


@pytest.mark.parametrize("change", [centered, standardized])
def test_a_state_that_equals_the_mean_is_named(change):
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [2.0, 3.0]])[:, None].repeat(1, 2, 1)
    x[:, 0] = torch.eye(3)[:, :2] + 1
    with pytest.raises(SemanticHubError, match="nothing left of y, pair 2, layer 1;"):
        change(torch.eye(3)[:, None, :2].repeat(1, 2, 1) + 1, x)


@pytest.mark.parametrize("number", [0, 8, 12])
def test_a_number_of_components_out_of_range_is_told(number):
    with pytest.raises(SemanticHubError, match=f"{number} components of 12 pairs in 8 dim"):
        cosine_without_components(*related_states(), number)


@pytest.mark.parametrize("cosine", COSINES)
def test_a_zero_state_is_named(cosine):
    x, y = related_states()
    y[7, 1] = 0
    with pytest.raises(SemanticHubError, match="length 0 of y, pair 7, layer 1;"):
        cosine(x, y)
