"""The residual stream of many prompts at chosen positions, at every layer."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrites, capture_layers
from semantic_hub.activations.growing import capture_changed, starts_where_it_acts
from semantic_hub.activations.kept import keeps_states, read_once
from semantic_hub.activations.recorded import States
from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import Positions, read_positions
from semantic_hub.prompts.prompt import Encoding, Prompts, as_prompts, encode


def residual_stream(
    model: HookedModel,
    prompts: Prompts,
    *,
    positions: Positions = "last",
    layers: int | Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    overwrites: Overwrites | None = None,
    padding_side: Literal["left", "right"] = "right",
) -> Float[Tensor, "prompt layer d_model"]:
    """Read the residual stream of many prompts at chosen positions, at every layer.

    Layer 0 is the input of the first block, ``k`` the stream after block ``k``; the last one is
    before the final norm. Prompts are sorted by length and batched, the forward pass stops at the
    last requested layer, and only the read positions are ever kept. Padding changes no number.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, encoders (BERT family) included, or
            `States` that were read elsewhere.
        prompts: Text, :class:`~semantic_hub.prompts.prompt.Prompt` objects, or token ids; a single
            one is read as a list of one, as is a single layer.
        positions: ``"last"`` (a prompt's own ``position`` goes before it), ``"content"`` (the last
            token with a letter or digit), ``"mean"`` (all but special tokens), a span ``(start,
            stop)`` of the prompt's own tokens as Python slices it, or a function from the tokens
            that the model reads to one index or several. Several positions are averaged. See
            :func:`~semantic_hub.prompts.positions.read_positions`.
        layers: Which layers, 0..n_layers; ``None`` for all.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens, and halves
            batches that do not fit into the GPU's memory.
        overwrites: Activations to overwrite: hook name to a function from the prompt's index to an
            `Overwrite` or None. The stream is read after that.
        padding_side: Where batches are padded.

    Returns:
        ``[prompt, layer, d_model]``, float32 on the CPU, in the order of prompts and layers.

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
    requested = check_layers(model, layers)
    check_kinds("residual_stream", overwrites=(overwrites, (Mapping, None)))
    read = as_prompts("residual_stream", "prompts", prompts)
    if isinstance(model, States):
        if positions != "last":
            raise SemanticHubError(
                "residual_stream",
                got=f"positions={positions!r} of recorded states",
                expected='"last", for the position that was read elsewhere',
                fix="Leave positions out; a Prompt that was read elsewhere has its own position.",
            )
        return model.read(read, requested)
    read_layers = sorted(set(requested))
    encodings = encode(model, read)
    indices = read_positions(read, encodings, positions, model)
    if not overwrites and keeps_states(model):
        everything = range(model.cfg.n_layers + 1)
        states = read_once(
            model,
            encodings,
            indices,
            lambda missing: _read(
                model,
                [encodings[index] for index in missing],
                [indices[index] for index in missing],
                everything,
                batch_size=batch_size,
                padding_side=padding_side,
            ),
        )
        return states[:, requested]
    is_one_layer = len(read_layers) == 1 and padding_side == "right"
    if overwrites and is_one_layer and starts_where_it_acts(model, list(overwrites)):
        states = torch.empty(len(encodings), 1, model.cfg.d_model, dtype=torch.float32)

        def on_changed(captured: Captured, values: Float[Tensor, "position d_model"]) -> None:
            states[list(captured.prompts), 0] = captured.prompt_means(values).cpu()

        capture_changed(
            model,
            encodings,
            indices,
            read_layers[0],
            on_changed,
            overwrites=overwrites,
            batch_size=batch_size,
        )
        return states[:, [0] * len(requested)]
    states = _read(
        model,
        encodings,
        indices,
        read_layers,
        overwrites=overwrites,
        batch_size=batch_size,
        padding_side=padding_side,
    )
    return states[:, [read_layers.index(layer) for layer in requested]]


def _read(
    model: HookedModel,
    encodings: Sequence[Encoding],
    indices: Sequence[Sequence[int]],
    layers: Sequence[int],
    **options: Any,
) -> Float[Tensor, "prompt layer d_model"]:
    """Run prompts, and average each one's states over its positions."""
    states = torch.empty(len(encodings), len(layers), model.cfg.d_model, dtype=torch.float32)

    def on_batch(captured: Captured, means: Float[Tensor, "prompt layer d_model"]) -> None:
        states[list(captured.prompts)] = means

    capture_layers(
        model,
        encodings,
        indices,
        layers,
        on_batch,
        reduce=lambda captured, values: captured.prompt_means(values).cpu(),
        **options,
    )
    return states
