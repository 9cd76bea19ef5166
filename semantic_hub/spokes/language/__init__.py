"""The language spoke: the same meaning in two languages.

Similarity pairs parallel sentences, or the same name or number in two languages. The lens reads
before a word of a text in language X, and asks for its translations in the dominant language. The
interventions move what is to be translated from one question into another, in another language.
Source: Wu et al. 2025, arXiv 2411.04986, section 3 (languages).
"""

from semantic_hub.spokes.language.spoke import (
    CONTINUATIONS,
    LANGUAGES,
    LanguageSpoke,
    WordKind,
    cloze_readouts,
    next_word_readouts,
    pairs,
    patch_pairs,
    sentences,
    sentiment_steering,
    word_pairs,
)

__all__ = [
    "CONTINUATIONS",
    "LANGUAGES",
    "LanguageSpoke",
    "WordKind",
    "cloze_readouts",
    "patch_pairs",
    "next_word_readouts",
    "pairs",
    "sentences",
    "sentiment_steering",
    "word_pairs",
]
