"""What a caption says, and captions that are wrong in one word."""

import re
from collections.abc import Set
from functools import cache

import numpy as np

from semantic_hub.errors import require
from semantic_hub.spokes.vision.images.picture import COLORS, SHAPES, SIDES

_KINDS = (tuple(COLORS), SHAPES)
_COLOR_OR_SHAPE = re.compile(rf"\b({'|'.join([*COLORS, *SHAPES])})\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_COMMON = 200


def changed_caption(caption: str, rng: np.random.Generator) -> str | None:
    """The caption with one colour or shape, at random, replaced by one that is not in it.

    Args:
        caption: The caption.
        rng: Where the draw comes from.

    Returns:
        None where it says no colour or shape, or all of them.

    Example:
        >>> changed_caption("left red, right blue.", np.random.default_rng(0))
        'left red, right grey.'
        >>> changed_caption("A bus.", np.random.default_rng(0)) is None
        True
    """
    found = list(_COLOR_OR_SHAPE.finditer(caption))
    there = {match[0].casefold() for match in found}
    choices = [(match, others) for match in found if (others := _others(match[0], there))]
    if not choices:
        return None
    chosen, others = choices[rng.integers(len(choices))]
    return caption[: chosen.start()] + str(rng.choice(others)) + caption[chosen.end() :]


def content_words(caption: str) -> tuple[str, ...]:
    """The words of a caption that name something, each once, in lower case.

    There is no list of nouns in every language at hand: these are the words that are not among
    the most frequent ones of English, nor sides.

    Args:
        caption: The caption.

    Example:
        >>> content_words("A red bus on the street."), content_words("left red, right blue.")
        (('red', 'bus', 'street'), ('red', 'blue'))
    """
    words = (word.casefold() for word in _WORD.findall(caption))
    return tuple(dict.fromkeys(w for w in words if w not in _common() and w not in SIDES))


def _others(word: str, there: Set[str]) -> list[str]:
    """Words of the same kind that are not there."""
    return [o for words in _KINDS if word.casefold() in words for o in words if o not in there]


@cache
def _common() -> frozenset[str]:
    require("wordfreq")
    from wordfreq import top_n_list

    return frozenset(top_n_list("en", _COMMON)) - set(COLORS) - set(SHAPES)
