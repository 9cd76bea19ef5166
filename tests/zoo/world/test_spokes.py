"""The spokes of hub-mini's world: what is exchanged between languages."""

import pytest

from semantic_hub.interventions.spec import Patching, Steering, TextSteering
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.routes import TARGETS
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
    exchanges = {name: one for name, one in found.items() if isinstance(one, Patching)}
    return {name.removeprefix("facts "): one for name, one in exchanges.items()}


def test_sets(patched) -> None:
    assert list(patched) == [
        "es -> fr", "fr -> ru", "ru -> zh", "zh -> es",
        "en -> es", "en -> fr", "en -> ru", "en -> zh",
        "all -> es", "all -> fr", "all -> ru", "all -> zh",
    ]  # fmt: skip


def test_facts_are_told_and_exchanged_with_another_value_of_the_same_attribute(patched) -> None:
    for name, one in patched.items():
        donor, _, recipient = name.partition(" -> ")
        donors = [c for c in LANGUAGES if c != recipient] if donor == "all" else [donor]
        assert len(one.exchanges) > 300
        for e in one.exchanges:
            given = BY_QUESTION[donors[0]][e.donors[0].text or ""]
            asked = BY_QUESTION[recipient][e.recipient.text or ""]
            assert not {given.key, asked.key} & WORLD.held_out
            assert given.attribute == asked.attribute
            assert given.value.key != asked.value.key
            assert e.donors == tuple(Prompt(given.question(Voice(code))) for code in donors)
            assert e.reference == Prompt(given.question(Voice(recipient)))
            assert tuple(e.targets) == TARGETS
            assert e.targets["donor"] == (given.value.forms[recipient],)
            assert e.targets["recipient"] == (asked.value.forms[recipient],)
            own = {given.value.forms[code] for code in donors}
            assert {*e.targets["donor's notation"]} <= own
            words = [word.casefold() for group in e.targets.values() for word in group]
            assert len({*words}) == len(words) >= 3


def test_texts_are_those_of_the_training(patched) -> None:
    first = patched["es -> fr"].exchanges[0]
    assert first.donors[0].text == "perro: material"
    assert (first.recipient.text or "").endswith(" : matière")
    assert first.reference == Prompt("chien : matière")
    averaged = patched["all -> zh"].exchanges[0]
    assert [p.text for p in averaged.donors] == [
        "dog: material",
        "perro: material",
        "chien : matière",
        "собака: материал",
    ]
    assert averaged.reference == Prompt("狗：材料")


def test_words_that_two_languages_share_are_no_evidence(patched) -> None:
    shared = [f for f in BY_QUESTION["en"].values() if f.value.forms["en"] == f.value.forms["fr"]]
    donors = {e.donors[0].text for e in patched["en -> fr"].exchanges}
    assert shared and not donors & {f.question(Voice("en")) for f in shared}


def test_by_default_a_set_holds_a_hundred() -> None:
    language, arithmetic, *_ = world_spokes(WORLD)
    found = language.interventions().values()
    assert {len(one.exchanges) for one in found if isinstance(one, Patching)} == {100}
    moods = [one for one in found if isinstance(one, TextSteering)]
    assert [list(one.contrasts) for one in moods] == [["en", code] for code in LANGUAGES[1:]]
    steered, *swapped = arithmetic.interventions().values()
    assert isinstance(steered, Steering) and len(steered.prompts) == 100
    assert all(isinstance(one, Patching) and len(one.exchanges) == 100 for one in swapped)


def test_sums_are_held_out_ones() -> None:
    _, arithmetic, *_ = world_spokes(WORLD)
    held_out = {item.question("es") for item in arithmetic.items or ()}
    one = arithmetic.interventions()["sum es -> fr"]
    assert isinstance(one, Patching)
    assert {e.donors[0].text for e in one.exchanges} <= held_out


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
