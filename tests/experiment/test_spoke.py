"""The base class of spokes: empty defaults, and methods whose names are misspelled."""

import pytest

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke

OFFERS = (
    "pairs", "hard_negatives", "readouts", "texts", "interventions", "spelled_out", "concepts",
)  # fmt: skip


class Bare(Spoke):
    name = "bare"


def test_everything_but_the_name_has_an_empty_default() -> None:
    assert [getattr(Bare(), offer)() for offer in OFFERS] == [{}] * len(OFFERS)
    assert Bare().figures(sh.Findings("bare")) == {}


def test_a_spoke_without_sets_runs(model) -> None:
    assert run(model, Bare()).results == {}


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
