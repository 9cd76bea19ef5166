"""Table of P(language | token): the language of each token, and the tokens without one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from unicodedata import category

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from semantic_hub.lenses.mass.word_lists import check_languages, word_list
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.words import ANCHOR, Case, continuation, token_ids

CASES: tuple[Case, ...] = (str, str.capitalize, str.upper)
"""Forms of a word: as it is in the list, capitalized, and in capitals."""

_PACK = 256  # spellings in one text, which is much faster than one text for each
_BATCH = 64  # packs in one call of the tokenizer


AMBIGUOUS = "ambiguous"
UNLISTED = "unlisted"
SYMBOL = "symbol"
SPECIAL = "special"
REASONS = (AMBIGUOUS, UNLISTED, SYMBOL, SPECIAL)
"""Reasons for which a token is in the shared bucket; see `LanguageTable`."""

WORDS, SYMBOLS, SPECIALS = range(3)
"""Kinds of token."""

THRESHOLD = 0.8
"""Smallest share of the evidence at which a token counts as a language's: 4 times the rest."""


def token_frequencies(
    tokenizer: PreTrainedTokenizerBase, words: Mapping[str, float], d_vocab: int
) -> Float[Tensor, " token"]:
    """Share of each token in a text made of these words, P(v | words).

    With F(w) a word's frequency and S(w) its spellings (see `spellings`),

        P(v) = Σ_w F(w) Σ_{s in S(w)} n(v, s) / Σ_v' (the same),

    where n(v, s) is the number of times that v occurs when s is tokenized after a line break, as by
    `semantic_hub.prompts.words.continuation`. So every token of a word, pieces included, gets the
    frequency of the word.

    Args:
        tokenizer: The model's tokenizer.
        words: Words with their frequencies, in any unit.
        d_vocab: Size of the model's vocabulary.

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
    """Case variants of words, with and without a leading space, each with its word's frequency.

    A word has six forms: as it is, capitalized and in capitals, each with and without a space
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
    """`continuation` of every text, computed for many texts at once as lines of one text."""
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
    """Tokens between line breaks; None where the lines cannot be separated reliably.

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


@dataclass(frozen=True, eq=False)
class LanguageTable:
    """Frequency of each token in the text of each language, and the kind of each token.

    A token belongs to no language, and so to the *shared bucket*, for one of four reasons, the
    first of these that holds:

    - ``special``: BOS, EOS, padding, the unknown token, control tokens;
    - ``symbol``: no letter in it: digits, punctuation, spaces, emoji;
    - ``unlisted``: it occurs in no word of any language's list;
    - ``ambiguous``: no language has the share ``threshold`` of the evidence,
      max_L P(v | L) / Σ_L P(v | L). Cognates, names and short pieces of words that several
      languages use fall under it.

    None of the four depends on the prior, which moves mass between languages, never into the
    bucket or out of it.

    Args:
        languages: Language codes.
        frequency: P(v | L), each language's column summing to 1.
        kind: 0 for tokens with letters or parts of one, 1 for symbols, 2 for special tokens.
    """

    languages: tuple[str, ...]
    frequency: Float[Tensor, "token language"]
    kind: Int[Tensor, " token"]
    __repr__ = short_repr

    def posterior(
        self, prior: Sequence[float], threshold: float = THRESHOLD
    ) -> Float[Tensor, "token bucket"]:
        """P(bucket | token), by Bayes; the buckets are the languages, then the `REASONS`.

        By Bayes, P(L | v) = P(v | L) π(L) / Σ_L' P(v | L') π(L') for a token that is not shared;
        a shared one has 1 at its reason and 0 elsewhere.

        Args:
            prior: π(L) of each language, positive.
            threshold: Least share of the evidence, 0 to 1; 0 leaves no token ambiguous.

        Returns:
            Probabilities, float64; every row sums to 1.

        Example:
            >>> table = LanguageTable(("en", "es"), torch.tensor([[0.9, 0.1], [0.5, 0.5]]).double(),
            ...                       torch.tensor([0, 0]))
            >>> table.posterior([0.5, 0.5])
            tensor([[0.9000, 0.1000, 0.0000, 0.0000, 0.0000, 0.0000],
                    [0.0000, 0.0000, 1.0000, 0.0000, 0.0000, 0.0000]], dtype=torch.float64)
        """
        joint = self.frequency * torch.tensor(prior, dtype=torch.float64)
        buckets = torch.zeros(len(joint), len(self.languages) + len(REASONS), dtype=torch.float64)
        owned = joint / joint.sum(dim=1, keepdim=True)
        reason = self._reason(threshold)
        spoken = reason < 0
        buckets[spoken, : len(self.languages)] = owned[spoken]
        buckets[~spoken, len(self.languages) + reason[~spoken]] = 1.0
        return buckets

    def _reason(self, threshold: float) -> Int[Tensor, " token"]:
        """Index into `REASONS` of each shared token, −1 for the others."""
        evidence = self.frequency.sum(dim=1)
        reason = torch.full(self.kind.shape, -1)
        reason[self.frequency.amax(dim=1) < threshold * evidence] = REASONS.index(AMBIGUOUS)
        reason[evidence == 0] = REASONS.index(UNLISTED)
        reason[self.kind == SYMBOLS] = REASONS.index(SYMBOL)
        reason[self.kind == SPECIALS] = REASONS.index(SPECIAL)
        return reason


def build_language_table(
    tokenizer: PreTrainedTokenizerBase, languages: Sequence[str], d_vocab: int
) -> LanguageTable:
    """Build the table of a tokenizer from the word lists; takes seconds for each language.

    Args:
        tokenizer: The model's tokenizer.
        languages: At least two codes of `semantic_hub.lenses.mass.word_lists.known_languages`.
        d_vocab: Size of the model's vocabulary; rows that no token has are ``unlisted``.

    Raises:
        SemanticHubError: An unknown or repeated language, or fewer than two.
    """
    check_languages(languages, "language_table")
    columns = [token_frequencies(tokenizer, word_list(code), d_vocab) for code in languages]
    return LanguageTable(
        tuple(languages), torch.stack(columns, dim=1), token_kinds(tokenizer, d_vocab)
    )


def token_kinds(tokenizer: PreTrainedTokenizerBase, d_vocab: int) -> Int[Tensor, " token"]:
    """Kind of each token: 0 has letters (or parts of a character), 1 has none, 2 is special.

    Example:
        >>> from semantic_hub.prompts.words import token_ids
        >>> token_kinds(model.tokenizer, 4096)[token_ids(model.tokenizer, "dog.")].tolist()
        [0, 1]
    """
    known = min(d_vocab, len(tokenizer))
    texts = tokenizer.batch_decode(
        [[token] for token in range(known)], clean_up_tokenization_spaces=False
    )
    kinds = torch.full((d_vocab,), WORDS)
    kinds[:known] = torch.tensor([WORDS if _may_be_word(text) else SYMBOLS for text in texts])
    kinds[[token for token in _special_ids(tokenizer) if token < d_vocab]] = SPECIALS
    return kinds


def _may_be_word(text: str) -> bool:
    """Whether a token has letters or marks, or is part of a character."""
    return any(character == "\ufffd" or category(character)[0] in "LM" for character in text)


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    added = tokenizer.added_tokens_decoder.items()
    return sorted({*tokenizer.all_special_ids, *(i for i, token in added if token.special)})
