"""Number words: num2words, and the Chinese rules against an independent reading of them."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.lexicon.numbers import number_languages, number_word

UNITS = dict(zip("一二三四五六七八九", range(1, 10), strict=True))
PLACES = {"十": 10, "百": 100, "千": 1000}


def read_chinese(word: str) -> int:
    """The value of a Chinese number word, read from left to right."""
    total, unit = 0, 0
    for character in word:
        if character in UNITS:
            unit = UNITS[character]
        elif character in PLACES:
            total, unit = total + (unit or 1) * PLACES[character], 0
    return total + unit


def test_chinese_words_read_back() -> None:
    numbers = [*range(1, 1200), *range(1200, 10_000, 37), 9_999]
    assert [read_chinese(number_word(number, "zh")) for number in numbers] == numbers


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "零"), (10, "十"), (15, "十五"), (20, "二十"), (105, "一百零五"), (110, "一百一十"),
     (1001, "一千零一"), (1010, "一千零一十")],
)  # fmt: skip
def test_chinese_words_as_written(number: int, word: str) -> None:
    assert number_word(number, "zh") == word


def test_other_languages_come_from_num2words() -> None:
    words = [number_word(21, code) for code in ("en", "es", "fr", "de", "ru", "digits")]
    assert words == [
        "twenty-one",
        "veintiuno",
        "vingt et un",
        "einundzwanzig",
        "двадцать один",
        "21",
    ]


def test_every_listed_language_says_every_number_differently() -> None:
    for code in ("en", "es", "fr", "de", "ru", "zh", "ko", "ar"):
        assert code in number_languages()
        assert len({number_word(number, code) for number in range(100)}) == 100


@pytest.mark.parametrize(
    ("number", "language", "told"),
    [(5, "xx", "language 'xx'"), (-1, "en", "got -1"), (10_000, "zh", "at most 9,999")],
)
def test_bad_numbers(number: int, language: str, told: str) -> None:
    with pytest.raises(SemanticHubError, match=told):
        number_word(number, language)
