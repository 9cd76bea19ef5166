"""Bootstrap and leave-one-out resamples of items, seeded, in blocks of bounded size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_seed, check_kinds
from semantic_hub.plotting.values import short_repr

WeightedStatistic = Callable[[Tensor, Tensor], Tensor]
"""``(weights [resample item], values [item ...]) -> [resample ...]``."""

_RESAMPLES = 256  # the most in a block, which bounds what is computed from it
_WEIGHTS = 2**19  # entries of a block of resamples


@dataclass(frozen=True)
class Resampling:
    """Number of bootstrap resamples, coverage and seed of the intervals.

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
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds(
            "Resampling", resamples=(self.resamples, int), confidence=(self.confidence, float)
        )
        as_seed(self.seed)
        if self.resamples < 1:
            raise range_error("resamples", self.resamples, "at least 1")
        if not 0 < self.confidence < 1:
            raise range_error("confidence", self.confidence, "between 0 and 1")


def weighted_mean(
    weights: Float[Tensor, "resample item"], values: Float[Tensor, "item ..."]
) -> Float[Tensor, "resample ..."]:
    """Weighted mean over items in each resample: Σ_i w_i v_i / Σ_i w_i.

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
    """Bootstrap weights: how often each item is drawn in each resample, in blocks.

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
    rng = np.random.default_rng(as_seed(seed))
    for rows in block_sizes(resamples, n_items, _entries(n_items)):
        counts = _draw(rng, rows, n_items)
        while (poor := np.count_nonzero(counts, axis=1) < min_distinct).any():
            counts[poor] = _draw(rng, int(poor.sum()), n_items)
        yield torch.from_numpy(counts).double()


def leave_one_out_weights(n_items: int) -> Iterator[Float[Tensor, "resample item"]]:
    """Weights of leave-one-out resamples: item i is missing in row i, in blocks.

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
    for rows in block_sizes(n_items, n_items, _entries(n_items)):
        weights = torch.ones(rows, n_items, dtype=torch.float64)
        weights[torch.arange(rows), torch.arange(start, start + rows)] = 0
        start += rows
        yield weights


def influence_values(
    estimate: Float[Tensor, "..."], left_out: Float[Tensor, "item ..."]
) -> Float[Tensor, "item ..."]:
    """Jackknife pseudo-value of each item, shifted so that their mean is the statistic.

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


def block_sizes(rows: int, columns: int, entries: int) -> Iterator[int]:
    """Yield the sizes of blocks of rows, each at most ``entries`` numbers or a single row.

    Args:
        rows: Number of rows, over all blocks together.
        columns: Entries of a row.
        entries: The most in a block.

    Yields:
        The number of rows of each block.

    Example:
        >>> list(block_sizes(5, columns=10, entries=20))
        [2, 2, 1]
    """
    block = max(1, entries // columns)
    for start in range(0, rows, block):
        yield min(block, rows - start)


def range_error(name: str, got: object, expected: str) -> SemanticHubError:
    """Make the error for an argument out of range; the caller raises it.

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


def _entries(n_items: int) -> int:
    """Entries of a block of resamples."""
    return min(_RESAMPLES * n_items, _WEIGHTS)
