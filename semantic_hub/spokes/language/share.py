"""Score the share of a text that is in a language, by word frequencies.

Each word is looked up in the word lists of the language and of the other languages. A word belongs
to the language if it is `factor` times as frequent there as in any of the others, and to another
language if one of them has it that much more often; other words (shared words, names, numbers,
unknown words) are not counted. In scripts without spaces (Chinese, Japanese) a single character
counts as a word, and its frequency is that of all words that contain it, so that nothing depends on
a segmenter.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.spokes.lexicon.languages import LANGUAGES, is_unspaced

WordFrequencies = Callable[[str], Mapping[str, float]]
"""From a language code to a mapping from case-folded words to their frequencies."""

_UNSPACED = re.compile("[\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""One kana or Chinese character, which counts as a word."""


def wordfreq_frequencies(language: str) -> Mapping[str, float]:
    """Word frequencies from the ``wordfreq`` package: 42 languages, offline.

    Raises:
        SemanticHubError: wordfreq has no such language.

    Source:
        Speer, rspeer/wordfreq v3.0, doi 10.5281/zenodo.7199437.
    """
    require("wordfreq")
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
    """Make a scorer: the share of a continuation's words that belong to a language.

    The share is the language's words / (the language's words + words of other languages).

    Args:
        language: The language that the text should be in.
        others: Languages that it may have switched to; the language itself among them is
            ignored. Words of languages that are not named here may count wrongly.
        frequencies: Where word frequencies come from.
        factor: How many times more frequent a word must be in a language to belong to it.

    Returns:
        A scorer, 0 to 1; NaN for a continuation without a word that belongs to a language.

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
            expected="another language to compare with, and a factor of at least 1",
            fix='Name the languages that the text may switch to, as others=("en",).',
        )
    tables = {code: _unit_frequencies(code, frequencies(code)) for code in (language, *rivals)}

    def belongs(unit: str) -> bool | None:
        here = tables[language].get(unit, 0.0)
        elsewhere = max(tables[code].get(unit, 0.0) for code in rivals)
        if max(here, elsewhere) < factor * min(here, elsewhere) or here == elsewhere:
            return None
        return here > elsewhere

    def score(generations: Sequence[Generation]) -> list[float]:
        return [_share([belongs(unit) for unit in _units(g.text)]) for g in generations]

    return score


def _share(belongs: Sequence[bool | None]) -> float:
    """Share of the units that belong to the language, without those that belong to none."""
    counted = [value for value in belongs if value is not None]
    return sum(counted) / len(counted) if counted else float("nan")


def _unit_frequencies(language: str, frequencies: Mapping[str, float]) -> Mapping[str, float]:
    """Frequencies of words, or of characters if the language is written without spaces."""
    if not is_unspaced(language):
        return frequencies
    characters: Counter[str] = Counter()
    for word, frequency in frequencies.items():
        for character in _UNSPACED.findall(word):
            characters[character] += frequency  # pyright: ignore[reportArgumentType]
    return characters


def _units(text: str) -> Iterator[str]:
    """Case-folded words of a text, and single characters of scripts without spaces."""
    word = ""
    for character in f"{unicodedata.normalize('NFKC', text).casefold()} ":
        alone = _UNSPACED.match(character) is not None
        if not alone and unicodedata.category(character)[0] in "LM":
            word += character
            continue
        yield from filter(None, (word, character if alone else ""))
        word = ""
