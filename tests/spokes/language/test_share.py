"""Share of a text in a language: exact on small lists, and true of real sentences."""

import math

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.language.spoke import sentences
from semantic_hub.spokes.lexicon.languages import LANGUAGES

LISTS = {
    "en": {"the": 0.05, "dog": 1e-4, "no": 1e-3, "animal": 2e-5, "an": 3e-3},
    "es": {"el": 0.03, "perro": 1e-4, "no": 2e-3, "animal": 1e-5, "ñu": 1e-6},
    "zh": {"中国": 1e-3, "国": 1e-4, "人": 1e-3},
    "ja": {"日本": 1e-3, "人": 5e-4, "です": 1e-2},
}


def share(text, language, others, **options):
    score = language_share(language, others, frequencies=LISTS.__getitem__, **options)
    return score([Generation(0, 0, (1,), (2,), "", text)])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("el perro", 1.0),
        ("The dog", 0.0),
        ("El perro, the dog!", 0.5),
        ("el perro el dog", 0.75),
        ("¡Ñu!", 1.0),
        ("n\u0303u", 1.0),  # a letter and its mark, as two characters
    ],
)
def test_share_of_the_words_that_can_be_told(text, expected):
    assert share(text, "es", ["en"]) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "no animal", "12 345 ...", "xyzzy"])
def test_words_that_both_have_or_no_list_has_say_nothing(text):
    assert math.isnan(share(text, "es", ["en"]))
    assert share(f"{text} el", "es", ["en"]) == 1.0


def test_the_factor_says_how_much_more_frequent():
    assert share("no", "es", ["en"], factor=2.0) == 1.0
    assert math.isnan(share("no", "es", ["en"], factor=2.1))


def test_a_script_without_spaces_is_counted_by_characters():
    assert share("中国人 dog", "zh", ["en"]) == 0.75
    assert share("中国人 dog", "en", ["zh"]) == 0.25


def test_a_character_is_as_frequent_as_the_words_with_it():
    """国 alone is rare (1e-4); with 中国 it is ten times as frequent as the rival's."""
    lists = {"zh": {"中国": 9e-4, "国": 1e-4}, "ja": {"国": 1e-4}}
    score = language_share("zh", ["ja"], frequencies=lists.__getitem__)
    assert score([Generation(0, 0, (1,), (2,), "", "国")]) == [1.0]


def test_scripts_are_told_from_each_other():
    assert share("人", "zh", ["ja"], factor=2.0) == 1.0
    assert math.isnan(share("人", "zh", ["ja"], factor=3.0))
    assert share("中です", "zh", ["ja"]) == pytest.approx(1 / 3)


def test_the_language_is_not_its_own_rival():
    assert share("el perro dog", "es", ["es", "en"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("others", "factor"), [([], 10.0), (["es"], 10.0), (["en"], 0.5)])
def test_bad_input(others, factor):
    with pytest.raises(SemanticHubError, match="another language to compare with"):
        language_share("es", others, frequencies=LISTS.__getitem__, factor=factor)


def test_a_language_that_wordfreq_lacks():
    with pytest.raises(SemanticHubError, match="language 'tlh'"):
        language_share("tlh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_in_their_own_language_alone(language):
    """On the authored sentences at most one word in a hundred is told wrong."""
    score = language_share(language)
    for code in LANGUAGES:
        text = " ".join(sentences(code))
        found = score([Generation(0, 0, (1,), (2,), "", text)])[0]
        assert abs(found - (code == language)) < 0.01, code
