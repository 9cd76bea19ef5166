"""The methods and attributes of a model that this package uses, shared by both classes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

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


if TYPE_CHECKING:

    class LoadedModel(HookedModel, Protocol):
        """A `HookedModel` as editors and type checkers see it: with the attributes of either class.

        The usual ones of a ``HookedTransformer`` are listed, for completion; any other is taken as
        it is, since the two classes, and versions of TransformerLens, differ in them.
        """

        W_E: Tensor
        W_U: Tensor
        b_U: Tensor  # noqa: N815
        W_Q: Tensor
        W_K: Tensor
        W_V: Tensor
        W_O: Tensor
        W_in: Tensor
        W_out: Tensor
        blocks: Any
        embed: Any
        unembed: Any
        ln_final: Any
        hook_dict: dict[str, Any]

        def add_hook(self, *args: Any, **kwargs: Any) -> None:
            """Add a function to the hooks of some activations, until they are reset."""
            ...

        def reset_hooks(self, *args: Any, **kwargs: Any) -> None:
            """Remove the functions that were added to hooks."""
            ...

        def to_string(self, *args: Any, **kwargs: Any) -> Any:
            """Turn token ids into text."""
            ...

        def to_str_tokens(self, *args: Any, **kwargs: Any) -> Any:
            """Split text into its tokens, each as text."""
            ...

        def to_single_token(self, *args: Any, **kwargs: Any) -> int:
            """The id of a text that is one token."""
            ...

        def __getattr__(self, name: str) -> Any: ...

else:
    LoadedModel = HookedModel


def first_parameter(model: HookedModel | Module) -> Tensor:
    """The first parameter; its dtype and device are taken as those of the model."""
    return next(model.parameters())
