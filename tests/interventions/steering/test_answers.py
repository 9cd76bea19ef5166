"""The share of two answers under steering: against plain passes, and where the answer is known."""

from typing import Any

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.spec import AnswerSteering, UnembeddingContrast
from semantic_hub.interventions.steering.answers import AnswerProbability, answer_probability
from semantic_hub.interventions.steering.contrasts import unembedding_difference
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.figures import dose_response
from semantic_hub.interventions.steering.per_layer import scale_to_stream
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens
from semantic_hub.prompts.words import places
from semantic_hub.statistics.resampling import Resampling

ANSWERS = ("dog", "cat")
HOW: Any = {"answers": ANSWERS, "layers": (1, 3), "strengths": (1.0,)}
TEXTS = ("The dog", "two plus three", "El gato", "cat")


def share(model: Any, logits: torch.Tensor) -> float:
    """By the formula, from the probabilities themselves."""
    p = logits.double().softmax(dim=-1)
    vocabulary = model.tokenizer.get_vocab()  # behind a word, an answer follows a space
    first, second = (p[vocabulary[f"Ġ{word}"]].item() for word in ANSWERS)
    return first / (first + second)


def rows(model: Any, n: int, layer: int | None = None) -> Direction:
    generator = torch.Generator().manual_seed(n)
    return Direction(torch.randn(n, model.cfg.d_model, generator=generator), layer, "random")


def test_against_plain_passes(model: Any) -> None:
    prompts = [Prompt(text) for text in TEXTS]
    given = rows(model, len(prompts))
    found = answer_probability(
        model, prompts, {"random": given}, answers=ANSWERS, layers=[1, 2], strengths=[1.5],
        positions="last",
    )  # fmt: skip
    assert (found.strengths, found.directions) == (
        (0.0, 1.5),
        ("random", "placebo", "placebo, states' covariance"),
    )
    for index, text in enumerate(TEXTS):
        tokens = model.to_tokens(text)
        assert found.p_first[0, 0, 0, index].item() == pytest.approx(
            share(model, model(tokens)[0, -1]), abs=1e-5
        )

        def add(value: torch.Tensor, hook: Any, row: int = index) -> torch.Tensor:
            value = value.clone()
            value[:, -1] += 1.5 * given.vector[row].to(value)
            return value

        with model.hooks(fwd_hooks=[("blocks.1.hook_resid_post", add)]):
            expected = share(model, model(tokens)[0, -1])
        assert found.p_first[0, 1, 1, index].item() == pytest.approx(expected, abs=1e-5)


def test_at_the_features_of_prompts_of_any_length(model: Any) -> None:
    spans = [SoftTokens(torch.randn(n, model.cfg.d_model)) for n in (2, 5, 2)]
    prompts = [Prompt(f"{SOFT} cat", soft=(span,)) for span in spans]
    given = rows(model, 3)
    together = answer_probability(model, prompts, {"random": given}, **HOW)
    for index, prompt in enumerate(prompts):
        alone = answer_probability(model, [prompt], {"random": given.rows([index])}, **HOW)
        assert torch.allclose(together.p_first[0, ..., index], alone.p_first[0, ..., 0], atol=1e-5)
    changed = (together.p_first[0, :, 1] - together.p_first[0, :, 0]).abs()
    assert changed[0].min() > 1e-6
    assert changed[-1].max() < 1e-6, "after the last block nothing moves from the features"


def test_towards_the_word_and_away(model: Any) -> None:
    word = unembedding_difference(model, *ANSWERS)
    found = answer_probability(
        model, [Prompt(text) for text in TEXTS], {"dog": word}, answers=ANSWERS, layers=[3],
        strengths=[-30.0, 30.0], positions="last",
    )  # fmt: skip
    away, own, towards = found.mean("dog").value[0].tolist()
    assert away < own < towards


def test_result(model: Any, tmp_path: Any) -> None:
    found = answer_probability(
        model, [Prompt(t) for t in TEXTS], {"random": rows(model, 4)}, answers=ANSWERS,
        layers=[2], strengths=[1.0, 2.0], positions="last", resampling=Resampling(resamples=50),
    )  # fmt: skip
    again = AnswerProbability.load(found.save(tmp_path))
    assert torch.equal(again.p_first, found.p_first)
    frame = found.to_frame()
    assert len(frame) == 3 * 1 * 3
    row = frame[(frame["direction"] == "random") & (frame["strength"] == 2)].iloc[0]
    assert row["value"] == pytest.approx(found.p_first[0, 0, 2].mean().item())
    assert row["low"] <= row["value"] <= row["high"]
    figure = found.figure(2)
    assert figure.layout.yaxis.title.text == "P(dog) / (P(dog) + P(cat))"
    assert len(figure.data) == len(dose_response(frame, 2, outcome="dog").data)


def test_refused(model: Any) -> None:
    found = answer_probability(
        model, [Prompt("The dog")], {"random": rows(model, 1)}, answers=ANSWERS, layers=[1],
        strengths=[1.0], positions="last",
    )  # fmt: skip
    with pytest.raises(SemanticHubError, match="the direction 'other'"):
        found.mean("other")
    with pytest.raises(SemanticHubError, match="2 rows"):
        answer_probability(model, [Prompt("The dog")], {"random": rows(model, 2)}, answers=ANSWERS)
    with pytest.raises(sh.SemanticHubError, match="shared token"):
        answer_probability(model, [Prompt("cat")], {"r": rows(model, 1)}, answers=("dog", " dog"))
    for strengths in ([], [float("inf")]):
        with pytest.raises(SemanticHubError, match=r"answer_probability: got strengths \["):
            answer_probability(model, ["cat"], rows(model, 1), **HOW | {"strengths": strengths})


def test_the_specification_of_a_spoke_gives_the_same(model: Any) -> None:
    prompts = tuple(Prompt(text) for text in TEXTS)
    steering = AnswerSteering(prompts, {"dog": UnembeddingContrast("dog", "cat")}, ANSWERS)
    found = intervene(model, steering, resampling=Resampling(resamples=20))
    difference = unembedding_difference(model, "dog", "cat", before=places(model, prompts)[0])
    direction = scale_to_stream(model, difference, prompts)
    expected = answer_probability(
        model,
        prompts,
        {"dog": direction},
        answers=ANSWERS,
        positions="last",
        resampling=Resampling(resamples=20),
    )
    assert isinstance(found, AnswerProbability)
    assert torch.equal(found.p_first, expected.p_first)


def test_contrasts_need_a_word_for_each_prompt() -> None:
    words = UnembeddingContrast(("dog", "cow"), "cat")
    with pytest.raises(SemanticHubError, match="AnswerSteering: got 1 prompts; wrong contrasts: d"):
        AnswerSteering((Prompt("the dog"),), {"d": words}, ANSWERS)


def test_prompts_that_were_dropped_are_counted(model: Any) -> None:
    words = UnembeddingContrast(("dog", "semantic"), "cat")
    prompts = (Prompt("The dog"), Prompt("cat"))
    found = intervene(model, AnswerSteering(prompts, {"d": words}, ANSWERS, strengths=(1.0,)))
    assert found.counts() == (1, {"a word of several tokens": 1})
    assert found.cell_margins(Resampling()) is None


def test_the_best_cell_is_furthest_from_the_unsteered_one(model: Any) -> None:
    found = answer_probability(
        model, [Prompt(text) for text in TEXTS], {"random": rows(model, len(TEXTS))},
        answers=ANSWERS, strengths=[1.0, 4.0], positions="last", resampling=Resampling(resamples=20),
    )  # fmt: skip
    mean = found.p_first[0].double().mean(dim=-1)
    change = (mean - mean[:, :1]).abs()
    layer, strength = found.best_cell()
    assert change[layer, strength] == change.max()
    curve = found.effect_curve()
    assert curve.summary.value.tolist() == pytest.approx(mean[:, strength].tolist())
    assert (curve.layers, curve.n) == (found.layers, len(TEXTS))
    assert curve.note == f"strength {found.strengths[strength]:g}"


@pytest.mark.parametrize(
    ("position", "positions", "message"),
    [
        (0, "last", "prompt 1, which is read at token 0 of 3 and steered from token 2 on"),
        (1, (2, 3), "prompt 1, which is read at token 1 of 3 and steered from token 2 on"),
        (1, ((0, 1), (2, 3)), "prompt 1, which is read at token 1 of 3"),
        (-1, ((0, 1),), "2 prompts and 1 spans to steer"),
    ],
)
def test_an_answer_before_what_is_steered_is_refused(
    model: Any, position: int, positions: Any, message: str
) -> None:
    """Nothing would be changed: a decoder reads no later position."""
    prompts = [Prompt(tokens=(5, 6, 7)), Prompt(tokens=(5, 6, 7), position=position)]
    with pytest.raises(SemanticHubError, match=message):
        answer_probability(model, prompts, rows(model, 1).mean(), positions=positions, **HOW)


def test_an_answer_at_a_steered_position_is_read(model: Any) -> None:
    prompts = [Prompt("two plus three", position=1)]
    found = answer_probability(model, prompts, 9 * rows(model, 1).mean(), positions=(1, 2), **HOW)
    assert not torch.allclose(found.p_first[0, :, 0], found.p_first[0, :, 1], atol=1e-3)
