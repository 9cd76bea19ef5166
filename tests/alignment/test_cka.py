"""Debiased CKA against the textbook formula of unbiased HSIC, with explicit kernels."""

import itertools
import math

import numpy as np
import pytest
import torch
from by_loop import related_states

from semantic_hub.alignment import cka as kernel_alignment
from semantic_hub.alignment.cka import cka_influence, cka_under_pairings, cka_value, debiased_cka
from semantic_hub.alignment.states import paired_states
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import pairings


def unbiased_hsic(kernel_x: np.ndarray, kernel_y: np.ndarray) -> float:
    """Song et al. 2012, eq. 5, as it is written, from kernels that are not centered."""
    n, ones = len(kernel_x), np.ones(len(kernel_x))
    k, l = kernel_x * (1 - np.eye(n)), kernel_y * (1 - np.eye(n))  # noqa: E741
    trace = np.trace(k @ l)
    sums = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * (ones @ k @ l @ ones)) / (n * (n - 3))


def hsic_by_quadruples(kernel_x: np.ndarray, kernel_y: np.ndarray) -> float:
    """The U-statistic that unbiased HSIC is: its mean over all ordered quadruples of pairs."""
    terms = [
        kernel_x[i, j] * (kernel_y[i, j] + kernel_y[q, r] - 2 * kernel_y[i, q])
        for i, j, q, r in itertools.permutations(range(len(kernel_x)), 4)
    ]
    return float(np.mean(terms))


def cka_by_formula(x: torch.Tensor, y: torch.Tensor, hsic=unbiased_hsic) -> list[float]:
    layers = []
    for layer in range(x.shape[1]):
        a, b = x[:, layer].double().numpy(), y[:, layer].double().numpy()
        k, m = a @ a.T, b @ b.T
        layers.append(hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m)))
    return layers


@pytest.mark.parametrize("n_pairs", [4, 5, 12, 40])  # below and above d_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_textbook_formula(n_pairs, dtype):
    x, y = (side.to(dtype) for side in related_states(n_pairs, signal=1))
    np.testing.assert_allclose(debiased_cka(x, y), cka_by_formula(x, y), atol=1e-9)


@pytest.mark.parametrize("n_pairs", [4, 6])
def test_agrees_with_the_mean_over_all_quadruples(n_pairs):
    x, y = related_states(n_pairs, 2, signal=1)
    expected = cka_by_formula(x, y, hsic_by_quadruples)
    np.testing.assert_allclose(debiased_cka(x, y), expected, atol=1e-9)


def test_does_not_change_with_rotation_scale_shift_or_order():
    x, y = related_states(20, signal=1)
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    order = torch.randperm(20, generator=generator)
    for a, b in [(x @ rotation, y), (7 * x, y), (x + 30, y - 9), (x[order], y[order]), (y, x)]:
        torch.testing.assert_close(debiased_cka(a, b), debiased_cka(x, y), atol=1e-5, rtol=0)


def test_sides_that_are_one_geometry_read_one():
    x, _ = related_states(20)
    torch.testing.assert_close(debiased_cka(x, 3 * x.flip(2) + 7), torch.ones(3).double())


def test_unrelated_states_read_zero_where_plain_cka_is_high():
    x, y = related_states(10, 300, 60, signal=0)
    assert debiased_cka(x, y).mean().abs() < 0.03
    kernels = [side - side.mean(dim=0) for side in (x[:, 0], y[:, 0])]
    k, m = (side @ side.T for side in kernels)
    assert (k * m).sum() / (k.norm() * m.norm()) > 0.5


@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 3])
def test_states_of_one_kind_or_one_distance_read_zero(scale):
    x, y = related_states(12, 1, 12)
    rotation = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1))).Q
    for same in (x[:1].expand(12, 1, 12) * scale, torch.eye(12)[:, None], rotation[:, None]):
        assert debiased_cka(same, y).item() == debiased_cka(y, same).item() == 0
        assert (
            cka_under_pairings(paired_states(same, y, "test"), next(pairings(12, 10))) == 0
        ).all()
        assert (cka_influence(paired_states(same, y, "test")) == 0).all()


@pytest.mark.parametrize("n_pairs", [5, 6, 15])
def test_influence_is_that_of_leaving_pairs_out(n_pairs):
    x, y = related_states(n_pairs, signal=1)
    kept = [torch.arange(n_pairs) != i for i in range(n_pairs)]
    left_out = torch.tensor([cka_by_formula(x[keep], y[keep]) for keep in kept])
    whole = torch.tensor(cka_by_formula(x, y))
    expected = whole + (n_pairs - 1) * (left_out.mean(dim=0) - left_out)
    torch.testing.assert_close(
        cka_influence(paired_states(x, y, "test")), expected.double(), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("n_pairs", [4, 5, 6])
def test_value_under_a_pairing_is_the_value_of_states_paired_so(n_pairs):
    x, y = related_states(n_pairs, signal=1)
    ways = next(pairings(n_pairs, 1000))
    scores = torch.tensor([cka_by_formula(x, y[way.long()]) for way in ways])
    found = cka_under_pairings(paired_states(x, y, "test"), ways)
    torch.testing.assert_close(found, scores.double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(3).double(), atol=1e-7, rtol=0)


def test_blocks_change_nothing(monkeypatch):
    x, y = related_states(23, signal=1)
    ways = next(pairings(23, 20))
    expected = cka_under_pairings(paired_states(x, y, "test"), ways)
    monkeypatch.setattr(kernel_alignment, "_BLOCK", 150)
    monkeypatch.setattr(kernel_alignment, "_TILE", 50)
    torch.testing.assert_close(
        cka_under_pairings(paired_states(x, y, "test"), ways), expected, atol=1e-9, rtol=0
    )


@pytest.mark.parametrize(("call", "least"), [(cka_value, 4), (cka_influence, 5)])
def test_too_few_pairs_are_told(call, least):
    call(paired_states(*related_states(least), "test"))
    with pytest.raises(SemanticHubError, match=f"{least - 1} pairs; expected at least {least}"):
        call(paired_states(*related_states(least - 1), "test"))
    with pytest.raises(SemanticHubError, match="debiased_cka: got 3 pairs; expected at least 4"):
        debiased_cka(*related_states(3))


def test_states_that_are_not_finite_are_named():
    x, y = related_states()
    x[7, 1] = math.nan
    with pytest.raises(SemanticHubError, match="length nan of x, pair 7, layer 1;"):
        debiased_cka(x, y)
