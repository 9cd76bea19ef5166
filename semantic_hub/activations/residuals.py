"""One streamed capture of the residual stream that every measure reads from."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrites, capture
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import check_layers, layer_hook
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import Positions, read_positions
from semantic_hub.prompts.prompt import PromptLike, as_prompt, encode, special_token_ids


def residual_stream(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    positions: Positions = "last",
    layers: Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    *,
    overwrites: Overwrites | None = None,
    padding_side: Literal["left", "right"] = "right",
) -> Float[Tensor, "prompt layer d_model"]:
    """The residual stream at chosen positions of many prompts, at every layer.

    Layer 0 is the input of the first block, ``k`` the stream after block ``k``; the last one is
    before the final norm. Prompts are sorted by length and batched, the forward pass stops at the
    last asked-for layer, and only the read positions are ever kept. Padding changes no number.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, encoders (BERT family) included.
        prompts: Text, :class:`~semantic_hub.prompts.prompt.Prompt` objects, or token ids.
        positions: ``"last"`` (a prompt's own ``position`` goes before it), ``"mean"`` (all but
            special tokens), a span ``(start, stop)`` of the prompt's own tokens as Python slices
            it, or a function from the tokens that the model reads to one index or several. Several
            positions are averaged. See :func:`~semantic_hub.prompts.positions.read_positions`.
        layers: Which layers, 0..n_layers; ``None`` for all.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens, and halves
            batches that do not fit into the GPU's memory.
        overwrites: Activations to overwrite on the way: hook name to a function from the prompt's
            index to an `Overwrite` or None. What is read is read after that.
        padding_side: Where batches are padded.

    Returns:
        ``[prompt, layer, d_model]``, float32 on the CPU, in the order asked for.

    Raises:
        SemanticHubError: No prompts, an empty or too long one, a layer or position out of range,
            text without a tokenizer, or NaN or infinity in the stream.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> tuple(sh.residual_stream(model, ["the dog", "a cat"], layers=[0, 1]).shape[:2])
        (2, 2)
    """
    check_model(model)
    wanted = check_layers(model, layers)
    encodings = encode(model, prompts)
    read = read_positions(
        [as_prompt(prompt) for prompt in prompts], encodings, positions, special_token_ids(model)
    )
    needed = sorted(set(wanted))
    states = torch.empty(len(encodings), len(needed), model.cfg.d_model)

    def keep(captured: Captured) -> None:
        found = _means(captured, needed)
        _check_finite(found, needed, captured.prompts)
        states[list(captured.prompts)] = found

    capture(
        model,
        encodings,
        read,
        [layer_hook(layer) for layer in needed],
        keep,
        last_layer=needed[-1],
        overwrites=overwrites,
        batch_size=batch_size,
        padding_side=padding_side,
    )
    return states[:, [needed.index(layer) for layer in wanted]]


def _check_finite(
    states: Float[Tensor, "prompt layer d_model"], layers: Sequence[int], prompts: Sequence[int]
) -> None:
    bad = ~states.isfinite().all(dim=-1)
    if not bad.any():
        return
    first = int(bad.any(dim=0).nonzero()[0])
    prompt = prompts[int(bad[:, first].nonzero()[0])]
    raise SemanticHubError(
        "residual_stream",
        got=f"NaN or infinity at layer {layers[first]} of prompt {prompt}",
        expected="finite activations",
        fix="Load the model in float32 or bfloat16, and check its weights.",
    )


def _means(captured: Captured, layers: Sequence[int]) -> Float[Tensor, "prompt layer d_model"]:
    """The mean over each prompt's places."""
    means = [_mean(captured, captured.values[layer_hook(layer)]) for layer in layers]
    return torch.stack([mean.cpu() for mean in means], dim=1)


def _mean(
    captured: Captured, values: Float[Tensor, "place d_model"]
) -> Float[Tensor, "prompt d_model"]:
    n_prompts = len(captured.prompts)
    if len(values) == n_prompts:
        return values
    rows = captured.rows.to(values.device)
    total = values.new_zeros(n_prompts, values.shape[-1]).index_add_(0, rows, values)
    return total / rows.bincount(minlength=n_prompts)[:, None]
