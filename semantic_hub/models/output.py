"""Final layer norm and unembedding of a decoder, computed by the model's own modules."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import bridge_class
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.models.shared_state import check_finite_logits

_COLUMNS = 2**13
"""Columns of the unembedding that are converted to float32 at a time."""


def predicts_next_token(model: HookedModel) -> bool:
    """Whether the model is a decoder, which predicts next tokens from its last layer.

    False for encoders (BERT family), which have no next-token lens.
    """
    adapter = getattr(model, "adapter", None)
    causal = adapter is None or adapter.supports_generation
    return causal and hasattr(model, "unembed")


def check_predicts_next_token(model: HookedModel, operation: str) -> None:
    """Raise unless the model is a decoder, which predicts next tokens.

    Raises:
        SemanticHubError: The model is an encoder.
    """
    if not predicts_next_token(model):
        raise SemanticHubError(
            operation,
            got=f"{Path(model.cfg.model_name).name}, which does not predict next tokens",
            expected="a decoder",
            fix="Use residual_stream and similarity, which work for encoders.",
        )


def final_norm(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"]
) -> Float[Tensor, "*axes d_model"]:
    """Apply the model's final norm, on its device and in its dtype; statistics are in float32.

    Args:
        model: A decoder.
        residual: States at any layer.

    Returns:
        Normed states in the model's dtype; the same states for a model without a final norm.
    """
    norm = getattr(model, "ln_final", None)
    states = _for_module(model, norm, residual)
    return states if norm is None else _with_batch_and_pos(norm, states)


def normed_last(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"], layer: int
) -> Float[Tensor, "*axes d_model"]:
    """Apply the final norm to states of the last layer alone, those of others stay as they are.

    Transformers' ``output_hidden_states`` are normed like this, and the paper's code reads these.

    Args:
        model: A model.
        residual: States of one layer.
        layer: Which, 0..n_layers.

    Example:
        >>> states = torch.randn(2, model.cfg.d_model)
        >>> bool((normed_last(model, states, layer=3) == states).all())
        True
    """
    return final_norm(model, residual) if layer == model.cfg.n_layers else residual


def unembed(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"]
) -> Float[Tensor, "*axes d_vocab"]:
    """Compute the model's logits from normed states, its soft cap or logit scale included.

    ``unembed(model, final_norm(model, states))`` at the last layer are the model's logits. A model
    in half precision has them computed in float32, from its own weights.

    Args:
        model: A decoder.
        residual: States as :func:`final_norm` returns them.

    Returns:
        Logits in float32.

    Raises:
        SemanticHubError: If the model is no decoder, or logits are NaN or infinite.
    """
    check_predicts_next_token(model, "unembed")
    decoder: Any = model
    states = _for_module(model, decoder.unembed, residual)
    if states.dtype.itemsize < torch.float32.itemsize:
        return _as_put_out(model, _float32_logits(model, states))
    return _as_put_out(model, _with_batch_and_pos(decoder.unembed, states))


def unembed_columns(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"], tokens: Sequence[int]
) -> Float[Tensor, "*axes token"]:
    """Compute the logits of some tokens alone, as `unembed` computes those of all.

    Args:
        model: A decoder.
        residual: States as :func:`final_norm` returns them.
        tokens: Ids of the tokens.

    Returns:
        Logits in float32.

    Raises:
        SemanticHubError: As `unembed`.

    Example:
        >>> states = torch.randn(2, model.cfg.d_model)
        >>> some = unembed_columns(model, states, [5, 7])
        >>> torch.allclose(some, unembed(model, states)[:, [5, 7]], atol=1e-4)
        True
    """
    check_predicts_next_token(model, "unembed_columns")
    decoder: Any = model
    states = _for_module(model, decoder.unembed, residual)
    return _as_put_out(model, _float32_logits(model, states, tokens))


def unembedding(
    model: HookedModel,
) -> tuple[Float[Tensor, "d_model d_vocab"], Float[Tensor, " d_vocab"] | None]:
    """The unembedding matrix, and its bias (``None`` if it is absent or zero).

    Raises:
        SemanticHubError: If the model is no decoder.
    """
    check_predicts_next_token(model, "unembedding")
    decoder: Any = model
    bias = decoder.b_U
    return decoder.W_U.detach(), (bias.detach() if bool(bias.any()) else None)


@contextmanager
def last_logits_alone(model: HookedModel) -> Iterator[None]:
    """Context in which forward passes compute logits at the last column alone.

    Generation reads no others, and over a large vocabulary they are most of its memory.

    Args:
        model: A decoder; batches end at one column, without padding on the right.

    Example:
        >>> with last_logits_alone(model):
        ...     logits = model("the dog is")
        >>> logits.shape[1]
        1
    """
    decoder: Any = model
    handle = decoder.unembed.register_forward_pre_hook(
        lambda module, inputs: (inputs[0][:, -1:], *inputs[1:])
    )
    try:
        yield
    finally:
        handle.remove()


def _as_put_out(model: HookedModel, logits: Float[Tensor, "*axes token"]) -> Tensor:
    """Logits as the model puts them out, in float32; NaN and infinity are refused."""
    logits = _output_transform(model)(logits).float()
    check_finite_logits(logits)
    return logits


def _float32_logits(
    model: HookedModel,
    states: Float[Tensor, "*axes d_model"],
    tokens: Sequence[int] | None = None,
) -> Float[Tensor, "*axes token"]:
    """Logits of some tokens, or of all, in float32 without a float32 copy of all their columns."""
    weight, bias = unembedding(model)
    if tokens is not None:
        weight, bias = weight[:, [*tokens]], None if bias is None else bias[[*tokens]]
    logits = states.new_empty(*states.shape[:-1], weight.shape[-1], dtype=torch.float32)
    for start in range(0, weight.shape[-1], _COLUMNS):
        block = slice(start, start + _COLUMNS)
        columns = weight[:, block].to(device=states.device, dtype=torch.float32)
        logits[..., block] = states.float() @ columns
    return logits if bias is None else logits + bias.to(logits)


def _for_module(model: HookedModel, module: Any, states: Tensor) -> Tensor:
    """States in the model's dtype, on the module's device (a model may span several devices)."""
    first = first_parameter(model)
    parameter = next(module.parameters(), first) if hasattr(module, "parameters") else first
    return states.to(device=parameter.device, dtype=first.dtype)


def _with_batch_and_pos(
    module: Callable[[Tensor], Tensor], states: Float[Tensor, "*axes features"]
) -> Float[Tensor, "*axes out"]:
    """Apply a module that expects ``[batch, pos, features]`` to states of any shape."""
    out = module(states.reshape(1, -1, states.shape[-1]))
    return out.reshape(*states.shape[:-1], out.shape[-1])


def _output_transform(model: Any) -> Callable[[Tensor], Tensor]:
    """The soft cap or scale that the model applies to its logits."""
    if isinstance(model, bridge_class()):
        return model.adapter.apply_output_logits_transform
    cap = model.cfg.output_logits_soft_cap
    return (lambda logits: cap * torch.tanh(logits / cap)) if cap and cap > 0 else lambda x: x
