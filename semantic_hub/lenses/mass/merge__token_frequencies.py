"""How often each token stands in a language's text, by its word list and a model's tokenizer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from semantic_hub.prompts.words import ANCHOR, Case, continuation, token_ids

CASES: tuple[Case, ...] = (str, str.capitalize, str.upper)
"""A word as it is in the list, capitalised, and in capitals."""

_PACK = 256  # spellings in one text, which is much faster than one text for each
_BATCH = 64  # packs in one call of the tokenizer


def token_frequencies(
    tokenizer: PreTrainedTokenizerBase, words: Mapping[str, float], d_vocab: int
) -> Float[Tensor, " token"]:
    """P(v | words): the share that each token has in a text made of these words.

    With F(w) a word's frequency and S(w) its spellings (see `spellings`),

        P(v) = Σ_w F(w) Σ_{s in S(w)} n(v, s) / Σ_v' (the same),

    where n(v, s) is how often v comes up when s is tokenised behind a line break, as
    `semantic_hub.prompts.words.continuation` does it. So every token of a word gets the word's frequency,
    pieces of words included.

    Args:
        tokenizer: The model's tokenizer.
        words: Words with their frequencies, in any unit.
        d_vocab: Length of the model's vocabulary.

    Returns:
        Shares, float64; they sum to 1 unless the tokenizer has tokens that the model lacks, and
        to 0 where it drops all the words.

    Example:
        >>> shares = token_frequencies(model.tokenizer, {"dog": 3.0, "cat": 1.0}, 4096)
        >>> dog, cat = token_ids(model.tokenizer, " dog"), token_ids(model.tokenizer, " cat")
        >>> bool(shares[dog] > shares[cat]), round(shares.sum().item(), 6)
        (True, 1.0)
    """
    weights = spellings(words)
    texts, amounts = list(weights), np.fromiter(weights.values(), float)
    total = np.zeros(max(d_vocab, len(tokenizer)))
    for start in range(0, len(texts), _PACK * _BATCH):
        rows = slice(start, start + _PACK * _BATCH)
        tokens = _continuations(tokenizer, texts[rows])
        flat = np.fromiter(chain.from_iterable(tokens), np.int64)
        repeated = np.repeat(amounts[rows], [len(ids) for ids in tokens])
        total += np.bincount(flat, repeated, minlength=len(total))
    return torch.from_numpy(total[:d_vocab] / (total.sum() or 1.0))


def spellings(words: Mapping[str, float]) -> Mapping[str, float]:
    """Every form of the words with the frequency of its word, all forms alike.

    A word has six forms: as it is, capitalised and in capitals, each with and without a space
    before it. Forms that are written alike, as all cases are in Chinese, add up, so that a word
    has the same weight whatever its script. Languages that set no spaces have both forms too: a
    tokenizer may put a space of its own at the start of a text.

    Example:
        >>> spellings({"a": 2.0})
        {'a': 2.0, ' a': 2.0, 'A': 4.0, ' A': 4.0}
    """
    weights: dict[str, float] = Counter()  # pyright: ignore[reportAssignmentType]
    for word, frequency in words.items():
        for case in CASES:
            form = case(word)
            weights[form] += frequency
            weights[f" {form}"] += frequency
    return dict(weights)


def _continuations(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Sequence[int]]:
    """`continuation` of every text, many of them in one text, a line for each."""
    anchor = token_ids(tokenizer, ANCHOR)
    size = _PACK if anchor else 1
    packs = [texts[start : start + size] for start in range(0, len(texts), size)]
    joined = _batch_ids(tokenizer, [ANCHOR + ANCHOR.join(pack) for pack in packs])
    return [
        tokens
        for pack, ids in zip(packs, joined, strict=True)
        for tokens in _lines(ids, anchor, len(pack)) or _one_by_one(tokenizer, pack)
    ]


def _lines(ids: list[int], anchor: list[int], number: int) -> list[list[int]] | None:
    """The tokens between line breaks; None where they cannot be told apart for sure.

    A tokenizer may have one token for, say, an apostrophe and a line break, or none for the break.
    """
    if not anchor:
        return [ids]
    if ids[: len(anchor)] != anchor:
        return None
    lines: list[list[int]] = []
    for token in ids[len(anchor) - 1 :]:
        if token == anchor[-1]:
            lines.append([])
        else:
            lines[-1].append(token)
    return lines if len(lines) == number and all(lines) else None


def _one_by_one(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[tuple[int, ...]]:
    return [continuation(tokenizer, text) for text in texts]


def _batch_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)
    return encoded["input_ids"]  # pyright: ignore[reportReturnType]
