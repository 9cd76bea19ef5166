"""Captures: what is kept, in which order, averaged, stacked and overwritten."""

from functools import partial
from typing import Any

import pytest
import torch
from elsewhere import layer_elsewhere
from every_state import every_state
from tiny import SENTENCES

from semantic_hub.activations.captures import Captured, Overwrite, capture, capture_layers
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubWarning
from semantic_hub.interventions.patching.components import component_hook
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.steering.contrasts import activation_difference
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout, encode
from semantic_hub.statistics.resampling import Resampling


def kept(rows: list[int], n_prompts: int) -> Captured:
    return Captured(tuple(range(n_prompts)), torch.tensor(rows), {})


def test_means_are_taken_over_the_positions_of_each_prompt() -> None:
    captured = kept([0, 0, 1, 2, 2, 2], 3)
    values = torch.tensor([[1.0], [3.0], [5.0], [1.0], [2.0], [6.0]])
    assert captured.prompt_means(values).tolist() == [[2.0], [5.0], [3.0]]
    stacked = values[:, None].expand(-1, 4, -1)
    assert torch.equal(
        captured.prompt_means(stacked), torch.tensor([2.0, 5, 3]).expand(4, 3).T[..., None]
    )


def test_one_position_each_is_its_own_mean() -> None:
    values = torch.randn(3, 2)
    assert torch.equal(kept([0, 1, 2], 3).prompt_means(values), values)


@pytest.mark.parametrize("batch_size", [1, 2, "auto"])
def test_layers_are_stacked_as_they_were_captured(model: Any, batch_size: Any) -> None:
    encodings, layers = encode(model, SENTENCES), [2, 0, 3]
    positions = [range(len(encoding)) for encoding in encodings]
    expected = every_state(model, SENTENCES)
    states: dict[int, torch.Tensor] = {}

    def on_batch(captured: Captured, values: torch.Tensor) -> None:
        for row, prompt in enumerate(captured.prompts):
            states[prompt] = values[captured.rows == row]

    capture_layers(model, encodings, positions, layers, on_batch, batch_size=batch_size)

    assert sorted(states) == list(range(len(SENTENCES)))
    for prompt, state in states.items():
        torch.testing.assert_close(state, expected[prompt][:, layers], atol=1e-5, rtol=1e-5)


def test_layers_are_reduced_before_they_are_stacked(model: Any) -> None:
    encodings = encode(model, SENTENCES[:2])
    positions = [encoding.own_positions for encoding in encodings]
    shapes, means = [], []

    def reduce(captured: Captured, values: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(values.shape))
        return captured.prompt_means(values)

    capture_layers(
        model, encodings, positions, [1, 3], lambda captured, v: means.append(v), reduce=reduce
    )

    assert shapes == [(sum(map(len, positions)), model.cfg.d_model)] * 2
    [stacked] = means
    assert stacked.shape == (2, 2, model.cfg.d_model)


def test_another_activation_is_captured_by_its_hook(model: Any) -> None:
    encodings, hook = encode(model, SENTENCES[:1]), partial(component_hook, "mlp")
    found: list[torch.Tensor] = []
    direct: list[torch.Tensor] = []
    capture_layers(
        model, encodings, [[0, 1]], [1, 2], lambda captured, v: found.append(v), hook=hook
    )
    capture(
        model,
        encodings,
        [[0, 1]],
        [hook(1), hook(2)],
        lambda captured: direct.append(torch.stack([*captured.values.values()], dim=1)),
        last_layer=2,
    )
    assert torch.equal(found[0], direct[0])
    assert found[0].shape[:2] == (2, 2)


def test_what_is_captured_is_what_was_written(model: Any) -> None:
    encodings, new = encode(model, SENTENCES[:2]), torch.full((1, 32), 0.5)
    overwrites = {layer_hook(1): lambda prompt: Overwrite((0,), new) if prompt == 1 else None}
    states = torch.empty(2, 1, 32)

    def on_batch(captured: Captured, values: torch.Tensor) -> None:
        states[list(captured.prompts)] = values

    capture_layers(model, encodings, [[0], [0]], [1], on_batch, overwrites=overwrites)
    assert torch.equal(states[1], new)
    assert not torch.equal(states[0], new)


def test_the_states_of_a_model_on_several_devices_land_on_one(model: Any) -> None:
    texts = ["The dog barks.", "El perro"]
    readout = Readout(Prompt("The dog"), {"hub": ("cat",), "surface": ("dog",)})
    moved = PatchPair((Prompt("The dog"),), Prompt("The cat"), {"source": ("a",), "own": ("b",)})

    def everything() -> dict[str, torch.Tensor]:
        few = Resampling(resamples=10)
        twin = {"twin": random_twin(model)}
        pairs = Pairs.from_prompts(SENTENCES[:3], SENTENCES[2:5])
        similar = similarity(model, pairs, controls=twin, permutations=10, resampling=few)
        return {
            "states": residual_stream(model, texts),
            "mean": residual_stream(model, texts, positions="mean"),
            "similarity": similar.similarity,
            "lens": logit_lens(model, [readout], resampling=few).log_prob,
            "mass": language_mass(model, texts, ["en", "es"]).mass,
            "patched": patching_sweep(model, [moved], resampling=few).log_prob,
            "direction": activation_difference(model, "dog", "cat", layer=2).vector,
        }

    here = everything()
    with layer_elsewhere(model, 2), pytest.warns(SemanticHubWarning, match="Hooks that are not"):
        there = everything()
    for name, value in here.items():
        assert type(there[name]) is torch.Tensor, name
        assert torch.equal(value.isfinite(), there[name].isfinite()), name
        error = 1e-5 if name == "patched" else 0  # elsewhere each run starts at its first token
        assert (value.nan_to_num() - there[name].nan_to_num()).abs().max() <= error, name
