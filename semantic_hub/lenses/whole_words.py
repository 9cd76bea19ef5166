"""Scores of words of several tokens, in full, by teacher forcing through the rest of the word.

Cut a decoder after block l and read its stream through a lens, and it is a language model:
p_l(v | text) = softmax U N(h_l), with h_l at the last token of the text. A word w of the tokens
t_1 … t_m has the probability

    log p_l(w | text) = Σ_k log p_l(t_k | text t_1 … t_{k−1})

A word has the sum over its spellings that can stand after the text. At the last layer this is
exactly the model's own log-probability of the word. Below it, the first term is what layer l
predicts at the read-out; the others are what layer l predicts *given* the beginning of the word,
which low layers often know from the spelling alone. So it is a probability at every layer,
comparable between words of any length, but only its first term is evidence about the state at the
read-out. It is the probability that the text continues with these tokens, whatever follows: longer
words that begin with them are included.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.lenses.lens import LOGIT, LensLike, resolve_lens
from semantic_hub.lenses.projection import Words, likeliest_words, numbered, padded, score
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Prompt, Readout, encode
from semantic_hub.prompts.words import (
    CandidateTokens,
    Case,
    Tokens,
    candidate_tokens,
)

_READOUTS = 256
"""Number of read-outs whose states are held in memory at a time."""


def score_in_full(
    model: HookedModel,
    readouts: Sequence[Readout],
    layers: Sequence[int],
    *,
    lens: LensLike = LOGIT,
    cases: Sequence[Case] = (),
    batch_size: int | Literal["auto"] = "auto",
) -> tuple[
    CandidateTokens, Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]
]:
    """Log-probability and rank of each group's likeliest whole word, read at every layer.

    A word too long for the rest of the model's context after the read-out is scored by its first
    token. Every text after which a token is scored is run once, in batches of similar length.

    Args:
        model: A decoder with a tokenizer.
        readouts: Read-outs that name the same groups of candidates.
        layers: The layers to read.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        cases: Case variants of the candidates to add.
        batch_size: Texts per forward pass.

    Returns:
        The candidates' tokens, log-probabilities (natural log), and the rank in the vocabulary of
        that word's least expected token: 1 if greedy decoding writes the word.

    Raises:
        SemanticHubError: As `semantic_hub.prompts.words.candidate_tokens` and
            `semantic_hub.activations.residuals.residual_stream`.

    Example:
        >>> readout = Readout(Prompt("the dog is"), {"en": ("black",), "es": ("negro",)})
        >>> candidates, log_prob, rank = score_in_full(model, [readout], [8])
        >>> tuple(log_prob.shape)
        (1, 1, 2)
    """
    lens = resolve_lens(model, lens, "score_in_full")
    lengths, texts = _texts(model, readouts)
    room = [model.cfg.n_ctx - length + 1 for length in lengths]
    candidates = candidate_tokens(model, readouts, cases=cases, longest=room)
    kept = [texts[index] for index in candidates.kept]
    parts = []
    for start in range(0, len(kept), _READOUTS):
        block = slice(start, start + _READOUTS)
        words = _Steps(kept[block], candidates.words[block])
        states = residual_stream(model, list(words.targets), layers=layers, batch_size=batch_size)
        each, ranks = score(model, states, layers, words.single_tokens(), lens)
        parts.append(words.likeliest(each[..., 0], ranks))
    log_prob, rank = (torch.cat(blocks) for blocks in zip(*parts, strict=True))
    return candidates, log_prob, rank


class _Steps:
    """Spellings of all read-outs, and the texts after which their tokens are scored.

    ``targets`` holds, for each distinct text, the tokens that are scored after it; a spelling of m
    tokens is read after m texts, the first of which all spellings of a read-out share.
    """

    def __init__(self, texts: Sequence[Prompt], words: Words) -> None:
        self.words = words
        self.targets: dict[Prompt, dict[int, None]] = {}
        self.steps = [
            list(_steps(text, spelling))
            for text, groups in zip(texts, words, strict=True)
            for spelling in chain.from_iterable(chain.from_iterable(groups))
        ]
        for before, token in chain.from_iterable(self.steps):
            self.targets.setdefault(before, {})[token] = None

    def single_tokens(self) -> list[list[list[int]]]:
        """Targets of every text as groups of one token, equally many, as `score` takes them."""
        most = max(map(len, self.targets.values()))
        rows = [[[token] for token in tokens] for tokens in self.targets.values()]
        return [row + row[:1] * (most - len(row)) for row in rows]

    def likeliest(
        self, log_prob: Float[Tensor, "text layer target"], rank: Int[Tensor, "text layer target"]
    ) -> tuple[Float[Tensor, "readout layer group"], Int[Tensor, "readout layer group"]]:
        """Each group's likeliest word, and the rank of its likeliest spelling, from the tokens."""
        spelling, text, target = torch.tensor(list(self._indices())).T
        shape = (len(self.steps), log_prob.shape[1])
        total = log_prob.new_zeros(shape).index_add(0, spelling, log_prob[text, :, target])
        ranks = rank[text, :, target]
        rows = spelling[:, None].expand_as(ranks)
        worst = rank.new_zeros(shape).scatter_reduce(0, rows, ranks, "amax")
        members = padded(
            numbered([[sum(map(len, group)) for group in groups] for groups in self.words])
        )
        winner = total[members].argmax(dim=2, keepdim=True)
        rank = worst[members].take_along_dim(winner, dim=2)[:, :, 0]
        return likeliest_words(total, self.words), rank.mT

    def _indices(self) -> Iterator[tuple[int, int, int]]:
        """Numbers of the spelling, the text and the target of each token of each spelling."""
        texts = {text: index for index, text in enumerate(self.targets)}
        columns = {
            text: {token: column for column, token in enumerate(tokens)}
            for text, tokens in self.targets.items()
        }
        for number, steps in enumerate(self.steps):
            for before, token in steps:
                yield number, texts[before], columns[before][token]


def _texts(model: HookedModel, readouts: Sequence[Readout]) -> tuple[list[int], list[Prompt]]:
    """Number of tokens up to and including the one that is read, and the prompt of these."""
    prompts = [readout.prompt for readout in readouts]
    encodings = encode(model, prompts)
    read = read_positions(prompts, encodings)
    lengths = [position + 1 for (position,) in read]
    texts = [e.first(length) for e, length in zip(encodings, lengths, strict=True)]
    return lengths, texts


def _steps(text: Prompt, spelling: Tokens) -> Iterator[tuple[Prompt, int]]:
    """Each token of a spelling, with the text after which it is scored."""
    for index, token in enumerate(spelling):
        yield replace(text, tokens=(text.tokens or ()) + spelling[:index]), token
