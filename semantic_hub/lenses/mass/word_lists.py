"""Word lists of 42 languages with the frequency of each word.

The lists are those of the ``wordfreq`` package: 42 languages, offline. Every language has a list
``small``, with all words that make up at least a millionth of its text (some 20,000 to 40,000 of
them); it is used for all languages, so that none has rare words that another lacks.
Words are case-folded there ("straße" is "strasse"), Chinese is written in simplified characters,
and the words of Chinese and Japanese are those that a segmenter found; reading needs no segmenter.

Source: Speer, rspeer/wordfreq v3.0, doi 10.5281/zenodo.7199437.
"""

from collections.abc import Mapping, Sequence

from semantic_hub.errors import SemanticHubError, require

WORD_LIST = "small"
"""Name of the list of wordfreq that is used."""


def known_languages() -> tuple[str, ...]:
    """Codes of the languages with a word list, sorted.

    Example:
        >>> len(known_languages()), "zh" in known_languages()
        (42, True)
    """
    require("wordfreq")
    import wordfreq

    return tuple(sorted(wordfreq.available_languages(WORD_LIST)))


def word_list(language: str) -> Mapping[str, float]:
    """Words of a language with their share of its text, the most frequent first.

    The shares are rounded to a hundredth of a power of ten, and sum to less than 1: rarer words
    are left out.

    Args:
        language: A code, exactly as `known_languages` gives it.

    Raises:
        SemanticHubError: No list for that language.

    Example:
        >>> words = word_list("es")
        >>> list(words)[:3], words["gato"] < words["perro"]
        (['de', 'la', 'que'], True)
    """
    require("wordfreq")
    import wordfreq

    check_languages([language], "word_list", at_least=1)
    path = wordfreq.available_languages(WORD_LIST)[language]
    by_centibel = wordfreq.read_cBpack(path)  # wordfreq's own getters keep every list in memory
    return {
        word: 10 ** (-centibels / 100)
        for centibels, words in enumerate(by_centibel)
        for word in words
    }


def check_languages(languages: Sequence[str], operation: str, *, at_least: int = 2) -> None:
    """Raise if a language has no word list or is repeated, or if there are too few.

    Raises:
        SemanticHubError: In any of these cases.
    """
    known = known_languages()
    if len(set(languages)) < max(at_least, len(languages)):
        raise SemanticHubError(
            operation,
            got=f"languages {languages!r}",
            expected=f"a list of at least {at_least} different language codes",
            fix='Name the languages to tell apart, as ["en", "es"].',
        )
    unknown = [language for language in languages if language not in known]
    if unknown:
        raise SemanticHubError(
            operation,
            got=f"language {unknown[0]!r}",
            expected=f"one of the {len(known)} that there is a word list for: {', '.join(known)}",
            fix="Name one of these.",
        )
