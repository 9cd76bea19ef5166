"""Steering of planted worlds: an effect is found, and a push along a huge dimension is none."""

import numpy as np
import pytest
import torch

from semantic_hub.interventions.steering.contrasts import paired_differences
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.zoo.calibration.anisotropy import Anisotropy
from semantic_hub.zoo.calibration.page import page_text
from semantic_hub.zoo.calibration.steered import (
    CONCEPT,
    SIZE,
    STEERED_WORLDS,
    SteeredWorld,
    steered_result,
    steering_verdict,
)
from semantic_hub.zoo.planted.models import planted_hub, planted_separate, planted_world


@pytest.mark.parametrize("build", [planted_hub, planted_separate])
def test_without_noise_the_reader_says_what_the_planted_model_says(build) -> None:
    """Up to the layer where the hub's code has become the language's own word."""
    model, name = build(), build.__name__.replace("_", "-")
    world = planted_world(name)
    words, prompts, others = world.words("en"), world.prompts("en"), world.prompts("es")

    def outcome(index: int, text: str) -> str:
        said = {words[(index + 1) % len(words)]: "success", words[index]: "unchanged"}
        return said.get(text.strip(), "other")

    directions = paired_differences(model, [*others[1:], others[0]], others)
    swept = steering_sweep(model, prompts, directions, outcome, layers=[2, 3], strengths=[1.0])
    read = steered_result(SteeredWorld(name, CONCEPT, 0.0, 0, True), 0)
    for result, layers in ((swept, slice(0, 2)), (read, slice(2, 4))):
        success = result.share("success", "direction").value[layers, 1]
        assert success.tolist() == [float(name == "planted-hub")] * 2
        assert result.doable().all()


@pytest.mark.parametrize("huge", [0, 1, 4])
def test_a_concept_is_an_effect_with_a_hub_alone(huge: int) -> None:
    hub, separate = (
        steered_result(SteeredWorld(name, CONCEPT, 2.0, huge, True), 3)
        for name in ("planted-hub", "planted-separate")
    )
    assert steering_verdict(hub) == "supported"
    assert steering_verdict(separate) == "not supported"


def test_a_push_along_a_huge_dimension_passes_a_random_direction_and_not_the_states_own_noise() -> (
    None
):
    told = {
        both: {
            steering_verdict(
                steered_result(SteeredWorld("planted-separate", SIZE, 2.0, 1, both), seed)
            )
            for seed in range(4)
        }
        for both in (False, True)
    }
    assert told[False] == {"supported"}
    assert "supported" not in told[True]


def test_what_moves_along_the_widest_dimension_by_hand() -> None:
    """The rule of *size*, from the states themselves."""
    world = SteeredWorld("planted-separate", SIZE, 2.0, 4, True)
    result = steered_result(world, 1)
    assert result.outcome.shape == (3, 6, 2, 48)
    assert torch.equal(result.outcome[:, :, 0], torch.ones(3, 6, 48, dtype=torch.long))
    share = result.share("success", "direction").value[1:-1, 1].numpy()
    assert (np.abs(share - 0.24) < 0.15).all(), "√2 z > 1 for a normal z in .24 of cases"


def test_the_page_names_false_positives() -> None:
    shares = {world: {"cannot tell": 1.0} for world in STEERED_WORLDS}
    shares[SteeredWorld("planted-separate", SIZE, 2.0, 1, False)] = {"supported": 0.5}
    shares[SteeredWorld("planted-separate", SIZE, 2.0, 1, True)] = {"supported": 0.08}
    shares[SteeredWorld("planted-hub", CONCEPT, 2.0, 1, True)] = {"supported": 1.0}
    grid = np.zeros((4, 3))
    anisotropy = Anisotropy({"AUC": grid}, {"AUC": grid}, grid, grid)
    page = page_text({}, {}, {}, {}, {}, anisotropy, {}, shares, 200, ("a.svg", "b.svg"))
    page = page.split("## Steering")[1]
    assert "**Failures: 1**, of these with both placebos: 0." in page
    assert (
        "| planted-separate | size | 2 | 1 | random direction | 0.500 | 0.000 | 0.000 | **FAILS** |"
    ) in page
    assert "| planted-hub | concept | 2 | 1 | both | 1.000 |" in page
