"""Lenses: maps from states of a layer to states that the model's output head can read.

`Lens` is the base class, `LENSES` holds those that can be asked for by name, and `register_lens`
adds to them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_list, check_choice, check_kinds
from semantic_hub.models.layers import check_layers
from semantic_hub.models.output import normed_last
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.registry import Registry
from semantic_hub.plotting.values import short_repr


class Lens(ABC):
    """Maps states of a layer to states that the model's output head can read.

    What a lens returns goes through the model's final norm and then its unembedding. A subclass
    has a ``name``, the ``layers`` that it covers, and ``__call__``; a plain function becomes a lens
    by `Lens.of`.

    Attributes:
        name: Name in manifests and figures.
        layers: The layers that it covers, 0 the embedding; None for all. The last layer can be
            read with every lens: where it is not among these, its states are left as they are, so
            that the lens reads the model's own prediction there.
        final_norm: Whether the model's final norm is applied to what the lens returns.

    Example:
        >>> class Halved(Lens):
        ...     name, layers = "halved", None
        ...     def __call__(self, layer, residual):
        ...         return residual / 2
        >>> sh.top_tokens(model, ["the dog is"], k=1, lens=Halved()).manifest["lens"]
        'halved'
    """

    name: str
    layers: tuple[int, ...] | None
    final_norm: bool = True

    @abstractmethod
    def __call__(
        self, layer: int, residual: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch width"]:
        """Map states of one layer.

        Args:
            layer: One that the lens covers.
            residual: Residual stream at that layer.

        Returns:
            One state for each given one, of the same width.
        """

    @staticmethod
    def of(
        function: Callable[[int, Tensor], Tensor],
        *,
        name: str,
        layers: int | Sequence[int] | None = None,
        final_norm: bool = True,
    ) -> "FunctionLens":
        """A lens from a function ``(layer, residual [batch d_model]) -> residual``.

        Args:
            function: Maps states of a layer.
            name: Name in manifests and figures.
            layers: The layers that it covers; None for all.
            final_norm: Whether the model's final norm is applied to what it returns.

        Example:
            >>> halved = Lens.of(lambda layer, residual: residual / 2, name="halved")
            >>> halved.name, halved.layers
            ('halved', None)
        """
        check_kinds(
            "Lens.of",
            function=(function, Callable),
            name=(name, str),
            final_norm=(final_norm, bool),
        )
        covered = None if layers is None else tuple(as_list("Lens.of", "layers", layers, int))
        return FunctionLens(function, name, covered, final_norm)

    def check_model(self, model: HookedModel, operation: str) -> None:
        """Raise if the lens was made for a model of another shape; the default accepts all.

        Args:
            model: The model that is to be read.
            operation: The user's call, for the error.
        """
        del model, operation

    def record(self) -> dict[str, Any]:
        """Entries for a result's manifest: the lens' name, and its origin if that is known."""
        return {"lens": self.name}


@dataclass(frozen=True)
class FunctionLens(Lens):
    """A lens that calls a function; see `Lens.of`."""

    function: Callable[[int, Tensor], Tensor]
    name: str
    layers: tuple[int, ...] | None = None
    final_norm: bool = True
    __repr__ = short_repr

    def __call__(self, layer: int, residual: Tensor) -> Tensor:
        """Call the function."""
        return self.function(layer, residual)


LensLike = str | Lens
"""The name of a lens in `LENSES`, or a lens."""

LENSES: Registry[Callable[[HookedModel], Lens]] = Registry("lens")
"""Lenses by name: functions that make the lens of a model."""

LOGIT = "logit"
"""The logit lens: the model's own final norm and unembedding at every layer."""

RAW = "raw"
"""The raw stream times the unembedding, without the final norm, the last layer's too."""

PAPER = "paper"
"""As in the paper's code: the raw stream below the last layer, and at the last layer the normed."""


def register_lens(name: str, make: Callable[[HookedModel], Lens], *, replace: bool = False) -> None:
    """Register a lens by name, for `logit_lens` and every other function that takes a lens.

    Args:
        name: A name that is not in use.
        make: Gets the model and returns its lens.
        replace: Replace the lens that already has this name.

    Raises:
        SemanticHubError: The name is empty or in use.

    Example:
        >>> register_lens("halved", lambda model: Lens.of(lambda layer, h: h / 2, name="halved"))
        >>> sh.top_tokens(model, ["the dog is"], k=1, lens="halved").manifest["lens"]
        'halved'
        >>> LENSES.unregister("halved")
    """
    check_kinds("register_lens", make=(make, Callable))
    LENSES.register(name, make, replace=replace)


register_lens(LOGIT, lambda model: Lens.of(_unchanged, name=LOGIT))
register_lens(RAW, lambda model: Lens.of(_unchanged, name=RAW, final_norm=False))
register_lens(PAPER, lambda model: Lens.of(_normed_last(model), name=PAPER, final_norm=False))


def resolve_lens(model: HookedModel, lens: LensLike, operation: str) -> Lens:
    """Look up a lens by name, or check one that is given.

    Args:
        model: A decoder.
        lens: A name in `LENSES`, or a lens.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: No lens of that name (the message has the nearest one), something that is
            no lens, or a lens for a model of another shape.

    Example:
        >>> resolve_lens(model, "raw", "logit_lens").final_norm
        False
    """
    if isinstance(lens, str):
        check_choice(operation, "lens", lens, list(LENSES))
        lens = LENSES[lens](model)
    if not isinstance(lens, Lens):
        raise SemanticHubError(
            operation,
            got=f"lens={lens!r}",
            expected=f"one of {', '.join(map(repr, LENSES))}, or a Lens",
            fix="Wrap a function (layer, residual) -> residual as Lens.of(function, name=...).",
        )
    lens.check_model(model, operation)
    return lens


def covered_layers(
    model: HookedModel, lens: Lens, layers: int | Sequence[int] | None, operation: str
) -> list[int]:
    """Check the layers to read through a lens; None gives all that it covers and the last.

    Args:
        model: A decoder.
        lens: The lens.
        layers: Layers, 0..n_layers; None for all that the lens can read.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: A layer that the model lacks, or that the lens does not cover.

    Example:
        >>> half = Lens.of(lambda layer, h: h, name="half", layers=[4, 5])
        >>> covered_layers(model, half, None, "logit_lens")
        [4, 5, 8]
    """
    if lens.layers is None:
        return check_layers(model, layers)
    readable = sorted({*lens.layers, model.cfg.n_layers})
    wanted = check_layers(model, readable if layers is None else layers)
    missing = [layer for layer in wanted if layer not in readable]
    if missing:
        raise SemanticHubError(
            operation,
            got=f"layer {missing[0]} for the lens {lens.name!r}",
            expected=f"a layer that this lens can read: {', '.join(map(str, readable))}",
            fix=f"Read these alone, as layers={readable}.",
        )
    return wanted


def _normed_last(model: HookedModel) -> Callable[[int, Tensor], Tensor]:
    return lambda layer, residual: normed_last(model, residual, layer)


def _unchanged(layer: int, residual: Tensor) -> Tensor:
    del layer
    return residual
