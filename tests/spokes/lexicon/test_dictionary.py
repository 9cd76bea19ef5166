"""The authored word list, tables of the user's own, and the CC-CEDICT format."""

import math
from collections import Counter
from pathlib import Path

import pytest
from wordfreq import get_frequency_dict

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.lexicon.dictionary import (
    CONTENT_WORDS,
    FUNCTION_WORDS,
    Lexicon,
    builtin_concepts,
)
from semantic_hub.spokes.lexicon.languages import LANGUAGES

RARE = {
    "es": {"erizo", "ciruela", "repollo", "seta"},
    "de": {"Ameise", "Wassermelone", "ausländisch", "neunzig"},
    "zh": {"卷心菜", "叉子", "铲子"},
    "ru": {"ёж", "метла", "занавеска", "духовка", "расчёска", "перчатка", "уродливый", "сердитый"}
    | {"застенчивый", "мочь"},
}
"""Words whose dictionary form is seen less than once in a million words, though it is the usual one."""

PHRASES = {"我的", "你的", "我们的", "没有人", "什么时候", "更多", "更少"}
"""What Chinese says in several words."""

CEDICT = """# CC-CEDICT
狗 狗 [gou3] /dog/CL:隻|只[zhi1],條|条[tiao2]/
圖書館 图书馆 [tu2 shu1 guan3] /library/CL:家[jia1]/
跑 跑 [pao3] /to run/to run away/(of a liquid) to leak/
的 的 [de5] /of/~'s (possessive particle)/
一 一 [yi1] /one/single/a (article)/
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_stands_for_two_concepts(language: str) -> None:
    concepts = builtin_concepts()
    assert len(concepts) >= 600
    forms = Counter(form.casefold() for c in concepts for form in c.forms(language))
    assert [form for form, count in forms.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_single_words_in_dictionary_form(language: str) -> None:
    for concept in builtin_concepts():
        word = concept.words[language]
        capital = word == "I" or (language == "de" and concept.part_of_speech == "noun")
        assert word == (word[0].upper() + word[1:].lower() if capital else word.lower())
        assert all(part.isalpha() for part in word.replace("'", "-").split("-"))
        assert all("一" <= letter <= "鿿" for letter in word) == (language == "zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_frequent(language: str) -> None:
    """At least once in a million words in wordfreq's list, which splits hyphens and merges ß and ё."""
    listed = get_frequency_dict(language)

    def zipf(word: str) -> float:
        spellings = (word.casefold(), word.casefold().replace("ё", "е"))
        return 9 + math.log10(max(listed.get(spelling, 1e-12) for spelling in spellings))

    words = {concept.words[language] for concept in builtin_concepts()} - PHRASES
    rare = {word for word in words if "-" not in word and "'" not in word and zipf(word) < 3}
    assert rare == RARE.get(language, set())


def test_content_and_function_words_are_told_apart() -> None:
    counts = Counter(concept.part_of_speech for concept in builtin_concepts())
    assert set(counts) == {*CONTENT_WORDS, *FUNCTION_WORDS}
    assert set(CONTENT_WORDS).isdisjoint(FUNCTION_WORDS)
    parts = {concept.words["en"]: concept.part_of_speech for concept in builtin_concepts()}
    words = ("dog", "see", "big", "never", "seven", "we", "where", "every", "under", "or", "not")
    assert [parts[word] for word in words] == [
        *("noun", "verb", "adjective", "adverb", "number", "pronoun", "interrogative"),
        *("determiner", "preposition", "conjunction", "particle"),
    ]


def test_builtin_translates_both_ways() -> None:
    assert Lexicon.builtin("es", "en")["perro"] == ("dog",)
    assert Lexicon.builtin("en", "zh")["dog"] == ("狗",)
    assert Lexicon.builtin("es", "en")["no such word"] == ()


def test_builtin_knows_inflected_russian_objects() -> None:
    lexicon = Lexicon.builtin("ru", "en")
    assert lexicon["собака"] == lexicon["собаку"] == ("dog",)


def test_builtin_refuses_other_languages() -> None:
    with pytest.raises(SemanticHubError, match="language 'xx'"):
        Lexicon.builtin("xx", "en")


def test_cedict(tmp_path: Path) -> None:
    path = tmp_path / "cedict.u8"
    path.write_text(CEDICT, encoding="utf-8")
    lexicon = Lexicon.from_cedict(path)
    assert lexicon["狗"] == ("dog",)
    assert lexicon["图书馆"] == ("library",)
    assert lexicon["跑"] == ("run", "leak")
    assert lexicon["一"] == ("one", "single", "a")
    assert Lexicon.from_cedict(path, script="traditional")["圖書館"] == ("library",)


@pytest.mark.parametrize(
    ("content", "told"),
    [("狗 dog\n", "cedict.u8:1"), ("# only a remark\n\n狗 狗 gou3 /dog/\n", "cedict.u8:3")],
)
def test_cedict_bad_line_is_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "cedict.u8"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SemanticHubError, match=told):
        Lexicon.from_cedict(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cedict.u8: No such file"),
        (b"", "cedict.u8: an empty file"),
        (b"# remark\n\xff\n", "cedict.u8:2: byte 0xff"),
        (b"# only a remark\n", "cedict.u8: no entries"),
        ("隻 只 [zhi1] /classifier for birds/\n".encode(), "cedict.u8: no entries"),
    ],
)
def test_cedict_files_without_entries(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "cedict.u8"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SemanticHubError, match=rf"Lexicon\.from_cedict: got .*{told}"):
        Lexicon.from_cedict(path)


def test_tsv_without_entries(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("es\ten\n\n", encoding="utf-8")
    with pytest.raises(SemanticHubError, match=r"Lexicon\.from_tsv: got .*words\.tsv: no entries"):
        Lexicon.from_tsv(path, "es", "en")


def test_cedict_bad_script(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match="script 'cursive'"):
        Lexicon.from_cedict(tmp_path / "cedict.u8", script="cursive")


def test_from_tsv_groups_translations(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("es\ten\nperro\tdog\nperro\thound\n", encoding="utf-8")
    assert Lexicon.from_tsv(path, "es", "en")["perro"] == ("dog", "hound")
    assert Lexicon.from_tsv(path, "es", "en", columns=("en", "es"))["dog"] == ("perro",)


@pytest.mark.parametrize("language", ["de", "fr", "ru", "zh"])
def test_real_word_lists(test_data: Path, language: str) -> None:
    path = test_data / "wendler" / f"{language}.csv"
    lexicon = Lexicon.from_tsv(path, language, "en", ("word_translation", "word_original"))
    assert len(lexicon) > 100
    assert ("cloud",) in lexicon.entries.values()


def test_a_gloss_of_brackets_alone_is_read_in_one_go(tmp_path: Path) -> None:
    """A pattern that looks for the end of each bracket anew takes minutes here."""
    path = tmp_path / "cedict.u8"
    path.write_text(f"狗 狗 [gou3] /{'(' * 200_000}/(a) dog (b)/\n", encoding="utf-8")
    assert Lexicon.from_cedict(path).entries == {"狗": ("dog",)}
