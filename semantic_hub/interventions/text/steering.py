"""Free text under steering: what a direction changes in the texts that a model writes.

Every prompt is continued with the same seeds unsteered and in each direction, so that a text is
compared with the unsteered text of the same seed.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.interventions.steering.continuations import check_room
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    check_all_steering,
    check_reached,
)
from semantic_hub.interventions.steering.per_layer import (
    Directions,
    at_every_layer,
    placebos,
    relative_norms,
    states_where_steered,
    with_unsteered,
)
from semantic_hub.interventions.steering.runs import Steered, SteeringOptions
from semantic_hub.interventions.text.generation import (
    Generation,
    Sampling,
    steered_texts,
)
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.progress import Progress, showing_progress
from semantic_hub.prompts.prompt import Prompts, as_prompts, encode
from semantic_hub.prompts.soft_tokens import recorded_positions
from semantic_hub.results.result import manifest
from semantic_hub.statistics.resampling import Resampling


def text_steering_sweep(
    model: HookedModel,
    prompts: Prompts,
    directions: Directions,
    scorers: Mapping[str, Scorer],
    *,
    layers: int | Sequence[int] | None = None,
    strengths: float | int | Sequence[float | int] = (1.0,),
    positions: SteeredPositions = "all",
    mode: Mode = "add",
    sampling: Sampling | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
    progress: Progress | bool = True,
) -> TextSteeringResult:
    """Continue prompts in each direction, layer and strength, and score the texts.

    Texts are scored after the steering has ended, so the steered model itself may be the one that
    measures their perplexity.

    Args:
        model: The model that writes, with a tokenizer.
        prompts: What is continued.
        directions: One direction, or several by name, the effect's first; one vector each (no
            rows for single prompts).
        scorers: By name, the primary one first; see `semantic_hub.interventions.text.scorers`.
        layers: 0..n_layers; None for all.
        strengths: Factors of the direction; strength 0 is added, and run once for all.
        positions: As in `semantic_hub.interventions.steering.hook.steer`.
        mode: As in `semantic_hub.interventions.steering.hook.steer`.
        sampling: How to sample; None for the defaults of `Sampling`.
        batch_size: Prompts per batch.
        resampling: Resamples, coverage and seed of the intervals.
        progress: Whether to show a bar, or in a log a line for each direction, layer and strength;
            a function is called with each line.

    Returns:
        Scores of every text; the last directions are ``"placebo"`` and, for three prompts or more,
        ``"placebo, states' covariance"``, both with the norm of the first at each layer (see
        `semantic_hub.interventions.steering.per_layer.placebos`).

    Raises:
        SemanticHubError: No directions, strengths or scorers, a direction without one of the layers
            or with a row for each prompt, a scorer that does not give one number for each text, or
            as `generate_texts` and `steer`.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import mean_differences
        >>> from semantic_hub.zoo.world.facts import World
        >>> from semantic_hub.zoo.world.scorers import mood
        >>> towards_good = mean_differences(model, ["good"], ["bad"], [4])
        >>> result = text_steering_sweep(model, ["bad, sad,"], {"en": towards_good},
        ...     {"sentiment": mood(World(seed=0))}, layers=[4],
        ...     sampling=Sampling(max_new_tokens=8, seeds=(0, 1)))
        >>> result.directions, tuple(result.score.shape)
        (('en', 'placebo'), (2, 1, 2, 1, 1, 2))

    Source:
        Wu et al. 2025, arXiv 2411.04986 (text in one language steered by words of another).
    """
    check_model(model)
    layers = [*dict.fromkeys(check_layers(model, layers))]
    prompts = as_prompts("text_steering_sweep", "prompts", prompts)
    strengths = with_unsteered("text_steering_sweep", strengths)
    check_kinds(
        "text_steering_sweep",
        scorers=(scorers, Mapping),
        sampling=(sampling, (Sampling, None)),
        resampling=(resampling, Resampling),
    )
    if not scorers:
        raise SemanticHubError(
            "text_steering_sweep",
            got="no scorers",
            expected="at least one",
            fix='Name them, as {"sentiment": scorer}.',
        )
    given = at_every_layer("text_steering_sweep", directions, layers)
    sampling = sampling or Sampling()
    check_reached("text_steering_sweep", positions, sampling.max_new_tokens)
    check_all_steering(model, given, positions=positions, mode=mode)
    check_predicts_next_token(model, "text_steering_sweep")
    encodings, options = encode(model, prompts), SteeringOptions(positions, mode)
    check_room("text_steering_sweep", model, encodings, sampling.max_new_tokens)
    states = states_where_steered(
        "text_steering_sweep", model, prompts, layers, positions, batch_size
    )
    controls = placebos(next(iter(given.values())), states, resampling.seed)
    expanded = {**given, **controls}
    provenance = manifest(
        model,
        seed=resampling.seed,
        positions=recorded_positions(positions),
        mode=mode,
        sampling=vars(sampling),
        batch_size=batch_size,
        directions={name: by_layer[layers[0]].description for name, by_layer in expanded.items()},
    )

    def run(
        direction: Direction, strength: float, step: Progress
    ) -> tuple[list[Generation], Tensor]:
        step(f"steering text at layer {direction.layer}: {strength:g} × {direction.description}")
        steering = Steered((direction,) if strength else (), strength)
        texts = steered_texts(model, encodings, sampling, steering, options, batch_size)
        return texts, _scores(scorers, texts, len(sampling.seeds))

    with showing_progress(progress, 1 + len(expanded) * len(layers) * (len(strengths) - 1)) as step:
        unsteered = run(next(iter(expanded.values()))[layers[0]], 0.0, step)
        cells = [
            run(by_layer[layer], strength, step) if strength else unsteered
            for by_layer in expanded.values()
            for layer in layers
            for strength in strengths
        ]
    shape = (len(expanded), len(layers), len(strengths))
    return TextSteeringResult(
        n_layers=model.cfg.n_layers,
        directions=tuple(expanded),
        effect_direction=next(iter(given)),
        control_directions=tuple(controls),
        layers=tuple(layers),
        strengths=strengths,
        scorers=tuple(scorers),
        primary_scorer=next(iter(scorers)),
        seeds=sampling.seeds,
        prompts=tuple(text.prompt_text for text in unsteered[0][:: len(sampling.seeds)]),
        score=torch.stack([scores for _, scores in cells]).unflatten(0, shape),
        relative_norm=relative_norms(expanded, states),
        texts=tuple(text.text for texts, _ in cells for text in texts),
        resampling=resampling,
        manifest=provenance,
    )


def _scores(
    scorers: Mapping[str, Scorer], texts: Sequence[Generation], n_seeds: int
) -> Float[Tensor, "scorer prompt seed"]:
    """Score every text; raise where a scorer gives another number of scores."""
    scores = {
        name: torch.tensor(list(score(texts)), dtype=torch.float64)
        for name, score in scorers.items()
    }
    for name, values in scores.items():
        if values.shape != (len(texts),):
            raise SemanticHubError(
                "text_steering_sweep",
                got=f"{tuple(values.shape)} numbers from the scorer {name!r}",
                expected=f"{len(texts)}, one for each text",
                fix="Return NaN for a text without a score.",
            )
    return torch.stack(list(scores.values())).unflatten(1, (-1, n_seeds))
