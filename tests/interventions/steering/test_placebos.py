"""Random controls of a direction: in any direction, and in the covariance of the prompts' states."""

from typing import Any

import numpy as np
import pytest
import torch
from tiny import BACKENDS

import semantic_hub as sh
from semantic_hub.interventions.controls import PLACEBO, STATES_PLACEBO
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.per_layer import placebos, states_where_steered
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.prompts.prompt import Prompt

N, WIDTH = 60, 48


def states(huge: float = 1.0, n: int = N) -> torch.Tensor:
    """States at two layers with a mean of their own, the first dimension `huge` times as large."""
    drawn = torch.randn(n, 2, WIDTH, generator=torch.Generator().manual_seed(3)) + 2
    drawn[..., 0] *= huge
    return drawn


def along(*rows: int, length: float = 7.0) -> dict[int, Direction]:
    """A direction, or one for each prompt, at layers 2 and 5."""
    vector = torch.zeros(*rows, WIDTH)
    vector[..., 1] = length
    return {2: Direction(vector, 2, "by hand"), 5: Direction(2 * vector, 5, "by hand")}


def test_a_huge_dimension_is_missed_by_a_random_direction_and_not_by_the_states_own_noise() -> None:
    """What any push along the huge dimension does to a prompt, a placebo must do as well."""
    found = placebos(along(), states(1000))
    along_it = {name: by[2].vector[..., 0].abs() / 7 for name, by in found.items()}
    assert along_it[PLACEBO] < 0.3
    assert along_it[STATES_PLACEBO].min() > 0.99
    plain = placebos(along(), states())[STATES_PLACEBO][2].vector
    assert (plain[:, 0] ** 2).mean().item() / 49 == pytest.approx(1 / WIDTH, rel=0.6)


def test_it_equals_a_formula_in_numpy() -> None:
    """Normal numbers, a row of them for each prompt, times the deviations, scaled."""
    read = states(30)
    found = placebos(along(N), read, seed=5)[STATES_PLACEBO]
    numbers = torch.randn(N, N, generator=torch.Generator().manual_seed(5)).double().numpy()
    for place, (layer, length) in enumerate(((2, 7), (5, 14))):
        x = read[:, place].double().numpy()
        noise = np.einsum("ij,jd->id", numbers, x - x.mean(axis=0))
        expected = noise * (length / np.linalg.norm(noise, axis=1, keepdims=True))
        np.testing.assert_allclose(found[layer].vector.double().numpy(), expected, atol=1e-3)


def test_each_prompt_has_one_as_long_as_its_direction_and_the_seed_decides() -> None:
    lengths = torch.linspace(0, 9, N)
    rows = {2: Direction(lengths[:, None] * torch.eye(WIDTH)[[1] * N], 2, "by hand")}
    read = states(10)[:, :1]
    first, again, other = (
        placebos(rows, read, seed)[STATES_PLACEBO][2].vector for seed in (0, 0, 1)
    )
    torch.testing.assert_close(first.norm(dim=-1), lengths)
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_states_that_are_all_alike_have_no_covariance() -> None:
    """As the embeddings of one last token: there it is the placebo in any direction."""
    read = states()
    read[:, 0] = read[0, 0]
    found = placebos(along(), read)
    assert torch.equal(found[STATES_PLACEBO][2].vector, found[PLACEBO][2].vector.expand(N, -1))
    assert not torch.allclose(found[STATES_PLACEBO][5].vector, found[PLACEBO][5].vector)


def test_two_prompts_have_one_placebo() -> None:
    assert list(placebos(along(), states(n=2))) == [PLACEBO]


def test_a_direction_of_nothing_has_placebos_of_nothing() -> None:
    found = placebos(along(length=0.0), states(100))
    assert not any(direction.vector.any() for by in found.values() for direction in by.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_any_push_along_the_spread_of_the_states_brings_about_is_no_effect(
    backend: str,
) -> None:
    """On a planted model every state differs by its word alone: noise like the states says words.

    The direction goes from a prompt's word to the next prompt's. A rule that calls any new word a
    success is met by it always, by a random direction seldom, and by noise like the states often.
    """
    model = sh.load_model("planted-hub", device="cpu", backend=backend)
    world = sh.zoo.planted.models.planted_world("planted-hub")
    prompts, words = world.prompts("fr")[:12], set(world.words("fr"))
    read = sh.residual_stream(model, prompts, layers=[3])[:, 0]
    step = {3: Direction(read.roll(-1, 0) - read, 3, "to the next")}
    unsteered: dict[int, str] = {}

    def outcome(index: int, text: str) -> str:
        own = unsteered.setdefault(index, text)
        if text == own:
            return "unchanged"
        return "success" if text.strip() in words else "other"

    found = steering_sweep(model, prompts, step, outcome, layers=[3], strengths=[1.0])
    share = {name: float(found.share("success", name).value[0, 1]) for name in found.directions}
    assert share["direction"] == 1.0
    assert share[STATES_PLACEBO] > share[PLACEBO] + 0.2
    margins = found.cell_margins(sh.Resampling(99))
    assert margins.strongest == (STATES_PLACEBO,)
    assert margins.value.item() == pytest.approx(1 - share[STATES_PLACEBO])


def test_layers_that_are_named_twice_are_steered_once(model: Any) -> None:
    """And the placebo of each layer is made of that layer's states."""
    direction = Direction(torch.ones(model.cfg.d_model), None, "ones")
    prompts, other = ["The dog", "cat", "two plus"], lambda index, text: "other"
    once, twice = (
        steering_sweep(model, prompts, direction, other, layers=layers, strengths=[1.0])
        for layers in ([1, 3], [1, 1, 3])
    )
    assert twice.layers == (1, 3)
    torch.testing.assert_close(twice.relative_norm, once.relative_norm)


def test_states_are_read_where_the_last_steered_position_is(model: Any) -> None:
    prompts = [Prompt("The dog barks", position=0), Prompt("cat El perro")]
    own = sh.residual_stream(model, [Prompt(p.text) for p in prompts], layers=[2])
    second = sh.residual_stream(model, [Prompt(p.text, position=1) for p in prompts], layers=[2])
    for positions, expected in (("last", own), ("all", own), ("generated", own), ((0, 2), second)):
        found = states_where_steered("example", model, prompts, [2], positions)
        torch.testing.assert_close(found, expected)
