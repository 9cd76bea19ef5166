"""AUC: what it is, what leaves it as it is, and its agreement with counting every comparison."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu

from semantic_hub.alignment.auc import auc, control_wins, match_wins
from semantic_hub.alignment.measures import AUC, MEASURES
from semantic_hub.alignment.normalized import standardized
from semantic_hub.alignment.states import paired_states
from semantic_hub.statistics.p_values import pairings
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.worlds import anisotropic, planted_states


def states(n: int = 9, layers: int = 3, d_model: int = 5, shared: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    meaning = shared * rng.standard_normal((n, layers, d_model))
    x, y = meaning + rng.standard_normal((2, n, layers, d_model))
    return torch.from_numpy(x), torch.from_numpy(y)


def units(side: np.ndarray) -> np.ndarray:
    side = (side - side.mean(axis=0)) / side.std(axis=0)
    return side / np.linalg.norm(side, axis=1, keepdims=True)


def counted(x: torch.Tensor, y: torch.Tensor, order: np.ndarray | None = None) -> list[float]:
    """The AUC by going through all comparisons."""
    values = []
    for layer in range(x.shape[1]):
        cosines = units(x[:, layer].numpy()) @ units(y[:, layer].numpy())[order].squeeze().T
        wins = [
            float(cosines[i, i] > other)
            for i, j in itertools.permutations(range(len(x)), 2)
            for other in (cosines[i, j], cosines[j, i])
        ]
        values.append(float(np.mean(wins)))
    return values


def test_it_is_the_share_of_comparisons_won():
    x, y = states()
    assert auc(x, y).tolist() == pytest.approx(counted(x, y), abs=1e-12)


def test_under_each_pairing_it_is_that_of_the_pairing():
    x, y = states(n=6)
    ways = torch.cat(list(pairings(6, 20, seed=3)))
    measure = MEASURES[AUC]
    found = measure.pairing_statistics(measure.states(x, y), 20, 3)
    for way, values in zip(ways.long(), found, strict=True):
        assert values.tolist() == pytest.approx(
            [value - 0.5 for value in counted(x, y, way.numpy())], abs=1e-12
        )


def test_the_mean_over_all_pairings_is_one_half():
    x, y = states(n=5)
    measure = MEASURES[AUC]
    found = measure.pairing_statistics(measure.states(x, y), 1000, 0)
    assert len(found) == 120
    assert found.mean(dim=0).abs().max() < 1e-12


def test_it_is_the_mann_whitney_statistic_row_by_row():
    x, y = states(n=12, layers=1)
    cosines = units(x[:, 0].numpy()) @ units(y[:, 0].numpy()).T
    rows = [
        mannwhitneyu(line[[i]], np.delete(line, i)).statistic / 11
        for matrix in (cosines, cosines.T)
        for i, line in enumerate(matrix)
    ]
    assert auc(x, y).item() == pytest.approx(np.mean(rows))


def test_what_all_states_share_and_any_scale_leave_it_as_it_is():
    x, y = states()
    scale, shift = torch.rand(5).double() * 1000 + 0.1, torch.randn(5).double() * 100
    assert torch.equal(auc(x, y), auc(x * scale + shift, 7 * y - shift))
    assert torch.equal(auc(x, y), auc(y, x))


def test_a_monotone_change_of_the_cosines_changes_nothing(monkeypatch):
    from semantic_hub.alignment import auc as module

    x, y = states()
    before = auc(x, y)
    steps = module._steps
    monkeypatch.setattr(module, "_steps", lambda cosines: steps(cosines.exp() + cosines**3))
    assert torch.equal(auc(x, y), before)


def test_a_perfect_hub_reads_one_and_none_reads_chance_with_any_number_of_pairs():
    for n in (8, 48):
        x, y = planted_states("planted-hub", 0, n_concepts=n)
        assert auc(x, y)[2:4].tolist() == [1.0, 1.0]
    nothing = [
        auc(*planted_states("planted-separate", seed, n_concepts=n))[3].item()
        for seed in range(20)
        for n in (8, 48)
    ]
    assert np.mean(nothing) == pytest.approx(0.5, abs=0.03)
    same = torch.ones(4, 1, 3)
    assert auc(same, same).tolist() == [0.5]


@pytest.mark.parametrize(("common", "huge"), [(100.0, 0), (0.0, 4), (100.0, 4)])
def test_a_hub_is_seen_among_huge_dimensions_where_raw_cosines_fail(common, huge):
    x, y = planted_states("planted-hub", 1, noise=2.0)
    changed = anisotropic(x, y, common=common, huge=huge, seed=1)
    torch.testing.assert_close(
        auc(*changed)[2:4], auc(*anisotropic(x, y, seed=1))[2:4], rtol=0, atol=0.02
    )
    assert MEASURES["cosine"](*changed)[3] < 0.2 or huge
    assert MEASURES["mutual retrieval"](*changed)[3] < 0.2


def test_what_pairs_add_has_the_auc_as_its_mean_and_its_jackknife_as_its_spread():
    x, y = states(n=12)
    parts = paired_states(*standardized(x, y), "test")
    added = match_wins(parts)
    torch.testing.assert_close(added.mean(dim=0), auc(x, y))
    n = len(x)
    without = torch.stack(
        [match_wins(paired_states(*(side[keep] for side in parts[:2]), "test")).mean(dim=0)
         for keep in ~torch.eye(n, dtype=torch.bool)]
    )  # fmt: skip
    jackknife = n * added.mean(dim=0) - (n - 1) * without
    spread = added - added.mean(dim=0)
    torch.testing.assert_close(jackknife - jackknife.mean(dim=0), spread * (n - 1) / (n - 2))


def test_the_interval_keeps_a_width_where_all_pairs_agree():
    x = torch.randn(20, 1, 8, generator=torch.Generator().manual_seed(0))
    low, high = MEASURES[AUC].interval(x, x, resampling=Resampling(resamples=50))
    assert high.item() == 1
    assert low.item() == pytest.approx(0.025 ** (1 / 20))


def test_wins_over_a_control_are_those_of_its_own_pair():
    x, y = states(n=10)
    other_x, other_y = states(n=10, seed=1)
    changed = torch.tensor(
        [[False, True]] * 4 + [[True, False]] * 3 + [[True, True]] * 2 + [[False] * 2]
    )
    found = control_wins(x, y, other_x, other_y, changed)
    for layer, pair in itertools.product(range(3), range(10)):
        sides = [side[:, layer].numpy() for side in (x, y)]
        own = float(units(sides[0])[pair] @ units(sides[1])[pair])

        def unit(side, state):
            state = (state - side.mean(axis=0)) / side.std(axis=0)
            return state / np.linalg.norm(state)

        a, b = units(sides[0])[pair], units(sides[1])[pair]
        new_a = unit(sides[0], other_x[pair, layer].numpy())
        new_b = unit(sides[1], other_y[pair, layer].numpy())
        rivals = [new_a @ b] * bool(changed[pair, 0]) + [a @ new_b] * bool(changed[pair, 1])
        expected = np.mean([own > rival for rival in rivals]) if rivals else np.nan
        assert found[pair, layer].item() == pytest.approx(expected, nan_ok=True)
