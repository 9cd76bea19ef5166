"""Uncertainty: bootstrap intervals over items, permutation p-values over pairings.

Everything here is seeded, works in blocks of bounded memory, and knows nothing of models.
"""

import itertools
from collections.abc import Callable, Iterator
from math import factorial
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError

WeightedStatistic = Callable[[Tensor, Tensor], Tensor]
"""``(weights [resample item], values [item ...]) -> [resample ...]``."""

RESOLUTION = float(np.finfo(np.float32).eps)
"""Differences of a statistic below this are float32 rounding, and count as ties."""

_RESAMPLES = 256  # the most in a block, which bounds what is computed from it
_WEIGHTS = 2**19  # entries of a block of resamples
_PAIRINGS = 2**25  # entries of a block of pairings, as int32


class Interval(NamedTuple):
    """The two ends of an interval, arrays of equal shape."""

    low: Float[Tensor, "..."]
    high: Float[Tensor, "..."]


class PValues(NamedTuple):
    """Permutation p-values, in (0, 1].

    ``p`` looks at each layer by itself; ``corrected`` controls the chance of even one false
    positive over all layers together.
    """

    p: Float[Tensor, " layer"]
    corrected: Float[Tensor, " layer"]


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


def bootstrap_interval(
    values: Float[Tensor, "item ..."],
    statistic: WeightedStatistic = weighted_mean,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic over items.

    Items are drawn with replacement, the statistic is taken of each resample, and the interval
    holds the middle ``confidence`` of what comes out. With 0 and 1 as values, the mean is a
    proportion. All entries along the other axes see the same resamples.

    Args:
        values: One value, or one array of values, for each item; finite.
        statistic: From weights (how often each item was drawn) and values to one value for each
            resample.
        resamples: Number of resamples.
        confidence: Share of the resamples inside the interval.
        seed: Seed of the draws.

    Returns:
        Low and high ends, float64, in the unit of the statistic, shape ``...``.

    Raises:
        SemanticHubError: No items, values that are not finite, or a number out of range.

    Example:
        >>> low, high = bootstrap_interval(torch.tensor([0.0, 1.0, 1.0, 1.0]))
        >>> low.item(), high.item()
        (0.25, 1.0)

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    if not len(values) or not values.isfinite().all():
        raise SemanticHubError(
            "bootstrap_interval",
            got=f"{len(values)} items, {int((~values.isfinite()).sum())} values not finite",
            expected="at least 1 item, all values finite",
            fix="Drop the items without a value first, and count them.",
        )
    values = values.detach().cpu().double()
    blocks = resample_weights(len(values), resamples, seed=seed)
    return percentile_interval(torch.cat([statistic(w, values) for w in blocks]), confidence)


def proportion_interval(wins: Float[Tensor, "..."], n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: it keeps a width where all or none of n win.

    With p = wins / n and z the normal quantile, the ends are
    ``(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)``.

    Args:
        wins: How many of the n items win, 0 to n.
        n: Number of items.
        confidence: Coverage.

    Example:
        >>> [round(end.item(), 3) for end in proportion_interval(torch.tensor([10.0]), 10)]
        [0.722, 1.0]

    Source:
        Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, scale = wins.double() / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z * (p * (1 - p) / n + (z / (2 * n)) ** 2).sqrt() / scale
    return Interval((middle - half).clamp(min=0), (middle + half).clamp(max=1))


def percentile_interval(
    replicates: Float[Tensor, "resample ..."], confidence: float = 0.95
) -> Interval:
    """The middle ``confidence`` of the replicates, linearly interpolated between order statistics.

    Args:
        replicates: The statistic of each resample.
        confidence: Share of the replicates inside the interval.

    Raises:
        SemanticHubError: ``confidence`` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise _range_error("confidence", confidence, "a number between 0 and 1")
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates.double().numpy(), [tail, 1 - tail], axis=0)
    return Interval(torch.as_tensor(low), torch.as_tensor(high))


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
        raise _range_error("resamples", resamples, "at least 1")
    if n_items < min_distinct:
        raise _range_error("items", n_items, f"at least {min_distinct}")
    rng = np.random.default_rng(seed)
    for rows in _block_sizes(resamples, min(_RESAMPLES, _WEIGHTS // n_items)):
        counts = _draw(rng, rows, n_items)
        while (poor := np.count_nonzero(counts, axis=1) < min_distinct).any():
            counts[poor] = _draw(rng, int(poor.sum()), n_items)
        yield torch.from_numpy(counts).double()


def pairings(
    n_items: int, permutations: int = 1000, *, seed: int = 0
) -> Iterator[Int[Tensor, "pairing item"]]:
    """Ways to pair ``n_items`` with each other, block by block; the first is the identity.

    Where there are no more than ``permutations`` ways besides the identity, each comes once, and
    the test is exact; else they are drawn at random.

    Args:
        n_items: Number of items on either side.
        permutations: Number of pairings besides the identity.
        seed: Seed of the draws.

    Yields:
        Row π pairs item i with item π(i).

    Raises:
        SemanticHubError: Fewer than 1 permutation.

    Example:
        >>> next(pairings(3, permutations=10)).tolist()
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    """
    if permutations < 1:
        raise _range_error("permutations", permutations, "at least 1")
    if n_items < 20 and factorial(n_items) - 1 <= permutations:
        yield from _all_pairings(n_items)
    else:
        yield from _random_pairings(n_items, permutations, seed)


def permutation_p_values(statistics: Float[Tensor, "pairing layer"]) -> PValues:
    """One-sided p-values: how often a pairing scores as high as the true one, which is row 0.

    ``p = (1 + #{π : T_π ≥ T}) / (1 + permutations)``. For ``corrected``, T of each layer is
    divided by its standard deviation over all pairings, the true one included, and compared with
    the *largest* such value over layers in each pairing. Without that division the layer whose
    states are most spread would alone set the bar for all others; with the true pairing included,
    the standard deviation treats all pairings alike, so the test stays exact. Values within
    `RESOLUTION` of row 0 count as ties: a layer where all prompts have the same state gets p = 1.

    Args:
        statistics: T of each pairing and layer; the mean over pairings should be 0 (a statistic
            in which matched is compared with all pairings has it by construction).

    Returns:
        p and corrected p for each layer; corrected is never below p.

    Example:
        >>> permutation_p_values(torch.tensor([[2.0], [1.0], [-1.0], [-2.0]])).p
        tensor([0.2500], dtype=torch.float64)

    Source:
        Phipson and Smyth 2010, arXiv 1603.05766 (the added 1); Westfall and Young,
        Resampling-Based Multiple Testing, 1993, and Nichols and Holmes 2002,
        doi 10.1002/hbm.1058 (max statistic).
    """
    statistics = statistics.double()
    true = statistics[0]
    statistics = statistics.where((statistics - true).abs() > RESOLUTION, true)
    spread = statistics.std(dim=0, correction=0)
    standard = torch.where(spread > RESOLUTION, statistics / spread, 0.0)
    highest = standard.amax(dim=1, keepdim=True)
    return PValues(
        p=(statistics >= true).double().mean(dim=0),
        corrected=(highest >= standard[0]).double().mean(dim=0),
    )


def _draw(rng: np.random.Generator, rows: int, n_items: int) -> np.ndarray:
    draws = rng.integers(n_items, size=(rows, n_items)) + n_items * np.arange(rows)[:, None]
    return np.bincount(draws.ravel(), minlength=rows * n_items).reshape(rows, n_items)


def _all_pairings(n_items: int) -> Iterator[Tensor]:
    ways = itertools.permutations(range(n_items))
    for rows in _block_sizes(factorial(n_items), _PAIRINGS // n_items):
        yield torch.tensor(list(itertools.islice(ways, rows)), dtype=torch.int32)


def _random_pairings(n_items: int, number: int, seed: int) -> Iterator[Tensor]:
    rng = np.random.default_rng(seed)
    identity = np.arange(n_items, dtype=np.int32)
    for index, rows in enumerate(_block_sizes(number + 1, _PAIRINGS // n_items)):
        block = np.tile(identity, (rows, 1))
        drawn = block if index else block[1:]
        rng.permuted(drawn, axis=1, out=drawn)
        yield torch.from_numpy(block)


def _block_sizes(rows: int, block: int) -> Iterator[int]:
    for start in range(0, rows, max(1, block)):
        yield min(max(1, block), rows - start)


def _range_error(name: str, got: object, expected: str) -> SemanticHubError:
    fix = f"Give {name} in that range."
    return SemanticHubError("statistics", got=f"{name} = {got}", expected=expected, fix=fix)
