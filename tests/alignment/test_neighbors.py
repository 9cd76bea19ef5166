"""Mutual nearest neighbors against full sorts and explicit sets."""

import numpy as np
import pytest
import torch
from by_loop import cosine_matrix, related_states

from semantic_hub.alignment import neighbors
from semantic_hub.alignment.neighbors import (
    mutual_neighbors,
    neighbor_agreement,
    neighbor_influence,
    neighbors_under_pairings,
)
from semantic_hub.alignment.states import paired_states
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import pairings


def nearest_by_sort(states: torch.Tensor, number: int) -> list[set[int]]:
    """The neighbors of each pair at one layer: a full sort of the cosines of the others."""
    cosines = cosine_matrix(states, states)[0].numpy()
    orders = [np.argsort(-row, kind="stable").tolist() for row in cosines]
    return [set([j for j in order if j != i][:number]) for i, order in enumerate(orders)]


def mutual_by_sets(x: torch.Tensor, y: torch.Tensor, number: int) -> list[float]:
    layers = []
    for layer in range(x.shape[1]):
        near_x = nearest_by_sort(x[:, [layer]], number)
        near_y = nearest_by_sort(y[:, [layer]], number)
        shared = [len(a & b) / number for a, b in zip(near_x, near_y, strict=True)]
        layers.append(np.mean(shared))
    return layers


@pytest.mark.parametrize(("n_pairs", "k"), [(3, 1), (12, 3), (12, 10), (40, 7)])
def test_agrees_with_a_full_sort(n_pairs, k):
    x, y = related_states(n_pairs, signal=1)
    np.testing.assert_allclose(mutual_neighbors(x, y, k), mutual_by_sets(x, y, k))


def test_by_eye():
    angles = torch.tensor([0.0, 10.0, 30.0, 90.0]).deg2rad()
    x = torch.stack([angles.cos(), angles.sin()], dim=1)[:, None]
    assert mutual_neighbors(x, x, 1).item() == 1
    assert mutual_neighbors(x, x[[0, 1, 3, 2]], 1).item() == 0.5
    assert mutual_neighbors(x, x[[0, 2, 1, 3]], 1).item() == 0


def test_does_not_change_with_a_rotation_of_one_side_scale_or_order():
    x, y = related_states(20, signal=1)
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    lengths = torch.rand(20, 3, 1, generator=generator) * 10 + 0.1
    order = torch.randperm(20, generator=generator)
    for a, b in [(x @ rotation, y), (x * lengths, y), (x[order], y[order]), (y, x)]:
        torch.testing.assert_close(mutual_neighbors(a, b, 4), mutual_neighbors(x, y, 4))


def test_sides_that_cannot_tell_pairs_apart_agree_by_chance():
    x, _ = related_states(60, 1, 33)
    x = x[:1].expand(60, 20, 33)
    chance = 10 / 59
    assert mutual_neighbors(x, x).mean().item() == pytest.approx(chance, abs=0.02)
    some = torch.eye(6).repeat_interleave(10, dim=0)[:, None]
    assert mutual_neighbors(some, some, 3).item() == pytest.approx(3 / 9, abs=0.12)


def test_unrelated_states_read_chance():
    x, y = related_states(20, 200, 8, signal=0)
    assert mutual_neighbors(x, y, 5).mean().item() == pytest.approx(5 / 19, abs=0.01)


@pytest.mark.parametrize(("n_pairs", "k"), [(4, 1), (5, 2), (12, 4), (25, 10)])
def test_influence_is_that_of_leaving_pairs_out(n_pairs, k):
    x, y = related_states(n_pairs, signal=1)
    kept = [torch.arange(n_pairs) != i for i in range(n_pairs)]
    left_out = torch.tensor([mutual_by_sets(x[keep], y[keep], k) for keep in kept])
    whole = torch.tensor(mutual_by_sets(x, y, k))
    expected = whole + (n_pairs - 1) * (left_out.mean(dim=0) - left_out)
    if k <= n_pairs - 3:
        again = torch.stack([mutual_neighbors(x[keep], y[keep], k) for keep in kept])
        torch.testing.assert_close(again, left_out)
    torch.testing.assert_close(neighbor_influence(paired_states(x, y, "test"), k), expected)


def test_value_under_a_pairing_is_the_value_of_states_paired_so():
    x, y = related_states(6, signal=1)
    ways = next(pairings(6, 1000))
    scores = torch.stack([mutual_neighbors(x, y[way.long()], 2) for way in ways])
    found = neighbors_under_pairings(paired_states(x, y, "test"), ways, 2)
    torch.testing.assert_close(found, scores - scores.mean(dim=0), atol=1e-12, rtol=0)


def test_blocks_change_nothing(monkeypatch):
    x, y = related_states(23, signal=1)
    x[4:8] = x[3]
    expected = mutual_neighbors(x, y), neighbor_influence(paired_states(x, y, "test"))
    monkeypatch.setattr(neighbors, "_BLOCK", 50)
    assert torch.equal(mutual_neighbors(x, y), expected[0])
    assert torch.equal(neighbor_influence(paired_states(x, y, "test")), expected[1])


@pytest.mark.parametrize("k", [0, 11, 12, 50])
@pytest.mark.parametrize("call", [neighbor_agreement, neighbor_influence])
def test_a_number_of_neighbors_out_of_range_is_told(call, k):
    with pytest.raises(SemanticHubError, match=f"{k} neighbors among 12 pairs"):
        call(paired_states(*related_states(), "test"), k)
    with pytest.raises(SemanticHubError, match=f"{k} neighbors among 12 pairs"):
        mutual_neighbors(*related_states(), k)


def test_a_zero_state_is_named():
    x, y = related_states()
    x[7, 1] = 0
    with pytest.raises(SemanticHubError, match="length 0 of x, pair 7, layer 1;"):
        mutual_neighbors(x, y)
