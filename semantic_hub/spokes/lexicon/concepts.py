"""Prompts for colors, animals and numbers, by their English word, for comparison across spokes.

A spoke's ``concepts()`` maps each of its forms (a language, digits, pictures, clips) to a mapping
from English word to prompt. Forms of different spokes with the same words can then be compared; see
`semantic_hub.experiment.across.compare_concepts`.
"""

from collections.abc import Iterable, Mapping

from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word

TOPICS = ("animal", "color")
"""Topics of the words that are compared across spokes."""

_NUMBERS = range(21)


def word_concepts(
    languages: Iterable[str], words: Iterable[Mapping[str, str]] | None = None
) -> dict[str, dict[str, Prompt]]:
    """Prompts for colors, animals and the numbers up to twenty in each language.

    Args:
        languages: Language codes; one that no word is given in gets the numbers only.
        words: For each color and animal its words by language, English among them; None for those
            of the built-in lexicon.

    Returns:
        Mapping from language to a mapping from English word to prompt.

    Example:
        >>> words = word_concepts(["en", "es"])
        >>> words["es"]["dog"].text, words["es"]["two"].text
        ('perro', 'dos')
    """
    if words is None:
        words = (concept.words for concept in builtin_concepts() if concept.topic in TOPICS)
    words = list(words)
    return {
        code: {word["en"]: Prompt(word[code]) for word in words if code in word} | _numbers(code)
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
