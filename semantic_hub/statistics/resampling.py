"""Resamples of items: drawn with replacement, or with one left out; seeded, in bounded blocks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError

WeightedStatistic = Callable[[Tensor, Tensor], Tensor]
"""``(weights [resample item], values [item ...]) -> [resample ...]``."""

_RESAMPLES = 256  # the most in a block, which bounds what is computed from it
_WEIGHTS = 2**19  # entries of a block of resamples


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: number of bootstrap resamples, coverage and seed.

    Args:
        resamples: Bootstrap resamples of the items, at least 1.
        confidence: Coverage of the intervals, between 0 and 1.
        seed: Seed of everything random in the call: resamples, pairings of a permutation test,
            random directions, the weights of a random twin.

    Raises:
        SemanticHubError: A number out of its range.

    Example:
        >>> Resampling(resamples=200)
        Resampling(resamples=200, confidence=0.95, seed=0)
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise range_error("resamples", self.resamples, "at least 1")
        if not 0 < self.confidence < 1:
            raise range_error("confidence", self.confidence, "between 0 and 1")
        if self.seed < 0:
            raise range_error("seed", self.seed, "0 or more")


def weighted_mean(
    weights: Float[Tensor, "resample item"], values: Float[Tensor, "item ..."]
) -> Float[Tensor, "resample ..."]:
    """Mean over items in each resample: Σ_i w_i v_i / Σ_i w_i, in the unit of the values.

    Args:
        weights: How often each item was drawn.
        values: One value, or one array of values, for each item.

    Example:
        >>> weighted_mean(torch.tensor([[1.0, 1.0], [2.0, 0.0]]), torch.tensor([1.0, 3.0]))
        tensor([2., 1.])
    """
    total = weights.sum(dim=1).reshape(-1, *[1] * (values.ndim - 1))
    return torch.tensordot(weights, values, dims=1) / total


def resample_weights(
    n_items: int, resamples: int = 1000, *, seed: int = 0, min_distinct: int = 1
) -> Iterator[Float[Tensor, "resample item"]]:
    """How often each item is drawn when ``n_items`` are drawn with replacement, block by block.

    Args:
        n_items: Number of items.
        resamples: Number of resamples, over all blocks together.
        seed: Seed of the draws.
        min_distinct: A resample with fewer distinct items is drawn again.

    Yields:
        Counts as float64; every row sums to ``n_items``.

    Raises:
        SemanticHubError: Fewer than 1 resample, or fewer items than ``min_distinct``.

    Example:
        >>> [block.sum().item() for block in resample_weights(4, resamples=3)]
        [12.0]
    """
    if resamples < 1:
        raise range_error("resamples", resamples, "at least 1")
    if n_items < min_distinct:
        raise range_error("items", n_items, f"at least {min_distinct}")
    rng = np.random.default_rng(seed)
    for rows in _block_sizes(resamples, n_items):
        counts = _draw(rng, rows, n_items)
        while (poor := np.count_nonzero(counts, axis=1) < min_distinct).any():
            counts[poor] = _draw(rng, int(poor.sum()), n_items)
        yield torch.from_numpy(counts).double()


def leave_one_out_weights(n_items: int) -> Iterator[Float[Tensor, "resample item"]]:
    """How often each item is drawn where item 0, then item 1, … is left out, block by block.

    Args:
        n_items: Number of items, at least 2.

    Yields:
        Rows of ones with a single 0.

    Raises:
        SemanticHubError: Fewer than 2 items.

    Example:
        >>> next(leave_one_out_weights(3)).tolist()
        [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    if n_items < 2:
        raise range_error("items", n_items, "at least 2")
    start = 0
    for rows in _block_sizes(n_items, n_items):
        weights = torch.ones(rows, n_items, dtype=torch.float64)
        weights[torch.arange(rows), torch.arange(start, start + rows)] = 0
        start += rows
        yield weights


def influence_values(
    estimate: Float[Tensor, "..."], left_out: Float[Tensor, "item ..."]
) -> Float[Tensor, "item ..."]:
    """What each item adds to a statistic, on a scale where their mean is the statistic.

    ``v_i = θ + (n − 1)(θ_(·) − θ_(−i))`` with θ_(−i) the statistic without item i, and θ_(·) their
    mean: Tukey's pseudo-values, moved so that their mean is θ itself and not its version corrected
    for bias. A bootstrap over them needs no copies of items, which a statistic of neighbors or of
    kernels would take for perfect agreement. Their variance over n is the jackknife's variance
    times n/(n − 1); it errs on the wide side (Efron and Stein).

    Args:
        estimate: The statistic of all items.
        left_out: The statistic without each item.

    Returns:
        In the unit of the statistic; for a mean over items, the values of the items.

    Example:
        >>> influence_values(torch.tensor(2.0), torch.tensor([2.5, 2.0, 1.5])).tolist()
        [1.0, 2.0, 3.0]

    Source:
        Tukey 1958, Bias and confidence in not quite large samples; Efron and Stein 1981, The
        jackknife estimate of variance, doi 10.1214/aos/1176345462.
    """
    return estimate + (len(left_out) - 1) * (left_out.mean(dim=0) - left_out)


def range_error(name: str, got: object, expected: str) -> SemanticHubError:
    """The error for a number out of range.

    Args:
        name: Of the number.
        got: The number.
        expected: What would have been accepted.
    """
    fix = f"Give {name} in that range."
    return SemanticHubError("statistics", got=f"{name} = {got}", expected=expected, fix=fix)


def _draw(rng: np.random.Generator, rows: int, n_items: int) -> np.ndarray:
    draws = rng.integers(n_items, size=(rows, n_items)) + n_items * np.arange(rows)[:, None]
    return np.bincount(draws.ravel(), minlength=rows * n_items).reshape(rows, n_items)


def _block_sizes(rows: int, n_items: int) -> Iterator[int]:
    block = max(1, min(_RESAMPLES, _WEIGHTS // n_items))
    for start in range(0, rows, block):
        yield min(block, rows - start)
