"""Prepare a steering specification for a model: drop unusable prompts, compute the directions."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar

import torch

from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.spec import (
    ActivationContrast,
    AnswerSteering,
    Contrast,
    LastTokenOf,
    Steering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.contrasts import (
    mean_differences,
    paired_differences,
    unembedding_difference,
    word_columns,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import SteeredPositions, is_span_per_prompt
from semantic_hub.interventions.steering.outcomes import OutcomeRule, RelativeOutcome
from semantic_hub.interventions.steering.per_layer import scale_to_stream
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import last_token_spans
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.prompts.words import Tokens, places

SteeringSpec = TypeVar("SteeringSpec", Steering, AnswerSteering)

MULTI_TOKEN = "a word of several tokens"
"""Reason under which prompts are counted whose contrast words are not single tokens."""


def drop_multi_token_words(
    model: HookedModel, spec: SteeringSpec
) -> tuple[SteeringSpec, dict[str, int]]:
    """Drop prompts whose contrast words are not single tokens where the prompts end.

    A direction ``U[plus] − U[minus]`` needs words that the unembedding has as one token, in a
    spelling that can stand after the prompt.

    Args:
        model: A model with a tokenizer.
        spec: What to steer; without an `UnembeddingContrast` it stays as it is.

    Returns:
        The specification of the remaining prompts, and the number of the others under
        `MULTI_TOKEN`.

    Raises:
        NothingLeftError: Not one prompt is left.

    Example:
        >>> words = UnembeddingContrast(("dog", "hippopotamus"), "cat")
        >>> prompts = (sh.Prompt("a"), sh.Prompt("b"))
        >>> steering = Steering(prompts, {"pets": words}, lambda index, text: "other")
        >>> kept, dropped = drop_multi_token_words(model, steering)
        >>> [prompt.text for prompt in kept.prompts], dropped
        (['a'], {'a word of several tokens': 1})
    """
    n_prompts = len(spec.prompts)
    contrasts = [c for c in spec.contrasts.values() if isinstance(c, UnembeddingContrast)]
    if not contrasts:
        return spec, {}
    found = places(model, spec.prompts)
    pairs = [contrast.pairs_per_prompt(n_prompts) for contrast in contrasts]
    columns = [
        _columns(model, of_contrast, found, contrast.exact)
        for contrast, of_contrast in zip(contrasts, pairs, strict=True)
    ]
    kept = [
        index
        for index in range(n_prompts)
        if all(all(of_contrast[index]) for of_contrast in columns)
    ]
    if not kept:
        words = {
            word
            for of_contrast, tokens in zip(pairs, columns, strict=True)
            for pair, of_pair in zip(of_contrast, tokens, strict=True)
            for word, single in zip(pair, of_pair, strict=True)
            if not single
        }
        split = ", ".join(sorted(words)[:3])
        raise NothingLeftError(
            "intervene",
            got=f"{n_prompts} prompts, each with {MULTI_TOKEN}: {split}",
            expected="one whose words are one token each",
            fix="Choose words that this tokenizer knows whole.",
        )
    return select_prompts(spec, kept), {MULTI_TOKEN: n_prompts - len(kept)}


def resolve_outcome(
    model: HookedModel, steering: Steering
) -> tuple[Steering, OutcomeRule, dict[str, int]]:
    """Drop prompts with unusable unsteered continuations; turn a `RelativeOutcome` into a rule.

    Args:
        model: A decoder with a tokenizer.
        steering: What to steer; where its outcome is no `RelativeOutcome` it stays as it is.

    Returns:
        The remaining prompts, the outcome of each, and the number of the others under the
        outcome's reason.

    Raises:
        NothingLeftError: Not one prompt has a usable continuation.
        SemanticHubError: As `semantic_hub.interventions.steering.sweep.steering_sweep`.

    Example:
        >>> outcome = RelativeOutcome(
        ...     lambda unsteered, steered: "unchanged" if steered == unsteered else "other",
        ...     is_usable=lambda unsteered: True, drop_reason="none")
        >>> words = {"pets": UnembeddingContrast("dog", "cat")}
        >>> steering = Steering((Prompt("the dog is"),), words, outcome)
        >>> kept, outcome, dropped = resolve_outcome(model, steering)
        >>> len(kept.prompts), outcome(0, "something else"), dropped
        (1, 'other', {'none': 0})
    """
    outcome = steering.outcome
    if not isinstance(outcome, RelativeOutcome):
        return steering, outcome, {}
    encodings = encode(model, steering.prompts)
    texts = Continuations(model, encodings, steering.max_new_tokens).unsteered()
    kept = [index for index, text in enumerate(texts) if outcome.is_usable(text)]
    if not kept:
        raise NothingLeftError(
            "intervene",
            got=f"{len(texts)} prompts, all dropped ({outcome.drop_reason})",
            expected="one that the model continues in a usable way",
            fix="Take other prompts, or a model that knows them.",
        )
    unsteered = [texts[index] for index in kept]
    return (
        select_prompts(steering, kept),
        lambda index, text: outcome.compare(unsteered[index], text),
        {outcome.drop_reason: len(texts) - len(kept)},
    )


def select_prompts(spec: SteeringSpec, kept: Sequence[int]) -> SteeringSpec:
    """Restrict a steering specification to the prompts with the given indices.

    Args:
        spec: All of it.
        kept: Indices of the prompts that are left.
    """
    positions = spec.positions
    if isinstance(positions, LastTokenOf):
        positions = LastTokenOf(tuple(positions.texts[index] for index in kept))
    elif is_span_per_prompt(positions):
        positions = tuple(positions[index] for index in kept)
    contrasts = {name: _select_rows(one, kept) for name, one in spec.contrasts.items()}
    prompts = tuple(spec.prompts[index] for index in kept)
    selected = {"prompts": prompts, "contrasts": contrasts, "positions": positions}
    if isinstance(spec, AnswerSteering):
        right = tuple(spec.right[index] for index in kept if spec.right)
        return replace(spec, **selected, right=right)
    if isinstance(spec, Steering) and not isinstance(spec.outcome, RelativeOutcome):
        outcome = spec.outcome
        selected["outcome"] = lambda index, text: outcome(kept[index], text)
    return replace(spec, **selected)


def directions_of(
    model: HookedModel, spec: Steering | AnswerSteering
) -> dict[str, dict[int, Direction]]:
    """Compute the direction of every contrast at every layer, by the contrast's name.

    Args:
        model: The model.
        spec: What is steered.
    """
    return {name: _directions(model, one, spec.prompts) for name, one in spec.contrasts.items()}


def positions_of(model: HookedModel, spec: Steering) -> SteeredPositions:
    """Positions to steer, with `LastTokenOf` resolved to a token span for each prompt.

    Args:
        model: The model, for its tokenizer.
        spec: What is steered.
    """
    if isinstance(spec.positions, LastTokenOf):
        return last_token_spans(model, spec.prompts, spec.positions.texts)
    return spec.positions


def _select_rows(contrast: Contrast, kept: Sequence[int]) -> Contrast:
    """A contrast of some of the prompts."""
    if isinstance(contrast, UnembeddingContrast):
        plus, minus = (
            words if isinstance(words, str) else tuple(words[index] for index in kept)
            for words in (contrast.plus, contrast.minus)
        )
        return replace(contrast, plus=plus, minus=minus)
    if not contrast.paired:
        return contrast
    return replace(
        contrast,
        plus=tuple(contrast.plus[index] for index in kept),
        minus=tuple(contrast.minus[index] for index in kept),
    )


def _directions(
    model: HookedModel, contrast: Contrast, prompts: Sequence[Prompt]
) -> dict[int, Direction]:
    """Direction of a contrast at every layer."""
    if isinstance(contrast, ActivationContrast):
        difference = paired_differences if contrast.paired else mean_differences
        return difference(model, contrast.plus, contrast.minus)
    pairs = contrast.pairs_per_prompt(len(prompts))
    found = places(model, prompts)
    keys = list(zip(pairs, _columns(model, pairs, found, contrast.exact), strict=True))
    before = dict(zip(keys, found, strict=True))
    by_key = {
        key: unembedding_difference(model, *key[0], before=place, exact=contrast.exact)
        for key, place in before.items()
    }
    if len(by_key) == 1:
        return scale_to_stream(model, by_key[keys[0]], prompts)
    vectors = torch.stack([by_key[key].vector for key in keys])
    description = f"U[plus] − U[minus] of {len(pairs)} pairs of words"
    return scale_to_stream(model, Direction(vectors, None, description), prompts)


def _columns(
    model: HookedModel, pairs: Sequence[tuple[str, str]], found: Sequence[Tokens], exact: bool
) -> list[tuple[Tokens, Tokens]]:
    """The tokens of a pair of words for each place: one-token spellings that can stand there.

    Args:
        model: The model whose tokenizer applies.
        pairs: Two words for each place.
        found: The places.
        exact: Whether it is the one spelling that is written, wherever it stands.
    """

    @cache
    def single(word: str, place: Tokens) -> Tokens:
        return word_columns(model.tokenizer, word, before=place, exact=exact)

    return [
        (single(plus, place), single(minus, place))
        for (plus, minus), place in zip(pairs, found, strict=True)
    ]
