"""Rates of the verdict on steering in planted worlds, with one placebo and with both.

What a steered state says is decided by one of two readers. One reads the *concept*: the nearest of
the language's codes, each dimension over its spread. The other reads a *size*: whether the state is
moved up by more than the spread along the dimension with the largest one, as any push that is large
there does, whatever it means. Every prompt is steered by the difference of two states of the other
language, from its concept to the next one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.interventions.controls import PLACEBO
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.outcomes import OUTCOMES
from semantic_hub.interventions.steering.per_layer import placebos
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.anisotropy import HUGE
from semantic_hub.zoo.calibration.nulls import RESAMPLES
from semantic_hub.zoo.calibration.verdict import set_verdict, shares_by_world
from semantic_hub.zoo.calibration.worlds import LANGUAGES, anisotropic, planted_states
from semantic_hub.zoo.planted.models import expected_stream, planted_world

COMMON = 10.0
"""Length of the direction that all states have in common, over that of the stream."""

NOISES = (2.0, 4.0)
"""Length of the noise over that of the stream."""

STRENGTHS = (0.0, 1.0)
"""Factors of the directions."""

CONCEPT, SIZE = "concept", "size"
"""What decides the outcome."""


class SteeredWorld(NamedTuple):
    """A planted world, what its outcome depends on, and the controls that its verdict has."""

    name: str
    reader: str
    noise: float
    huge: int
    both_placebos: bool

    @property
    def has_effect(self) -> bool:
        """Whether the outcome depends on a concept that the direction carries."""
        return self.reader == CONCEPT and self.name == "planted-hub"


STEERED_WORLDS: Sequence[SteeredWorld] = tuple(
    SteeredWorld(name, reader, noise, huge, both)
    for name, reader in (
        ("planted-separate", CONCEPT),
        ("planted-separate", SIZE),
        ("planted-hub", CONCEPT),
    )
    for noise in NOISES
    for huge in HUGE
    for both in (False, True)
)
"""Worlds whose verdicts are counted."""


def steered_result(world: SteeredWorld, seed: int) -> SteeringResult:
    """Outcome of every English prompt of a planted world, steered by Spanish states.

    Args:
        world: World, reader, noise, number of huge dimensions, and controls.
        seed: Seed of codes, noise and placebos.

    Example:
        >>> hub = steered_result(SteeredWorld("planted-hub", "concept", 0.5, 1, True), 0)
        >>> hub.share("success", "direction").value[2:4, 1].round(decimals=1).tolist()
        [1.0, 1.0]
    """
    states, others = (
        torch.from_numpy(side)
        for side in anisotropic(
            *planted_states(world.name, seed, noise=world.noise),
            common=COMMON,
            huge=world.huge,
            seed=seed,
        )
    )
    codes = _codes(world, seed)
    n_layers = states.shape[1] - 1
    step = {
        layer: Direction(others[:, layer].roll(-1, 0) - others[:, layer], layer, "to the next")
        for layer in range(n_layers + 1)
    }
    controls = placebos(step, states, seed)
    if not world.both_placebos:
        controls = {PLACEBO: controls[PLACEBO]}
    directions = {"direction": step, **controls}
    says = _concepts if world.reader == CONCEPT else _moved
    outcome = [
        [
            [
                says(states[:, layer], strength * direction.vector, codes[:, layer])
                for strength in STRENGTHS
            ]
            for layer, direction in by_layer.items()
        ]
        for by_layer in directions.values()
    ]
    return SteeringResult(
        n_layers=n_layers,
        layers=tuple(step),
        strengths=STRENGTHS,
        directions=tuple(directions),
        effect_direction="direction",
        control_directions=tuple(controls),
        outcome=torch.stack([torch.stack([torch.stack(c) for c in row]) for row in outcome]),
        relative_norm=torch.ones(len(directions), n_layers + 1),
        resampling=Resampling(RESAMPLES, seed=seed),
        manifest={},
    )


def steering_verdict(result: SteeringResult) -> str:
    """Verdict on one set of steered prompts.

    Args:
        result: Its outcomes.
    """
    return set_verdict(result.cell_margins(result.resampling))


def steering_verdict_shares(seeds: Iterable[int]) -> dict[SteeredWorld, dict[str, float]]:
    """Share of worlds with each verdict, for every world.

    Args:
        seeds: Seeds of the worlds.
    """
    return shares_by_world(
        STEERED_WORLDS, seeds, lambda world, seed: steering_verdict(steered_result(world, seed))
    )


def _codes(world: SteeredWorld, seed: int) -> Float[Tensor, "concept layer d_model"]:
    """What the English states are without noise."""
    planted = planted_world(world.name, seed, languages=LANGUAGES)
    clean = [expected_stream(planted, language) for language in LANGUAGES]
    codes, _ = anisotropic(*clean, common=COMMON, huge=world.huge, own_noise=False, seed=seed)
    return torch.from_numpy(codes)


def _concepts(
    states: Float[Tensor, "prompt d_model"],
    push: Float[Tensor, "*prompt d_model"],
    codes: Float[Tensor, "prompt d_model"],
) -> Int[Tensor, " prompt"]:
    """Outcomes where the nearest code is said; that of the next prompt is the success."""
    center, spread = states.mean(dim=0), states.std(dim=0)
    own = torch.arange(len(states))
    said = torch.cdist((states + push - center) / spread, (codes - center) / spread).argmin(dim=1)
    return _as_outcomes(said == own.roll(-1), said == own)


def _moved(
    states: Float[Tensor, "prompt d_model"],
    push: Float[Tensor, "*prompt d_model"],
    codes: Float[Tensor, "prompt d_model"],
) -> Int[Tensor, " prompt"]:
    """Outcomes where a push along the dimension with the largest spread is a success."""
    spread, widest = states.std(dim=0).max(dim=0)
    up = push.expand_as(states)[:, widest] > spread
    return _as_outcomes(up, ~up)


def _as_outcomes(
    success: Bool[Tensor, " prompt"], unchanged: Bool[Tensor, " prompt"]
) -> Int[Tensor, " prompt"]:
    """Numbers of the outcomes."""
    named = torch.where(unchanged, OUTCOMES.index("unchanged"), OUTCOMES.index("other"))
    return torch.where(success, OUTCOMES.index("success"), named)
