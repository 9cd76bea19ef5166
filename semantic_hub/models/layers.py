"""Layer numbers, their hooks and names, and forward passes that stop at a layer.

Layers are counted 0..n_layers everywhere: 0 is the input of the first block (for Gemma after its
embedding scale, for GPT-2 with the positional embedding added), ``k`` the stream after block ``k``.
The last one is *before* the final norm.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, as_list
from semantic_hub.models.checkpoints import bridge_class
from semantic_hub.models.protocol import HookedModel


def check_layers(model: HookedModel, layers: int | Sequence[int] | None) -> list[int]:
    """Check layer numbers, and return them as a list; one is a list of one, None means all.

    Raises:
        SemanticHubError: If a layer is no whole number or out of 0..n_layers, or the list is empty.
    """
    last = model.cfg.n_layers
    requested = (
        list(range(last + 1)) if layers is None else as_list("layers", "layers", layers, int)
    )
    wrong = [layer for layer in requested if not 0 <= layer <= last]
    if wrong or not requested:
        raise SemanticHubError(
            "layers",
            got=f"layer {wrong[0]}" if wrong else "no layers",
            expected=f"layers 0 to {last} (0 is the embedding, {last} the last block's output)",
            fix="Leave layers out to read them all.",
        )
    return requested


def layer_hook(layer: int) -> str:
    """Name of the residual stream's hook at a layer; 0 is the input of the first block.

    Example:
        >>> layer_hook(0), layer_hook(3)
        ('blocks.0.hook_resid_pre', 'blocks.2.hook_resid_post')
    """
    return f"blocks.{layer - 1}.hook_resid_post" if layer else "blocks.0.hook_resid_pre"


def layer_name(layer: int) -> str:
    """Name of a layer in figures and tables: ``emb`` for layer 0, else its number.

    Example:
        >>> layer_name(0), layer_name(3)
        ('emb', '3')
    """
    return "emb" if layer == 0 else str(layer)


def check_single_stack(model: HookedModel, operation: str = "residual_stream") -> None:
    """Raise if the model is an encoder-decoder, which has two stacks of blocks.

    Args:
        model: The model.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: An encoder-decoder model.
    """
    if not hasattr(model, "blocks"):
        raise SemanticHubError(
            operation,
            got=f"{Path(model.cfg.model_name).name}, which has no single stack of blocks",
            expected="a decoder or an encoder",
            fix="Encoder-decoder models are not supported.",
        )


def embedding_module(model: HookedModel) -> Any:
    """The module that turns token ids into the embeddings of ``hook_embed``.

    Raises:
        SemanticHubError: A model that has no single stack of blocks.
    """
    check_single_stack(model)
    embed: Any = model.embed  # type: ignore[attr-defined]
    return getattr(embed, "original_component", embed)


@contextmanager
def running_to_layer(
    model: HookedModel,
    last_layer: int,
    hooks: Sequence[tuple[str, Callable[..., Any]]],
) -> Iterator[Callable[..., None]]:
    """Context with a function that runs a batch, with hooks, through the model to ``last_layer``.

    Args:
        model: The model.
        last_layer: The last layer that is computed.
        hooks: ``(hook name, function)``.

    Yields:
        ``run(tokens, attention_mask)``, a forward pass that returns nothing; further arguments are
        given to the model.
    """
    check_single_stack(model)
    stop = {} if isinstance(model, bridge_class()) else {"stop_at_layer": max(last_layer, 1)}

    def run(
        tokens: Int[Tensor, "batch pos"], attention_mask: Int[Tensor, "batch pos"], **options: Any
    ) -> None:
        device = model.cfg.device
        model(
            tokens.to(device),
            attention_mask=attention_mask.to(device),
            return_type=None,
            **stop,
            **options,
        )

    with hooked(model, [*hooks, *stopping_after(model, last_layer)]):
        yield run


def stopping_after(
    model: HookedModel, last_layer: int
) -> list[tuple[str, Callable[[Tensor, Any], None]]]:
    """The hook that ends a bridge's forward pass after a layer; it goes last of all hooks there.

    A ``HookedTransformer`` needs none: it takes the layer as an argument.

    Args:
        model: The model.
        last_layer: The last layer that is computed.
    """
    is_bridge = isinstance(model, bridge_class())
    return [(layer_hook(last_layer), _stop_bridge)] if is_bridge else []


@contextmanager
def hooked(model: HookedModel, hooks: Sequence[tuple[str, Callable[..., Any]]]) -> Iterator[None]:
    """Context with hooks on a model's activations, which run in their order.

    Leaving it removes these very hooks, in whatever order several such contexts are left.
    TransformerLens' own context removes the hooks of the one that was entered last, and a bridge's
    looks up the names of all activations again for each hook.

    Args:
        model: The model.
        hooks: Names of activations, each with a function ``(value, hook)`` that returns a new
            value, or None. A name that the model lacks is passed over.
    """
    points = model.hook_dict  # type: ignore[attr-defined]
    level = id(hooks)
    try:
        for name, hook in hooks:
            if name in points:
                points[name].add_hook(hook, level=level)
        yield
    finally:
        for name in dict.fromkeys(name for name, _ in hooks if name in points):
            points[name].remove_hooks("fwd", level=level)


def _stop_bridge(value: Tensor, hook: Any) -> None:
    """End a bridge's forward pass: it returns where this exception is raised."""
    from transformer_lens.model_bridge.exceptions import StopAtLayerException

    raise StopAtLayerException(value)
