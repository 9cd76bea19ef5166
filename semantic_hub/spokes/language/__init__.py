"""Language spoke: the same meaning in two languages.

Similarity pairs parallel sentences, or the same name or number in two languages. The lens scores a
word's translations into the dominant language at the token before the word. Patching moves the word
to be translated into a question about another word in another language; with scorers, texts are
steered towards good sentiment.
Source: Wu et al. 2025, arXiv 2411.04986, section 3 (languages).
"""

from semantic_hub.spokes.language.reading import cloze_readouts, next_word_readouts
from semantic_hub.spokes.language.sentiment import sentiment_steering
from semantic_hub.spokes.language.spoke import (
    CONTINUATIONS,
    LANGUAGES,
    LanguageSpoke,
    WordKind,
    pairs,
    sentences,
    word_pairs,
)
from semantic_hub.spokes.language.translation import patch_pairs

__all__ = [
    "CONTINUATIONS",
    "LANGUAGES",
    "LanguageSpoke",
    "WordKind",
    "cloze_readouts",
    "next_word_readouts",
    "pairs",
    "patch_pairs",
    "sentences",
    "sentiment_steering",
    "word_pairs",
]
