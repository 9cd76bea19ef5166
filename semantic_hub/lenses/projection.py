"""From residual streams to logits over the vocabulary, through a lens."""

from collections.abc import Iterator, Sequence

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.lens import LOGIT, Lens, LensLike, resolve_lens
from semantic_hub.models.output import final_norm, unembed
from semantic_hub.models.protocol import HookedModel

_BLOCK = 2**24
"""Number of logits held in memory at a time: 64 MiB in float32."""


def lens_logits(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    lens: LensLike = LOGIT,
) -> Iterator[tuple[int, slice, Tensor]]:
    """Compute logits over the whole vocabulary through a lens, block by block.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.

    Yields:
        ``(index into layers, slice of read-outs, logits [readout d_vocab])``; the logits are
        float32 on the model's device.

    Raises:
        SemanticHubError: No such lens, or one that changes the shape.
    """
    lens = resolve_lens(model, lens, "lens_logits")
    rows = max(1, _BLOCK // model.cfg.d_vocab)
    for index, layer in enumerate(layers):
        for start in range(0, len(states), rows):
            block = slice(start, start + rows)
            yield index, block, unembed(model, _read(model, lens, layer, states[block, index]))


@torch.inference_mode()
def score(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    tokens: Sequence[Sequence[Sequence[int]]],
    lens: LensLike = LOGIT,
) -> tuple[Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]]:
    """Log-probability and rank of each group's likeliest token, read from states by a lens.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        tokens: Token ids, as ``tokens[readout][group]``.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.

    Returns:
        Log-probabilities, natural log, and ranks in the vocabulary, 1 on top. Differences of
        log-probabilities are differences of logits.

    Raises:
        SemanticHubError: As `lens_logits`.
    """
    targets = padded(tokens)
    shape = (len(states), len(layers), targets.shape[1])
    log_prob, rank = torch.empty(shape), torch.empty(shape, dtype=torch.long)
    for index, block, logits in lens_logits(model, states, layers, lens):
        best = _best(logits, targets[block].to(logits.device))
        log_prob[block, index] = (best - logits.logsumexp(dim=-1, keepdim=True)).cpu()
        better = [(logits > column).sum(dim=-1) for column in best.split(1, dim=-1)]
        rank[block, index] = 1 + torch.stack(better, dim=-1).cpu()
    return log_prob, rank


def padded(
    numbers: Sequence[Sequence[Sequence[int]]],
) -> Int[Tensor, "readout group target"]:
    """Pad groups of token ids to equal length by repeating the first, which keeps the maximum.

    Example:
        >>> padded([[[5, 6], [7]]]).tolist()
        [[[5, 6], [7, 7]]]
    """
    most = max(len(group) for groups in numbers for group in groups)
    return torch.tensor([[[*g, *[g[0]] * (most - len(g))] for g in groups] for groups in numbers])


def _read(model: HookedModel, lens: Lens, layer: int, residual: Tensor) -> Tensor:
    """Apply the lens, and the final norm if it asks for it, to states of one layer."""
    uncovered = lens.layers is not None and layer not in lens.layers
    states = residual if uncovered and layer == model.cfg.n_layers else lens(layer, residual)
    if states.shape != residual.shape:
        raise SemanticHubError(
            "logit_lens",
            got=f"shape {tuple(states.shape)} from {lens.name} at layer {layer}",
            expected=f"the shape that it was given, {tuple(residual.shape)}",
            fix="Return one state for each given one.",
        )
    return final_norm(model, states) if lens.final_norm else states


def _best(
    logits: Float[Tensor, "readout d_vocab"], targets: Int[Tensor, "readout group target"]
) -> Float[Tensor, "readout group"]:
    """Largest logit of each group."""
    columns = rearrange(targets, "readout group target -> readout (group target)")
    scores = logits.gather(dim=-1, index=columns)
    groups = targets.shape[1]
    return reduce(scores, "readout (group target) -> readout group", "max", group=groups)
