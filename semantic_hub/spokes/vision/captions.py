"""Content words of captions, and captions with one wrong word."""

import re
from collections.abc import Set
from functools import cache

import numpy as np

from semantic_hub.errors import require
from semantic_hub.spokes.lexicon.content_words import content_words
from semantic_hub.spokes.vision.images.picture import COLORS, SHAPES, SIDES

_KINDS = (tuple(COLORS), SHAPES)
_COLOR_OR_SHAPE = re.compile(rf"\b({'|'.join([*COLORS, *SHAPES])})\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_N_COMMON = 200
"""Number of the most frequent English words, which carry no content."""


def changed_caption(caption: str, rng: np.random.Generator) -> str | None:
    """Replace a random color or shape of a caption by one that it does not contain.

    Args:
        caption: The caption.
        rng: Random generator.

    Returns:
        The changed caption; None if it contains no color or shape, or all of them.

    Example:
        >>> changed_caption("left red, right blue.", np.random.default_rng(0))
        'left red, right grey.'
        >>> changed_caption("A bus.", np.random.default_rng(0)) is None
        True
    """
    matches = list(_COLOR_OR_SHAPE.finditer(caption))
    present = {match[0].casefold() for match in matches}
    choices = [(match, others) for match in matches if (others := _others(match[0], present))]
    if not choices:
        return None
    chosen, others = choices[rng.integers(len(choices))]
    return caption[: chosen.start()] + str(rng.choice(others)) + caption[chosen.end() :]


def caption_words(caption: str) -> tuple[str, ...]:
    """Content words of a caption, in lower case and in order of appearance.

    There is no list of nouns for every language, so these are the words that are neither sides nor
    among the most frequent English words.

    Args:
        caption: The caption.

    Example:
        >>> caption_words("A red bus on the street."), caption_words("left red, right blue.")
        (('red', 'bus', 'street'), ('red', 'blue'))
    """
    return content_words(caption, _WORD, _common_words().union(SIDES))


def _others(word: str, present: Set[str]) -> list[str]:
    """Words of the same kind that are not present."""
    return [o for words in _KINDS if word.casefold() in words for o in words if o not in present]


@cache
def _common_words() -> frozenset[str]:
    """Most frequent English words, without colors and shapes."""
    require("wordfreq")
    from wordfreq import top_n_list

    return frozenset(top_n_list("en", _N_COMMON)) - set(COLORS) - set(SHAPES)
