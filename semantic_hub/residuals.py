"""One streamed capture of the residual stream that every measure reads from."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.batches import Batch, batch_indices, pad
from semantic_hub.errors import SemanticHubError
from semantic_hub.models import (
    HookedModel,
    check_layers,
    check_model,
    layer_hook,
    running_to_layer,
)
from semantic_hub.positions import Positions, read_positions
from semantic_hub.prompts import PromptLike, as_prompt, encode, special_token_ids


def residual_stream(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    positions: Positions = "last",
    layers: Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    *,
    padding_side: Literal["left", "right"] = "right",
) -> Float[Tensor, "prompt layer d_model"]:
    """The residual stream at chosen positions of many prompts, at every layer.

    Layer 0 is the input of the first block, ``k`` the stream after block ``k``; the last one is
    before the final norm. Prompts are sorted by length and batched, the forward pass stops at the
    last asked-for layer, and only the read positions are ever kept. Padding changes no number.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, encoders (BERT family) included.
        prompts: Text, :class:`~semantic_hub.prompts.Prompt` objects, or token ids.
        positions: ``"last"`` (a prompt's own ``position`` goes before it), ``"mean"`` (all but
            special tokens), a span ``(start, stop)`` of the prompt's own tokens as Python slices
            it, or a function from the tokens that the model reads to one index or several. Several
            positions are averaged. See :func:`~semantic_hub.positions.read_positions`.
        layers: Which layers, 0..n_layers; ``None`` for all.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens, and halves
            batches that do not fit into the GPU's memory.
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
    capture = _Capture(sorted(set(wanted)), read)
    states = torch.empty(len(encodings), len(capture.layers), model.cfg.d_model)
    make_batch = partial(pad, model, encodings, side=padding_side)
    hooks = [(layer_hook(layer), capture.hook(layer)) for layer in capture.layers]
    with torch.inference_mode(), running_to_layer(model, capture.layers[-1], hooks) as run:
        for indices in batch_indices([len(e) for e in encodings], batch_size):
            split = batch_size == "auto"
            states[indices] = _run_batch(run, capture, make_batch, indices, split)
    return states[:, [capture.layers.index(layer) for layer in wanted]]


class _Capture:
    """Keeps, for the current batch, the mean over the read positions at each layer."""

    def __init__(self, layers: list[int], read: Sequence[tuple[int, ...]]) -> None:
        self.layers, self.read = layers, read

    def start(self, batch: Batch) -> None:
        """Set what the hooks read from the coming batch."""
        places = [
            (row, offset + position)
            for row, (prompt, offset) in enumerate(zip(batch.prompts, batch.offsets, strict=True))
            for position in self.read[prompt]
        ]
        self.rows, self.columns = torch.tensor(places).T
        self.counts = torch.bincount(self.rows, minlength=len(batch.prompts))
        self.kept: dict[int, Tensor] = {}

    def hook(self, layer: int) -> Callable[..., None]:
        """The function for this layer's hook."""

        def keep(value: Float[Tensor, "batch pos d_model"], hook: Any) -> None:
            chosen = value[self.rows.to(value.device), self.columns.to(value.device)].float()
            self.kept[layer] = self._mean(chosen)

        return keep

    def result(self) -> Float[Tensor, "batch layer d_model"]:
        """The batch's states."""
        return torch.stack([self.kept[layer].cpu() for layer in self.layers], dim=1)

    def _mean(self, chosen: Float[Tensor, "read d_model"]) -> Float[Tensor, "batch d_model"]:
        if len(chosen) == len(self.counts):
            return chosen
        total = chosen.new_zeros(len(self.counts), chosen.shape[-1])
        total.index_add_(0, self.rows.to(chosen.device), chosen)
        return total / self.counts.to(chosen.device)[:, None]


def _run_batch(
    run: Callable[..., None],
    capture: _Capture,
    make_batch: Callable[..., Batch],
    indices: list[int],
    split: bool,
) -> Float[Tensor, "batch layer d_model"]:
    """Run one batch, in halves if it does not fit into memory and ``split`` allows it."""
    batch = make_batch(indices)
    capture.start(batch)
    try:
        run(batch.tokens, batch.attention_mask)
    except torch.cuda.OutOfMemoryError:
        if not split or len(indices) == 1:
            raise
        half = len(indices) // 2
        parts = (indices[:half], indices[half:])
        return torch.cat([_run_batch(run, capture, make_batch, part, split) for part in parts])
    states = capture.result()
    _check_finite(states, capture.layers, indices)
    return states


def _check_finite(
    states: Float[Tensor, "batch layer d_model"], layers: list[int], prompts: list[int]
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
