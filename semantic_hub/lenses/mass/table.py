"""P(language | token): which language does a token speak for, and which tokens speak for none?"""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from semantic_hub.lenses.mass.merge__token_frequencies import token_frequencies
from semantic_hub.lenses.mass.word_lists import check_languages, word_list

AMBIGUOUS = "ambiguous"
UNLISTED = "unlisted"
SYMBOL = "symbol"
SPECIAL = "special"
REASONS = (AMBIGUOUS, UNLISTED, SYMBOL, SPECIAL)
"""Why a token is in the shared bucket; see `LanguageTable`."""

WORDS, SYMBOLS, SPECIALS = range(3)
"""Kinds of token."""

THRESHOLD = 0.8
"""Least share of the evidence that makes a token a language's: 4 times all others together."""


@dataclass(frozen=True, eq=False)
class LanguageTable:
    """How often each token stands in the text of each language, and what kind of token it is.

    A token belongs to no language, and so to the *shared bucket*, for one of four reasons, the
    first of these that holds:

    - ``special``: BOS, EOS, padding, the unknown token, control tokens;
    - ``symbol``: no letter in it: digits, punctuation, spaces, emoji;
    - ``unlisted``: it comes up in no word of any language's list;
    - ``ambiguous``: no language has the share ``threshold`` of the evidence,
      max_L P(v | L) / Σ_L P(v | L). Cognates, names and short pieces of words that several
      languages use fall under it.

    None of the four asks for the prior: it moves mass between languages, never into the bucket or
    out of it.

    Args:
        languages: Language codes.
        frequency: P(v | L), each language's column summing to 1.
        kind: 0 for tokens with letters or parts of one, 1 for symbols, 2 for special tokens.
    """

    languages: tuple[str, ...]
    frequency: Float[Tensor, "token language"]
    kind: Int[Tensor, " token"]

    def posterior(
        self, prior: Sequence[float], threshold: float = THRESHOLD
    ) -> Float[Tensor, "token bucket"]:
        """P(bucket | v), the buckets being the languages and then `REASONS`.

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
    """The table of a tokenizer, from the languages' word lists; takes seconds for each language.

    Args:
        tokenizer: The model's tokenizer.
        languages: At least two codes of `semantic_hub.lenses.mass.word_lists.known_languages`.
        d_vocab: Length of the model's vocabulary; rows that no token has are ``unlisted``.

    Raises:
        SemanticHubError: An unknown or repeated language, or fewer than two.
    """
    check_languages(languages, "language_table")
    columns = [token_frequencies(tokenizer, word_list(code), d_vocab) for code in languages]
    return LanguageTable(
        tuple(languages), torch.stack(columns, dim=1), token_kinds(tokenizer, d_vocab)
    )


def token_kinds(tokenizer: PreTrainedTokenizerBase, d_vocab: int) -> Int[Tensor, " token"]:
    """The kind of each token: 0 has letters (or parts of a character), 1 has none, 2 is special.

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
    """Letters and marks make words; so may the bytes of a part of a character."""
    return any(character == "\ufffd" or category(character)[0] in "LM" for character in text)


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    added = tokenizer.added_tokens_decoder.items()
    return sorted({*tokenizer.all_special_ids, *(i for i, token in added if token.special)})
