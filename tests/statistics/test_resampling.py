"""Resamples: how often items are drawn, and what each adds to a statistic."""

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics import resampling
from semantic_hub.statistics.resampling import (
    influence_values,
    leave_one_out_weights,
    resample_weights,
    weighted_mean,
)


def weights_of(n_items: int, **settings) -> torch.Tensor:
    return torch.cat(list(resample_weights(n_items, **settings)))


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


def test_weighted_mean_by_eye():
    weights = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0]])
    values = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 6.0]])
    assert weighted_mean(weights, values).tolist() == [[2, 2], [3, 6]]


def test_draws_depend_on_the_seed_alone(monkeypatch):
    whole = weights_of(50, resamples=100, seed=3)
    monkeypatch.setattr(resampling, "_WEIGHTS", 450)
    assert len(list(resample_weights(50, 100, seed=3))) > 10
    assert torch.equal(weights_of(50, resamples=100, seed=3), whole)
    assert not torch.equal(weights_of(50, resamples=100, seed=4), whole)


def test_each_item_is_left_out_once(monkeypatch):
    expected = 1 - torch.eye(7, dtype=torch.float64)
    assert torch.equal(torch.cat(list(leave_one_out_weights(7))), expected)
    monkeypatch.setattr(resampling, "_WEIGHTS", 15)
    blocks = list(leave_one_out_weights(7))
    assert len(blocks) == 4
    assert torch.equal(torch.cat(blocks), expected)


def test_what_an_item_adds_to_a_mean_is_its_value():
    values = torch.rand(9, 2, generator=torch.Generator().manual_seed(0)).double()
    left_out = weighted_mean(torch.cat(list(leave_one_out_weights(9))), values)
    torch.testing.assert_close(influence_values(values.mean(dim=0), left_out), values)


def test_mean_of_influence_values_is_the_statistic_also_where_it_is_biased():
    values = torch.rand(9, generator=torch.Generator().manual_seed(1)).double()
    left_out = torch.stack([values[torch.arange(9) != i].max() for i in range(9)])
    mean = influence_values(values.max(), left_out).mean()
    assert mean.item() == pytest.approx(values.max().item())
    assert left_out.mean() < values.max()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: list(resample_weights(5, 0)), "resamples = 0; expected at least 1"),
        (lambda: list(resample_weights(1, min_distinct=2)), "items = 1; expected at least 2"),
        (lambda: list(leave_one_out_weights(1)), "items = 1; expected at least 2"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(call, text):
    with pytest.raises(SemanticHubError, match=text):
        call()
