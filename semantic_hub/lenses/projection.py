"""States to logits: through the final norm, none at all, or a translator of the caller's."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token, final_norm, unembed
from semantic_hub.models.protocol import HookedModel

Translator = Callable[[int, Tensor], Tensor]
"""``(layer, residual [batch d_model]) -> residual [batch d_model]``, such as an `AffineLens`."""

Norm = str | Translator
"""``"final"``, ``"none"`` or a `Translator`; see `semantic_hub.lenses.logit.logit_lens`."""

_BLOCK = 2**24
"""Logits that are held at a time: 64 MiB in float32."""


def lens_logits(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    norm: Norm = "final",
) -> Iterator[tuple[int, slice, Tensor]]:
    """Logits over the whole vocabulary, block by block.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        norm: As in `semantic_hub.lenses.logit.logit_lens`.

    Yields:
        ``(index into layers, slice of read-outs, logits [readout d_vocab])``; the logits are
        float32 on the model's device.

    Raises:
        SemanticHubError: A norm that is none of the three kinds, or that changes the shape.
    """
    _check_norm(norm, "lens_logits")
    normed = _normed(model, norm)
    rows = max(1, _BLOCK // model.cfg.d_vocab)
    for index, layer in enumerate(layers):
        for start in range(0, len(states), rows):
            block = slice(start, start + rows)
            yield index, block, unembed(model, normed(layer, states[block, index]))


@torch.inference_mode()
def score(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    tokens: Sequence[Sequence[Sequence[int]]],
    norm: Norm = "final",
) -> tuple[Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]]:
    """Log-probability and rank of each group's likeliest token, from states.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        tokens: Token ids, as ``tokens[readout][group]``.
        norm: As in `semantic_hub.lenses.logit.logit_lens`.

    Returns:
        Log-probabilities, natural log, and ranks in the vocabulary, 1 on top. Differences of
        log-probabilities are differences of logits.

    Raises:
        SemanticHubError: As `lens_logits`.
    """
    targets = padded(tokens)
    shape = (len(states), len(layers), targets.shape[1])
    log_prob, rank = torch.empty(shape), torch.empty(shape, dtype=torch.long)
    for index, block, logits in lens_logits(model, states, layers, norm):
        best = _best(logits, targets[block].to(logits.device))
        log_prob[block, index] = (best - logits.logsumexp(dim=-1, keepdim=True)).cpu()
        better = [(logits > column).sum(dim=-1) for column in best.split(1, dim=-1)]
        rank[block, index] = 1 + torch.stack(better, dim=-1).cpu()
    return log_prob, rank


def padded(
    numbers: Sequence[Sequence[Sequence[int]]],
) -> Int[Tensor, "readout group target"]:
    """Each group's numbers, its first one repeated up to the longest: that moves no maximum.

    Example:
        >>> padded([[[5, 6], [7]]]).tolist()
        [[[5, 6], [7, 7]]]
    """
    most = max(len(group) for groups in numbers for group in groups)
    return torch.tensor([[[*g, *[g[0]] * (most - len(g))] for g in groups] for groups in numbers])


def check_lens(model: HookedModel, norm: Norm, operation: str) -> None:
    """Refuse a model whose states cannot be read as words, and a norm that is none.

    Raises:
        SemanticHubError: No unembedding (an encoder), no tokenizer, or a norm that is neither
            ``"final"``, ``"none"`` nor a callable.
    """
    _check_norm(norm, operation)
    check_predicts_next_token(check_model(model), operation)
    if model.tokenizer is None:
        raise SemanticHubError(
            operation,
            got=f"{type(model).__name__} without a tokenizer",
            expected="a model with the tokenizer that its vocabulary belongs to",
            fix="Set it with model.set_tokenizer(tokenizer).",
        )


def lens_name(norm: object) -> str:
    """What a manifest calls a norm or a case: its text, or the name of the lens or callable."""
    if isinstance(norm, AffineLens):
        return norm.name
    return norm if isinstance(norm, str) else getattr(norm, "__name__", type(norm).__name__)


def lens_record(norm: Norm) -> dict[str, Any]:
    """What a manifest says about a norm: its name and, of an `AffineLens`, where it is from.

    Example:
        >>> lens_record("final")
        {'norm': 'final'}
    """
    origin = {"lens": norm.manifest} if isinstance(norm, AffineLens) else {}
    return {"norm": lens_name(norm), **origin}


def _check_norm(norm: Norm, operation: str) -> None:
    if norm not in ("final", "none") and not callable(norm):
        raise SemanticHubError(
            operation,
            got=f"norm={norm!r}",
            expected='"final", "none" or a callable (layer, residual) -> residual',
            fix='Leave norm out for "final".',
        )


def _normed(model: HookedModel, norm: Norm) -> Translator:
    if norm == "final":
        return lambda layer, residual: final_norm(model, residual)
    if isinstance(norm, str):
        return lambda layer, residual: residual
    return lambda layer, residual: final_norm(model, _translated(norm, layer, residual))


def _translated(translator: Translator, layer: int, residual: Tensor) -> Tensor:
    translated = translator(layer, residual)
    if translated.shape != residual.shape:
        raise SemanticHubError(
            "logit_lens",
            got=f"shape {tuple(translated.shape)} from {lens_name(translator)} at layer {layer}",
            expected=f"the shape that it was given, {tuple(residual.shape)}",
            fix="Return one translated state for each given one.",
        )
    return translated


def _best(
    logits: Float[Tensor, "readout d_vocab"], targets: Int[Tensor, "readout group target"]
) -> Float[Tensor, "readout group"]:
    columns = rearrange(targets, "readout group target -> readout (group target)")
    scores = logits.gather(dim=-1, index=columns)
    groups = targets.shape[1]
    return reduce(scores, "readout (group target) -> readout group", "max", group=groups)
