"""The authored word list, tables of the user's own, and the CC-CEDICT format."""

from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.lexicon.dictionary import Lexicon, builtin_concepts

CEDICT = """# CC-CEDICT
狗 狗 [gou3] /dog/CL:隻|只[zhi1],條|条[tiao2]/
圖書館 图书馆 [tu2 shu1 guan3] /library/CL:家[jia1]/
跑 跑 [pao3] /to run/to run away/(of a liquid) to leak/
的 的 [de5] /of/~'s (possessive particle)/
一 一 [yi1] /one/single/a (article)/
"""


def test_builtin_concepts_have_every_word_once() -> None:
    concepts = builtin_concepts()
    for language in ("en", "es", "fr", "de", "ru", "zh"):
        words = [concept.words[language] for concept in concepts]
        assert all(words)
        assert len(set(words)) == len(words) == 293
    assert {concept.polarity for concept in concepts} == {-1, 0, 1}


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
