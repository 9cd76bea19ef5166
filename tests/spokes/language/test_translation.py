"""Words to translate: what is asked, and what is exchanged."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Patching
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.language.translation import nouns, patch_pairs, question
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts
from semantic_hub.spokes.routes import ANSWERS

CONCEPTS = {concept.name: concept for concept in builtin_concepts()}


@pytest.mark.parametrize(
    ("source", "target", "text"),
    [
        ("en", "es", 'English: "dog" - Español: "'),
        ("es", "fr", 'Español: "perro" - Français: "'),
        ("fr", "de", 'Français: "chien" - Deutsch: "'),
        ("de", "ru", 'Deutsch: "Hund" - Русский: "'),
        ("ru", "zh", 'Русский: "собака" - 中文: "'),
        ("zh", "en", '中文: "狗" - English: "'),
    ],
)
def test_a_question_in_every_language(source: str, target: str, text: str) -> None:
    assert question(CONCEPTS["dog"], source, target) == text


def test_examples_come_first() -> None:
    text = question(CONCEPTS["dog"], "en", "de", [CONCEPTS["cat"], CONCEPTS["horse"]])
    assert text == (
        'English: "cat" - Deutsch: "Katze"\nEnglish: "horse" - Deutsch: "Pferd"\nEnglish: "dog" - Deutsch: "'
    )


def test_nouns_are_single_words_of_their_own() -> None:
    for language in nouns()[0].words:
        words = [concept.words[language] for concept in nouns()]
        assert len(set(words)) == len(words) >= 390
        assert not any(character.isspace() for word in words for character in word)


@pytest.mark.parametrize(("source", "base"), [("es", "fr"), ("zh", "ru"), ("de", "es")])
def test_patch_pairs_are_what_they_claim(source: str, base: str) -> None:
    asked_in = {
        language: {question(c, "en", language): c for c in nouns()} for language in (source, base)
    }
    found = patch_pairs(source, base, examples=0, at_most=1000)
    assert len(found) > 350
    for e in found:
        given = asked_in[source][e.sources[0].text or ""]
        other = asked_in[base][e.base.text or ""]
        assert e.reference is not None and asked_in[base][e.reference.text or ""] is given
        assert other is not given
        assert e.answers == {
            "source": (given.words[base],),
            "base": (other.words[base],),
            "source's notation": (given.words[source],),
        }
        assert len({word.casefold() for group in e.answers.values() for word in group}) == 3


def test_examples_are_never_asked_for() -> None:
    found = patch_pairs("es", "fr", at_most=1000)
    lines = [(e.sources[0].text or "").splitlines() for e in found]
    assert {len(line) for line in lines} == {6}
    shown, last = {tuple(line[:-1]) for line in lines}, {line[-1] for line in lines}
    assert len(shown) == 1 and len(last) == len(found)
    assert not any(example.startswith(asked) for example in shown.pop() for asked in last)


def test_sources_in_several_languages() -> None:
    first = patch_pairs(("es", "zh"), "fr", examples=0)[0]
    assert [p.text for p in first.sources] == [
        'English: "dog" - Español: "',
        'English: "dog" - 中文: "',
    ]
    assert first.answers["source's notation"] == ("perro", "狗")


def test_spoke_names_every_set() -> None:
    found = LanguageSpoke(languages=("es", "fr", "zh"), at_most=30).interventions()
    assert list(found) == [
        "translation es -> fr",
        "translation fr -> zh",
        "translation zh -> es",
        "translation all -> es",
        "translation all -> fr",
        "translation all -> zh",
    ]
    for one in found.values():
        assert isinstance(one, Patching) and len(one.patch_pairs) == 30
        assert all(tuple(e.answers) == ANSWERS for e in one.patch_pairs)
    assert [len(e.sources) for e in found["translation all -> zh"].patch_pairs[:2]] == [2, 2]


def test_two_languages_have_no_average() -> None:
    found = LanguageSpoke(languages=("es", "fr")).interventions()
    assert list(found) == ["translation es -> fr", "translation fr -> es"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: patch_pairs("es", "es"), "got from es into es"),
        (lambda: patch_pairs("es", "en"), "translation from en into es, en"),
        (lambda: patch_pairs("es", "ko"), "translation: got language 'ko'"),
        (lambda: patch_pairs("pt_BR", "es"), "translation: got language 'pt_BR'"),
        (lambda: patch_pairs("es", "fr", examples=-1), "got at_most=-1"),
        (lambda: question(CONCEPTS["dog"], "en", "it"), "language 'it'; expected one of en, es"),
    ],
)
def test_bad_input(call, told: str) -> None:
    with pytest.raises(SemanticHubError, match=told):
        call()
