"""The language spoke: parallel data, next-word read-outs, and real cloze tables."""

import csv
from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.spokes.language.reading import cloze_readouts, next_word_readouts
from semantic_hub.spokes.language.spoke import (
    CONTINUATIONS,
    LanguageSpoke,
    pairs,
    sentences,
    word_pairs,
)
from semantic_hub.spokes.lexicon.dictionary import CONTENT_WORDS, FUNCTION_WORDS, Lexicon
from semantic_hub.spokes.lexicon.languages import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_whole_and_distinct(language: str) -> None:
    texts = sentences(language)
    assert len(set(texts)) == len(texts) == 120
    assert all(text == text.strip() and text[-1] in ".?!。？！" for text in texts)
    assert not any(character.isdigit() for text in texts for character in text)


def test_scripts_differ() -> None:
    def share(language: str, low: str, high: str) -> float:
        letters = [c for text in sentences(language) for c in text if c.isalpha()]
        return sum(low <= c <= high for c in letters) / len(letters)

    assert share("zh", "一", "鿿") > 0.99
    assert share("ru", "Ѐ", "ӿ") > 0.99
    assert share("de", "A", "ž") > 0.99


def test_pairs_are_continued_in_their_own_language() -> None:
    both = pairs("en", "zh")
    assert all((p.text or "").endswith(CONTINUATIONS["en"]) for p in both.x)
    assert all((p.text or "").endswith(CONTINUATIONS["zh"]) for p in both.y)
    assert pairs("en", "zh", continued=False).y[0].text == sentences("zh")[0]


@pytest.mark.parametrize("kind", ["number", "day", "month", "territory", "language", "lexicon"])
def test_word_pairs_leave_out_equal_spellings(kind) -> None:
    both = word_pairs("fr", "es", kind)
    assert len(both) >= 7
    assert all((x.text or "").lower() != (y.text or "").lower() for x, y in both)


@pytest.mark.parametrize("other", ["es", "fr", "de", "ru", "zh", "ar", "ko"])
def test_number_words_in_many_scripts(other: str) -> None:
    assert len(word_pairs("en", other, "number")) >= 95
    assert len(word_pairs("en", other, "day")) == 7


def test_next_word_readouts_by_hand() -> None:
    found = next_word_readouts(
        ["El perro ve la casa.", "Un gato: ¡perro!"],
        "es",
        Lexicon("es", "en", {"perro": ("dog",), "gato": ("cat", "tomcat"), "el": ("the",)}),
        Lexicon("es", "fr", {"perro": ("chien",), "gato": ("chat",)}),
    )
    assert [(r.prompt.text, r.candidates["surface"]) for r in found] == [
        ("El", ("perro",)),
        ("Un", ("gato",)),
        ("Un gato: ¡", ("perro",)),
    ]
    assert found[1].candidates == {
        "surface": ("gato",),
        "hub": ("cat", "tomcat"),
        "control": ("chat",),
        "unrelated": ("dog",),
    }


def test_next_word_readouts_take_the_longest_chinese_word() -> None:
    hub = Lexicon("zh", "en", {"图书": ("books",), "图书馆": ("library",), "狗": ("dog",)})
    control = Lexicon("zh", "es", {"图书馆": ("biblioteca",), "狗": ("perro",)})
    found = next_word_readouts(["他在图书馆看狗"], "zh", hub, control)
    assert [(r.prompt.text, *r.candidates["surface"]) for r in found] == [
        ("他在", "图书馆"),
        ("他在图书馆看", "狗"),
    ]


def test_german_nouns_keep_their_capital() -> None:
    hub, control = Lexicon.builtin("de", "en"), Lexicon.builtin("de", "es")
    found = next_word_readouts(["Der Hund, die Katze. Heute so arm: Das Arm."], "de", hub, control)
    words = [r.candidates["surface"] for r in found]
    assert words == [("Hund",), ("Katze",), ("Heute",), ("arm",)]


def test_chinese_words_are_not_found_inside_others() -> None:
    hub, control = Lexicon.builtin("zh", "en"), Lexicon.builtin("zh", "es")
    found = next_word_readouts(["他大概在说大象的快乐，不同的火车"], "zh", hub, control)
    words = [r.candidates["surface"][0] for r in found]
    assert words == ["大概", "在", "说", "大象", "快乐", "不同", "火车"]


def test_spoke_has_readouts_in_every_language() -> None:
    spoke = LanguageSpoke()
    assert isinstance(spoke, Spoke)
    counts = {name: len(found) for name, found in spoke.readouts().items()}
    assert set(counts) == {f"next word, {code}" for code in ("es", "fr", "de", "zh", "ru")}
    assert min(counts.values()) >= 20
    for found in spoke.readouts().values():
        assert all(not set(r.candidates["hub"]) & set(r.candidates["unrelated"]) for r in found)


def test_content_and_function_words_are_read_apart() -> None:
    def places(*parts: str) -> dict[str, set[tuple[str, str]]]:
        sets = LanguageSpoke(parts_of_speech=parts).readouts()
        return {
            name: {(r.prompt.text or "", *r.candidates["surface"]) for r in found}
            for name, found in sets.items()
        }

    content, function = places(*CONTENT_WORDS), places(*FUNCTION_WORDS)
    assert places(*CONTENT_WORDS, *FUNCTION_WORDS)["next word, es"] == (
        content["next word, es"] | function["next word, es"]
    )
    for name in content:
        assert not content[name] & function[name]
        assert len(content[name]) >= 70 and len(function[name]) >= 50


@pytest.mark.parametrize("language", ["de", "fr", "ru", "zh"])
def test_cloze_tables(test_data: Path, language: str) -> None:
    path = test_data / "wendler" / f"{language}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    masked = [(r["blank_prompt_translation_masked"], r["word_translation"]) for r in rows]
    asked = [
        text[: text.rindex(word)] for text, word in masked if text.rstrip('。."').endswith(word)
    ]
    found = cloze_readouts(path, language)
    quoted = [text for text in asked if text.rstrip("l'’").endswith('"')]
    assert [r.prompt.text for r in found] == quoted
    assert len(found) > 100
    with_control = cloze_readouts(path, language, control=test_data / "wendler" / "en.csv")
    assert all(r.candidates["control"] == r.candidates["hub"] for r in with_control)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: sentences("xx"), "language 'xx'"),
        (lambda: word_pairs("en", "es", "planet"), "'planet'"),
        (lambda: word_pairs("en", "ar", "lexicon"), "language 'ar'"),
        (lambda: LanguageSpoke(parts_of_speech=("suffix",)).readouts(), "part of speech 'suffix'"),
        (
            lambda: next_word_readouts(
                ["nada"], "es", Lexicon("es", "en", {}), Lexicon("es", "fr", {})
            ),
            "got 0 words",
        ),
    ],
)
def test_bad_input(without_shape_checks, call, told: str) -> None:
    with pytest.raises(SemanticHubError, match=told):
        call()


def test_cloze_without_answers(tmp_path: Path) -> None:
    path = tmp_path / "cloze.csv"
    path.write_text(
        "word_original,word_translation,blank_prompt_translation_masked\ndog,perro,no answer\n"
    )
    with pytest.raises(SemanticHubError, match=r"cloze\.csv: no prompt"):
        cloze_readouts(path, "es")


def test_cloze_needs_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "cloze.csv"
    path.write_text("word_original,blank_prompt_translation_masked\ndog,no answer\n")
    told = r"cloze_readouts: got .*cloze\.csv:1: .*; expected a column 'word_translation'"
    with pytest.raises(SemanticHubError, match=told):
        cloze_readouts(path, "es")
