"""Steering each prompt at a place of its own: against one prompt at a time, and bad spans."""

from typing import Any

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import ActivationContrast, LastTokenOf, Steering
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.prompts.positions import last_token_spans
from semantic_hub.prompts.prompt import Prompt, encode

PROMPTS = ["The dog barks at the cat", "the cat runs", "El perro ladra al gato y"]
SPANS = ((1, 3), (0, 1), (-2, None))


def east(model: Any) -> Direction:
    torch.manual_seed(0)
    return Direction(3 * torch.randn(model.cfg.d_model), 1, "random")


@torch.inference_mode()
def test_a_batch_is_steered_as_each_prompt_alone(model: Any) -> None:
    tokens = model.to_tokens(PROMPTS[0])
    with steer(model, east(model), 2.0, positions=SPANS):
        together = model(tokens.repeat(3, 1))
    for row, span in enumerate(SPANS):
        with steer(model, east(model), 2.0, positions=span):
            alone = model(tokens)
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


def test_the_sweep_gives_each_prompt_its_span(model: Any) -> None:
    def texts_of(prompts: list[str], spans: Any) -> list[str]:
        said: list[str] = []

        def outcome(index: int, text: str) -> str:
            said.append(text)
            return "other"

        direction = Direction(40 * torch.randn(model.cfg.d_model), None, "random").at(1)
        steering_sweep(
            model,
            prompts,
            {1: direction},
            outcome,
            layers=[1],
            strengths=[1.0],
            positions=spans,
            max_new_tokens=3,
        )
        return said[len(prompts) : 2 * len(prompts)]  # behind the unsteered ones

    torch.manual_seed(3)
    together = texts_of(PROMPTS, SPANS)
    for row in range(3):
        torch.manual_seed(3)
        assert texts_of([PROMPTS[row]], SPANS[row]) == [together[row]]


def test_ends_are_found_among_own_tokens(model: Any) -> None:
    prompts = [Prompt("The dog barks at the cat"), Prompt("the cat")]
    spans = last_token_spans(model, prompts, ["The dog", "the cat"])
    for encoding, text, (start, stop) in zip(
        encode(model, prompts), ["The dog", "the cat"], spans, strict=True
    ):
        own = encoding.tokens[encoding.own]
        assert stop == start + 1
        assert model.tokenizer.decode(list(own[:stop])) == text


def test_a_text_that_ends_within_a_token(model: Any) -> None:
    assert len(encode(model, ["The dog"])[0].own_positions) < len("The dog")
    with pytest.raises(SemanticHubError, match="whose last token goes on in its prompt"):
        last_token_spans(model, [Prompt("the dog")], ["the do"])


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (((0, 1), (0, 1)), "2 spans"),
        (((0, 1), (0, 1), (9, 10)), r"positions=\(9, 10\) in prompt 2"),
        (((0, 1), (0, 1), (1, 2, 3)), "a span"),
        (((0, 1), "all", (0, 1)), "a span"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_bad_spans(model: Any, positions: Any, message: str) -> None:
    prompts = ["the cat", "The dog", "cat"]
    with (
        pytest.raises(SemanticHubError, match=message),
        steer(model, east(model), 1.0, positions=positions),
    ):
        residual_stream(model, prompts, batch_size=3)


def test_sweep_names_a_wrong_number_of_spans(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="1 spans for 3 prompts"):
        steering_sweep(
            model,
            PROMPTS,
            east(model),
            lambda i, t: "other",
            layers=[1],
            strengths=[1.0],
            positions=((0, 1),),
        )


@pytest.mark.parametrize("texts", [("the dog",), ("the cat", "a"), ("the dog", "the cat")])
def test_prompts_begin_with_the_texts(texts: tuple[str, ...]) -> None:
    contrast = ActivationContrast((Prompt("a"),), (Prompt("b"),))
    prompts = (Prompt("the dog runs"), Prompt("a cat runs"))
    if texts == ("the cat", "a"):
        texts = ("the cat", "a cat")
    with pytest.raises(SemanticHubError, match="for each prompt a text that it begins with"):
        Steering(prompts, {"d": contrast}, lambda i, t: "other", positions=LastTokenOf(texts))
