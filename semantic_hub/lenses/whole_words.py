"""Scores of words, those of several tokens in full: the layer's first token, the model's rest.

A word w of the tokens t_1 … t_m, read at layer l after a text, has the probability

    log p_l(w | text) = log p_l(t_1 | text) + Σ_{k>1} log p_L(t_k | text t_1 … t_{k−1})

where p_l is the reading of the state at layer l through the lens, and p_L the model's own
prediction, at its last layer. It is how often the word comes if layer l says the first token, and
the whole model goes on from there. A word has the sum over its spellings that can stand after the
text. At the last layer of the logit lens this is exactly the model's own log-probability of the
word. Below it, words of any length are comparable, and all that differs between layers comes from
the state at the read-out: what a low layer would say in the middle of a word tells nothing of that
state, and low layers, which say hardly any token, would rule out whatever the tokenizer splits.

It is the probability that the text continues with these tokens, whatever follows: longer words that
begin with them are included.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.continuing import Continuation, states_after
from semantic_hub.activations.recorded import States
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.lenses.lens import LOGIT, LensLike, resolve_lens
from semantic_hub.lenses.projection import (
    Words,
    likeliest_words,
    numbered,
    padded,
    score,
    score_words,
)
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Prompt, Readout, encode
from semantic_hub.prompts.words import CandidateTokens, Case, Tokens, candidate_tokens


def score_candidates(
    model: HookedModel,
    readouts: Sequence[Readout],
    layers: Sequence[int],
    *,
    lens: LensLike = LOGIT,
    cases: Sequence[Case] = (),
    whole_words: bool = True,
    batch_size: int | Literal["auto"] = "auto",
) -> tuple[
    CandidateTokens, Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]
]:
    """Log-probability and rank of each group's likeliest word, read at every layer.

    A word too long for the rest of the model's context after the read-out is scored by its first
    token, as is every word of recorded `States`, from which nothing can go on.

    Args:
        model: A decoder with a tokenizer.
        readouts: Read-outs that name the same groups of candidates.
        layers: The layers to read.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        cases: Case variants of the candidates to add.
        whole_words: Score words of several tokens in full; False for their first tokens alone.
        batch_size: Texts per forward pass.

    Returns:
        The candidates' tokens, log-probabilities (natural log), and the rank in the vocabulary of
        the least expected token of the group's likeliest spelling, 1 on top.

    Raises:
        SemanticHubError: As `semantic_hub.prompts.words.candidate_tokens` and
            `semantic_hub.activations.residuals.residual_stream`.

    Example:
        >>> readout = Readout(Prompt("the dog is"), {"en": ("black",), "es": ("negro",)})
        >>> candidates, log_prob, rank = score_candidates(model, [readout], [8])
        >>> tuple(log_prob.shape)
        (1, 1, 2)
    """
    lens = resolve_lens(model, lens, "score_candidates")
    texts, room = [], None
    if whole_words and readouts and not isinstance(model, States):
        texts = _texts(model, readouts)
        room = [model.cfg.n_ctx - len(text.tokens or ()) + 1 for text in texts]
    candidates = candidate_tokens(model, readouts, cases=cases, longest=room)
    prompts = [readouts[index].prompt for index in candidates.kept]
    states = residual_stream(model, prompts, layers=layers, batch_size=batch_size)
    words = candidates.words
    if all(len(spelling) == 1 for spelling in _spellings(words)):
        return candidates, *score_words(model, states, layers, words, lens)
    log_prob, rank = _first_tokens(model, states, layers, words, lens)
    rest, rest_rank = _rest(model, [texts[index] for index in candidates.kept], words, batch_size)
    log_prob, rank = log_prob + rest[:, None], rank.maximum(rest_rank[:, None])
    members = padded(numbered([[sum(map(len, group)) for group in groups] for groups in words]))
    winner = log_prob[members].argmax(dim=2, keepdim=True)
    of_winner = rank[members].take_along_dim(winner, dim=2)[:, :, 0].mT
    return candidates, likeliest_words(log_prob, words), of_winner


class _Place(NamedTuple):
    """Where `score` has the first token of a spelling: in which group of which read-out."""

    readout: int
    group: int
    target: int


def _first_tokens(
    model: HookedModel,
    states: Float[Tensor, "readout layer d_model"],
    layers: Sequence[int],
    words: Words,
    lens: LensLike,
) -> tuple[Float[Tensor, "spelling layer"], Int[Tensor, "spelling layer"]]:
    """Log-probability and rank of the first token of each spelling.

    Each rank is a comparison with the whole vocabulary. So the spellings of one token, of which
    only the likeliest of a group can matter, share that one's.
    """
    places: list[_Place] = []
    scored: list[list[list[int]]] = []
    for readout, groups in enumerate(words):
        targets: dict[tuple[int, int | None], dict[int, int]] = {}
        for group, spelling in _by_group(groups):
            first = spelling[0]
            key = (group, first if len(spelling) > 1 else None)
            of_key = targets.setdefault(key, {})
            target = of_key.setdefault(first, len(of_key))
            places.append(_Place(readout, list(targets).index(key), target))
        scored.append([list(of_key) for of_key in targets.values()])
    most = max(map(len, scored))
    rows = [row + row[:1] * (most - len(row)) for row in scored]
    log_prob, rank = score(model, states, layers, rows, lens)
    readout, group, target = torch.tensor(places).T
    return log_prob[readout, :, group, target], rank[readout, :, group]


def _rest(
    model: HookedModel, texts: Sequence[Prompt], words: Words, batch_size: int | Literal["auto"]
) -> tuple[Float[Tensor, " spelling"], Int[Tensor, " spelling"]]:
    """Log-probability of all but the first token of each spelling, and the least expected's rank.

    As the model itself predicts them; 0, and rank 1, of spellings of one token.
    """
    steps = [
        [((text, spelling[:size]), spelling[size]) for size in range(1, len(spelling))]
        for text, groups in zip(texts, words, strict=True)
        for _, spelling in _by_group(groups)
    ]
    targets: dict[Continuation, dict[int, int]] = {}
    for before, token in chain.from_iterable(steps):
        of_text = targets.setdefault(before, {})
        of_text.setdefault(token, len(of_text))
    number = {before: index for index, before in enumerate(targets)}
    states = states_after(model, list(targets), batch_size=batch_size)
    most = max(map(len, targets.values()))
    rows = [[[token] for token in of_text] for of_text in targets.values()]
    rows = [row + row[:1] * (most - len(row)) for row in rows]
    each, ranks = score(model, states[:, None], [model.cfg.n_layers], rows)
    log_prob, rank = torch.zeros(len(steps)), torch.ones(len(steps), dtype=torch.long)
    for index, of_spelling in enumerate(steps):
        for before, token in of_spelling:
            cell = number[before], 0, targets[before][token]
            log_prob[index] += each[..., 0][cell]
            rank[index] = rank[index].maximum(ranks[cell])
    return log_prob, rank


def _texts(model: HookedModel, readouts: Sequence[Readout]) -> list[Prompt]:
    """The tokens of each read-out up to and including the one that is read, as prompts."""
    prompts = [readout.prompt for readout in readouts]
    encodings = encode(model, prompts)
    read = read_positions(prompts, encodings)
    return [e.first(position + 1) for e, (position,) in zip(encodings, read, strict=True)]


def _by_group(groups: Sequence[Sequence[Sequence[Tokens]]]) -> Iterator[tuple[int, Tokens]]:
    """All spellings of a read-out, each with the index of its group."""
    for index, group in enumerate(groups):
        for spelling in chain.from_iterable(group):
            yield index, spelling


def _spellings(words: Words) -> Iterator[Tokens]:
    """All spellings of all read-outs."""
    return (spelling for groups in words for _, spelling in _by_group(groups))
