"""Number words in many languages, from num2words and from own rules for Chinese."""

from functools import lru_cache

from semantic_hub.errors import SemanticHubError, require

DIGITS = "digits"
"""Notation that writes numbers in digits; accepted wherever a language code is."""

_HAN = "零一二三四五六七八九"
_HAN_PLACES = ("", "十", "百", "千")


@lru_cache(maxsize=100_000)
def number_word(number: int, language: str) -> str:
    """Word or words for a whole number in a language.

    Args:
        number: 0 or more; for Chinese at most 9,999.
        language: A num2words code (``"en"``, ``"fr_CH"``), ``"zh"``, or ``"digits"``.

    Returns:
        The word or words, in lower case as num2words writes them.

    Raises:
        SemanticHubError: The language is unknown, or the number out of range.

    Example:
        >>> [number_word(42, language) for language in ("en", "es", "zh", "digits")]
        ['forty-two', 'cuarenta y dos', '四十二', '42']
    """
    if number < 0:
        raise SemanticHubError(
            "number_word", got=number, expected="a number of 0 or more", fix="Drop the sign."
        )
    if language == DIGITS:
        return str(number)
    return _han(number) if language.partition("_")[0] == "zh" else _num2words(number, language)


def number_languages() -> list[str]:
    """Sorted language codes that `number_word` knows, without ``"digits"``.

    Example:
        >>> "zh" in number_languages()
        True
    """
    require("num2words")
    from num2words import CONVERTER_CLASSES

    return sorted({*CONVERTER_CLASSES, "zh"})


def _num2words(number: int, language: str) -> str:
    """Number word from num2words."""
    require("num2words")
    from num2words import num2words

    if language not in number_languages():
        raise SemanticHubError(
            "number_word",
            got=f"language {language!r}",
            expected=f"one of {', '.join(number_languages())}, or 'digits'",
            fix="Use a code from that list.",
        )
    return str(num2words(number, lang=language))


def _han(number: int) -> str:
    """Chinese number word."""
    if number > 9_999:
        raise SemanticHubError(
            "number_word", got=number, expected="at most 9,999 in Chinese", fix="Use digits."
        )
    if number == 0:
        return _HAN[0]
    digits = str(number)
    places = reversed(range(len(digits)))
    spoken = "".join(
        _HAN[0] if digit == "0" else _HAN[int(digit)] + _HAN_PLACES[place]
        for digit, place in zip(digits, places, strict=True)
    )
    while _HAN[0] * 2 in spoken:
        spoken = spoken.replace(_HAN[0] * 2, _HAN[0])
    spoken = spoken.rstrip(_HAN[0])
    return spoken.removeprefix("一") if spoken.startswith("一十") else spoken
