"""Outcomes relative to the unsteered continuation: which prompts are kept, what is compared."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import NothingLeftError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.prepare import resolve_outcome
from semantic_hub.interventions.spec import (
    ActivationContrast,
    LastTokenOf,
    Steering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.outcomes import RelativeOutcome
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.statistics.resampling import Resampling

TEXTS = ["The dog", "cat", "El perro ladra", "two plus", "2+3="]
PROMPTS = tuple(map(Prompt, TEXTS))
MADE = ActivationContrast(PROMPTS, tuple(Prompt(f"{text} dog") for text in TEXTS), paired=True)


def own_texts(model: Any) -> list[str]:
    return Continuations(model, encode(model, PROMPTS), 3).unsteered()


def steering(model: Any, kept: list[int], **options: Any) -> Steering:
    wanted = [own_texts(model)[index] for index in kept]
    outcome = RelativeOutcome(
        lambda own, said: "unchanged" if own == said else "other", wanted.__contains__, "not wanted"
    )
    settings = {"contrasts": {"made": MADE}, "max_new_tokens": 3, "strengths": (1.0,), **options}
    return Steering(PROMPTS, outcome=outcome, **settings)


def kept_of(model: Any) -> list[int]:
    texts = own_texts(model)
    assert len(set(texts)) > 2
    return [index for index, text in enumerate(texts) if text in texts[1:3]]


def test_what_is_left_is_the_rows_of_the_kept_prompts(model: Any) -> None:
    kept = kept_of(model)
    ends = LastTokenOf(tuple(TEXTS))
    told, outcome, dropped = resolve_outcome(model, steering(model, kept, positions=ends))
    assert told.prompts == tuple(PROMPTS[index] for index in kept)
    assert told.positions == LastTokenOf(tuple(TEXTS[index] for index in kept))
    made = told.contrasts["made"]
    assert isinstance(made, ActivationContrast)
    assert made.minus == tuple(MADE.minus[index] for index in kept)
    assert dropped == {"not wanted": len(TEXTS) - len(kept)}
    texts = own_texts(model)
    assert [outcome(row, texts[index]) for row, index in enumerate(kept)] == ["unchanged"] * len(
        kept
    )
    assert outcome(0, texts[kept[0]] + "!") == "other"


def test_without_steering_everything_is_unchanged(model: Any) -> None:
    kept = kept_of(model)
    found: Any = intervene(model, steering(model, kept), resampling=Resampling(resamples=10))
    unsteered = found.outcome[:, :, found.strengths.index(0.0)]
    assert unsteered.shape[-1] == len(kept)
    assert (unsteered == 1).all()
    assert dict(found.dropped) == {"not wanted": len(TEXTS) - len(kept)}


def test_an_ordinary_outcome_stays_as_it_is(model: Any) -> None:
    plain = replace(steering(model, [0]), outcome=lambda index, text: "other")
    told, outcome, dropped = resolve_outcome(model, plain)
    assert told is plain
    assert outcome is plain.outcome
    assert dropped == {}


def test_nothing_left_says_how_many_and_why(model: Any) -> None:
    with pytest.raises(NothingLeftError, match=r"got 5 prompts, all dropped \(not wanted\)"):
        intervene(model, steering(model, []))


def test_words_are_as_long_as_the_stream(model: Any) -> None:
    told = steering(model, [0], contrasts={"words": UnembeddingContrast("dog", "cat")})
    settings = {"strengths": (0.5, 1.0), "outcome": lambda index, text: "other"}
    found: Any = intervene(model, replace(told, **settings), resampling=Resampling(resamples=10))
    torch.testing.assert_close(found.relative_norm, torch.ones_like(found.relative_norm))
    assert residual_stream(model, TEXTS).shape[1] == found.relative_norm.shape[1]


def test_a_word_that_is_not_one_token(model: Any) -> None:
    told = steering(model, [0], contrasts={"words": UnembeddingContrast("semantic", "cat")})
    with pytest.raises(NothingLeftError, match="a word of several tokens: semantic"):
        intervene(model, replace(told, outcome=lambda index, text: "other"))
