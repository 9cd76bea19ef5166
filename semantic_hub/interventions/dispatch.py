"""From a spoke's intervention, as data, to its result on a model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.spec import (
    AgainstOwn,
    Answers,
    Contrast,
    EndsOf,
    Intervention,
    Outcome,
    Patching,
    SteeredPositions,
    Steering,
    TextSteering,
    Words,
)
from semantic_hub.interventions.steering.answers import AnswerCurve, answer_curve
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.contrasts import (
    mean_differences,
    paired_differences,
    unembedding_difference,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import is_span_of_each
from semantic_hub.interventions.steering.per_layer import in_stream_norms
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.steering import steer_texts
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import last_token_spans
from semantic_hub.prompts.prompt import encode
from semantic_hub.prompts.words import word_tokens
from semantic_hub.statistics.resampling import Resampling

SPLIT = "a word of several tokens"
"""Under which prompts are counted that cannot be steered."""


def with_whole_words(model: HookedModel, steering: Steering) -> tuple[Steering, dict[str, int]]:
    """The prompts whose words are all one token each, and the number of the others.

    A direction ``U[plus] − U[minus]`` needs words that the unembedding has as one token.

    Args:
        model: A model with a tokenizer.
        steering: What to steer; without `Words` among its contrasts it stays as it is.

    Returns:
        The steering of the prompts that are left, and the number of the others under `SPLIT`.

    Raises:
        NothingLeftError: Not one prompt is left.

    Example:
        >>> words = Words(("dog", "hippopotamus"), "cat")
        >>> prompts = (sh.Prompt("a"), sh.Prompt("b"))
        >>> steering = Steering(prompts, {"pets": words}, lambda index, text: "other")
        >>> kept, dropped = with_whole_words(model, steering)
        >>> [prompt.text for prompt in kept.prompts], dropped
        (['a'], {'a word of several tokens': 1})
    """
    by_words = [c for c in steering.contrasts.values() if isinstance(c, Words)]
    if not by_words:
        return steering, {}
    n_prompts = len(steering.prompts)
    pairs = [contrast.of_each(n_prompts) for contrast in by_words]
    said = {word for of_each in pairs for pair in of_each for word in pair}
    whole = {word for word in said if word_tokens(model.tokenizer, word).whole}
    kept = [
        index
        for index in range(n_prompts)
        if all(whole.issuperset(of_each[index % len(of_each)]) for of_each in pairs)
    ]
    if not kept:
        raise NothingLeftError(
            "intervene",
            got=f"{n_prompts} prompts, each with {SPLIT}: {', '.join(sorted(said - whole)[:3])}",
            expected="one whose words are one token each",
            fix="Choose words that this tokenizer knows whole.",
        )
    return of_prompts(steering, kept), {SPLIT: n_prompts - len(kept)}


def of_prompts(steering: Steering, kept: Sequence[int]) -> Steering:
    """A steering of some of its prompts.

    Args:
        steering: All of it.
        kept: Indices of the prompts that are left.
    """
    where = steering.positions
    if isinstance(where, EndsOf):
        where = EndsOf(tuple(where.texts[index] for index in kept))
    return replace(
        steering,
        prompts=tuple(steering.prompts[index] for index in kept),
        contrasts={name: _rows(contrast, kept) for name, contrast in steering.contrasts.items()},
        outcome=_outcome(steering.outcome, kept),
        positions=tuple(where[i] for i in kept) if is_span_of_each(where) else where,
    )


def _outcome(outcome: Outcome | AgainstOwn, kept: Sequence[int]) -> Outcome | AgainstOwn:
    """The same, counted anew; what is told by a prompt's own text needs no index."""
    if isinstance(outcome, AgainstOwn):
        return outcome
    return lambda index, text: outcome(kept[index], text)


def _rows(contrast: Contrast | Words, kept: Sequence[int]) -> Contrast | Words:
    if isinstance(contrast, Contrast) and not contrast.paired:
        return contrast
    plus, minus = (
        side if isinstance(side, str) else tuple(side[i] for i in kept)
        for side in (contrast.plus, contrast.minus)
    )
    return replace(contrast, plus=plus, minus=minus)


def told_by_own(model: HookedModel, steering: Steering) -> tuple[Steering, Outcome, dict[str, int]]:
    """What of a steering can be asked of a model, once it is known what it says without.

    Args:
        model: A decoder with a tokenizer.
        steering: What to steer; where its outcome is no `AgainstOwn` it stays as it is.

    Returns:
        The prompts whose own continuation is usable, the outcome of each, and the number of the
        others under the outcome's reason.

    Raises:
        NothingLeftError: Not one prompt has a usable continuation.
        SemanticHubError: As `semantic_hub.interventions.steering.sweep.steering_sweep`.

    Example:
        >>> from semantic_hub.interventions.spec import Words
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> outcome = AgainstOwn(lambda own, said: "unchanged" if said == own else "other",
        ...                      usable=lambda own: True, reason="none")
        >>> prompts, words = (Prompt("the dog is"),), {"pets": Words("dog", "cat")}
        >>> told, outcome, dropped = told_by_own(model, Steering(prompts, words, outcome))
        >>> len(told.prompts), outcome(0, "something else"), dropped
        (1, 'other', {'none': 0})
    """
    outcome = steering.outcome
    if not isinstance(outcome, AgainstOwn):
        return steering, outcome, {}
    encodings = encode(model, steering.prompts)
    own = Continuations(model, encodings, steering.max_new_tokens).unsteered()
    kept = [index for index, text in enumerate(own) if outcome.usable(text)]
    if not kept:
        raise NothingLeftError(
            "intervene",
            got=f"{len(own)} prompts, all dropped ({outcome.reason})",
            expected="one that the model continues in a usable way",
            fix="Take other prompts, or a model that knows them.",
        )
    left = _against([own[index] for index in kept], outcome)
    return of_prompts(steering, kept), left, {outcome.reason: len(own) - len(kept)}


def _against(own: Sequence[str], outcome: AgainstOwn) -> Outcome:
    return lambda index, text: outcome.compare(own[index], text)


def intervene(
    model: HookedModel,
    intervention: Intervention,
    *,
    resampling: Resampling = Resampling(),
) -> PatchResult | SteeringResult | TextSteeringResult | AnswerCurve:
    """Run one intervention at every layer (free text at its depths), with its placebo.

    Args:
        model: A decoder with a tokenizer.
        intervention: What a spoke's ``interventions()`` holds.
        resampling: Resamples, coverage and seed of the intervals.

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
            resampling=resampling,
        )
    if isinstance(intervention, TextSteering):
        return steer_texts(
            model,
            intervention,
            resampling=resampling,
        )
    if isinstance(intervention, Answers):
        return _answers(model, intervention, resampling)
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
        resampling=resampling,
    )
    return replace(found, dropped=split | dropped)


def _answers(
    model: HookedModel,
    asked: Answers,
    resampling: Resampling,
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
        resampling=resampling,
    )
    return replace(found, dropped=dropped)


def _all_directions(model: HookedModel, told: Steering) -> dict[str, dict[int, Direction]]:
    return {name: _directions(model, contrast, told) for name, contrast in told.contrasts.items()}


def _positions(model: HookedModel, steering: Steering) -> SteeredPositions:
    if isinstance(steering.positions, EndsOf):
        return last_token_spans(model, steering.prompts, steering.positions.texts)
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
