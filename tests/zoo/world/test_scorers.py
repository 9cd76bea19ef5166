"""Scorers that are exact in the world: on everything that its own grammar can say."""

import math
from dataclasses import replace

import pytest

import semantic_hub as sh
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.text.generation import Generation, Sampling
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.grammar import LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Series, number_term
from semantic_hub.zoo.world.scorers import WorldWords, mood, mood_steering, same_kind, stays_in

WORLD = World(seed=0)


def said(text: str, prompt: str = "") -> list[Generation]:
    return [Generation(0, 0, (1,), (2,), prompt, text)]


def listed(terms, language: str) -> str:
    return Series(tuple(terms)).say(Voice(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_lists_of_one_mood_are_wholly_of_it(language):
    for sign in (+1, -1):
        text = listed(WORLD.mood(sign), language)
        assert mood(WORLD)(said(text)) == [sign]
        assert stays_in(WORLD, language)(said(text)) == [1.0]
        assert same_kind(WORLD)(said(text, prompt=text)) == [1.0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_mixed_lists_are_counted(language):
    good, bad = WORLD.mood(+1), WORLD.mood(-1)
    text = listed([*good[:3], bad[0]], language)
    assert mood(WORLD)(said(text)) == [0.5]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_mixed_list_is_half_in_its_language(language):
    own, english = (listed(WORLD.mood(-1)[:2], code) for code in (language, "en"))
    assert stays_in(WORLD, language)(said(f"{own} {english}")) == [0.5]


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_and_days_are_no_adjectives(language):
    numbers = listed(map(number_term, range(21, 25)), language)
    days = listed(WORLD.days, language)
    bad = listed(WORLD.mood(-1), language)
    score = same_kind(WORLD)
    assert score(said(numbers, prompt=bad)) == score(said(days, prompt=bad)) == [0.0]
    assert score(said(numbers, prompt=numbers)) == score(said(days, prompt=days)) == [1.0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_the_world_is_found_whole(language):
    words = WorldWords(WORLD)
    for term in WORLD.terms:
        found = words.find(term.say(Voice(language)))
        assert len(found) == 1 and language in found[0].languages, term


def test_parts_of_words_are_not_words():
    assert WorldWords(WORLD).find("badly goods malos") == []
    assert len(WorldWords(WORLD).find("很坏很坏")) == 2


def test_texts_without_known_words_have_no_score():
    for score in (mood(WORLD), same_kind(WORLD), stays_in(WORLD, "es")):
        assert math.isnan(score(said("xyzzy, ."))[0])
    assert math.isnan(mood(WORLD)(said("dog"))[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_prompts_begin_lists_of_two_bad_words(language):
    experiment = mood_steering(WORLD, language)
    assert len(set(experiment.prompts)) == 16
    words = WorldWords(WORLD)
    for prompt in experiment.prompts:
        found = words.find(prompt.text)
        assert len(found) == 2 and all(word.moods == {-1} for word in found)
        assert prompt.text[-1] in ",，"
    assert list(experiment.contrasts) == list(dict.fromkeys(("en", language)))


@pytest.mark.slow
def test_hub_mini_goes_on_with_adjectives_of_the_same_language():
    model = sh.load_model("hub-mini", device="cpu")
    sampling = Sampling(max_new_tokens=12, seeds=(0, 1))
    steering = mood_steering(WORLD, "es")
    found = intervene(
        model, replace(steering, depths=(5 / 8,), strengths=(0.5,), sampling=sampling)
    )
    assert found.directions == ("en", "es", "placebo", "placebo, states' covariance")
    for scorer in ("relevance", "in es"):
        assert found.mean(scorer, "placebo").low[0, 0] > 0.8
    assert 1 < found.mean("perplexity", "placebo").value[0, 0] < 10
