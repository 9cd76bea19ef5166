"""Free text under steering: what a direction changes in what a model writes, and what it costs.

Every prompt is continued with the same seeds untouched and in each direction, so that texts are
compared with what the same draw of random numbers gave without steering.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Mode, SteeredPositions, TextSteering
from semantic_hub.interventions.steering.contrasts import mean_differences
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.per_layer import (
    LayerDirection,
    relative_norms,
    with_placebo,
)
from semantic_hub.interventions.text.generation import Generation, Sampling, generate_texts
from semantic_hub.interventions.text.perplexity import perplexity
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike
from semantic_hub.prompts.soft_tokens import recorded_positions
from semantic_hub.results import manifest
from semantic_hub.statistics.resampling import Resampling

Progress = Callable[[str], None]


def text_steering(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    directions: Mapping[str, LayerDirection],
    scorers: Mapping[str, Scorer],
    *,
    layers: Sequence[int] | None = None,
    strengths: Sequence[float | int] = (1.0,),
    positions: SteeredPositions = "all",
    mode: Mode = "add",
    sampling: Sampling | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
    progress: Progress | None = None,
) -> TextSteeringResult:
    """Continue prompts in each direction, layer and strength, and score the texts.

    Texts are scored after the steering has ended, so the steered model may itself be the one whose
    perplexity is asked for.

    Args:
        model: The model that writes, with a tokenizer.
        prompts: What is continued.
        directions: By name, one vector each (no rows for single prompts).
        scorers: By name; see `semantic_hub.interventions.text.scorers`.
        layers: 0..n_layers; None for all.
        strengths: Factors of the direction; strength 0 is added, and run once for all.
        positions: As in `semantic_hub.interventions.steering.hook.steer`.
        mode: As in `semantic_hub.interventions.steering.hook.steer`.
        sampling: How to sample; None for the defaults of `Sampling`.
        batch_size: Prompts per batch.
        resampling: Resamples, coverage and seed of the intervals.
        progress: Called with a line of text before each direction, layer and strength.

    Returns:
        Scores of every text; the last direction is ``"placebo"``, a random one with the norm of
        the first at each layer.

    Raises:
        SemanticHubError: No directions or scorers, a direction without one of the layers or with a
            row for each prompt, a scorer that does not give one number for each text, or as
            `generate_texts` and `steer`.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import mean_differences
        >>> from semantic_hub.zoo.world.facts import World
        >>> from semantic_hub.zoo.world.scorers import mood
        >>> towards_good = mean_differences(model, ["good"], ["bad"], [4])
        >>> result = text_steering(model, ["bad, sad,"], {"en": towards_good},
        ...     {"sentiment": mood(World(seed=0))}, layers=[4],
        ...     sampling=Sampling(max_new_tokens=8, seeds=(0, 1)))
        >>> result.directions, tuple(result.score.shape)
        (('en', 'placebo'), (2, 1, 2, 1, 1, 2))

    Source:
        Wu et al. 2025, arXiv 2411.04986 (text in one language steered by words of another).
    """
    check_model(model)
    layers = check_layers(model, layers)
    _check(scorers)
    steered = with_placebo("text_steering", directions, layers, seed=resampling.seed)
    strengths, sampling = sorted({0.0, *map(float, strengths)}), sampling or Sampling()
    say = progress or (lambda line: None)
    about = manifest(
        model,
        seed=resampling.seed,
        positions=recorded_positions(positions),
        mode=mode,
        sampling=vars(sampling),
        batch_size=batch_size,
        directions={name: by_layer[layers[0]].made for name, by_layer in steered.items()},
    )

    def run(direction: Direction, strength: float) -> tuple[list[Generation], Tensor]:
        say(f"steering text at layer {direction.layer}: {strength:g} × {direction.made}")
        with steer(model, direction, strength, positions=positions, mode=mode):
            texts = generate_texts(model, prompts, sampling, batch_size=batch_size)
        return texts, _scored(scorers, texts, len(sampling.seeds))

    unsteered = run(next(iter(steered.values()))[layers[0]], 0.0)
    cells = [
        run(by_layer[layer], strength) if strength else unsteered
        for by_layer in steered.values()
        for layer in layers
        for strength in strengths
    ]
    shape = (len(steered), len(layers), len(strengths))
    return TextSteeringResult(
        directions=tuple(steered),
        layers=tuple(layers),
        strengths=tuple(strengths),
        scorers=tuple(scorers),
        seeds=sampling.seeds,
        prompts=tuple(text.prompt_text for text in unsteered[0][:: len(sampling.seeds)]),
        score=torch.stack([scores for _, scores in cells]).unflatten(0, shape),
        relative_norm=relative_norms(model, prompts, steered, batch_size),
        texts=tuple(text.text for texts, _ in cells for text in texts),
        resampling=resampling,
        manifest=about,
    )


def steer_texts(
    model: HookedModel,
    experiment: TextSteering,
    *,
    scoring_model: HookedModel | None = None,
    **options: Any,
) -> TextSteeringResult:
    """Run an experiment that a spoke hands over: `mean_differences`, then `text_steering`.

    Args:
        model: The model that writes.
        experiment: What to continue, in which directions, and what to measure; the perplexity of
            the texts is measured besides.
        scoring_model: The model for the perplexity; None for the writing one, unsteered.
        options: Of `text_steering`; ``layers`` (instead of depths), ``strengths``, ``positions``,
            ``mode`` and ``sampling`` take the place of the experiment's.

    Raises:
        SemanticHubError: As `text_steering`.

    Example:
        >>> from semantic_hub.zoo.world.facts import World
        >>> from semantic_hub.zoo.world.scorers import mood_steering
        >>> experiment = mood_steering(World(seed=0), "es")
        >>> result = steer_texts(model, experiment, layers=[4], strengths=[2.0],
        ...                      sampling=Sampling(max_new_tokens=8, seeds=(0,)))
        >>> result.directions, result.scorers
        (('en', 'es', 'placebo'), ('sentiment', 'relevance', 'in es', 'perplexity'))
    """
    settings = {name: getattr(experiment, name) for name in _SETTINGS} | options
    layers = check_layers(model, settings.pop("layers", _at_depths(model, experiment.depths)))
    directions = {
        name: mean_differences(model, contrast.plus, contrast.minus, layers)
        for name, contrast in experiment.contrasts.items()
    }
    scorers = {**experiment.scorers, "perplexity": perplexity(scoring_model or model, model)}
    return text_steering(model, experiment.prompts, directions, scorers, layers=layers, **settings)


_SETTINGS = ("strengths", "positions", "mode", "sampling")


def _at_depths(model: HookedModel, depths: Sequence[float] | None) -> list[int] | None:
    """The nearest layers, each once."""
    if depths is None:
        return None
    return sorted({round(depth * model.cfg.n_layers) for depth in depths})


def _scored(
    scorers: Mapping[str, Scorer], texts: Sequence[Generation], n_seeds: int
) -> Float[Tensor, "scorer prompt seed"]:
    given = {name: list(score(texts)) for name, score in scorers.items()}
    scores = {name: torch.tensor(found, dtype=torch.float64) for name, found in given.items()}
    wrong = [name for name, found in scores.items() if found.shape != (len(texts),)]
    if wrong:
        raise SemanticHubError(
            "text_steering",
            got=f"{tuple(scores[wrong[0]].shape)} numbers from the scorer {wrong[0]!r}",
            expected=f"{len(texts)}, one for each text",
            fix="Return NaN for a text without a score.",
        )
    return torch.stack(list(scores.values())).unflatten(1, (-1, n_seeds))


def _check(scorers: Mapping[str, Scorer]) -> None:
    if not scorers:
        raise SemanticHubError(
            "text_steering",
            got="no scorers",
            expected="at least one",
            fix='Name them, as {"sentiment": scorer}.',
        )
