"""The spokes of hub-mini's world: what is exchanged between languages."""

import pytest

from semantic_hub.interventions.spec import Patching, Steering, TextSteering
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.routes import ANSWERS
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import LANGUAGES, Voice
from semantic_hub.zoo.world.spokes import ATTRIBUTES, WorldLanguageSpoke, world_spokes

WORLD = World(seed=0)
BY_QUESTION = {
    code: {fact.question(Voice(code)): fact for fact in WORLD.facts if fact.attribute in ATTRIBUTES}
    for code in LANGUAGES
}


@pytest.fixture(scope="module")
def patched() -> dict[str, Patching]:
    found = WorldLanguageSpoke(WORLD, at_most=1000).interventions()
    patch_pairs = {name: one for name, one in found.items() if isinstance(one, Patching)}
    return {name.removeprefix("facts "): one for name, one in patch_pairs.items()}


def test_sets(patched) -> None:
    assert list(patched) == [
        "es -> fr", "fr -> ru", "ru -> zh", "zh -> es",
        "en -> es", "en -> fr", "en -> ru", "en -> zh",
        "all -> es", "all -> fr", "all -> ru", "all -> zh",
    ]  # fmt: skip


def test_facts_are_told_and_exchanged_with_another_value_of_the_same_attribute(patched) -> None:
    for name, one in patched.items():
        source, _, base = name.partition(" -> ")
        sources = [c for c in LANGUAGES if c != base] if source == "all" else [source]
        assert len(one.patch_pairs) > 300
        for e in one.patch_pairs:
            given = BY_QUESTION[sources[0]][e.sources[0].text or ""]
            asked = BY_QUESTION[base][e.base.text or ""]
            assert not {given.key, asked.key} & WORLD.held_out
            assert given.attribute == asked.attribute
            assert given.value.key != asked.value.key
            assert e.sources == tuple(Prompt(given.question(Voice(code))) for code in sources)
            assert e.reference == Prompt(given.question(Voice(base)))
            assert tuple(e.answers) == ANSWERS
            assert e.answers["source"] == (given.value.forms[base],)
            assert e.answers["base"] == (asked.value.forms[base],)
            own = {given.value.forms[code] for code in sources}
            assert {*e.answers["source's notation"]} <= own
            words = [word.casefold() for group in e.answers.values() for word in group]
            assert len({*words}) == len(words) >= 3


def test_texts_are_those_of_the_training(patched) -> None:
    first = patched["es -> fr"].patch_pairs[0]
    assert first.sources[0].text == "perro: material"
    assert (first.base.text or "").endswith(" : matière")
    assert first.reference == Prompt("chien : matière")
    averaged = patched["all -> zh"].patch_pairs[0]
    assert [p.text for p in averaged.sources] == [
        "dog: material",
        "perro: material",
        "chien : matière",
        "собака: материал",
    ]
    assert averaged.reference == Prompt("狗：材料")


def test_words_that_two_languages_share_are_no_evidence(patched) -> None:
    shared = [f for f in BY_QUESTION["en"].values() if f.value.forms["en"] == f.value.forms["fr"]]
    sources = {e.sources[0].text for e in patched["en -> fr"].patch_pairs}
    assert shared and not sources & {f.question(Voice("en")) for f in shared}


@pytest.mark.slow
def test_by_default_a_set_holds_a_hundred() -> None:
    language, arithmetic, *_ = world_spokes(WORLD)
    found = language.interventions().values()
    assert {len(one.patch_pairs) for one in found if isinstance(one, Patching)} == {100}
    moods = [one for one in found if isinstance(one, TextSteering)]
    assert [list(one.contrasts) for one in moods] == [["en", code] for code in LANGUAGES[1:]]
    steered, *swapped = arithmetic.interventions().values()
    assert isinstance(steered, Steering) and len(steered.prompts) == 100
    assert all(isinstance(one, Patching) and len(one.patch_pairs) == 100 for one in swapped)


@pytest.mark.slow
def test_sums_are_held_out_ones() -> None:
    _, arithmetic, *_ = world_spokes(WORLD)
    held_out = {item.question("es") for item in arithmetic.items or ()}
    one = arithmetic.interventions()["sum es -> fr"]
    assert isinstance(one, Patching)
    assert {e.sources[0].text for e in one.patch_pairs} <= held_out


@pytest.mark.slow
def test_what_is_asked_for_does_not_change_what_is_exchanged() -> None:
    held_out, told = (
        {
            name: one
            for name, one in WorldLanguageSpoke(WORLD, held_out=side).interventions().items()
            if isinstance(one, Patching)
        }
        for side in (True, False)
    )
    assert held_out == told
