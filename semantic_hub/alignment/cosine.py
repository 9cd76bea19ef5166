"""Paired cosine similarity of arrays of states (Eq. 1), with interval and p-values.

Notation: x̂ = x / |x| is a state scaled to length 1, m_i = x̂_i · ŷ_i the cosine of matched pair i,
n the number of pairs. Sums over all mismatched pairs come from Σ_ij x̂_i · ŷ_j = ⟨Σ x̂, Σ ŷ⟩, so
no n × n matrix is needed. Everything runs on the CPU, in blocks of bounded memory; sums over pairs
are taken in float64.
"""

from functools import partial
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.alignment.states import PairedStates, States, paired_states, row_blocks
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.intervals import Interval, replicate_interval
from semantic_hub.statistics.p_values import PValues, pairings, permutation_p_values
from semantic_hub.statistics.resampling import Resampling

_TILE = 2**20  # entries of a float32 block that a matrix product reads or writes


class PairedCosines(NamedTuple):
    """Mean cosine of matched and of mismatched pairs at each layer, float64, in [-1, 1].

    ``matched`` is over pairs with the same meaning, ``mismatched`` over all other pairings.
    """

    matched: Float[Tensor, " layer"]
    mismatched: Float[Tensor, " layer"]
    __repr__ = short_repr

    @property
    def similarity(self) -> Float[Tensor, " layer"]:
        """Matched minus mismatched, in [-2, 2]."""
        return self.matched - self.mismatched


def paired_similarity(x: States, y: States) -> Float[Tensor, " layer"]:
    """Mean cosine of matched pairs minus mean cosine of all mismatched ones, at each layer.

    ``S = 1/n Σ_i cos(x_i, y_i) − 1/(n(n−1)) Σ_{i≠j} cos(x_i, y_j)``, in [-2, 2]; 0 where a state
    says nothing about which pair it belongs to. It does not change when both sides are swapped or
    rotated together, or when any single state is scaled. Cost O(n · layer · d_model); extra memory
    does not grow with n, but for one number for each pair and layer.

    Args:
        x: States of one side, torch or numpy, e.g. from `residual_stream`.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.

    Returns:
        S at each layer, float64.

    Raises:
        SemanticHubError: Shapes that differ or are not ``[pair, layer, d_model]``, fewer than 2
            pairs, a state with NaN or infinity, or a state of length 0: it has no direction, and
            any cosine put in its place (0, say) would pull the mean towards it unseen.

    Example:
        >>> import torch
        >>> x = torch.eye(3)[:, None]
        >>> paired_similarity(x, x)
        tensor([1.], dtype=torch.float64)

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
    return paired_cosines(x, y).similarity


def paired_cosines(x: States, y: States) -> PairedCosines:
    """Mean cosine of matched pairs and of all mismatched ones, at each layer.

    ``1/n Σ_i m_i`` and ``(⟨Σ x̂, Σ ŷ⟩ − Σ_i m_i) / (n(n−1))``; their difference is
    `paired_similarity`.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.

    Returns:
        Matched and mismatched mean cosine at each layer.

    Raises:
        SemanticHubError: As `paired_similarity`.
    """
    return mean_cosines(paired_states(x, y, "paired_similarity"))


def paired_interval(
    x: States,
    y: States,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    resampling: Resampling = Resampling(),
) -> Interval:
    """Bootstrap interval of `paired_similarity` over pairs, percentile or BCa.

    In a resample, pair i occurs w_i times and Σ w_i = n. Copies of one pair are matched pairs, so
    they are left out of the mismatched mean:
    ``matched = Σ w_i m_i / n``,
    ``mismatched = (⟨Σ w_i x̂_i, Σ w_i ŷ_i⟩ − Σ w_i² m_i) / (n² − Σ w_i²)``.
    A resample of one single pair has no mismatch and is drawn again. All layers see the same
    resamples.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.
        method: As in `bootstrap_interval`.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        Low and high end at each layer. With 2 pairs all resamples are alike, and both are NaN.

    Raises:
        SemanticHubError: As `paired_similarity`, or a number out of range.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 14.3.
    """
    states = paired_states(x, y, "paired_interval")
    return similarity_interval(states, method=method, resampling=resampling)


def paired_p_values(x: States, y: States, *, permutations: int = 1000, seed: int = 0) -> PValues:
    """Permutation p-values of `paired_similarity` over pairings of x with y.

    If states say nothing about which pair they belong to, any pairing π scores like the true one.
    A pairing moves Σ_i x̂_i · ŷ_π(i) alone; the sum over all n² cosines stays. So
    ``T_π = (Σ_i x̂_i · ŷ_π(i) − ⟨Σ x̂, Σ ŷ⟩ / n) / (n − 1)``
    is the similarity under π, and its mean over all π is exactly 0. All layers see the same
    pairings. One-sided: large similarity speaks for a shared space.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.
        permutations: Number of pairings besides the true one; all n! − 1 if there are no more.
        seed: Seed of the draws.

    Returns:
        p at each layer, and p corrected over layers by the max statistic; see
        `permutation_p_values`.

    Raises:
        SemanticHubError: As `paired_similarity`, or a number out of range.
    """
    states = paired_states(x, y, "paired_p_values")
    blocks = pairings(len(states.x), permutations, seed=seed)
    return permutation_p_values(
        torch.cat([similarity_under_pairings(states, ways) for ways in blocks])
    )


def mean_cosines(states: PairedStates) -> PairedCosines:
    """`paired_cosines` of states that are already checked and scaled.

    Args:
        states: Both sides.
    """
    n = len(states.cosine)
    matched = states.cosine.sum(dim=0)
    everything = (states.sum_x * states.sum_y).sum(dim=-1)
    return PairedCosines(matched / n, (everything - matched) / (n * (n - 1)))


def similarity_interval(
    states: PairedStates,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    resampling: Resampling = Resampling(),
) -> Interval:
    """`paired_interval` of states that are already checked and scaled.

    Args:
        states: Both sides.
        method: As in `bootstrap_interval`.
        resampling: Resamples, coverage and seed of the intervals.
    """
    interval = replicate_interval(
        partial(resampled_similarity, states),
        len(states.x),
        method=method,
        resampling=resampling,
        min_distinct=2,
    )
    return interval if len(states.x) > 2 else Interval(*(end * torch.nan for end in interval))


def similarity_under_pairings(
    states: PairedStates, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, "pairing layer"]:
    """Similarity under each pairing of x with y; the mean over all pairings is 0.

    Args:
        states: Both sides.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.
    """
    n = len(states.cosine)
    mean = (states.sum_x * states.sum_y).sum(dim=-1) / n
    sums = torch.empty(len(ways), states.cosine.shape[1], dtype=torch.float64)
    for layer in range(sums.shape[1]):
        sums[:, layer] = _layer_pairing_sums(states, layer, ways)
    return (sums - mean) / (n - 1)


def resampled_similarity(
    states: PairedStates, weights: Float[Tensor, "resample pair"]
) -> Float[Tensor, "resample layer"]:
    """Similarity in given bootstrap resamples, as weights ``[resample pair]``.

    Args:
        states: Both sides.
        weights: How often each pair was drawn.
    """
    n, squares = weights.sum(dim=1, keepdim=True), weights.square()
    products = torch.empty(len(weights), states.cosine.shape[1], dtype=torch.float64)
    for layer in range(products.shape[1]):
        sum_x = _weighted_sum(weights, states.scale_x[:, layer], states.x[:, layer])
        sum_y = _weighted_sum(weights, states.scale_y[:, layer], states.y[:, layer])
        products[:, layer] = torch.linalg.vecdot(sum_x, sum_y)
    mismatched = (products - squares @ states.cosine) / (n**2 - squares.sum(dim=1, keepdim=True))
    return weights @ states.cosine / n - mismatched


def _weighted_sum(
    weights: Float[Tensor, "resample pair"],
    scale: Float[Tensor, " pair"],
    vectors: Float[Tensor, "pair d_model"],
) -> Float[Tensor, "resample d_model"]:
    """Σ_i w_i x̂_i: products in float32, sums over blocks in float64, no copy of x̂."""
    total = torch.zeros(len(weights), vectors.shape[1], dtype=torch.float64)
    for rows in row_blocks(len(vectors), vectors.shape[1], _TILE):
        total += (weights[:, rows] * scale[rows]).to(vectors.dtype) @ vectors[rows]
    return total


def _layer_pairing_sums(
    states: PairedStates, layer: int, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, " pairing"]:
    """Σ_i x̂_i · ŷ_π(i) of one layer for each pairing π.

    Up to some 30 pairs for each pairing this is faster than to multiply only the states that
    meet: a matrix product reads each state once, not once for each pairing.
    """
    total = torch.zeros(len(ways), dtype=torch.float64)
    for rows in row_blocks(len(states.x), len(states.x), _TILE):
        cosines = states.x[rows, layer] @ states.y[:, layer].T
        cosines *= states.scale_x[rows, layer, None]
        cosines *= states.scale_y[:, layer]
        occurring = cosines[torch.arange(len(cosines)), ways[:, rows]]
        total += occurring.sum(dim=1, dtype=torch.float64)
    return total
