"""Prompts for colors, animals and numbers, by their English word, for comparison across spokes.

A spoke's ``concepts()`` maps each of its forms (a language, digits, pictures, clips) to a mapping
from English word to prompt. Forms of different spokes with the same words can then be compared; see
`semantic_hub.experiment.across.compare_concepts`.
"""

from collections.abc import Iterable

from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word

KINDS = ("animal", "color")
"""Kinds of the built-in lexicon's concepts that are compared across spokes."""

_NUMBERS = range(21)


def word_concepts(languages: Iterable[str]) -> dict[str, dict[str, Prompt]]:
    """Prompts for colors, animals and the numbers up to twenty in each language.

    Args:
        languages: Language codes; one that the built-in lexicon lacks gets the numbers only.

    Returns:
        Mapping from language to a mapping from English word to prompt.

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
    """Prompts for the numbers up to twenty in digits, by their English word.

    Example:
        >>> digit_concepts()["digits"]["two"].text
        '2'
    """
    return {DIGITS: _numbers(DIGITS)}


def _numbers(notation: str) -> dict[str, Prompt]:
    return {number_word(n, "en"): Prompt(number_word(n, notation)) for n in _NUMBERS}
