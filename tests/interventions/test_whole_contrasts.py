"""Words that a tokenizer splits: their prompts are left out, and the others keep their own."""

from typing import Any

import torch

from semantic_hub.interventions.dispatch import SPLIT, intervene, of_prompts, with_whole_words
from semantic_hub.interventions.spec import AgainstOwn, Answers, Contrast, Steering, Words
from semantic_hub.interventions.steering.answers import AnswerCurve
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.resampling import Resampling

PROMPTS = tuple(map(Prompt, ("The dog", "cat", "two plus", "El perro")))
PLUS = ("dog", "semantic", "cat", "dog")
MADE = Contrast(PROMPTS, tuple(reversed(PROMPTS)), paired=True)


def told(index: int, text: str) -> str:
    return ("success", "unchanged", "other", "unchanged")[index]


def steering(plus: Any = PLUS, minus: Any = "cat", **more: Contrast) -> Steering:
    return Steering(PROMPTS, {"words": Words(plus, minus), **more}, told, strengths=(1.0,))


def test_prompts_with_split_words_are_left_out_and_counted(model: Any) -> None:
    kept, dropped = with_whole_words(model, steering(made=MADE))
    assert kept.prompts == (PROMPTS[0], PROMPTS[2], PROMPTS[3])
    assert kept.contrasts["words"] == Words(("dog", "cat", "dog"), "cat")
    made = kept.contrasts["made"]
    assert isinstance(made, Contrast) and made.minus == (PROMPTS[3], PROMPTS[1], PROMPTS[0])
    assert dropped == {SPLIT: 1}
    assert callable(kept.outcome)
    assert [kept.outcome(index, "") for index in range(3)] == ["success", "other", "unchanged"]


def test_no_words_are_no_question(model: Any) -> None:
    alone = Steering(PROMPTS, {"made": MADE}, told)
    assert with_whole_words(model, alone) == (alone, {})


def test_an_outcome_told_by_the_own_text_stays() -> None:
    outcome = AgainstOwn(lambda own, said: "other", lambda own: True, "never")
    alone = Steering(PROMPTS, {"made": MADE}, outcome, positions=((0, 1), (0, 1), (0, 2), (1, 2)))
    kept = of_prompts(alone, [3, 1])
    assert kept.outcome is outcome
    assert kept.positions == ((1, 2), (0, 1))


def test_the_same_as_without_them(model: Any) -> None:
    whole = of_prompts(steering(), [0, 2, 3])
    found, alone = (
        intervene(model, steering(), resampling=Resampling(seed=1)),
        intervene(model, whole, resampling=Resampling(seed=1)),
    )
    assert isinstance(found, SteeringResult) and isinstance(alone, SteeringResult)
    assert torch.equal(found.outcome, alone.outcome)
    assert found.dropped[SPLIT] == 1 and alone.dropped[SPLIT] == 0
    shares, own = (
        intervene(
            model,
            Answers(each, ("dog", "cat")),
            resampling=Resampling(resamples=10, seed=1),
        )
        for each in (steering(), whole)
    )
    assert isinstance(shares, AnswerCurve) and isinstance(own, AnswerCurve)
    assert torch.equal(shares.p_first, own.p_first)
    assert shares.dropped == {SPLIT: 1}
