"""`steer` on the planted models: every curve equals its closed form."""

from typing import Any

import pytest
import torch
from tiny import BACKENDS

import semantic_hub as sh
from semantic_hub.interventions.steering.contrasts import paired_differences
from semantic_hub.statistics.intervals import bootstrap_interval
from semantic_hub.zoo.planted import models as planted

STRENGTHS = (0.0, 0.5, 1.0, 2.0)


def steering_effects(model: Any, world: planted.PlantedWorld, source: str, base: str) -> Any:
    """Effects as `planted.expected_steering` defines them, through the package's own steering."""
    patch_pairs = world.patch_pairs(source, base)
    plus = world.prompts(source)
    directions = paired_differences(model, plus, (*plus[-1:], *plus[:-1]))
    bases = model.to_tokens([pair.base.text for pair in patch_pairs])
    references = model.to_tokens([pair.reference.text for pair in patch_pairs])
    words = [[word for (word,) in pair.answers.values()] for pair in patch_pairs]
    ids = torch.tensor([model.tokenizer.convert_tokens_to_ids(pair) for pair in words])

    @torch.inference_mode()
    def difference(tokens: torch.Tensor) -> torch.Tensor:
        first, second = model(tokens)[:, -1].double().gather(1, ids).T
        return first - second

    def steered(layer: int, strength: float) -> torch.Tensor:
        with sh.steer(model, directions[layer], strength, positions="last"):
            return difference(bases)

    own, reference = difference(bases), difference(references)
    grid = [[steered(layer, s) for s in STRENGTHS] for layer in range(model.cfg.n_layers + 1)]
    found = torch.stack([torch.stack(row, dim=-1) for row in grid], dim=1)
    return (found - own[:, None, None]) / (reference - own)[:, None, None]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["planted-hub", "planted-separate"])
def test_steering_equals_its_closed_form(name: str, backend: Any) -> None:
    world = planted.planted_world(name)
    model = planted.planted_model(world, backend=backend, device="cpu")
    for source, base in (("es", "fr"), ("en", "es"), ("fr", "fr")):
        expected = planted.expected_steering(world, source, base, STRENGTHS)
        found = steering_effects(model, world, source, base)
        assert torch.allclose(found, torch.from_numpy(expected), atol=1e-4)


@pytest.mark.slow
def test_separate_codes_are_steered_within_their_language_alone() -> None:
    world = planted.planted_world("planted-separate")
    model = planted.planted_model(world, device="cpu")
    low, high = bootstrap_interval(steering_effects(model, world, "es", "fr")[..., 2])
    assert (low <= 0).all() and (high >= 0).all()
    within = steering_effects(model, world, "fr", "fr")[..., 2].mean(dim=0)
    assert torch.allclose(within, torch.ones_like(within), atol=1e-4)
