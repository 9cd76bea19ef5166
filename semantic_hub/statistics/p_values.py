"""P-values: permutation, max-t over layers or cells, and Holm over families of tests."""

import itertools
import math
from collections.abc import Iterator
from math import factorial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.resampling import block_sizes, range_error

RESOLUTION = float(np.finfo(np.float32).eps)
"""Differences of a statistic below this are float32 rounding, and count as ties."""

_PAIRINGS = 2**25  # entries of a block of pairings, as int32


class PValues(NamedTuple):
    """Permutation p-values, in (0, 1].

    ``p`` looks at each layer by itself; ``corrected`` controls the chance of even one false
    positive over all layers together.
    """

    p: Float[Tensor, " layer"]
    corrected: Float[Tensor, " layer"]
    __repr__ = short_repr


def pairings(
    n_items: int, permutations: int = 1000, *, seed: int = 0
) -> Iterator[Int[Tensor, "pairing item"]]:
    """Permutations of ``n_items``, in blocks; the first is the identity.

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
        raise range_error("permutations", permutations, "at least 1")
    if n_items < 20 and factorial(n_items) - 1 <= permutations:
        yield from _all_pairings(n_items)
    else:
        yield from _random_pairings(n_items, permutations, seed)


def permutation_p_values(statistics: Float[Tensor, "pairing layer"]) -> PValues:
    """One-sided p-values: share of pairings that score as high as the true one, row 0.

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


def holm(p_values: Float[Tensor, " test"]) -> Float[Tensor, " test"]:
    """Holm's correction of a family of tests, such as one for each spoke.

    With the m p-values sorted, ``p̃_(k) = max_{j ≤ k} min(1, (m − j + 1) p_(j))``. Rejecting where
    ``p̃ ≤ α`` keeps the chance of even one false positive in the family at α, however the tests
    depend on each other.

    Args:
        p_values: One p-value for each test, in [0, 1].

    Returns:
        Corrected p-values in the order they came, float64; none is below its own p-value.

    Raises:
        SemanticHubError: A value that is not between 0 and 1, or NaN.

    Example:
        >>> holm(torch.tensor([0.01, 0.04, 0.03], dtype=torch.float64)).tolist()
        [0.03, 0.06, 0.06]

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal
        of Statistics 6.
    """
    p_values = p_values.double()
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise SemanticHubError(
            "holm",
            got=f"p-values {p_values.tolist()}",
            expected="numbers between 0 and 1",
            fix="Leave out the tests that have no p-value, and say how many.",
        )
    ordered, order = p_values.sort()
    factors = torch.arange(len(p_values), 0, -1)
    corrected = (ordered * factors).clamp(max=1)
    corrected = corrected.cummax(dim=0).values if len(corrected) else corrected
    return torch.empty_like(corrected).scatter_(0, order, corrected)


def max_t_p_values(
    value: Float[Tensor, " cell"], replicates: Float[Tensor, "resample cell"]
) -> Float[Tensor, " cell"]:
    """One-sided bootstrap p-values that a value is above 0, max-t corrected over cells.

    Cells are what is looked at together, such as layers. With s the standard deviation of a cell's
    replicates and t = value / s,

        p_c = (1 + #{resamples b : max_c' (M*_bc' − M_c') / s_c' ≥ t_c}) / (1 + resamples),

    the largest taken over all cells c' of one resample, so that what cells have in common is
    accounted for. A cell whose replicates do not vary (s within `RESOLUTION` of 0) has t = ∞ where
    its value is above 0, else −∞, and sets no bar for others: it has nothing random to set it with.

    Args:
        value: M, in one unit.
        replicates: M* of each bootstrap resample, the same resamples in each cell.

    Returns:
        In (0, 1], float64; NaN in a cell whose value or replicates are not all finite, which takes
        no part in the maximum.

    Example:
        >>> replicates = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [2.0, 2.0], [0.0, 0.0]])
        >>> max_t_p_values(torch.tensor([0.5, 0.5]), replicates)
        tensor([0.6000, 0.4000], dtype=torch.float64)

    Source:
        Westfall and Young, Resampling-Based Multiple Testing, 1993, section 2.3 (single step);
        Romano and Wolf 2005, Exact and approximate stepdown methods for multiple hypothesis
        testing, doi 10.1198/016214504000000539 (studentized bootstrap).
    """
    value, replicates = value.double(), replicates.double()
    known = value.isfinite() & replicates.isfinite().all(dim=0)
    spread = replicates.std(dim=0, correction=0)
    varies = known & (spread > RESOLUTION)
    scale = torch.where(varies, spread, 1.0)
    highest = torch.where(varies, (replicates - value) / scale, -math.inf).amax(dim=1)
    certain = torch.where(value > RESOLUTION, math.inf, -math.inf)
    t = torch.where(varies, value / scale, certain)
    reached = (highest[:, None] >= t - RESOLUTION).double().sum(dim=0)
    return torch.where(known, (1 + reached) / (1 + len(replicates)), math.nan)


def _all_pairings(n_items: int) -> Iterator[Tensor]:
    ways = itertools.permutations(range(n_items))
    for rows in block_sizes(factorial(n_items), n_items, _PAIRINGS):
        yield torch.tensor(list(itertools.islice(ways, rows)), dtype=torch.int32)


def _random_pairings(n_items: int, number: int, seed: int) -> Iterator[Tensor]:
    rng = np.random.default_rng(as_seed(seed))
    identity = np.arange(n_items, dtype=np.int32)
    for index, rows in enumerate(block_sizes(number + 1, n_items, _PAIRINGS)):
        block = np.tile(identity, (rows, 1))
        drawn = block if index else block[1:]
        rng.permuted(drawn, axis=1, out=drawn)
        yield torch.from_numpy(block)
