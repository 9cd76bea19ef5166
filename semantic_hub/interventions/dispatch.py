"""From a spoke's intervention, as data, to its result on a model."""

from dataclasses import replace
from typing import Any

import torch

from semantic_hub.interventions.merge__own_outcomes import told_by_own
from semantic_hub.interventions.merge__whole_contrasts import with_whole_words
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.spec import (
    Answers,
    Contrast,
    EndsOf,
    Intervention,
    Patching,
    SteeredPositions,
    Steering,
    TextSteering,
    Words,
)
from semantic_hub.interventions.steering.answers import AnswerCurve, answer_curve
from semantic_hub.interventions.steering.contrasts import (
    mean_differences,
    paired_differences,
    unembedding_difference,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.per_layer import in_stream_norms
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.steering import steer_texts
from semantic_hub.models.loading import HookedModel
from semantic_hub.prompts.positions import ends_of


def intervene(
    model: HookedModel,
    intervention: Intervention,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> PatchResult | SteeringResult | TextSteeringResult | AnswerCurve:
    """Run one intervention at every layer (free text at its depths), with its placebo.

    Args:
        model: A decoder with a tokenizer.
        intervention: What a spoke's ``interventions()`` holds.
        resamples: Bootstrap resamples, where the result has any.
        confidence: Coverage of the intervals.
        seed: Of resamples and placebo.

    Returns:
        `patching_sweep` of a `Patching`, `steering_sweep` of a `Steering`, `steer_texts` of a
        `TextSteering`, `answer_curve` of `Answers`.

    Raises:
        SemanticHubError: As these.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.dispatch import intervene
        >>> problems = sh.spokes.arithmetic.problems("+")[::40]
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=problems)
        >>> found = intervene(sh.load_model("hub-mini"), spoke.interventions()["c=a+, digits"])
        >>> found.directions
        ('words', 'digits', 'placebo')
    """
    if isinstance(intervention, Patching):
        return patching_sweep(
            model,
            intervention.exchanges,
            alignments={"patch": intervention.alignment},
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
    if isinstance(intervention, TextSteering):
        return steer_texts(
            model, intervention, resamples=resamples, confidence=confidence, seed=seed
        )
    if isinstance(intervention, Answers):
        return _answers(model, intervention, resamples, confidence, seed)
    whole, split = with_whole_words(model, intervention)
    told, outcome, dropped = told_by_own(model, whole)
    found = steering_sweep(
        model,
        told.prompts,
        _all_directions(model, told),
        None,
        told.strengths,
        outcome,
        positions=_positions(model, told),
        mode=told.mode,
        max_new_tokens=told.max_new_tokens,
        from_layer_on=told.from_layer_on,
        confidence=confidence,
        seed=seed,
    )
    return replace(found, dropped=split | dropped)


def _answers(
    model: HookedModel, asked: Answers, resamples: int, confidence: float, seed: int
) -> AnswerCurve:
    how, dropped = with_whole_words(model, asked.steering)
    where: Any = how.positions
    found = answer_curve(
        model,
        how.prompts,
        _all_directions(model, how),
        answers=asked.words,
        strengths=how.strengths,
        positions=where,
        mode=how.mode,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )
    return replace(found, dropped=dropped)


def _all_directions(model: HookedModel, told: Steering) -> dict[str, dict[int, Direction]]:
    return {name: _directions(model, contrast, told) for name, contrast in told.contrasts.items()}


def _positions(model: HookedModel, steering: Steering) -> SteeredPositions:
    if isinstance(steering.positions, EndsOf):
        return ends_of(model, steering.prompts, steering.positions.texts)
    return steering.positions


def _directions(
    model: HookedModel, contrast: Contrast | Words, steering: Steering
) -> dict[int, Direction]:
    if isinstance(contrast, Words):
        return in_stream_norms(model, _unembeddings(model, contrast, steering), steering.prompts)
    differences: Any = paired_differences if contrast.paired else mean_differences
    return differences(model, contrast.plus, contrast.minus)


def _unembeddings(model: HookedModel, words: Words, steering: Steering) -> Direction:
    """One vector, or a row for each prompt; each pair of words is looked up once."""
    pairs = words.of_each(len(steering.prompts))
    known = {pair: unembedding_difference(model, *pair) for pair in dict.fromkeys(pairs)}
    if len(known) == 1:
        return known[pairs[0]]
    vectors = torch.stack([known[pair].vector for pair in pairs])
    return Direction(vectors, None, f"U[plus] − U[minus] of {len(pairs)} pairs of words")
