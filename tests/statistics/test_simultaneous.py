"""Max-t p-values: against a direct loop, in cases worked out by hand, and their level."""

import numpy as np
import pytest
import torch

from semantic_hub.statistics.p_values import max_t_p_values
from semantic_hub.statistics.resampling import resample_weights


def by_loop(value: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    spread = replicates.std(axis=0)
    p_values = []
    for cell in range(len(value)):
        t = value[cell] / spread[cell]
        reached = 0
        for row in replicates:
            largest = max((row[k] - value[k]) / spread[k] for k in range(len(value)))
            reached += largest >= t
        p_values.append((1 + reached) / (1 + len(replicates)))
    return np.array(p_values)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_direct_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.normal(size=5)
    replicates = value + rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    found = max_t_p_values(torch.from_numpy(value), torch.from_numpy(replicates))
    np.testing.assert_allclose(found, by_loop(value, replicates))


def test_scale_and_order_of_cells_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    value, replicates = torch.rand(4, generator=generator), torch.rand(50, 4, generator=generator)
    found = max_t_p_values(value, replicates)
    scale, order = torch.tensor([1.0, 10.0, 0.1, 3.0]), torch.tensor([2, 0, 3, 1])
    assert torch.equal(max_t_p_values(scale * value, scale * replicates), found)
    assert torch.equal(max_t_p_values(value[order], replicates[:, order]), found[order])


def test_more_cells_only_raise_p() -> None:
    generator = torch.Generator().manual_seed(1)
    value, replicates = torch.rand(4, generator=generator), torch.rand(50, 4, generator=generator)
    alone = torch.cat([max_t_p_values(value[[k]], replicates[:, [k]]) for k in range(4)])
    assert (max_t_p_values(value, replicates) >= alone).all()
    assert (max_t_p_values(value, replicates) > alone).any()


def test_cells_that_do_not_vary() -> None:
    """Certainly above 0, certainly not, and rounding: only the first is significant."""
    value = torch.tensor([0.5, 0.0, -0.5, 1e-9])
    p = max_t_p_values(value, value.repeat(19, 1))
    assert p.tolist() == pytest.approx([1 / 20, 1, 1, 1])


def test_a_cell_that_does_not_vary_sets_no_bar_for_others() -> None:
    value = torch.tensor([0.5, 0.1])
    replicates = torch.stack([value[0] + torch.linspace(-1, 1, 9), torch.full((9,), 0.1)], dim=1)
    assert max_t_p_values(value, replicates)[0] == max_t_p_values(value[:1], replicates[:, :1])[0]


def test_a_cell_without_values_takes_no_part() -> None:
    nan = torch.nan
    value = torch.tensor([1.0, nan, 0.2])
    replicates = torch.tensor([[0.9, nan, 0.1], [1.1, nan, nan], [1.2, nan, 0.3]])
    found = max_t_p_values(value, replicates)
    assert found.isnan().tolist() == [False, True, True]
    assert found[0] == max_t_p_values(value[:1], replicates[:, :1])[0]


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_its_level_over_correlated_cells(correlation: float) -> None:
    """Means of 40 items in 7 cells, all truly 0: any p ≤ .05 in about a twentieth of 400 runs."""
    rng, runs, weights = np.random.default_rng(5), 400, next(resample_weights(40, 200))
    found = 0
    for _ in range(runs):
        common = rng.normal(size=(40, 1))
        items = correlation**0.5 * common + (1 - correlation) ** 0.5 * rng.normal(size=(40, 7))
        values = torch.from_numpy(items)
        p = max_t_p_values(values.mean(dim=0), weights @ values / 40)
        found += bool((p <= 0.05).any())
    assert 0.02 <= found / runs <= 0.09
