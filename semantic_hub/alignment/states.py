"""Two sides of states, [pair, layer, d_model], checked and scaled to length 1 once.

Notation: x̂ = x / |x| is a state scaled to length 1.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.resampling import block_sizes

States = Float[Tensor, "pair layer d_model"] | Float[np.ndarray, "pair layer d_model"]
"""States from anywhere; they are read on the CPU and never written."""

_BLOCK = 2**16  # entries of a float64 block: in the processor's cache, where it is fastest


class PairedStates(NamedTuple):
    """Two sides of states with their inverse lengths, cosines and sums.

    ``x`` and ``y`` are the states as they came, at least float32; ``scale_x`` and ``scale_y``
    their inverse lengths, so that x̂ = x · scale_x needs no copy of all states; ``cosine`` is
    x̂_i · ŷ_i, and ``sum_x`` and ``sum_y`` are Σ x̂ and Σ ŷ over pairs, all float64.
    """

    x: Float[Tensor, "pair layer d_model"]
    y: Float[Tensor, "pair layer d_model"]
    scale_x: Float[Tensor, "pair layer"]
    scale_y: Float[Tensor, "pair layer"]
    cosine: Float[Tensor, "pair layer"]
    sum_x: Float[Tensor, "layer d_model"]
    sum_y: Float[Tensor, "layer d_model"]
    __repr__ = short_repr

    def swapped(self) -> "PairedStates":
        """Exchange x and y."""
        return PairedStates(
            self.y, self.x, self.scale_y, self.scale_x, self.cosine, self.sum_y, self.sum_x
        )

    def units(self, layer: int) -> list[Float[Tensor, "pair d_model"]]:
        """States of both sides at one layer, scaled to length 1, float64.

        Args:
            layer: Index of the layer.
        """
        sides = ((self.x, self.scale_x), (self.y, self.scale_y))
        return [side[:, layer].double() * scale[:, layer, None] for side, scale in sides]


UnderPairings = Callable[
    [PairedStates, Int[Tensor, "pairing pair"]], Float[Tensor, "pairing layer"]
]
"""From both sides and pairings to the value under each of them, less its mean over all."""


def paired_states(x: States, y: States, operation: str) -> PairedStates:
    """Check two sides of states and compute lengths, cosines and sums in one pass.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: Shapes that differ or are not ``[pair, layer, d_model]``, fewer than 2
            pairs, NaN, infinity, or a state of length 0; names the pair and the layer.
    """
    check_kinds(operation, x=(x, (Tensor, np.ndarray)), y=(y, (Tensor, np.ndarray)))
    x, y = _tensor(x), _tensor(y)
    _check_shapes(x, y, operation)
    scale_x, scale_y, cosine = torch.empty(3, *x.shape[:2], dtype=torch.float64)
    sum_x, sum_y = torch.zeros(2, *x.shape[1:], dtype=torch.float64)
    for rows in row_blocks(len(x), x[0].numel(), _BLOCK):
        unit_x, scale_x[rows] = _units(x[rows], "x", rows.start, operation)
        unit_y, scale_y[rows] = _units(y[rows], "y", rows.start, operation)
        sum_x += unit_x.sum(dim=0)
        sum_y += unit_y.sum(dim=0)
        cosine[rows] = torch.linalg.vecdot(unit_x, unit_y)
    return PairedStates(x, y, scale_x, scale_y, cosine, sum_x, sum_y)


def row_blocks(rows: int, columns: int, entries: int) -> Iterator[slice]:
    """Yield slices of blocks of rows, each at most ``entries`` numbers or a single row.

    Example:
        >>> list(row_blocks(5, columns=10, entries=20))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    start = 0
    for size in block_sizes(rows, columns, entries):
        yield slice(start, start + size)
        start += size


def _tensor(states: Any) -> Tensor:
    """CPU tensor of at least float32; numpy arrays are shared, not copied."""
    if not isinstance(states, Tensor):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # read-only arrays: nothing writes here
            states = torch.as_tensor(np.asarray(states))
    return states.detach().cpu().to(torch.promote_types(states.dtype, torch.float32))


def _check_shapes(x: Tensor, y: Tensor, operation: str) -> None:
    if x.shape != y.shape or x.ndim != 3 or len(x) < 2 or not x.numel():
        raise SemanticHubError(
            operation,
            got=f"x of shape {tuple(x.shape)} and y of shape {tuple(y.shape)}",
            expected="two arrays [pair, layer, d_model] of equal shape, with at least 2 pairs",
            fix="Pass x[:, None] if there is no layer axis, and more pairs if there are too few.",
        )


def _units(
    states: Tensor, name: str, first: int, operation: str
) -> tuple[Float[Tensor, "pair layer d_model"], Float[Tensor, "pair layer"]]:
    """Scale a block of states to length 1, in float64; also return the inverse lengths."""
    units = states.to(torch.float64, copy=True)
    lengths = torch.linalg.vector_norm(units, dim=-1)
    usable = lengths.isfinite() & (lengths > 0)
    if not usable.all():
        layer, pair = (~usable).T.nonzero()[0].tolist()
        raise SemanticHubError(
            operation,
            got=f"length {lengths[pair, layer]:g} of {name}, pair {first + pair}, layer {layer}",
            expected="finite states that are not zero",
            fix="A zero state has no direction: drop its pair, or read at another position.",
        )
    scale = 1 / lengths
    units *= scale[:, :, None]
    return units, scale
