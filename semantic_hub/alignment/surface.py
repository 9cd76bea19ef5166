"""Surface overlap of two texts: shared words, cognates, script."""

import re
import unicodedata
from itertools import product

COGNATE = 0.5
"""Words more alike than this (`likeness`) are cognates: the bound of Schepens et al. 2012."""

COGNATE_LETTERS = 5
"""Shorter words are alike by chance too often, and are no cognates."""

_WORDS = re.compile(r"\d+|[^\W\d_]+")


def shares_surface(x: str, y: str) -> bool:
    """Whether two texts have a word, a name or a string of digits in common.

    Letter case and accents do not count. Text that is written without spaces is one word up to the
    next mark or digit. Cognates that are spelt differently share nothing here; see `has_cognates`.

    Args:
        x: A text.
        y: Another text.

    Example:
        >>> shares_surface("Ana visits México", "mexico, en mayo"), shares_surface("12", "1 2")
        (True, False)
    """
    return bool(_words(x) & _words(y))


def has_cognates(x: str, y: str) -> bool:
    """Whether a word of one text is spelled much like one of the other, in any script.

    Both texts are romanized, and letter case and accents do not count. Two words of at least
    `COGNATE_LETTERS` letters are cognates where their `likeness` is above `COGNATE`.

    Args:
        x: A text.
        y: Another text.

    Example:
        >>> has_cognates("good music", "buena música"), has_cognates("an animal", "животное")
        (True, False)
        >>> has_cognates("a telephone", "телефон")
        True

    Source:
        Schepens, Dijkstra and Grootjen 2012, Distributions of cognates in Europe as based on
        Levenshtein distance, doi 10.1017/S1366728910000623.
    """
    sides = [[word for word in _words(romanized(text)) if _is_long(word)] for text in (x, y)]
    return any(likeness(one, other) > COGNATE for one, other in product(*sides))


def likeness(x: str, y: str) -> float:
    """Similarity of the spelling of two words: 1 less edit distance over the longer length.

    The edit distance is the least number of letters to insert, delete or replace that makes one
    word of the other.

    Args:
        x: A word.
        y: Another word.

    Example:
        >>> likeness("nation", "nacion"), likeness("dog", "dog"), likeness("one", "")
        (0.8333333333333334, 1.0, 0.0)

    Source:
        Levenshtein 1966, Binary codes capable of correcting deletions, insertions, and reversals;
        Wagner and Fischer 1974, doi 10.1145/321796.321811 (the algorithm); divided by the longer
        length as Serva and Petroni 2008, arXiv 0708.2971, do for cognates.
    """
    row = list(range(len(y) + 1))
    for i, a in enumerate(x, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(y, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
            diagonal, row[j] = row[j], best
    return 1 - row[-1] / max(len(x), len(y), 1)


def is_latin(text: str) -> bool:
    """Whether all letters of a text are Latin; true for a text without letters.

    Example:
        >>> is_latin("¿Qué? 12"), is_latin("Привет")
        (True, False)
    """
    letters = filter(str.isalpha, unicodedata.normalize("NFKD", text))
    return all("LATIN" in unicodedata.name(letter, "") for letter in letters)


def romanized(text: str) -> str:
    """Transliterate a text to ASCII letter by letter with `anyascii`.

    Example:
        >>> romanized("Привет"), romanized("北京")
        ('Privet', 'BeiJing')

    Source:
        https://github.com/anyascii/anyascii
    """
    from anyascii import anyascii

    return anyascii(text)


def _is_long(word: str) -> bool:
    return len(word) >= COGNATE_LETTERS and not word.isdigit()


def _words(text: str) -> set[str]:
    plain = "".join(
        mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark)
    )
    return set(_WORDS.findall(plain.casefold()))
