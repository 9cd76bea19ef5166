"""The placebo in the states' own covariance: a huge dimension, an independent formula, edges."""

import numpy as np
import pytest
import torch

from semantic_hub.interventions.patching.sources import PatchValues, states_placebo

N, WIDTH = 40, 64


def grid(
    huge: float = 1.0, *, n: int = N, positions: int = 1, heads: int = 0
) -> list[list[PatchValues]]:
    """Activations at two layers with a mean of their own, the first dimension `huge` times as
    large."""
    generator = torch.Generator().manual_seed(3)
    features = (heads, WIDTH) if heads else (WIDTH,)
    values = torch.randn(n, positions, 2, *features, generator=generator) + 2
    values[..., 0] *= huge
    return [[PatchValues(tuple(range(positions)), one)] for one in values]


def drawn(patches, seed: int = 0) -> torch.Tensor:
    found = states_placebo(patches, torch.Generator().manual_seed(seed))
    assert found is not None
    return torch.stack([row[0].values for row in found])


def isotropic(patches, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([row[0].placebo(generator).values for row in patches])


def test_a_huge_dimension_is_missed_by_a_random_direction_and_not_by_the_states_own_noise() -> None:
    """Whatever is driven by a push along the huge dimension, half as long as the states, is driven
    by any state, whatever it means: a placebo must show that."""
    patches = grid(1000)
    lengths = torch.stack([row[0].values for row in patches]).norm(dim=-1)

    def drives(values: torch.Tensor) -> float:
        return (values[..., 0].abs() > lengths / 2).double().mean().item()

    assert drives(isotropic(patches)) < 0.01
    assert drives(drawn(patches)) == 1.0
    small = [values[..., 1:].norm(dim=-1).mean() for values in (isotropic(patches), drawn(patches))]
    own = torch.stack([row[0].values for row in patches])[..., 1:].norm(dim=-1).mean()
    assert small[0] > 20 * own and small[1] < 5 * own


def test_without_a_huge_dimension_the_two_are_alike() -> None:
    patches = grid(1)
    shares = [
        ((values[..., 0] / values.norm(dim=-1)) ** 2).mean().item()
        for values in (isotropic(patches), drawn(patches))
    ]
    assert shares == pytest.approx([1 / WIDTH] * 2, rel=0.6)


@pytest.mark.parametrize(("positions", "heads"), [(1, 0), (3, 0), (2, 4)])
def test_it_equals_a_formula_in_numpy(positions: int, heads: int) -> None:
    """One value at a time: the others' values, less their mean, times normal numbers, scaled."""
    patches = grid(30, n=7, positions=positions, heads=heads)
    values = np.concatenate([row[0].values.double().numpy() for row in patches])
    owner = np.repeat(np.arange(7), positions)
    generator = torch.Generator().manual_seed(5)
    numbers = torch.randn(len(values), len(values), generator=generator).double().numpy()
    expected = []
    for index, value in enumerate(values):
        others = values[owner != owner[index]]
        centered = others - others.mean(axis=0)
        noise = np.einsum("j,j...->...", numbers[index, owner != owner[index]], centered)
        length = np.linalg.norm(value, axis=-1) / np.linalg.norm(noise, axis=-1)
        expected.append(noise * length[..., None])
    found = drawn(patches, seed=5).flatten(0, 1).double().numpy()
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-4, atol=1e-3)


def test_norms_are_those_of_the_values_and_the_seed_decides() -> None:
    patches = grid(10)
    own = torch.stack([row[0].values for row in patches])
    torch.testing.assert_close(drawn(patches).norm(dim=-1), own.norm(dim=-1))
    assert torch.equal(drawn(patches), drawn(patches))
    assert not torch.allclose(drawn(patches), drawn(patches, seed=1))


def test_a_pairs_own_source_has_no_part_in_its_placebo() -> None:
    patches = grid(n=5)
    moved = [
        [PatchValues((0,), row[0].values + (100 if item == 2 else 0))]
        for item, row in enumerate(patches)
    ]
    before, after = drawn(patches), drawn(moved)
    directions = [torch.nn.functional.normalize(d[2], dim=-1) for d in (before, after)]
    torch.testing.assert_close(*directions, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(before[1], after[1])


def test_two_pairs_have_none_and_equal_states_stay() -> None:
    assert states_placebo(grid(n=2), torch.Generator()) is None
    same = grid(n=4)
    for row in same:
        row[0].values[:, 0] = same[0][0].values[:, 0]
    torch.testing.assert_close(
        drawn(same)[:, :, 0], torch.stack([r[0].values for r in same])[:, :, 0]
    )
    assert not torch.allclose(drawn(same)[0, :, 1], same[0][0].values[:, 1])
