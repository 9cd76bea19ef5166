"""Which share of a text is in a language, by word frequencies.

Each word is looked up in frequency lists of the language and of those that it is told from. A word
is the language's own where it is `factor` times as frequent there as in any other of them, and
another's where one of them has it that much more often; the rest (words that both have, names,
numbers, words in no list) say nothing either way, and are left out. In scripts without spaces
(Chinese, Japanese) a single character takes the place of a word, and its frequency is that of all
words that contain it: so nothing depends on how such a text is cut into words.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.spokes.lexicon.languages import is_unspaced

WordFrequencies = Callable[[str], Mapping[str, float]]
"""From a language's code to its words, case-folded, with their frequencies."""

LANGUAGES = ("en", "es", "fr", "de", "zh", "ru")


def wordfreq_frequencies(language: str) -> Mapping[str, float]:
    """The word list of the ``wordfreq`` package, which holds 42 languages and needs no network.

    Raises:
        SemanticHubError: wordfreq has no such language.

    Source:
        Speer, rspeer/wordfreq v3.0, doi 10.5281/zenodo.7199437.
    """
    import wordfreq

    known = wordfreq.available_languages()
    if language not in known:  # wordfreq would take a language that is near it
        raise SemanticHubError(
            "language_share",
            got=f"language {language!r}",
            expected=f"one of {', '.join(sorted(known))}",
            fix="Name one of these, or pass frequencies=.",
        )
    return wordfreq.get_frequency_dict(language)


def language_share(
    language: str,
    others: Sequence[str] = LANGUAGES,
    *,
    frequencies: WordFrequencies = wordfreq_frequencies,
    factor: float = 10.0,
) -> Scorer:
    """Share of each continuation that is in a language: own words / (own words + others' words).

    Args:
        language: The language that the text should be in.
        others: Those that it may have slipped into; the language itself among them does not
            count. Text in a language that is not named is told less well.
        frequencies: Where word frequencies come from.
        factor: How many times more frequent a word must be to be one language's own.

    Returns:
        A scorer, 0 to 1; NaN for a continuation without a word that can be told.

    Raises:
        SemanticHubError: No other language, a factor below 1, no wordfreq, or no list for one of
            the languages.

    Example:
        >>> lists = {"en": {"the": 0.05, "dog": 1e-4}, "es": {"el": 0.03, "perro": 1e-4}}
        >>> score = language_share("es", ["en"], frequencies=lists.__getitem__)
        >>> score([Generation(0, 0, (1,), (2,), "", "el perro, the perro")])
        [0.75]
    """
    rivals = tuple(other for other in others if other != language)
    if not rivals or factor < 1:
        raise SemanticHubError(
            "language_share",
            got=f"others {', '.join(rivals) or 'none'} and factor={factor}",
            expected="another language to tell it from, and a factor of at least 1",
            fix='Name the languages that the text may slip into, as others=("en",).',
        )
    tables = {code: _units_of(code, frequencies(code)) for code in (language, *rivals)}

    def belongs(unit: str) -> bool | None:
        own = tables[language].get(unit, 0.0)
        other = max(tables[code].get(unit, 0.0) for code in rivals)
        if max(own, other) < factor * min(own, other) or own == other:
            return None
        return own > other

    def score(generations: Sequence[Generation]) -> list[float]:
        return [_share([belongs(unit) for unit in _units(g.text)]) for g in generations]

    return score


def _share(verdicts: Sequence[bool | None]) -> float:
    told = [verdict for verdict in verdicts if verdict is not None]
    return sum(told) / len(told) if told else float("nan")


def _units_of(language: str, frequencies: Mapping[str, float]) -> Mapping[str, float]:
    """The list itself, or, for a script without spaces, that of its characters."""
    if not is_unspaced(language):
        return frequencies
    characters: Counter[str] = Counter()
    for word, frequency in frequencies.items():
        for character in filter(_stands_alone, word):
            characters[character] += frequency  # pyright: ignore[reportArgumentType]
    return characters


def _units(text: str) -> Iterator[str]:
    """The words of a text, case-folded; single characters where a script sets no spaces."""
    word = ""
    for character in f"{unicodedata.normalize('NFKC', text).casefold()} ":
        alone = _stands_alone(character)
        if not alone and unicodedata.category(character)[0] in "LM":
            word += character
            continue
        yield from filter(None, (word, character if alone else ""))
        word = ""


def _stands_alone(character: str) -> bool:
    """Whether it is a Chinese character or a Japanese kana."""
    return any(first <= character <= last for first, last in _UNSPACED)


_UNSPACED = (("\u3041", "\u30ff"), ("\u3400", "\u9fff"), ("\uf900", "\ufaff"))
