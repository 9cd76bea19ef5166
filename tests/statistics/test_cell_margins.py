"""Margins of items by cell: the same as `margin` of means, and what few items can tell."""

from itertools import product

import numpy as np
import pytest
import torch

from semantic_hub.statistics.margins import (
    Cell,
    CellMargins,
    item_margins,
    least_p,
    share_margins,
    unseen_share,
)
from semantic_hub.statistics.resampling import Resampling, resample_weights

CELLS = [Cell(1), Cell(2)]


def values(seed: int, n: int = 12) -> torch.Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed)).double()


def test_it_is_that_of_explicit_resamples() -> None:
    effect, controls = values(0), {"a": values(1), "b": values(2)}
    found = item_margins(CELLS, effect, controls, "points", Resampling(resamples=30, seed=4))
    counts = torch.cat(list(resample_weights(12, 30, seed=4))).long()
    above = []
    for row in counts:
        drawn = torch.repeat_interleave(torch.arange(12), row)
        highest = torch.stack([c[drawn].mean(dim=0) for c in controls.values()]).amax(dim=0)
        above.append((effect[drawn].mean(dim=0) - highest).numpy())
    np.testing.assert_allclose(found.low, np.quantile(above, 0.025, axis=0))
    np.testing.assert_allclose(found.high, np.quantile(above, 0.975, axis=0))
    means = {name: control.mean(dim=0) for name, control in controls.items()}
    expected = effect.mean(dim=0) - torch.maximum(*means.values())
    torch.testing.assert_close(found.value, expected)
    assert found.strongest == tuple(max(means, key=lambda name: means[name][k]) for k in range(2))
    assert (found.cells, found.n, found.unit) == (tuple(CELLS), 12, "points")


def test_items_without_a_value_are_left_out() -> None:
    effect, control = values(0), values(1)
    effect[3, 0] = torch.nan
    found = item_margins(CELLS, effect, {"placebo": control}, "points", Resampling(50))
    known = torch.arange(12) != 3
    expected = effect[known, 0].mean() - control[:, 0].mean()
    assert found.value[0].item() == pytest.approx(expected.item())
    assert found.p.isfinite().all()


def test_a_cell_that_some_resample_empties_has_no_p() -> None:
    effect = torch.full((12, 2), torch.nan).double()
    effect[0, 0], effect[:, 1] = 1.0, 1.0
    found = item_margins(CELLS, effect, {"placebo": values(1)}, "points", Resampling(200))
    assert found.p.isnan().tolist() == [True, False]
    assert found.high.isnan().tolist() == [True, False]


def test_unseen_share_is_where_seeing_none_becomes_unlikely() -> None:
    for n, confidence in product((3, 40), (0.9, 0.95)):
        share = unseen_share(n, confidence)
        assert (1 - share) ** n == pytest.approx((1 - confidence) / 2)


def test_least_p_counts_sign_flips() -> None:
    """Of all sign patterns of 4 items, one is all above 0."""
    flips = list(product((-1, 1), repeat=4))
    assert least_p(4, 1) == sum(min(flip) > 0 for flip in flips) / len(flips)
    assert least_p(4, 3) == 3 * least_p(4, 1)
    assert least_p(2, 9) == 1


@pytest.mark.parametrize(("n", "supported"), [(3, False), (5, False), (12, True)])
def test_a_share_of_all_of_few_items_is_not_certain(n: int, supported: bool) -> None:
    all_of_them, none = torch.ones(n, 1).double(), torch.zeros(n, 1).double()
    found = share_margins([Cell(1)], all_of_them, {"placebo": none}, "share", Resampling(99))
    assert (found.low > 0).item() == supported
    assert found.high.item() == 1
    assert found.p.item() == max(1 / 100, 0.5**n)


@pytest.mark.parametrize(("n", "below"), [(20, False), (48, True)])
def test_a_share_of_none_of_few_items_is_not_certain_either(n: int, below: bool) -> None:
    none = torch.zeros(n, 1).double()
    found = share_margins([Cell(1)], none, {"placebo": none}, "share", Resampling(99))
    assert (found.value.item(), (found.high < 0.1).item()) == (0, below)


def test_intervals_of_mixed_shares_are_the_bootstraps() -> None:
    effect, control = (values(0, 60) < 0.6).double(), (values(1, 60) < 0.4).double()
    found = share_margins(CELLS, effect, {"c": control}, "share", Resampling(200))
    plain = item_margins(CELLS, effect, {"c": control}, "share", Resampling(200))
    assert torch.equal(found.low, plain.low)
    assert torch.equal(found.high, plain.high)


def test_none_has_no_cells_and_a_reason() -> None:
    nothing = CellMargins.none("share", "no null controls")
    assert (nothing.cells, nothing.reason, len(nothing.p)) == ((), "no null controls", 0)
