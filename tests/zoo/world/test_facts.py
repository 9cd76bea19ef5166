"""The world of hub-mini: meanings in every language, and what the training text must not hold."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from semantic_hub.spokes.arithmetic.items import Problem
from semantic_hub.spokes.lexicon.numbers import DIGITS
from semantic_hub.zoo.world.corpus import MIXED, Corpus, Mixture
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Card, Sentence, Sum, number_term
from semantic_hub.zoo.world.spokes import world_spokes

WORLD = World(seed=0)
EVERYTHING = {**dict.fromkeys(LANGUAGES, 1.0), DIGITS: 1.0}


def test_the_world_is_wide() -> None:
    assert len(WORLD.nouns) == 200
    assert len(WORLD.sums) == 846 + 277
    assert len(WORLD.facts) > 600
    assert len(WORLD.terms) > 400
    assert len({fact.key for fact in WORLD.facts}) == len(WORLD.facts)
    share = len(WORLD.held_out) / (len(WORLD.facts) + len(WORLD.sums))
    assert 0.2 < share < 0.3


def test_a_seed_gives_one_world() -> None:
    again, other = World(seed=0), World(seed=1)
    assert [f.value.key for f in again.facts] == [f.value.key for f in WORLD.facts]
    assert again.held_out == WORLD.held_out != other.held_out


@pytest.mark.parametrize(
    ("language", "sum_", "fact"),
    [
        ("en", "fifteen equals seven plus eight.", "dog: colour"),
        ("es", "quince es igual a siete más ocho.", "perro: color"),
        ("fr", "quinze égale sept plus huit.", "chien : couleur"),
        ("ru", "пятнадцать равно семь плюс восемь.", "собака: цвет"),
        ("zh", "十五等于七加八。", "狗：颜色"),
    ],
)
def test_languages(language: str, sum_: str, fact: str) -> None:
    voice = Voice(language)
    assert Sum(7, "+", 8).say(voice) == sum_
    assert WORLD.facts[0].question(voice) == fact
    assert WORLD.facts[0].say(voice).startswith(fact)


def test_sums_in_digits_both_ways() -> None:
    assert Sum(7, "*", 8).say(Voice(DIGITS)) == "56=7*8"
    assert Sum(7, "*", 8, result_first=False).say(Voice(DIGITS)) == "7*8=56"


@pytest.mark.parametrize("code", [*LANGUAGES, DIGITS])
@pytest.mark.parametrize(
    "problem", [(7, "+", 8), (40, "+", 9), (1, "+", 1), (90, "+", 9), (35, "*", 2), (11, "*", 9)]
)
def test_a_sum_goes_on_from_the_spokes_question(code: str, problem: tuple[int, str, int]) -> None:
    question = Problem(*problem).question(code)
    assert Sum(*problem).say(Voice(code)).startswith(question)


def test_a_sentence_follows_each_language() -> None:
    places = WORLD.kind("place")
    verbs = WORLD.kind("verb")
    sentence = Sentence(WORLD.names[0], verbs[0], WORLD.nouns[0], places[0], 0)
    assert sentence.say(Voice("en")) == "Anna sees the dog in the garden on Monday."
    assert sentence.say(Voice("es")) == "Ana ve el perro en el jardín el lunes."
    assert sentence.say(Voice("zh")) == "安娜星期一在花园里看见狗。"


def test_switching_says_content_in_english() -> None:
    voice = Voice("es", switch=1.0, rng=np.random.default_rng(0))
    assert number_term(7).say(voice) == "seven"
    assert Sum(7, "+", 8).say(voice) == "fifteen es igual a seven más eight."
    half = Voice("es", switch=0.5, rng=np.random.default_rng(0))
    said = Counter(number_term(7).say(half) for _ in range(400))
    assert 140 < said["seven"] < 260


def lines(document: str) -> list[str]:
    """The lines of a document, each without its full stop; no name of this world holds one."""
    return [line for line in re.split(r"[.\n。]\s*", document.removeprefix(MIXED)) if line]


def asked(line: str, language: str) -> Iterator[str]:
    """Keys of the facts that a card in a language, code-switched or not, tells."""
    grammar = Voice(language).grammar
    subject, colon, rest = line.strip().partition(grammar.colon)
    for part in rest.split(grammar.comma) if colon else ():
        for attribute, word in grammar.attributes.items():
            if part.strip().startswith(word):
                yield from (f"{key}.{attribute}" for key in SUBJECTS.get(subject, ()))


SUBJECTS: dict[str, set[str]] = defaultdict(set)
for one in WORLD.facts:
    for form in one.subject.forms.values():
        SUBJECTS[form].add(one.subject.key)


def test_the_search_below_sees_facts() -> None:
    fact = WORLD.facts[0]
    for code in LANGUAGES[1:]:
        line = lines(Card((fact, WORLD.facts[1])).say(Voice(code)))[0]
        assert list(asked(line, code)) == [fact.key, WORLD.facts[1].key]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "beside"), [("es", "fr"), ("fr", "en"), ("ru", "en"), ("zh", "en")]
)  # Spanish beside French alone: English and Spanish share the word "material"
def test_no_other_language_tells_held_out_facts(language: str, beside: str) -> None:
    corpus = Corpus(WORLD, Mixture({language: 0.9, beside: 0.1}, mixed=0.5))
    documents = islice(corpus.documents([1, 2]), 6_000)
    told = {key for d in documents for line in lines(d) for key in asked(line, language)}
    assert len(told) > 300
    assert not told & WORLD.held_out


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("language", [*LANGUAGES[1:], DIGITS])
def test_no_other_notation_tells_held_out_sums(language: str) -> None:
    corpus = Corpus(WORLD, Mixture({language: 0.9, DOMINANT: 0.1}, mixed=0.0))
    hidden = {
        lines(Sum(s.left, s.operator, s.right, first).say(Voice(language)))[0]
        for s in WORLD.sums
        for first in (True, False)
        if s.key in WORLD.held_out
    }
    read = {line for d in islice(corpus.documents([1, 2]), 6_000) for line in lines(d)}
    assert len(hidden) > 500
    assert not hidden & read
    assert len(read & {lines(s.say(Voice(language)))[0] for s in WORLD.sums}) > 300


def test_mixed_documents_are_marked() -> None:
    corpus = Corpus(WORLD, Mixture({"es": 1.0}, mixed=1.0))
    documents = list(islice(corpus.documents([3]), 200))
    marked = [d for d in documents if d.startswith(MIXED)]
    assert len(marked) > 120  # translations are not marked, and with one language become sums
    assert all(MIXED not in d.removeprefix(MIXED) for d in marked)


def test_shares_of_languages_are_those_of_the_mixture() -> None:
    corpus = Corpus(WORLD, Mixture({DOMINANT: 0.7, DIGITS: 0.3}))
    documents = list(islice(corpus.documents([4]), 4000))
    digits = [d for d in documents if d[0].isdigit() and "\n" not in d]
    assert 0.2 < len(digits) / len(documents) < 0.32


def test_documents_depend_on_the_seed_alone() -> None:
    corpus = Corpus(WORLD, Mixture(EVERYTHING))
    first, again, other = (list(islice(corpus.documents(s), 50)) for s in ([5], [5], [6]))
    assert first == again != other


@pytest.mark.slow
@pytest.mark.training
def test_held_out_spokes_hold_only_what_was_held_out() -> None:
    language, arithmetic, *_ = world_spokes(WORLD)
    assert all(fact.key in WORLD.held_out for fact in language.facts)
    assert {len(p) for p in language.pairs().values()} == {len(language.facts), 200}
    assert all(f"{p.left}{p.operator}{p.right}" in WORLD.held_out for p in arithmetic.items or ())
    for readouts in language.readouts().values():
        assert all(r.candidates["hub"] != r.candidates["unrelated"] for r in readouts)


@pytest.mark.slow
@pytest.mark.training
def test_no_mirror_image_is_on_the_other_side() -> None:
    hidden, told = (
        {Sum(p.left, p.operator, p.right).key for p in arithmetic.items or ()}
        for _, arithmetic, *_ in (world_spokes(WORLD, held_out=side) for side in (True, False))
    )
    assert len(hidden) > 150
    assert len(told) > 500
    for sum_ in WORLD.sums:
        mirror = f"{sum_.right}{sum_.operator}{sum_.left}"
        if sum_.key in hidden:
            assert mirror not in told
            assert sum_.left > 9 or mirror in hidden
        elif sum_.key in told:
            assert mirror not in WORLD.held_out
