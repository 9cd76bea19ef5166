"""Lenses as values: a user's own, by value and by name, and what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_spokes import SETTINGS, Words

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.runner import run
from semantic_hub.lenses.lens import LENSES, Lens, register_lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.per_token import token_lens
from semantic_hub.lenses.token_scores import lens_scores
from semantic_hub.lenses.topk import top_tokens

READOUTS = Words().readouts()["after the"]


class Halved(Lens):
    """A class of the user's own."""

    name, layers = "halved", None

    def __call__(self, layer: int, residual: torch.Tensor) -> torch.Tensor:
        return residual / 2


class Shifted(Lens):
    """One that covers layers 1 and 2 alone, and has no final norm after it."""

    name, layers, final_norm = "shifted", (1, 2), False

    def __call__(self, layer: int, residual: torch.Tensor) -> torch.Tensor:
        return residual + layer


@pytest.fixture
def registered() -> Iterator[None]:
    register_lens("shifted", lambda model: Shifted())
    yield
    LENSES.unregister("shifted")


def test_a_class_and_a_function_are_lenses_alike(model: Any) -> None:
    function = Lens.of(lambda layer, residual: residual / 2, name="function")
    one, other = (logit_lens(model, READOUTS, lens=lens) for lens in (Halved(), function))
    assert torch.equal(one.log_prob, other.log_prob)
    assert (one.manifest["lens"], other.manifest["lens"]) == ("halved", "function")


def test_the_last_layer_is_read_as_it_is_where_the_lens_does_not_cover_it(model: Any) -> None:
    read = logit_lens(model, READOUTS, lens=Shifted())
    assert read.layers == (1, 2, 3)
    raw = logit_lens(model, READOUTS, lens="raw", layers=[3])
    assert torch.equal(read.log_prob[:, 2:], raw.log_prob)
    with pytest.raises(SemanticHubError, match=r"layer 0 for the lens 'shifted'; .* read: 1, 2, 3"):
        logit_lens(model, READOUTS, lens=Shifted(), layers=[0, 1])


@pytest.mark.usefixtures("registered")
def test_a_registered_lens_is_known_by_name_everywhere(model: Any) -> None:
    read = logit_lens(model, READOUTS, lens="shifted")
    assert torch.equal(read.log_prob, logit_lens(model, READOUTS, lens=Shifted()).log_prob)
    first = logit_lens(model, READOUTS, lens="shifted", whole_words=False)
    top = top_tokens(model, ["The dog"], k=1, lens="shifted")
    tokens = token_lens(model, "The dog", k=1, lens="shifted")
    scores = lens_scores(model, "The dog", lens="shifted")
    mass = language_mass(model, ["The dog"], ["en", "es"], lens="shifted")
    for found in (first, top, tokens, scores, mass):
        assert found.manifest["lens"] == "shifted"
    assert first.layers == top.layers == tokens.layers == mass.layers == (1, 2, 3)
    assert scores.rows == ("layer 1", "layer 2", "layer 3")


def test_a_run_makes_a_named_lens_once(model: Any) -> None:
    made: list[Any] = []

    def make(given: Any) -> Lens:
        made.append(given)
        return Halved()

    register_lens("counted", make)
    try:
        findings = run(model, Words(), lenses={"mine": "counted"}, **SETTINGS)
    finally:
        LENSES.unregister("counted")
    assert made == [model]
    assert findings.lens_comparison["after the"].lenses["mine"].manifest["lens"] == "halved"


@pytest.mark.usefixtures("without_shape_checks")
def test_a_plain_function_is_refused_with_the_way_to_wrap_it(model: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"logit_lens: got lens=.*Lens\.of\(function, name="):
        logit_lens(model, READOUTS, lens=lambda layer, residual: residual)  # pyright: ignore


def test_a_name_is_given_once() -> None:
    with pytest.raises(SemanticHubError, match="'logit', which is in use"):
        register_lens("logit", lambda model: Halved())
