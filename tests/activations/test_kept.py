"""Each prompt runs once: in the pass of another that it begins, and once for all measurements."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from counting import counting_passes
from tiny import ON_EACH_CLASS, SENTENCES

from semantic_hub.activations.captures import shared_passes
from semantic_hub.activations.kept import keeping_states
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.prompt import Prompt, encode, tokenize
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens

FIRST = "blocks.0.hook_resid_pre"


def prompts_run(read: list[tuple[int, int]]) -> int:
    return sum(rows for rows, _ in read)


def beginnings(model: Any) -> list[list[int]]:
    """Every beginning of two sentences, and one sentence twice."""
    first, second = tokenize(model, SENTENCES[:2])
    return [tokens[:n] for tokens in (first, second) for n in range(2, len(tokens) + 1)] + [first]


@pytest.mark.parametrize(("architecture", "backend"), ON_EACH_CLASS)
def test_a_beginning_read_in_a_longer_pass_is_as_if_run_alone(
    checkpoint: Callable[[str], Path], architecture: str, backend: Any
) -> None:
    model = load_model(checkpoint(architecture), device="cpu", backend=backend)
    prompts = beginnings(model)
    together = residual_stream(model, prompts)
    alone = torch.cat([residual_stream(model, [tokens]) for tokens in prompts])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=2e-5)
    left = residual_stream(model, prompts, padding_side="left", positions="mean")
    means = torch.cat([residual_stream(model, [tokens], positions="mean") for tokens in prompts])
    torch.testing.assert_close(left, means, atol=2e-5, rtol=2e-5)


def test_only_the_longest_are_run(model: Any) -> None:
    encodings = encode(model, beginnings(model))
    passes = shared_passes(model, encodings)
    assert sorted(chain.from_iterable(passes.values())) == list(range(len(encodings)))
    assert {encodings[longest].tokens for longest in passes} == set(
        map(tuple, tokenize(model, SENTENCES[:2]))
    )
    with counting_passes(model, FIRST) as read:
        residual_stream(model, beginnings(model))
    assert prompts_run(read) == 2


def test_features_are_shared_where_they_are_equal(model: Any) -> None:
    red, blue = (SoftTokens(torch.full((2, model.cfg.d_model), value)) for value in (0.5, -0.5))
    texts = [(f"{SOFT} the", red), (f"{SOFT} the dog", red), (f"{SOFT} the", blue), ("the", None)]
    prompts = [Prompt(text, soft=(span,) if span else ()) for text, span in texts]
    assert list(shared_passes(model, encode(model, prompts)).values()) == [[1, 0], [2], [3]]
    together = residual_stream(model, prompts)
    for state, prompt in zip(together, prompts, strict=True):
        torch.testing.assert_close(state, residual_stream(model, [prompt])[0], atol=1e-5, rtol=1e-5)


def test_encoders_read_each_prompt_by_itself(bert_folder: Path) -> None:
    bert = load_model(bert_folder, device="cpu")
    encodings = encode(bert, [[2, 5, 6], [2, 5], [2, 5, 6]])
    assert shared_passes(bert, encodings) == {0: [0], 1: [1], 2: [2]}


def test_a_vector_at_the_last_token_is_added_at_each_prompts_own(model: Any) -> None:
    prompts = ["the dog is black", "the dog"]
    direction = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    with steer(model, direction, positions="last"):
        together = residual_stream(model, prompts)
        alone = [residual_stream(model, [prompt])[0] for prompt in prompts]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-5, rtol=1e-5)


def test_kept_states_are_read_without_a_pass(model: Any) -> None:
    expected = residual_stream(model, SENTENCES)
    with counting_passes(model, FIRST) as read, keeping_states(model):
        some = residual_stream(model, SENTENCES[:3], layers=[2])
        n_first = prompts_run(read)
        every = residual_stream(model, SENTENCES)
        with keeping_states(model):
            again = residual_stream(model, SENTENCES[::-1], layers=2, batch_size=1)
        assert residual_stream(model, SENTENCES[:1]).shape == expected[:1].shape
    assert (n_first, prompts_run(read)) == (3, len(SENTENCES))
    torch.testing.assert_close(every, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(some, every[:3, [2]])
    assert torch.equal(again, every.flip(0)[:, [2]])
    with counting_passes(model, FIRST) as read:
        residual_stream(model, SENTENCES[:1])
    assert prompts_run(read) == 1


def test_positions_are_kept_apart(model: Any) -> None:
    with keeping_states(model):
        last, mean = (residual_stream(model, SENTENCES, positions=p) for p in ("last", "mean"))
    torch.testing.assert_close(last, residual_stream(model, SENTENCES), atol=1e-5, rtol=1e-5)
    expected = residual_stream(model, SENTENCES, positions="mean")
    torch.testing.assert_close(mean, expected, atol=1e-5, rtol=1e-5)


def test_what_is_written_to_a_result_is_not_kept(model: Any) -> None:
    with keeping_states(model):
        first = residual_stream(model, SENTENCES)
        before = first.clone()
        first.zero_()
        assert torch.equal(residual_stream(model, SENTENCES), before)


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
def test_nothing_is_kept_or_looked_up_under_a_hook(model: Any) -> None:
    def twice(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return 2 * value

    with keeping_states(model):
        plain = residual_stream(model, SENTENCES)
        with model.hooks(fwd_hooks=[("blocks.0.hook_resid_pre", twice)]):
            hooked = residual_stream(model, SENTENCES)
        assert torch.equal(residual_stream(model, SENTENCES), plain)
    assert (hooked - plain).abs().max() > 0.1
