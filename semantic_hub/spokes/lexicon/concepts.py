"""Concepts that several spokes can say: colours, animals and numbers, by their English word.

A spoke's ``concepts()`` gives, for each of its forms (a language, digits, pictures, clips), English
word to prompt. Forms of different spokes that say the same words can then be compared, see
`semantic_hub.experiment.across.across_spokes`.
"""

from collections.abc import Iterable

from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word

KINDS = ("animal", "color")
_NUMBERS = range(21)


def word_concepts(languages: Iterable[str]) -> dict[str, dict[str, Prompt]]:
    """Colours, animals and the numbers up to twenty in languages of the built-in word list.

    Args:
        languages: Their codes; one that the list lacks has numbers alone.

    Example:
        >>> words = word_concepts(["en", "es"])
        >>> words["es"]["dog"].text, words["es"]["two"].text
        ('perro', 'dos')
    """
    concepts = [concept for concept in builtin_concepts() if concept.kind in KINDS]
    return {
        code: {c.words["en"]: Prompt(c.words[code]) for c in concepts if code in c.words}
        | _numbers(code)
        for code in languages
    }


def digit_concepts() -> dict[str, dict[str, Prompt]]:
    """The numbers up to twenty in digits.

    Example:
        >>> digit_concepts()["digits"]["two"].text
        '2'
    """
    return {DIGITS: _numbers(DIGITS)}


def _numbers(notation: str) -> dict[str, Prompt]:
    return {number_word(n, "en"): Prompt(number_word(n, notation)) for n in _NUMBERS}
