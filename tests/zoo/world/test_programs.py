"""Programs and logical forms of the world: they run, mean what they say, and hide what they must."""

import ast
import contextlib
import io
from itertools import islice, pairwise

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.interventions import MAMMALS, OTHER_ANIMALS
from semantic_hub.spokes.semantics.grammar import Event, Party, Verb
from semantic_hub.zoo.world.corpus import MIXED, Corpus, Mixture
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.formal_text import FormalText
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Sum, number_term
from semantic_hub.zoo.world.programs import LOGIC, PYTHON, Count, Happening, program, say_in

WORLD = World(seed=0)
TEXT = FormalText(WORLD)
ENGLISH = Voice(DOMINANT)
NUMBERS = {number_term(number).forms[DOMINANT]: number for number in range(100)}


def drawn(what: str, count: int = 100) -> list:
    rng = np.random.default_rng(0)
    return [getattr(TEXT, what)(rng) for _ in range(count)]


def test_counts_print_the_numbers_that_their_description_lists() -> None:
    counted = [count for count in drawn("count", 400) if count.counted]
    assert len(counted) > 10
    for count in counted:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program(count), {})
        listed = count.say(ENGLISH).partition(": ")[2].removesuffix(".").split(", ")
        assert [NUMBERS[word] for word in listed] == list(map(int, printed.getvalue().split()))


@pytest.mark.parametrize(
    ("count", "said", "code"),
    [
        (Count(2, 6), "start two, end six.", "for i in range(2, 6): print(i)"),
        (Count(0, 6), "start zero, end six.", "for i in range(0, 6): print(i)"),
        (Count(0, 6, with_start=False), "end six.", "for i in range(6): print(i)"),
        (Count(2, 6, with_start=False), "start two, end six.", "for i in range(2, 6): print(i)"),
        (Count(0, 2, counted=True), "start zero, end two: zero, one.", None),
    ],
)
def test_counts_are_described_by_start_and_end(count: Count, said: str, code: str | None) -> None:
    assert count.say(ENGLISH) == said
    assert code is None or program(count) == code


def test_calls_pass_what_the_sentence_says() -> None:
    for calls in drawn("calls"):
        heard: list[dict[str, str]] = []
        lines = program(calls).split("\n")
        assert len(lines) == 1 + len(calls.sentences)
        name = calls.sentences[0].what.forms[DOMINANT]
        scope: dict = {}
        exec(lines[0].replace("pass", "heard.append(locals())"), scope)
        scope["heard"] = heard
        exec("\n".join(lines[1:]), scope)
        assert lines[1].startswith(f"{name}({'person=' if calls.keyword else chr(34)}")
        for sentence, told in zip(calls.sentences, heard, strict=True):
            said = sentence.say(ENGLISH)
            assert said.startswith(f"{told['person']} {name} ")
            assert all(value in said for value in told.values())
            assert told[sentence.whom.kind] == sentence.whom.forms[DOMINANT]


def test_lists_hold_what_english_lists() -> None:
    listings = drawn("listing", 300)
    assert {listing.conjunction for listing in listings} == {"and", "or", "not"}
    for listing in listings:
        node = ast.parse(program(listing)).body[0]
        words = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
        said = listing.say(ENGLISH)
        assert sorted(words) == sorted(term.forms[DOMINANT] for term in listing.terms)
        assert all(word in said for word in words)
        assert f"{listing.conjunction} " in said
        assert isinstance(getattr(node, "value", None), ast.List) == (listing.conjunction == "and")
        assert isinstance(node, ast.Assign) == bool(listing.heading)


def test_sums_and_facts_are_true() -> None:
    for one in WORLD.sums[::50]:
        exec(program(one), {})
        exec(program(Sum(one.left, one.operator, one.right, result_first=False)), {})
    fact = WORLD.facts[0]
    scope: dict = {"colour": {}}
    exec(program(fact), scope)
    assert scope["colour"] == {"dog": fact.value.forms[DOMINANT]}


def test_what_has_no_program_is_refused() -> None:
    with pytest.raises(SemanticHubError, match="a Happening"):
        program(drawn("happening", 1)[0])


def test_questions_are_answered_by_who_has_the_role() -> None:
    for told in drawn("question"):
        said = told.say(ENGLISH)
        assert told.asked is not None
        assert said == f"{told.question()} {told.event.parties[told.asked].word} ."
        assert said.startswith(told.event.sentence)
        assert (f" {told.asked} : " in said) == told.labeled


def test_roles_are_written_before_their_parties() -> None:
    event = Event(
        Verb("give", "gave", "given", gives=True),
        "theme passive",
        {"agent": Party("Anna"), "theme": Party("apple", "a"), "recipient": Party("dog", "the")},
    )
    voice = Voice(LOGIC, switch=0.8)
    said = "theme an apple was given to recipient the dog by agent Anna ."
    assert say_in(Happening(event), voice) == Happening(event).say(voice) == said
    form = say_in(Happening(event), Voice(LOGIC))
    assert form.startswith("* dog ( x _ 6 ) ; apple ( x _ 1 ) AND give . theme ( x _ 3 , x _ 1 )")


def corpus(language: str) -> list[str]:
    documents = Corpus(WORLD, Mixture({language: 0.8, DOMINANT: 0.2}, mixed=0.5)).documents([1, 2])
    return list(islice(documents, 8_000))


@pytest.mark.slow
@pytest.mark.training
def test_no_program_tells_what_is_held_out() -> None:
    lines = {line for document in corpus(PYTHON) for line in document.split("\n")}
    hidden_sums = {program(s) for s in WORLD.sums if s.key in WORLD.held_out}
    hidden_facts = {program(f) for f in WORLD.facts if f.key in WORLD.held_out}
    every = [Count(start, end, told) for start in range(99) for end in range(start + 1, 100)
             for told in (True, False)]  # fmt: skip
    hidden_counts = {program(c) for c in every if c.key in TEXT.held_out_counts}
    told_counts = {program(c) for c in every} - hidden_counts
    assert not lines & (hidden_sums | hidden_facts | hidden_counts)
    assert len(lines & {program(s) for s in WORLD.sums}) > 200
    assert len(lines & {program(f) for f in WORLD.facts}) > 200
    assert len(lines & told_counts) > 400


@pytest.mark.slow
@pytest.mark.training
def test_no_form_tells_what_is_held_out() -> None:
    documents = corpus(LOGIC)
    forms = [line for d in documents for line in d.split("\n") if " . agent ( " in line]
    held_out = Happening(next(h for h in drawn("happening") if TEXT.is_held_out(h)).event)
    first, second = islice(held_out.event.names.values(), 2)
    assert any(first in form and second in form for form in [held_out.event.logical_form])
    assert len(forms) > 2_000
    for form in forms:
        names = {}
        for part in form.split(" AND "):
            predicate, _, arguments = part.rpartition("( ")
            last = arguments.removesuffix(" )").split(" , ")[-1]
            if last[:1].isupper():
                names[predicate.split()[-1]] = last
        told = [names[role] for role in ("agent", "theme", "recipient") if role in names]
        assert not set(pairwise(told)) & TEXT.held_out_casts
    marked = [d for d in documents if d.startswith(MIXED)]
    assert len(marked) > 800
    assert all("agent " in d for d in marked)


def test_questions_about_scenes_are_answered_by_their_captions() -> None:
    scenes = drawn("scene", 200)
    assert {len(scene.regions) for scene in scenes} == {1, 2, 3, 4}
    for scene in scenes:
        colors = [region.color for region in scene.regions]
        assert len(set(colors)) == len(colors)
        assert all(color in scene.caption() for color in colors)
        if scene.asked is not None:
            asked, answer = scene.say(ENGLISH).removeprefix(scene.caption()).strip().split(": ")
            assert answer == f"{colors[scene.asked]}."
            assert asked == (scene.regions[scene.asked].name or "colour")


def test_animals_are_known_as_mammals_or_not() -> None:
    said = {animal.say(ENGLISH) for animal in drawn("animal", 400)}
    assert {"dog. mammal: yes.", "snake. mammal: no.", "owl. animal: owl."} <= said
    animals = {animal.forms[DOMINANT] for animal in WORLD.kind("animal")}
    assert animals <= MAMMALS | OTHER_ANIMALS and 10 < len(animals & MAMMALS) < len(animals)


def test_about_a_quarter_is_held_out() -> None:
    happenings = [h for h in drawn("happening", 2000) if len(h.event.names) == 2]
    assert 0.2 < np.mean([TEXT.is_held_out(h) for h in happenings]) < 0.3
    assert 0.22 < len(TEXT.held_out_counts) / 4950 < 0.28
    rng = np.random.default_rng(1)
    assert all(TEXT.is_held_out(TEXT.happening(rng, held_out=True)) for _ in range(50))
    assert all(TEXT.count(rng, held_out=True).key in TEXT.held_out_counts for _ in range(50))


def test_english_tells_all_of_it() -> None:
    english = Corpus(WORLD, Mixture({DOMINANT: 1.0})).documents([1])
    documents = list(islice(english, 4_000))
    for sign in (
        "left ",
        "circle",
        "mammal: yes",
        "mammal: no",
        ", and ",
        "or ",
        "not ",
        "start ",
        " . ",
        "agent : ",
        "Who ",
    ):
        assert sum(sign in document for document in documents) > 30
    assert not any(" . agent (" in d or "range(" in d or d.startswith(MIXED) for d in documents)
