"""The methods and attributes of a model that this package uses, shared by both classes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Module, Parameter


@runtime_checkable
class HookedModel(Protocol):
    """A ``HookedTransformer`` (TransformerLens 3.9) or ``TransformerBridge`` (3.9 and 4.x).

    ``isinstance`` checks only that these names are present.

    Example:
        >>> from semantic_hub.models.protocol import HookedModel
        >>> isinstance("gpt2", HookedModel)
        False
    """

    cfg: Any
    tokenizer: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one forward pass."""
        ...

    def eval(self) -> Any:
        """Switch to evaluation mode, and return the model."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move or convert the weights, and return the model."""
        ...

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over the weights."""
        ...

    def to_tokens(self, *args: Any, **kwargs: Any) -> Any:
        """Turn text into a ``[batch, pos]`` tensor of ids, with the model's BOS convention."""
        ...

    def hooks(self, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        """Context in which hook functions see, and may replace, named activations."""
        ...

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        """Run one forward pass with hooks."""
        ...

    def run_with_cache(self, *args: Any, **kwargs: Any) -> Any:
        """Run one forward pass, and return its activations as well."""
        ...

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Continue a prompt."""
        ...


def first_parameter(model: HookedModel | Module) -> Tensor:
    """The first parameter; its dtype and device are taken as those of the model."""
    return next(model.parameters())
