"""Mutual nearest neighbors: share of neighbors that both sides of states agree on."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.alignment.states import PairedStates, States, paired_states, row_blocks
from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.statistics.p_values import RESOLUTION
from semantic_hub.statistics.resampling import influence_values

N_NEIGHBORS = 10
"""The number of neighbors in the source."""

_BLOCK = 2**22  # entries of a float64 block of cosines


def mutual_neighbors(
    x: States, y: States, n_neighbors: int = N_NEIGHBORS
) -> Float[Tensor, " layer"]:
    """Share of a pair's k nearest neighbors that both sides agree on, at each layer.

    ``M = 1/(nk) Σ_i |N_x(i) ∩ N_y(i)|`` with N_x(i) the k other pairs whose x has the largest
    cosine with x_i, and N_y(i) likewise; in [0, 1]. Chance level ``k / (n − 1)``, which shrinks as
    pairs are added: compare values at the same n and k only. Neighbors whose cosines differ by
    less than float32 resolves come in random order, drawn for each side by itself from a fixed
    seed: sides that cannot tell their pairs apart then agree by chance, and not because both
    count from the first pair on. Cost O(n² · d_model), in blocks; memory O(n · k).

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.
        n_neighbors: k, 1 to n − 2 (with n − 1 neighbors all are neighbors).

    Returns:
        M at each layer, float64.

    Raises:
        SemanticHubError: As `paired_similarity`, or k out of range.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])[:, None]
        >>> mutual_neighbors(x, x, 1).item(), mutual_neighbors(x, x[[0, 2, 1, 3]], 1).item()
        (1.0, 0.0)

    Source:
        Huh et al. 2024, The Platonic Representation Hypothesis, arXiv 2405.07987, appendix A.
    """
    return neighbor_agreement(paired_states(x, y, "mutual_neighbors"), n_neighbors)


def neighbor_agreement(
    states: PairedStates, n_neighbors: int = N_NEIGHBORS
) -> Float[Tensor, " layer"]:
    """`mutual_neighbors` of states that are already checked and scaled.

    Args:
        states: Both sides.
        n_neighbors: k.

    Raises:
        SemanticHubError: k out of range.
    """
    _check_number(states, n_neighbors)
    values = torch.empty(states.cosine.shape[1], dtype=torch.float64)
    for layer in range(len(values)):
        values[layer] = _agreement(*_neighbors(states, layer, n_neighbors))
    return values


def neighbor_influence(
    states: PairedStates, n_neighbors: int = N_NEIGHBORS
) -> Float[Tensor, "pair layer"]:
    """Contribution of each pair to `mutual_neighbors`, for `bootstrap_interval`.

    Where a pair is left out, those that had it for a neighbor take their next one. A bootstrap
    with copies of pairs would not do: copies are each other's nearest neighbors on both sides.

    Args:
        states: Both sides.
        n_neighbors: k.

    Raises:
        SemanticHubError: k out of range.

    Source:
        Abadie and Imbens 2008, On the failure of the bootstrap for matching estimators,
        doi 10.3982/ECTA6474.
    """
    _check_number(states, n_neighbors)
    values = torch.empty_like(states.cosine)
    for layer in range(values.shape[1]):
        near_x, near_y = _neighbors(states, layer, n_neighbors + 1)
        agreement = _agreement(near_x[:, :n_neighbors], near_y[:, :n_neighbors])
        values[:, layer] = influence_values(agreement, _left_out(near_x, near_y))
    return values


def neighbors_under_pairings(
    states: PairedStates,
    ways: Int[Tensor, "pairing pair"],
    n_neighbors: int = N_NEIGHBORS,
) -> Float[Tensor, "pairing layer"]:
    """`mutual_neighbors` under each pairing of x with y, less the mean over all pairings.

    A pairing leaves each side's neighbors as they are: pair j counts for pair i where j is in
    N_x(i) and π(j) in N_y(π(i)). The mean over all pairings is ``k / (n − 1)``.

    Args:
        states: Both sides.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.
        n_neighbors: k.

    Raises:
        SemanticHubError: k out of range.
    """
    _check_number(states, n_neighbors)
    values = torch.empty(len(ways), states.cosine.shape[1], dtype=torch.float64)
    for layer in range(values.shape[1]):
        near_x, near_y = _neighbors(states, layer, n_neighbors)
        values[:, layer] = _shared_under_pairings(near_x, near_y, ways)
    return values / n_neighbors - n_neighbors / (len(states.x) - 1)


def nearest_others(
    queries: Float[Tensor, "pair d_model"],
    gallery: Float[Tensor, "pair d_model"],
    number: int,
    jitter: np.random.Generator | None = None,
) -> tuple[Float[Tensor, "pair rank"], Int[Tensor, "pair rank"]]:
    """Largest cosines of each query i with gallery entries other than i, and their indices.

    Args:
        queries: States of length 1, float64.
        gallery: States of length 1, float64; entry i is left out for query i.
        number: How many of the largest.
        jitter: Adds up to `RESOLUTION` to each cosine, so that ties come in random order.

    Returns:
        The cosines, largest first, and whose they are.
    """
    cosines = torch.empty(len(queries), number, dtype=torch.float64)
    others = torch.empty(len(queries), number, dtype=torch.int64)
    for rows in row_blocks(len(queries), len(gallery), _BLOCK):
        block = queries[rows] @ gallery.T
        if jitter is not None:
            block += torch.from_numpy(jitter.random(block.shape)) * RESOLUTION
        block[:, rows].fill_diagonal_(-torch.inf)
        cosines[rows], others[rows] = block.topk(number, dim=1)
    return cosines, others


def _check_number(states: PairedStates, n_neighbors: int) -> None:
    if not 1 <= n_neighbors <= len(states.x) - 2:
        raise SemanticHubError(
            "mutual_neighbors",
            got=f"{n_neighbors} neighbors among {len(states.x)} pairs",
            expected="at least 1, and at least 2 pairs more than neighbors",
            fix="Ask for fewer neighbors, or pass more pairs.",
        )


def _neighbors(states: PairedStates, layer: int, number: int) -> list[Int[Tensor, "pair rank"]]:
    """Nearest other pairs on each side, nearest first; ties in random order."""
    return [
        nearest_others(side, side, number, np.random.default_rng(as_seed(seed)))[1]
        for seed, side in enumerate(states.units(layer))
    ]


def _agreement(
    near_x: Int[Tensor, "pair rank"], near_y: Int[Tensor, "pair rank"]
) -> Float[Tensor, ""]:
    return (near_x[:, :, None] == near_y[:, None, :]).double().sum() / near_x.numel()


def _left_out(
    near_x: Int[Tensor, "pair rank"], near_y: Int[Tensor, "pair rank"]
) -> Float[Tensor, " pair"]:
    """Value without each pair, from k + 1 neighbors.

    Without pair i, a pair j that had it among its k neighbors takes its (k + 1)-th: its overlap
    changes from that of k and k neighbors to that of k + 1 and k, or k + 1 and k + 1 less i.
    """
    n, k = len(near_x), near_x.shape[1] - 1
    same = near_x[:, :, None] == near_y[:, None, :]
    in_y, in_x = same[:, :k, :k].any(dim=2), same[:, :k, :k].any(dim=1)
    overlap = in_y.sum(dim=1, keepdim=True)
    longer_x, longer_y = same[:, :, :k].sum(dim=(1, 2)), same[:, :k].sum(dim=(1, 2))
    longer_both = same.sum(dim=(1, 2)) - 1
    change_x = torch.where(in_y, longer_both[:, None], longer_x[:, None]) - overlap
    change_y = torch.where(in_x, 0, longer_y[:, None] - overlap)
    total = overlap.sum() - overlap[:, 0]
    total.index_add_(0, near_x[:, :k].flatten(), change_x.flatten())
    total.index_add_(0, near_y[:, :k].flatten(), change_y.flatten())
    return total.double() / (k * (n - 1))


def _shared_under_pairings(
    near_x: Int[Tensor, "pair rank"],
    near_y: Int[Tensor, "pair rank"],
    ways: Int[Tensor, "pairing pair"],
) -> Float[Tensor, " pairing"]:
    """1/n Σ_i |π(N_x(i)) ∩ N_y(π(i))| for each pairing π."""
    n = len(near_x)
    is_near_y = torch.zeros(n, n, dtype=torch.bool).scatter_(1, near_y, True).flatten()
    shared = [is_near_y[way[:, None] * n + way[near_x]].sum() for way in ways.long()]
    return torch.stack(shared).double() / n
