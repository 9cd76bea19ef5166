"""Words that a tokenizer splits: their prompts are left out, and the others keep their own."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.prepare import (
    MULTI_TOKEN,
    directions_of,
    drop_multi_token_words,
    select_prompts,
)
from semantic_hub.interventions.spec import (
    ActivationContrast,
    AnswerSteering,
    Steering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.outcomes import RelativeOutcome
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.resampling import Resampling

PROMPTS = tuple(map(Prompt, ("The dog", "cat", "two plus", "El perro")))
PLUS = ("dog", "semantic", "cat", "dog")
MADE = ActivationContrast(PROMPTS, tuple(reversed(PROMPTS)), paired=True)


def outcome_by_index(index: int, text: str) -> str:
    return ("success", "unchanged", "other", "unchanged")[index]


def steering(plus: Any = PLUS, minus: Any = "cat", **more: ActivationContrast) -> Steering:
    return Steering(
        PROMPTS,
        {"words": UnembeddingContrast(plus, minus), **more},
        outcome_by_index,
        strengths=(1.0,),
    )


def test_prompts_with_split_words_are_left_out_and_counted(model: Any) -> None:
    kept, dropped = drop_multi_token_words(model, steering(made=MADE))
    assert kept.prompts == (PROMPTS[0], PROMPTS[2], PROMPTS[3])
    assert kept.contrasts["words"] == UnembeddingContrast(("dog", "cat", "dog"), "cat")
    made = kept.contrasts["made"]
    assert isinstance(made, ActivationContrast) and made.minus == (
        PROMPTS[3],
        PROMPTS[1],
        PROMPTS[0],
    )
    assert dropped == {MULTI_TOKEN: 1}
    assert callable(kept.outcome)
    assert [kept.outcome(index, "") for index in range(3)] == ["success", "other", "unchanged"]


def test_without_words_nothing_is_dropped(model: Any) -> None:
    alone = Steering(PROMPTS, {"made": MADE}, outcome_by_index)
    assert drop_multi_token_words(model, alone) == (alone, {})


def test_a_relative_outcome_stays() -> None:
    outcome = RelativeOutcome(lambda own, said: "other", lambda own: True, "never")
    alone = Steering(PROMPTS, {"made": MADE}, outcome, positions=((0, 1), (0, 1), (0, 2), (1, 2)))
    kept = select_prompts(alone, [3, 1])
    assert kept.outcome is outcome
    assert kept.positions == ((1, 2), (0, 1))


def test_the_same_as_without_them(model: Any) -> None:
    whole = select_prompts(steering(), [0, 2, 3])
    found, alone = (
        intervene(model, steering(), resampling=Resampling(seed=1)),
        intervene(model, whole, resampling=Resampling(seed=1)),
    )
    assert isinstance(found, SteeringResult) and isinstance(alone, SteeringResult)
    assert torch.equal(found.outcome, alone.outcome)
    assert found.dropped[MULTI_TOKEN] == 1 and alone.dropped[MULTI_TOKEN] == 0
    shares, own = (
        intervene(
            model,
            AnswerSteering(each.prompts, each.contrasts, ("dog", "cat"), each.strengths),
            resampling=Resampling(resamples=10, seed=1),
        )
        for each in (steering(), whole)
    )
    assert isinstance(shares, AnswerProbability) and isinstance(own, AnswerProbability)
    assert torch.equal(shares.p_first, own.p_first)
    assert shares.dropped == {MULTI_TOKEN: 1}


def test_the_spelling_that_is_written_is_one_token_or_none(model: Any) -> None:
    def exact(plus: Any) -> Steering:
        return replace(steering(), contrasts={"words": UnembeddingContrast(plus, " cat", True)})

    kept, dropped = drop_multi_token_words(model, exact((" dog", " semantic", "dog", "cat")))
    assert kept.contrasts["words"] == UnembeddingContrast((" dog", "cat"), " cat", True)
    assert dropped == {MULTI_TOKEN: 2}
    vocabulary = model.tokenizer.get_vocab()
    for word, token in ((" dog", "Ġdog"), ("cat", "cat")):
        expected = model.W_U[:, vocabulary[token]] - model.W_U[:, vocabulary["Ġcat"]]
        for direction in directions_of(model, exact(word))["words"].values():
            found = torch.cosine_similarity(direction.vector, expected, dim=0)
            assert found.item() == pytest.approx(1, abs=1e-5)
