"""Steering sweep: every direction at every layer and strength, and the outcomes.

Always with controls: strength 0, and two placebos of equal norm, a random direction and one drawn
from the covariance of the prompts' own states.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from semantic_hub.activations.batches import check_batch_size
from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    check_all_steering,
    check_reached,
    is_span_per_prompt,
)
from semantic_hub.interventions.steering.outcomes import OUTCOMES, OutcomeRule
from semantic_hub.interventions.steering.per_layer import (
    Directions,
    at_every_layer,
    placebos,
    relative_norms,
    states_where_steered,
    with_unsteered,
)
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.runs import Steered, SteeringOptions
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompts, as_prompts, encode
from semantic_hub.prompts.soft_tokens import recorded_positions
from semantic_hub.results.result import manifest
from semantic_hub.statistics.resampling import Resampling

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Strengths that a sweep runs unless others are given."""


def steering_sweep(
    model: HookedModel,
    prompts: Prompts,
    directions: Directions,
    outcome: OutcomeRule,
    *,
    layers: int | Sequence[int] | None = None,
    strengths: float | int | Sequence[float | int] = STRENGTHS,
    positions: SteeredPositions = "last",
    mode: Mode = "add",
    max_new_tokens: int = 1,
    all_later_layers: bool = False,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> SteeringResult:
    """Steer prompts in one or several directions, and count the outcomes.

    Every prompt is continued greedily, under each direction at each layer and strength. Each is
    read once; a steered run starts at the layer and position where it is steered first, and all
    runs of prompts of the same number of tokens go on together.

    Args:
        model: A decoder with a tokenizer.
        prompts: What is continued: text, `Prompt` objects or token ids.
        directions: One direction, or a mapping from names to directions, the effect's first. Each
            is a mapping from layers, as `paired_differences` and `mean_differences` give it, or a
            `Direction`, which goes to every layer if it has none. A direction with a row for each
            prompt (a *direction per prompt*) steers prompt i with row i.
        outcome: From a prompt's index and the text of its new tokens to ``"success"``,
            ``"unchanged"`` or ``"other"``; such as an
            `semantic_hub.interventions.steering.outcomes.ExpectedAnswer`.
        layers: Which layers, 0..n_layers; None for all.
        strengths: Factors; 0 is added.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`. A tuple of spans
            has one for each prompt.
        mode: How; see there.
        max_new_tokens: How far to generate; a text ends before its end-of-text token.
        all_later_layers: Steer every layer from each on, not it alone, each by its own direction.
        batch_size: Prompts, and steered runs, per batch; ``"auto"`` fills a fixed number of tokens.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        One outcome for each direction, layer, strength and prompt, the placebos' last. These are
        ``"placebo"`` and, for three prompts or more, ``"placebo, states' covariance"``, both as
        long as the first direction (see `semantic_hub.interventions.steering.per_layer.placebos`).

    Raises:
        SemanticHubError: No prompts, directions or strengths; a direction that lacks a layer,
            belongs to another one or is of another width, or has another number of rows than there
            are prompts; positions that no pass reaches (``"generated"`` with one new token); a
            prompt that leaves too little of the context; an outcome that is none of the three; no
            tokenizer, or no decoder.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import mean_differences
        >>> directions = mean_differences(model, ["good"], ["bad"], [3, 4])
        >>> names_good = lambda index, text: "success" if "good" in text else "other"
        >>> result = steering_sweep(model, ["the dog is"], directions, names_good,
        ...                         layers=[3, 4], strengths=[1, 2])
        >>> result.directions, result.strengths, tuple(result.outcome.shape)
        (('direction', 'placebo'), (0.0, 1.0, 2.0), (2, 2, 3, 1))

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 4 (arithmetic: success, unchanged, other).
    """
    check_predicts_next_token(check_model(model), "steering_sweep")
    check_reached("steering_sweep", positions, max_new_tokens)
    chosen_layers = [*dict.fromkeys(check_layers(model, layers))]
    check_kinds(
        "steering_sweep",
        outcome=(outcome, Callable),
        max_new_tokens=(max_new_tokens, int),
        all_later_layers=(all_later_layers, bool),
        resampling=(resampling, Resampling),
    )
    check_batch_size(batch_size)
    prompts = as_prompts("steering_sweep", "prompts", prompts)
    encodings = encode(model, prompts)
    n_layers = model.cfg.n_layers
    steered_layers = range(min(chosen_layers), n_layers + 1) if all_later_layers else chosen_layers
    given = at_every_layer("steering_sweep", directions, steered_layers, n_prompts=len(encodings))
    factors = with_unsteered("steering_sweep", strengths)
    _check_spans(positions, len(encodings))
    check_all_steering(model, given, positions=positions, mode=mode)
    continuations = Continuations(model, encodings, max_new_tokens, batch_size)
    states = states_where_steered(
        "steering_sweep", model, prompts, steered_layers, positions, batch_size
    )
    controls = placebos(next(iter(given.values())), states, resampling.seed)
    expanded = {**given, **controls}
    descriptions = {
        name: by_layer[chosen_layers[0]].description for name, by_layer in expanded.items()
    }
    provenance = manifest(
        model,
        seed=resampling.seed,
        parameters={
            "positions": recorded_positions(positions),
            "mode": mode,
            "max_new_tokens": max_new_tokens,
            "all_later_layers": all_later_layers,
            "directions": descriptions,
        },
    )
    at_layer = {
        layer: [k for k in steered_layers if k >= layer] if all_later_layers else [layer]
        for layer in chosen_layers
    }
    at_chosen = {name: {k: by[k] for k in chosen_layers} for name, by in expanded.items()}
    states_at_chosen = states[:, [list(steered_layers).index(k) for k in chosen_layers]]
    return SteeringResult(
        n_layers=n_layers,
        layers=tuple(chosen_layers),
        strengths=factors,
        directions=tuple(expanded),
        effect_direction=next(iter(given)),
        control_directions=tuple(controls),
        outcome=_sweep(
            continuations,
            expanded,
            at_layer,
            factors,
            outcome,
            SteeringOptions(positions, mode),
        ),
        relative_norm=relative_norms(at_chosen, states_at_chosen),
        resampling=resampling,
        manifest=provenance,
    )


def _sweep(
    continuations: Continuations,
    directions: Mapping[str, Mapping[int, Direction]],
    layers: Mapping[int, Sequence[int]],
    strengths: Sequence[float],
    outcome: OutcomeRule,
    options: SteeringOptions,
) -> Int[Tensor, "direction layer strength prompt"]:
    """Outcomes of all cells; `layers` maps each layer to those that are then steered."""
    cells = {
        (row, column, place): Steered(tuple(by_layer[k] for k in steered_layers), strength)
        for column, steered_layers in enumerate(layers.values())
        for row, by_layer in enumerate(directions.values())
        for place, strength in enumerate(strengths)
        if strength
    }
    unsteered, *texts = continuations.steered([Steered((), 0.0), *cells.values()], options)
    shape = len(directions), len(layers), len(strengths), 1
    outcomes = _outcomes(outcome, unsteered).repeat(shape)
    for cell, steered in zip(cells, texts, strict=True):
        outcomes[cell] = _outcomes(outcome, steered)
    return outcomes


def _outcomes(outcome: OutcomeRule, texts: Sequence[str]) -> Int[Tensor, " prompt"]:
    """Index of each prompt's outcome; raise where it is none of the three."""
    outcomes = [outcome(index, text) for index, text in enumerate(texts)]
    for index, got in enumerate(outcomes):
        if got not in OUTCOMES:
            raise _error(
                f"{got!r} from outcome({index}, {texts[index]!r})",
                f"one of {', '.join(map(repr, OUTCOMES))}",
                "Let the outcome return one of these.",
            )
    return torch.tensor([OUTCOMES.index(got) for got in outcomes])


def _check_spans(positions: SteeredPositions, n_prompts: int) -> None:
    """Raise where there are spans for another number of prompts."""
    if is_span_per_prompt(positions) and len(positions) != n_prompts:
        raise _error(
            f"{len(positions)} spans for {n_prompts} prompts",
            "one for each prompt",
            "Give each prompt its span, or one span for all.",
        )


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    """Error of this sweep."""
    return SemanticHubError("steering_sweep", got=got, expected=expected, fix=fix)
