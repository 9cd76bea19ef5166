"""Debiased linear CKA: similarity of the geometry of two sides of states.

Notation: K = X Xᵀ and L = Y Yᵀ are the inner products of each side's states, n × n, and K° is K
*U-centered* (Székely and Rizzo): the diagonal set to 0, and row and column means taken away so that
every row sums to 0. For centered states with k_i = |x_i|² and i ≠ j,
``K°_ij = x_i·x_j + p_i + p_j`` with ``p_i = k_i/(n−2) − Σ k/(2(n−1)(n−2))``.
The unbiased estimate of HSIC is ``Σ_ij K°_ij L°_ij / (n(n−3))``; CKA is the cosine of K° and L°.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.alignment.normalized import centered_layer
from semantic_hub.alignment.states import PairedStates, States, paired_states, row_blocks
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import RESOLUTION
from semantic_hub.statistics.resampling import influence_values

_BLOCK = 2**21  # entries of a float64 block that a matrix product makes: fast if it has many rows
_TILE = (
    2**18
)  # entries of a tile that pairings pick from: fast if it stays in the processor's cache


def debiased_cka(x: States, y: States) -> Float[Tensor, " layer"]:
    """Debiased linear centered kernel alignment at each layer.

    ``CKA = Σ K°L° / √(Σ K°² · Σ L°²)`` over all entries, which is HSIC(X, Y) over
    √(HSIC(X, X) HSIC(Y, Y)) with the unbiased estimate of HSIC; in [-1, 1], 1 where both sides are
    alike but for rotation, shift and one scale. Chance level 0 for any n and d_model, whereas plain
    CKA comes near 1 for unrelated states when pairs are few against dimensions. It compares the
    *geometry* of each side and never a state of x with one of y: sides in disjoint subspaces can
    read 1. No kernel is made: cost O(n · d_model · min(n, d_model)).

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.

    Returns:
        CKA at each layer, float64; 0 where a side's states are all the same, or all equally far
        from each other (one-hot states): then no two pairs are more alike than any others.

    Raises:
        SemanticHubError: As `paired_similarity`, or fewer than 4 pairs.

    Example:
        >>> x = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 3.0], [2.0, 2.0], [5.0, 1.0]])[:, None]
        >>> round(debiased_cka(x, 3 * x.flip(2) + 7).item(), 6)
        1.0

    Source:
        Song et al. 2012, Feature selection via dependence maximization, JMLR 13 (unbiased HSIC);
        Kornblith et al. 2019, arXiv 1905.00414 (CKA); Murphy et al. 2024, Correcting biased CKA,
        arXiv 2405.01012 (why debiased); Székely and Rizzo 2014, arXiv 1310.2926 (K°).
    """
    return cka_value(paired_states(x, y, "debiased_cka"))


def cka_value(states: PairedStates) -> Float[Tensor, " layer"]:
    """`debiased_cka` of states that are already checked and scaled.

    Args:
        states: Both sides.

    Raises:
        SemanticHubError: Fewer than 4 pairs.
    """
    _check_pairs(states, least=4)
    return _alignment(*_products(states).sum(dim=1))


def cka_influence(states: PairedStates) -> Float[Tensor, "pair layer"]:
    """Contribution of each pair to `debiased_cka`, for `bootstrap_interval`.

    With ``a_i = Σ_j K°_ij L°_ij``, HSIC without pair i is in proportion to
    ``Σ_j a_j − 2 a_i (n − 2)/(n − 3)``: the cost is that of the value. A bootstrap with copies of
    pairs would not do: two copies are perfectly alike on both sides.

    Args:
        states: Both sides.

    Raises:
        SemanticHubError: Fewer than 5 pairs.
    """
    _check_pairs(states, least=5)
    products = _products(states)
    n, total = products.shape[1], products.sum(dim=1)
    left_out = total[:, None] - 2 * (n - 2) / (n - 3) * products
    left_out[1:] *= left_out[1:] > RESOLUTION**2 * total[1:, None]  # else nothing is left
    return influence_values(_alignment(*total), _alignment(*left_out))


def cka_under_pairings(
    states: PairedStates, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, "pairing layer"]:
    """`debiased_cka` under each pairing of x with y; the mean over all pairings is 0.

    A pairing moves rows and columns of L° together and leaves both norms as they are. L° is held
    as float32 (1.6 GB for 20,000 pairs), K° is made block by block; cost O(n²) for each pairing.

    Args:
        states: Both sides.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.

    Raises:
        SemanticHubError: Fewer than 4 pairs.
    """
    _check_pairs(states, least=4)
    layers = [_layer_under_pairings(states, layer, ways) for layer in range(states.x.shape[1])]
    return torch.stack(layers, dim=1)


def _check_pairs(states: PairedStates, least: int) -> None:
    if len(states.x) < least:
        raise SemanticHubError(
            "debiased_cka",
            got=f"{len(states.x)} pairs",
            expected=f"at least {least}: unbiased HSIC has n − 3 in its denominator",
            fix="Pass more pairs.",
        )


def _products(states: PairedStates) -> Float[Tensor, "three pair layer"]:
    """Row sums of K°L°, K°² and L°² at each pair and layer."""
    products = torch.empty(3, *states.cosine.shape, dtype=torch.float64)
    for layer in range(products.shape[2]):
        x, y = centered_layer(states.x[:, layer]), centered_layer(states.y[:, layer])
        for index, sides in enumerate(((x, y), (x, x), (y, y))):
            products[index, :, layer] = _row_sums(*sides)
        products[1, :, layer] *= _is_resolved(products[1, :, layer].sum(), x)
        products[2, :, layer] *= _is_resolved(products[2, :, layer].sum(), y)
    return products


def _row_sums(
    x: Float[Tensor, "pair d_model"], y: Float[Tensor, "pair d_model"]
) -> Float[Tensor, " pair"]:
    """Row sums Σ_j K°_ij L°_ij of centered states, without making the kernels."""
    p, q = _offsets(x), _offsets(y)
    everything = _cross(x, y) + x @ (x.T @ q) + y @ (y.T @ p)
    everything += len(x) * p * q + p * q.sum() + q * p.sum() + p @ q
    return everything - (_squares(x) + 2 * p) * (_squares(y) + 2 * q)


def _cross(
    x: Float[Tensor, "pair d_model"], y: Float[Tensor, "pair d_model"]
) -> Float[Tensor, " pair"]:
    """Σ_j (x_i·x_j)(y_i·y_j), through the smaller of n × n and d_model × d_model."""
    if len(x) > x.shape[1]:
        return torch.linalg.vecdot(x @ (x.T @ y), y)
    return torch.linalg.vecdot(x @ x.T, y @ y.T)


def _squares(x: Float[Tensor, "pair d_model"]) -> Float[Tensor, " pair"]:
    return x.square().sum(dim=1)


def _offsets(x: Float[Tensor, "pair d_model"]) -> Float[Tensor, " pair"]:
    square, n = _squares(x), len(x)
    return square / (n - 2) - square.sum() / (2 * (n - 1) * (n - 2))


def _is_resolved(total: Float[Tensor, ""], x: Float[Tensor, "pair d_model"]) -> Bool[Tensor, ""]:
    """Whether Σ K°² is larger than float32 rounding of the states explains."""
    return total > (RESOLUTION * _squares(x).sum()) ** 2


def _kernel(
    x: Float[Tensor, "pair d_model"],
) -> Iterator[tuple[slice, Float[Tensor, "row pair"]]]:
    """K° of centered states, in blocks of rows."""
    p = _offsets(x)
    for rows in row_blocks(len(x), len(x), _BLOCK):
        block = x[rows] @ x.T
        block += p[rows, None] + p
        block[:, rows].fill_diagonal_(0)
        yield rows, block


def _alignment(
    xy: Float[Tensor, "..."], xx: Float[Tensor, "..."], yy: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """xy / √(xx yy), or 0 if a kernel is 0."""
    norm = (xx.clamp(min=0) * yy.clamp(min=0)).sqrt()
    return torch.where(norm > 0, xy / norm, 0.0)


def _layer_under_pairings(
    states: PairedStates, layer: int, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, " pairing"]:
    """CKA at one layer under each pairing."""
    x, y = centered_layer(states.x[:, layer]), centered_layer(states.y[:, layer])
    kernel_y = torch.empty(len(y), len(y), dtype=torch.float32)
    xy = torch.zeros(len(ways), dtype=torch.float64)
    xx, yy = torch.zeros(2, dtype=torch.float64)
    for rows, block in _kernel(y):
        kernel_y[rows] = block.float()
        yy += block.square().sum()
    for rows, tile in _tiles(_kernel(x)):
        xx += tile.square().sum()
        remaining = _from_diagonal(tile, rows)
        for index, way in enumerate(ways):
            moved = kernel_y.index_select(0, way[rows]).index_select(1, way[rows.start :])
            xy[index] += (remaining * moved).sum()
    return _alignment(xy, xx * _is_resolved(xx, x), yy * _is_resolved(yy, y))


def _tiles(
    blocks: Iterator[tuple[slice, Float[Tensor, "row pair"]]],
) -> Iterator[tuple[slice, Float[Tensor, "row pair"]]]:
    """Cut blocks of rows into smaller ones."""
    for rows, block in blocks:
        for part in row_blocks(len(block), block.shape[1], _TILE):
            yield slice(rows.start + part.start, rows.start + part.stop), block[part]


def _from_diagonal(tile: Float[Tensor, "row pair"], rows: slice) -> Float[Tensor, "row remaining"]:
    """Upper part of rows of a symmetric matrix, with entries beyond the block doubled."""
    tile[:, rows.stop :] *= 2
    return tile[:, rows.start :]
