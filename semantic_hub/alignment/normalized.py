"""Cosine similarity after centering, standardizing or removing top components.

Cosine alone misleads: states share a large mean, and one to three dimensions can dominate every
length. Each change is computed from all states of a layer before anything is paired, so the
permutation test over pairings stays exact. The bootstrap interval resamples pairs with the change
held fixed: it ignores that mean, deviation and components are estimated from the same pairs.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.states import States, paired_states
from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.p_values import RESOLUTION

_Change = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Sides(NamedTuple):
    """Two sides of changed states, each ``[pair, layer, d_model]``."""

    x: Float[Tensor, "pair layer d_model"]
    y: Float[Tensor, "pair layer d_model"]


def centered_cosine(x: States, y: States) -> Float[Tensor, " layer"]:
    """`paired_similarity` of `centered` states: ``S(x − mean x, y − mean y)``, in [-2, 2].

    Chance level 0. Unlike a raw cosine it does not change when a constant vector is added to all
    states of one side, so neither anisotropy nor the direction of a language raises or lowers it.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.

    Returns:
        S at each layer, float64; 0 where the states of a side are all the same.

    Raises:
        SemanticHubError: As `paired_similarity`, or a single state that equals its side's mean.

    Example:
        >>> x = torch.tensor([[5.0, 1.0], [5.0, -1.0]])[:, None]
        >>> paired_similarity(x, x).item(), centered_cosine(x, x).item()
        (0.0769..., 2.0)

    Source:
        Mu and Viswanath 2018, All-but-the-Top, arXiv 1702.01417 (the mean); per language:
        Libovický et al. 2020, arXiv 2004.05160.
    """
    return paired_similarity(*centered(x, y))


def standardized_cosine(x: States, y: States) -> Float[Tensor, " layer"]:
    """`paired_similarity` of `standardized` states: each dimension has mean 0 and deviation 1.

    In [-2, 2], chance level 0. Unlike the centered cosine it does not change when one dimension of
    a side is scaled, so a few outlier dimensions cannot decide it. It depends on the basis.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.

    Returns:
        S at each layer, float64; 0 where the states of a side are all the same.

    Raises:
        SemanticHubError: As `centered_cosine`.

    Source:
        Timkey and van Schijndel 2021, All Bark and No Bite: Rogue Dimensions in Transformer
        Language Models, arXiv 2109.04404.
    """
    return paired_similarity(*standardized(x, y))


def cosine_without_components(
    x: States, y: States, n_components: int | None = None
) -> Float[Tensor, " layer"]:
    """`paired_similarity` of states `without_components`, in [-2, 2], chance level 0.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.
        n_components: How many components are removed, as in `without_components`.

    Returns:
        S at each layer, float64; 0 where nothing is left of a side.

    Raises:
        SemanticHubError: As `centered_cosine`, or a number of components out of range.

    Source:
        Mu and Viswanath 2018, All-but-the-Top, arXiv 1702.01417, algorithm 1.
    """
    return paired_similarity(*without_components(x, y, n_components))


def centered(x: States, y: States) -> Sides:
    """Subtract each side's mean over pairs, at each layer.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.

    Returns:
        Both sides, in their own dtype, at least float32. A side whose states are all the same at a
        layer becomes one state other than 0 there: it has a cosine, and the similarity is 0.

    Raises:
        SemanticHubError: As `centered_cosine`.
    """
    return _changed(x, y, "centered", lambda x, y: (x, y))


def standardized(x: States, y: States) -> Sides:
    """Subtract each side's mean and divide by its standard deviation, in each dimension.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.

    Returns:
        Both sides; a dimension that does not vary is 0. For a side without variation as `centered`.

    Raises:
        SemanticHubError: As `centered_cosine`.
    """
    return _changed(x, y, "standardized", lambda x, y: (_standardized(x), _standardized(y)))


def without_components(x: States, y: States, n_components: int | None = None) -> Sides:
    """Center states and remove their projection on the first principal components.

    The components are those of all states of a layer, each side centered by its own mean: one
    subspace for both sides, because the question is about one space, and because a subspace for
    each side would take from either what only the other lost. They do not know the pairing.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.
        n_components: How many are removed, at least 1, fewer than d_model and than pairs. None
            for d_model / 100, the source's rule, but at most a tenth of the pairs: the components
            of a few pairs are mostly those pairs themselves.

    Returns:
        Both sides. For a side of which nothing is left as `centered`.

    Raises:
        SemanticHubError: As `centered_cosine`, or a number of components out of range.

    Example:
        >>> x = torch.tensor([[[9.0, 1.0]], [[-9.0, 1.0]], [[0.0, -2.0]]])
        >>> without_components(x, x, n_components=1).x[:, 0].round(decimals=3).tolist()
        [[0.0, 1.0], [0.0, 1.0], [0.0, -2.0]]
    """
    d_model, most = x.shape[-1], min(x.shape[-1], len(x)) - 1
    number = n_components if n_components is not None else max(1, min(d_model // 100, len(x) // 10))
    if not 1 <= number <= most:
        raise SemanticHubError(
            "without_components",
            got=f"{number} components of {len(x)} pairs in {d_model} dimensions",
            expected=f"1 to {most} components",
            fix="Remove fewer components, or pass more pairs.",
        )
    return _changed(x, y, "without_components", lambda x, y: _projected_out(x, y, number))


def _changed(x: States, y: States, operation: str, change: _Change) -> Sides:
    """Center both sides, then apply a change, layer by layer in float64."""
    states = paired_states(x, y, operation)
    changed = Sides(torch.empty_like(states.x), torch.empty_like(states.y))
    for layer in range(states.x.shape[1]):
        after = change(centered_layer(states.x[:, layer]), centered_layer(states.y[:, layer]))
        for name, out, side in zip("xy", changed, after, strict=True):
            out[:, layer] = _directions(side, name, layer, operation)
    return changed


def centered_layer(states: Float[Tensor, "pair d_model"]) -> Float[Tensor, "pair d_model"]:
    """Subtract the mean of one layer's states; constant dimensions become exactly 0.

    A dimension does not vary if its deviation is within float32 rounding of its size.

    Args:
        states: Of one side, at one layer.
    """
    states = states.double()
    centered = states - states.mean(dim=0)
    still = _rms(centered, dim=0) <= RESOLUTION * _rms(states, dim=0)
    return centered.masked_fill_(still, 0)


def standardized_as(
    states: Float[Tensor, "pair d_model"], reference: Float[Tensor, "pair d_model"]
) -> Float[Tensor, "pair d_model"]:
    """Standardize one layer's states by the mean and deviation of other states.

    Args:
        states: Of one side, at one layer.
        reference: Where mean and deviation are from; a dimension that does not vary there is 0.
    """
    deviation = _rms(centered_layer(reference), dim=0)
    shifted = states.double() - reference.double().mean(dim=0)
    return torch.where(deviation > 0, shifted / deviation, 0.0)


def _standardized(centered: Float[Tensor, "pair d_model"]) -> Float[Tensor, "pair d_model"]:
    deviation = _rms(centered, dim=0)
    return centered / torch.where(deviation > 0, deviation, 1)


def _projected_out(
    x: Float[Tensor, "pair d_model"], y: Float[Tensor, "pair d_model"], number: int
) -> tuple[Float[Tensor, "pair d_model"], Float[Tensor, "pair d_model"]]:
    components = _components(x, y, number)
    left = tuple(side - (side @ components) @ components.T for side in (x, y))
    for side, before in zip(left, (x, y), strict=True):
        side[_lengths(side) <= RESOLUTION * _lengths(before).max()] = 0
    return left[0], left[1]


def _components(
    x: Float[Tensor, "pair d_model"], y: Float[Tensor, "pair d_model"], number: int
) -> Float[Tensor, "d_model component"]:
    """First eigenvectors of xᵀx + yᵀy, through the smaller of the two Gram matrices."""
    pairs, d_model = x.shape
    if d_model <= 2 * pairs:
        return torch.linalg.eigh(x.T @ x + y.T @ y).eigenvectors[:, -number:]
    both = torch.cat([x, y])
    return torch.linalg.qr(both.T @ torch.linalg.eigh(both @ both.T).eigenvectors[:, -number:]).Q


def _directions(
    states: Float[Tensor, "pair d_model"], name: str, layer: int, operation: str
) -> Float[Tensor, "pair d_model"]:
    """The states if each has a length; ones for all if none has."""
    lengths = _lengths(states)
    lost = lengths <= RESOLUTION * _rms(lengths, dim=0)
    if lost.all():
        return torch.ones_like(states)
    if lost.any():
        raise SemanticHubError(
            operation,
            got=f"nothing left of {name}, pair {lost.nonzero()[0].item()}, layer {layer}",
            expected="states that differ from what is taken away",
            fix="Such a state has no direction: drop its pair, or read at another position.",
        )
    return states


def _lengths(states: Float[Tensor, "pair d_model"]) -> Float[Tensor, " pair"]:
    return torch.linalg.vector_norm(states, dim=-1)


def _rms(values: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    return values.square().mean(dim=dim).sqrt()
