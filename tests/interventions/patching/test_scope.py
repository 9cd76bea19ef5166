"""Patchscopes against plain hooks, and where their answer is known."""

from typing import Any

import pytest
import torch
from tiny import BACKENDS

import semantic_hub as sh
from semantic_hub.interventions.patching.scope import patchscope
from semantic_hub.models.layers import layer_hook
from semantic_hub.zoo.planted import models as planted

IDENTITY = "cat -> cat, dog"


def test_a_state_is_read_by_the_rest_of_the_model(model: Any) -> None:
    sources = ["The dog barks.", "2+3="]
    layers = [0, 2, 3]
    found = patchscope(model, sources, layers=layers, identity_prompt=IDENTITY, k=2)
    tokens = model.to_tokens(IDENTITY)
    for i, source in enumerate(sources):
        states = sh.residual_stream(model, [source], layers=layers)[0]
        for j, layer in enumerate(layers):

            def put(value: torch.Tensor, hook: Any, state: torch.Tensor = states[j]) -> Any:
                value = value.clone()
                value[0, -1] = state
                return value

            logits = model.run_with_hooks(tokens, fwd_hooks=[(layer_hook(layer), put)])[0, -1]
            expected = logits.log_softmax(dim=-1).topk(2)
            assert torch.equal(found.tokens[i, j], expected.indices)
            assert torch.allclose(found.log_prob[i, j], expected.values, atol=1e-5)
    assert found.layers == tuple(layers)
    assert [prompt.strip() for prompt in found.prompts] == sources


def test_at_the_last_layer_it_is_the_sources_own_prediction(model: Any) -> None:
    last = model.cfg.n_layers
    scoped = patchscope(model, ["The dog barks."], layers=[last], identity_prompt=IDENTITY, k=5)
    own = sh.top_tokens(model, ["The dog barks."], k=5, layers=[last])
    assert torch.equal(scoped.tokens, own.tokens)
    assert torch.allclose(scoped.log_prob, own.log_prob, atol=1e-5)


def test_the_target_layer_and_the_position_can_be_named(model: Any) -> None:
    first = patchscope(
        model, ["The dog barks."], layers=[1], positions=(0, 1), target_layer=0,
        identity_prompt=IDENTITY, k=1,
    )  # fmt: skip
    state = sh.residual_stream(model, ["The dog barks."], positions=(0, 1), layers=[1])[0, 0]

    def put(value: torch.Tensor, hook: Any) -> torch.Tensor:
        value = value.clone()
        value[0, -1] = state
        return value

    logits = model.run_with_hooks(model.to_tokens(IDENTITY), fwd_hooks=[(layer_hook(0), put)])
    assert first.tokens.item() == logits[0, -1].argmax()


@pytest.mark.parametrize("backend", BACKENDS)
def test_planted_hub_says_the_concept_in_the_language_that_asks(backend: Any) -> None:
    world = planted.planted_world("planted-hub")
    model = planted.planted_model(world, backend=backend)
    said = patchscope(
        model, [world.prompt("es", "dog")], identity_prompt=world.prompt("fr", "cat"), k=1
    )
    texts = [said.texts[str(token)].strip() for token in said.tokens[0, :, 0].tolist()]
    assert texts == ["fr:dog"] * 4 + ["es:dog"] * 2


def test_bad_input(model: Any, without_shape_checks: None) -> None:
    for options, message in [
        ({"layers": [7]}, "layer 7"),
        ({"target_layer": -1}, "layer -1"),
        ({"k": 0}, "k=0"),
        ({"positions": (9, 9)}, r"positions \(9, 9\)"),
    ]:
        with pytest.raises(sh.SemanticHubError, match=message):
            patchscope(model, ["cat"], identity_prompt=IDENTITY, **options)
    with pytest.raises(sh.SemanticHubError, match="no sources"):
        patchscope(model, [])
