"""The word lists against wordfreq's own look-up of single words."""

import pytest
import wordfreq

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.mass.word_lists import check_languages, known_languages, word_list


def test_there_are_forty_two_languages():
    assert len(known_languages()) == 42
    assert known_languages() == tuple(sorted(known_languages()))


@pytest.mark.parametrize(("language", "word"), [("en", "dog"), ("ru", "собака"), ("el", "και")])
def test_frequencies_are_wordfreqs_own(language, word):
    expected = wordfreq.word_frequency(word, language, wordlist="small")
    assert word_list(language)[word] == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize(("language", "word"), [("zh", "城市"), ("ja", "ありがとう")])
def test_lists_of_unspaced_languages_need_no_segmenter(language, word):
    assert 1e-6 < word_list(language)[word] < 1e-2


def test_lists_come_most_frequent_first_and_sum_to_less_than_one():
    shares = list(word_list("es").values())
    assert shares == sorted(shares, reverse=True) and 0.9 < sum(shares) < 1


def test_an_unknown_language_is_told_all_known_ones():
    with pytest.raises(SemanticHubError, match=r"'xx'; expected one of the 42 .*: ar, bg, .*, zh"):
        check_languages(["en", "xx"], "language_mass")


def test_a_language_that_is_near_a_known_one_is_not_taken_for_it():
    with pytest.raises(SemanticHubError, match="'pt-BR'"):
        word_list("pt-BR")


@pytest.mark.parametrize("languages", [[], ["en"], ["en", "en"]])
def test_languages_must_be_two_or_more_different_ones(languages):
    with pytest.raises(SemanticHubError, match="at least 2 different"):
        check_languages(languages, "language_mass")
