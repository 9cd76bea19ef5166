"""What this package asks of a model: the surface that both TransformerLens classes share."""

from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class HookedModel(Protocol):
    """A ``HookedTransformer`` (TransformerLens 3.9) or ``TransformerBridge`` (3.9 and 4.x).

    The check at run time is for the presence of these names alone.

    Example:
        >>> from semantic_hub.models.protocol import HookedModel
        >>> isinstance("gpt2", HookedModel)
        False
    """

    cfg: Any
    tokenizer: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One forward pass."""
        ...

    def to_tokens(self, *args: Any, **kwargs: Any) -> Any:
        """Text to a ``[batch, pos]`` tensor of ids, with the model's BOS convention."""
        ...

    def hooks(self, *args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        """A context in which functions see, and may replace, named activations."""
        ...

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        """One forward pass with hooks."""
        ...

    def run_with_cache(self, *args: Any, **kwargs: Any) -> Any:
        """One forward pass, and its activations."""
        ...

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Continue a prompt."""
        ...


def first_parameter(model: Any) -> Tensor:
    """A parameter that stands for all of them: its dtype and device are the model's."""
    return next(model.parameters())
