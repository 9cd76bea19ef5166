"""From residual streams to logits over the vocabulary, through a lens."""

from collections.abc import Iterator, Sequence

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.lens import LOGIT, Lens, LensLike, resolve_lens
from semantic_hub.models.output import final_norm, unembed, unembed_columns
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.words import Tokens

Words = Sequence[Sequence[Sequence[Sequence[Tokens]]]]
"""Token ids of spellings, as ``words[readout][group][word]``."""

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
    at_once = max(1, rows // max(1, len(states)))
    for first in range(0, len(layers), at_once):
        indices = range(first, min(first + at_once, len(layers)))
        for start in range(0, len(states), rows):
            block = slice(start, start + rows)
            read = [_read(model, lens, layers[index], states[block, index]) for index in indices]
            logits = unembed(model, torch.stack(read))
            for index, of_layer in zip(indices, logits, strict=True):
                yield index, block, of_layer


@torch.inference_mode()
def score(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    tokens: Sequence[Sequence[Sequence[int]]],
    lens: LensLike = LOGIT,
    *,
    ranks: bool = True,
) -> tuple[Float[Tensor, "readout layer group target"], Int[Tensor, "readout layer group"]]:
    """Log-probability of each token, and rank of each group's likeliest, read by a lens.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        tokens: Token ids, as ``tokens[readout][group]``.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        ranks: Whether ranks are asked for: each is a comparison with the whole vocabulary.

    Returns:
        Log-probabilities, natural log, of the tokens in their order, shorter groups padded with
        their first; and ranks in the vocabulary, 1 on top, 0 unless asked for. Differences of
        log-probabilities are differences of logits.

    Raises:
        SemanticHubError: As `lens_logits`.
    """
    targets = padded(tokens)
    log_prob = torch.empty(len(states), len(layers), *targets.shape[1:])
    rank = torch.zeros(len(states), len(layers), targets.shape[1], dtype=torch.long)
    for index, block, logits in lens_logits(model, states, layers, lens):
        columns = rearrange(targets[block], "readout group target -> readout (group target)")
        scores = logits.gather(dim=-1, index=columns.to(logits.device))
        normed = scores - logits.logsumexp(dim=-1, keepdim=True)
        log_prob[block, index] = normed.unflatten(-1, targets.shape[1:]).cpu()
        if ranks:
            best = scores.unflatten(-1, targets.shape[1:]).amax(dim=-1)
            better = [
                (logits > of_group).sum(dim=-1, dtype=torch.int32)
                for of_group in best.split(1, dim=-1)
            ]
            rank[block, index] = 1 + torch.stack(better, dim=-1).cpu()
    return log_prob, rank


@torch.inference_mode()
def score_words(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    words: Words,
    lens: LensLike = LOGIT,
    *,
    ranks: bool = True,
) -> tuple[Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]]:
    """Log-probability of each group's likeliest word, each spelling by its first token.

    Args:
        model: A decoder.
        states: Residual streams, as `semantic_hub.residual_stream` gives them.
        layers: The layers that the second axis holds.
        words: `semantic_hub.prompts.words.CandidateTokens.words`.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        ranks: Whether ranks are asked for.

    Returns:
        Log-probabilities, and ranks of each group's likeliest token, 0 unless asked for.

    Raises:
        SemanticHubError: As `lens_logits`.
    """
    tokens = _first_tokens(words)
    log_prob, rank = score(model, states, layers, tokens, lens, ranks=ranks)
    sizes = torch.tensor([[len(group) for group in groups] for groups in tokens])
    real = torch.arange(log_prob.shape[-1]) < sizes[..., None]
    by_spelling = rearrange(log_prob, "readout layer group target -> readout group target layer")
    return likeliest_words(by_spelling[real], words), rank


@torch.inference_mode()
def compare_words(
    model: HookedModel,
    states: Float[Tensor, "readout row d_model"],
    words: Words,
    rivals: Sequence[int],
) -> tuple[Float[Tensor, "readout row group"], Bool[Tensor, "readout row group"]]:
    """Logit of each group's likeliest word, and whether it has the top token, at the last layer.

    A row is unembedded over the whole vocabulary only where no rival is above every group: with
    262,000 tokens that is most of what a row costs. Differences of logits are differences of the
    log-probabilities of `score_words`, and a group is on top where its rank there is 1.

    Args:
        model: A decoder.
        states: States of the last layer, several of each read-out.
        words: `semantic_hub.prompts.words.CandidateTokens.words`.
        rivals: Ids of tokens that are likely to be on top, such as those on top in other runs.

    Raises:
        SemanticHubError: NaN or infinity in the logits.
    """
    by_spelling: list[Tensor] = []
    ahead: list[Tensor] = []
    firsts = _first_tokens(words)
    for rows, groups in zip(states, firsts, strict=True):
        own = [token for group in groups for token in group]
        logits = unembed_columns(model, final_norm(model, rows), [*own, *rivals]).cpu()
        of_words, of_rivals = logits.split([len(own), len(rivals)], dim=-1)
        by_spelling.append(of_words.mT)
        ahead.append(of_words.amax(dim=-1) >= of_rivals.amax(dim=-1))
    on_top = torch.zeros(*states.shape[:2], len(firsts[0]), dtype=torch.bool)
    places = torch.stack(ahead).nonzero()
    undecided = states[places.unbind(dim=-1)][:, None]
    for _, block, logits in lens_logits(model, undecided, [model.cfg.n_layers]):
        top = logits.argmax(dim=-1).tolist()
        for (readout, row), token in zip(places[block].tolist(), top, strict=True):
            on_top[readout, row] = torch.tensor([token in group for group in firsts[readout]])
    return likeliest_words(torch.cat(by_spelling), words), on_top


def likeliest_words(
    log_prob: Float[Tensor, "spelling layer"], words: Words
) -> Float[Tensor, "readout layer group"]:
    """Log-probability of each group's likeliest word, that of a word summed over its spellings.

    Args:
        log_prob: That of each spelling, in the order in which `words` has them.
        words: Spellings, as ``words[readout][group][word]``.

    Example:
        >>> log_prob = torch.tensor([0.1, 0.2, 0.25]).log()[:, None]
        >>> words = [[[[(5,), (6,)], [(7,)]]]]  # one group of two words, one in two spellings
        >>> likeliest_words(log_prob, words).exp()
        tensor([[[0.3000]]])
    """
    sizes = [len(word) for groups in words for group in groups for word in group]
    of_words = torch.stack([rows.logsumexp(dim=0) for rows in log_prob.split(sizes)])
    members = padded(numbered([[len(group) for group in groups] for groups in words]))
    return of_words[members].amax(dim=2).mT


def numbered(sizes: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """Number the members of groups of these sizes, through all read-outs.

    Example:
        >>> numbered([[2, 1], [1, 2]])
        [[[0, 1], [2]], [[3], [4, 5]]]
    """
    number = iter(range(sum(map(sum, sizes))))
    return [[[next(number) for _ in range(size)] for size in groups] for groups in sizes]


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


def _first_tokens(words: Words) -> list[list[list[int]]]:
    """The first token of every spelling, as ``[readout][group]``."""
    return [
        [[spelling[0] for word in group for spelling in word] for group in groups]
        for groups in words
    ]


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
    if not states.isfinite().all():
        raise SemanticHubError(
            "logit_lens",
            got=f"NaN or infinity from {lens.name} at layer {layer}",
            expected="finite states",
            fix="Check the lens's own weights.",
        )
    return final_norm(model, states) if lens.final_norm else states
