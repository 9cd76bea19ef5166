"""The base class of spokes: empty defaults, and methods whose names are misspelled."""

import re
from collections.abc import Callable

import pytest
from small_spokes import Words

import semantic_hub as sh
from semantic_hub.alignment.between_forms import compare_forms
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import ActivationContrast, Steering, TextSteering

OFFERS = (
    "pairs", "hard_negatives", "readouts", "texts", "interventions", "spelled_out", "concepts",
)  # fmt: skip


class Bare(Spoke):
    name = "bare"


def test_everything_but_the_name_has_an_empty_default() -> None:
    assert [getattr(Bare(), offer)() for offer in OFFERS] == [{}] * len(OFFERS)
    assert Bare().figures(sh.Findings("bare")) == {}


def test_a_spoke_without_sets_is_refused(model) -> None:
    with pytest.raises(SemanticHubError, match="the spoke 'bare', without a set"):
        run(model, Bare())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("intervention", "interventions"), ("readout", "readouts"), ("pair", "pairs"),
     ("hard_negative", "hard_negatives"), ("spelledout", "spelled_out"), ("figure", "figures")],
)  # fmt: skip
def test_a_misspelled_method_is_refused_with_the_right_name(wrong: str, right: str) -> None:
    with pytest.raises(SemanticHubError, match=rf"got a method '{wrong}'.*Did you mean '{right}'"):
        type("Mine", (Spoke,), {"name": "mine", wrong: lambda self: {}})


def test_other_methods_and_fields_are_the_spokes_own() -> None:
    members = {"name": "mine", "items": (), "words": lambda self: (), "_pair": lambda self: ()}
    assert issubclass(type("Mine", (Spoke,), members), Spoke)


@pytest.mark.parametrize(
    ("spoke", "message"),
    [(Bare, r"got the class Bare; .* Make one: Bare\(\)"),
     (Spoke(), "got a spoke called ''; .* Give its class a name"),
     ([Bare()], "got a list; .* inherit from semantic_hub.Spoke")],
)  # fmt: skip
def test_what_is_no_spoke(model, spoke: object, message: str, without_shape_checks) -> None:
    with pytest.raises(SemanticHubError, match=message):
        run(model, spoke)


@pytest.mark.parametrize("name", [1, "", "a\nb", "\ud800"])
@pytest.mark.parametrize(
    "offer", ["pairs", "hard_negatives", "readouts", "interventions", "spelled_out", "texts"]
)
def test_a_set_without_a_sound_name_is_refused_before_measuring(
    model, monkeypatch: pytest.MonkeyPatch, offer: str, name: object, without_shape_checks
) -> None:
    class Named(Words):
        pass

    def unmeasured(*arguments: object, **options: object) -> None:
        pytest.fail("something was measured")

    setattr(Named, offer, lambda self: {name: None})
    monkeypatch.setattr("semantic_hub.experiment.runner.measuring_sets", unmeasured)
    monkeypatch.setattr("semantic_hub.reporting.document.measuring_sets", unmeasured)
    message = rf"got a set of words\.{offer}\(\) called {re.escape(repr(name))}; expected names"
    with pytest.raises(SemanticHubError, match=rf"run: {message}"):
        run(model, Named(), progress=False)
    with pytest.raises(SemanticHubError, match=rf"report: {message}"):
        sh.report(model, [Words(), Named()], progress=False)


@pytest.mark.parametrize("concepts", [{1: {}}, {"": {}}, {"es": {2: sh.Prompt("dog")}}])
def test_concepts_without_sound_names_are_refused_before_measuring(
    model, monkeypatch: pytest.MonkeyPatch, concepts: object, without_shape_checks
) -> None:
    class Named(Words):
        def concepts(self):
            return concepts

    monkeypatch.setattr(
        "semantic_hub.reporting.document.measuring_sets",
        lambda *arguments, **options: pytest.fail("something was measured"),
    )
    with pytest.raises(SemanticHubError, match=r"got a (form|concept) of words.* called"):
        sh.report(model, [Named()], progress=False)


def test_two_spokes_of_one_name_are_refused_before_measuring(
    model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second's pictures and examples would stand under the first's heading."""
    monkeypatch.setattr(
        "semantic_hub.reporting.document.measuring_sets",
        lambda *arguments, **options: pytest.fail("something was measured"),
    )
    with pytest.raises(SemanticHubError, match=r"report: got two spokes called 'words'"):
        sh.report(model, [Words(), Words()], progress=False)


@pytest.mark.parametrize("name", ["a\nb", "\ud800", "\0"])
def test_a_spokes_own_name_is_checked(model, name: str) -> None:
    spoke = Bare()
    spoke.name = name
    with pytest.raises(SemanticHubError, match="run: got a spoke called"):
        run(model, spoke)


def entries(model, name: object) -> dict[str, Callable[[], object]]:
    """Every other entry that takes names, called with one."""
    prompts = (sh.Prompt("dog"),)
    contrast = ActivationContrast(prompts, prompts)
    pairs = Words().pairs()["set <a>"]
    scorer = {"length": lambda texts: [0.0 for _ in texts]}
    return {
        "control": lambda: sh.similarity(model, pairs, controls={name: model}),
        "lens": lambda: run(model, Words(), lenses={name: "raw"}),
        "group": lambda: sh.Readout(sh.Prompt("the"), {name: ("dog",)}),
        "answer": lambda: sh.PatchPair(prompts, prompts[0], {name: ("dog",), "b": ("cat",)}),
        "contrast": lambda: Steering(prompts, {name: contrast}, lambda index, text: "other"),
        "scored contrast": lambda: TextSteering(prompts, {name: contrast}, scorer),
        "scorer": lambda: TextSteering(prompts, {"a": contrast}, {name: scorer["length"]}),
        "form": lambda: compare_forms(model, {name: {}, "es": {}}),
        "report": lambda: sh.compare({name: None, "b": None}),
        "findings": lambda: sh.Findings("mine", {"similarity": {name: None}}),
    }


@pytest.mark.parametrize("name", [1, "", "a\nb", "\ud800"])
@pytest.mark.parametrize("entry", list(entries(None, "")))
def test_every_entry_that_takes_names_checks_them(
    model, entry: str, name: object, without_shape_checks
) -> None:
    with pytest.raises(SemanticHubError, match=rf"got a .* called {re.escape(repr(name))}; exp"):
        entries(model, name)[entry]()


def test_hard_negatives_of_a_set_that_there_is_not_are_refused(model) -> None:
    spoke = Words()
    [(name, pairs)] = spoke.pairs().items()
    object.__setattr__(spoke, "hard_negatives", lambda: {name.upper(): pairs})
    with pytest.raises(SemanticHubError, match=r"Words.hard_negatives\(\): got the set of pairs"):
        run(model, spoke, progress=False)
