"""Retrieval against the full matrix of cosines."""

import math

import numpy as np
import pytest
import torch
from by_loop import cosine_of, related_states

from semantic_hub.alignment import neighbors
from semantic_hub.alignment.retrieval import retrieval, retrieval_hits, retrieval_under_pairings
from semantic_hub.alignment.states import paired_states
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import pairings


def hits_by_loop(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    n, n_layers = x.shape[:2]
    hits = np.zeros((n, n_layers), dtype=bool)
    for layer in range(n_layers):
        a, b = x[:, layer].double().numpy(), y[:, layer].double().numpy()
        for i in range(n):
            others = [cosine_of(a[i], b[j]) for j in range(n) if j != i]
            hits[i, layer] = cosine_of(a[i], b[i]) > max(others) + 1e-7
    return hits


@pytest.mark.parametrize("n_pairs", [2, 3, 17])
def test_agrees_with_the_full_matrix(n_pairs):
    x, y = related_states(n_pairs, signal=1)
    np.testing.assert_array_equal(retrieval_hits(paired_states(x, y, "test")), hits_by_loop(x, y))
    np.testing.assert_allclose(retrieval(y, x), hits_by_loop(y, x).mean(axis=0))


def test_the_two_directions_by_eye():
    x, y = torch.eye(4)[:, None], torch.eye(4)[:, None].clone()
    y[0, 0, 1] = 1.1  # still the nearest y of x_0, whose y is now nearer to x_1
    assert retrieval(x, y).item() == 1
    assert retrieval(y, x).item() == 0.75


def test_ties_are_misses():
    x = torch.eye(3)[:, None]
    y = x.clone()
    y[1] = y[0] * 3
    assert retrieval_hits(paired_states(x, y, "test")).flatten().tolist() == [False, False, True]


@pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 3])
def test_a_gallery_of_one_single_state_holds_no_partner(scale):
    x, _ = related_states(50, 1, 33)
    y = (x[:1] * scale).expand(50, 1, 33)
    assert retrieval(x, y).item() == 0


def test_does_not_change_with_rotation_scale_or_order():
    x, y = related_states(signal=1)
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    lengths = torch.rand(12, 3, 1, generator=generator) * 10 + 0.1
    order = torch.randperm(12, generator=generator)
    for a, b in [(x @ rotation, y @ rotation), (x * lengths, y), (x[order], y[order])]:
        assert torch.equal(retrieval(a, b), retrieval(x, y))


def test_blocks_change_nothing(monkeypatch):
    x, y = related_states(23, signal=1)
    ways = next(pairings(23, 20))
    expected = (
        retrieval_hits(paired_states(x, y, "test")),
        retrieval_under_pairings(paired_states(x, y, "test"), ways),
    )
    monkeypatch.setattr(neighbors, "_BLOCK", 50)
    assert torch.equal(retrieval_hits(paired_states(x, y, "test")), expected[0])
    assert torch.equal(retrieval_under_pairings(paired_states(x, y, "test"), ways), expected[1])


def test_value_under_a_pairing_is_the_value_of_states_paired_so():
    x, y = related_states(6, signal=1)
    y[2] = y[4]  # a tie
    ways = next(pairings(6, 1000))
    scores = torch.stack([retrieval(x, y[way.long()]) for way in ways])
    found = retrieval_under_pairings(paired_states(x, y, "test"), ways)
    torch.testing.assert_close(found, scores - scores.mean(dim=0), atol=1e-12, rtol=0)


def test_unrelated_states_read_chance():
    x, y = related_states(20, 400, 8, signal=0)
    assert retrieval(x, y).mean().item() == pytest.approx(1 / 20, abs=0.007)


@pytest.mark.parametrize(("value", "text"), [(0, "length 0"), (math.nan, "length nan")])
def test_states_without_a_direction_are_named(value, text):
    x, y = related_states()
    y[7, 1] = value
    with pytest.raises(SemanticHubError, match=f"{text} of y, pair 7, layer 1;"):
        retrieval(x, y)
