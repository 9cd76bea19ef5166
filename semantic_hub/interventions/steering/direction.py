"""Directions in the residual stream: vectors that add, scale and average."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from numbers import Real
from operator import add
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_seed, check_kinds
from semantic_hub.plotting.values import short_repr
from semantic_hub.results.files import read_record, write_record

_PLAIN_FIELDS = ("layer", "description", "stream_norm")


@dataclass(frozen=True, eq=False)
class Direction:
    """A vector in the residual stream, or one for each of a list of prompts.

    Directions of one layer add and subtract; a number scales them. Where one has a row for each
    prompt and the other is a single vector, the vector is added to every row.

    Args:
        vector: One vector, or a row for each prompt that is to be steered: row i goes to prompt i.
        layer: The layer that it belongs to, 0..n_layers; None if it was made from weights and
            belongs to no layer.
        description: How it was made, in words.
        stream_norm: Mean norm of the states that it was made from; None if there were none. It says
            what a strength means; see `relative_norm`.

    Raises:
        SemanticHubError: A vector of another shape, empty or not finite, or a negative layer;
            adding directions of different layers or shapes.

    Example:
        >>> east, north = Direction(torch.tensor([3.0, 0.0]), 2, "east"), Direction(
        ...     torch.tensor([0.0, 4.0]), 2, "north")
        >>> (east + north).norm, (2 * east - north).vector.tolist()
        (5.0, [6.0, -4.0])
    """

    vector: Float[Tensor, "*prompt d_model"]
    layer: int | None
    description: str
    stream_norm: float | None = None

    def __repr__(self) -> str:
        told, share = short_repr(self), self.relative_norm
        return told if share is None else f"{told[:-1]}, relative_norm={share:.3g})"

    def __post_init__(self) -> None:
        check_kinds(
            "Direction",
            vector=(self.vector, Tensor),
            layer=(self.layer, (int, None)),
            description=(self.description, str),
        )
        object.__setattr__(self, "vector", self.vector.float().cpu())
        shape = tuple(self.vector.shape)
        usable = len(shape) in (1, 2) and 0 not in shape and self.vector.isfinite().all()
        if not usable or (self.layer is not None and self.layer < 0):
            raise SemanticHubError(
                "Direction",
                got=f"a vector of shape {shape} at layer {self.layer}"
                + ("" if self.vector.isfinite().all() else ", with NaN or infinity in it"),
                expected="finite numbers of shape [d_model] or [prompt, d_model], a layer from 0",
                fix="Flatten it to one vector, or give one row for each prompt.",
            )

    @classmethod
    def average(cls, directions: Sequence["Direction"]) -> "Direction":
        """Mean of several directions, such as one in each of several languages.

        Raises:
            SemanticHubError: No directions, or directions that do not add.

        Example:
            >>> ones = Direction(torch.ones(2), 1, "ones")
            >>> Direction.average([ones, 3 * ones]).vector.tolist()
            [2.0, 2.0]
        """
        if not directions:
            raise SemanticHubError(
                "Direction.average",
                got="no directions",
                expected="at least one",
                fix="Pass a list of directions of one layer.",
            )
        description = f"mean of {', '.join(direction.description for direction in directions)}"
        return replace(reduce(add, directions) / len(directions), description=description)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.vector.shape[-1]

    @property
    def n_rows(self) -> int | None:
        """Number of prompts that it has a row for; None for a single vector."""
        return len(self.vector) if self.vector.ndim == 2 else None

    @property
    def norm(self) -> float:
        """Norm of the vector; of several rows their mean norm."""
        return float(self.vector.norm(dim=-1).mean())

    @property
    def relative_norm(self) -> float | None:
        """`norm` over the mean norm of the states it was made from; None if that is unknown.

        Added with strength s, it is s times this share of the stream: to add a given share, steer
        with ``share / direction.relative_norm``. At a share well above 1 little is left of what the
        model had read: at right angles, the cosine of the state with itself as it was is
        1 / √(1 + share²), .71 at a share of 1 and .2 at 5.

        Example:
            >>> east = Direction(torch.tensor([3.0, 0.0]), 2, "east", stream_norm=12.0)
            >>> east.relative_norm, 0.5 / east.relative_norm
            (0.25, 2.0)
        """
        return None if self.stream_norm is None else self.norm / self.stream_norm

    def mean(self) -> "Direction":
        """Mean over its rows, one vector; a single vector stays as it is."""
        if self.n_rows is None:
            return self
        return replace(
            self,
            vector=self.vector.mean(dim=0),
            description=f"mean over prompts of {self.description}",
        )

    def at(self, layer: int) -> "Direction":
        """The same vector at another layer, without `stream_norm`, which is unknown there.

        Example:
            >>> Direction(torch.ones(2), None, "by hand").at(3).layer
            3
        """
        return self if layer == self.layer else replace(self, layer=layer, stream_norm=None)

    def rows(self, indices: Sequence[int]) -> "Direction":
        """Select the rows of the prompts with the given indices; a single vector stays as it is.

        Raises:
            SemanticHubError: An index without a row.

        Example:
            >>> Direction(torch.eye(3), 1, "axes").rows([2, 0]).vector.tolist()
            [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
        """
        if self.n_rows is None:
            return self
        if not indices or not 0 <= min(indices) <= max(indices) < self.n_rows:
            raise SemanticHubError(
                "Direction.rows",
                got=f"prompts {list(indices)}",
                expected=f"indices 0 to {self.n_rows - 1}, at least one",
                fix="Make a direction with a row for each prompt.",
            )
        return replace(self, vector=self.vector[list(indices)])

    def save(self, directory: str | Path) -> Path:
        """Write the direction into a directory, in the layout that `Result.save` writes.

        For the format of other steering tools see
        `semantic_hub.interventions.steering.control_vectors`.

        Args:
            directory: Made if it does not exist. A direction that is there is replaced in one step.

        Returns:
            The directory.

        Raises:
            SemanticHubError: A directory that cannot be written.

        Example:
            >>> saved = Direction(torch.ones(2), 3, "ones").save("ones")
            >>> Direction.load(saved).description
            'ones'
        """
        plain = {field: getattr(self, field) for field in _PLAIN_FIELDS}
        record = {"kind": "Direction", "fields": plain}
        write_record(Path(directory), record, {"vector": self.vector.detach()}, "Direction.save")
        return Path(directory)

    @classmethod
    def load(cls, directory: str | Path) -> "Direction":
        """Read a direction that `save` wrote; its numbers are exactly those that were saved.

        Args:
            directory: The directory that was given to `save`.

        Raises:
            SemanticHubError: No direction there, one of another format, or one that is damaged.
        """
        record, arrays = read_record(Path(directory), "Direction")
        return cls(arrays["vector"], **record["fields"])

    def __add__(self, other: "Direction") -> "Direction":
        _check_addable(self, other)
        norms = [d.stream_norm for d in (self, other) if d.stream_norm is not None]
        return Direction(
            self.vector + other.vector,
            self.layer,
            f"{self.description} + {other.description}",
            sum(norms) / len(norms) if norms else None,
        )

    def __mul__(self, factor: float | int) -> "Direction":
        if not isinstance(factor, Real):
            return NotImplemented
        return replace(
            self, vector=self.vector * factor, description=f"{factor:g} × ({self.description})"
        )

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | int) -> "Direction":
        return self * (1 / divisor)

    def __neg__(self) -> "Direction":
        return replace(self, vector=-self.vector, description=f"−({self.description})")

    def __sub__(self, other: "Direction") -> "Direction":
        return self + -other


def random_direction(like: Direction, seed: int = 0) -> Direction:
    """Random direction of the same norm, row by row: the placebo.

    Args:
        like: The direction that it is a placebo for.
        seed: Seed of the draw, from a normal distribution on the CPU.

    Returns:
        A direction of the same shape, layer and norms.

    Raises:
        SemanticHubError: A direction that is zero throughout.

    Example:
        >>> random_direction(Direction(torch.tensor([3.0, 4.0]), 1, "by hand")).norm
        5.0
    """
    if not like.vector.any():
        raise SemanticHubError(
            "random_direction",
            got=f"{like.description}, which is zero at layer {like.layer}",
            expected="a direction with a length",
            fix="Choose a layer where the two states differ.",
        )
    generator = torch.Generator().manual_seed(as_seed(seed))
    drawn = torch.randn(like.vector.shape, generator=generator, dtype=torch.float32)
    lengths = like.vector.norm(dim=-1, keepdim=True)
    vector = drawn.to(like.vector) * (lengths / drawn.to(like.vector).norm(dim=-1, keepdim=True))
    return replace(
        like, vector=vector, description=f"random, as long as {like.description} (seed {seed})"
    )


def _check_addable(one: Direction, other: Direction) -> None:
    """Raise unless two directions have the same layer, width and number of rows."""
    rows = {direction.n_rows for direction in (one, other)} - {None}
    if one.layer == other.layer and one.d_model == other.d_model and len(rows) < 2:
        return
    raise SemanticHubError(
        "Direction",
        got=" and ".join(f"{tuple(d.vector.shape)} at layer {d.layer}" for d in (one, other)),
        expected="two directions of one layer, width and number of prompts",
        fix="Make both from the same model and layer, or move one with .at(layer).",
    )
