"""Residual streams: positions, layers, batches, encoders, bad input."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import SENTENCES

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.models.layers import running_to_layer
from semantic_hub.models.loading import load_model
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import Prompt, tokenize


def every_state(model: Any, tokens: list[int]) -> torch.Tensor:
    """``[pos, layer, d_model]`` through TransformerLens' own cache: the second implementation."""
    _, cache = model.run_with_cache(torch.tensor([tokens]))
    names = ["blocks.0.hook_resid_pre", *(f"blocks.{i}.hook_resid_post" for i in range(3))]
    return torch.stack([cache[name][0] for name in names], dim=1).detach()


def test_last_is_the_last_token(model: Any) -> None:
    states = residual_stream(model, SENTENCES)
    assert states.shape == (len(SENTENCES), 4, 32)
    assert (states.dtype, states.device.type) == (torch.float32, "cpu")
    for row, tokens in zip(states, tokenize(model, SENTENCES), strict=True):
        torch.testing.assert_close(row, every_state(model, tokens)[-1], atol=1e-5, rtol=1e-5)


def test_results_can_be_used_outside_inference_mode(model: Any) -> None:
    (residual_stream(model, SENTENCES) * torch.ones(1, requires_grad=True)).sum().backward()


def test_mean_leaves_out_special_tokens(model: Any) -> None:
    [tokens] = tokenize(model, SENTENCES[:1])
    expected = every_state(model, tokens)[1:].mean(dim=0)
    [state] = residual_stream(model, SENTENCES[:1], positions="mean")
    torch.testing.assert_close(state, expected, atol=1e-5, rtol=1e-5)
    [given] = residual_stream(model, [tokens], positions="mean")
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("span", [(0, 2), (-2, None), slice(-2, None), (1, -1)])
def test_span_counts_own_tokens_as_python_slices(model: Any, span: Any) -> None:
    [tokens] = tokenize(model, SENTENCES[:1])
    chosen = span if isinstance(span, slice) else slice(*span)
    [state] = residual_stream(model, SENTENCES[:1], positions=span)
    expected = every_state(model, tokens)[1:][chosen].mean(dim=0)
    torch.testing.assert_close(state, expected, atol=1e-5, rtol=1e-5)


def test_callable_gets_the_tokens_that_the_model_reads(model: Any) -> None:
    seen: list[list[int]] = []

    def first_and_last(tokens: list[int]) -> list[int]:
        seen.append(tokens)
        return [0, -1]

    states = residual_stream(model, SENTENCES, positions=first_and_last)
    assert seen == tokenize(model, SENTENCES)
    expected = every_state(model, seen[1])[[0, -1]].mean(dim=0)
    torch.testing.assert_close(states[1], expected, atol=1e-5, rtol=1e-5)
    one = residual_stream(model, SENTENCES, positions=lambda tokens: 1)
    torch.testing.assert_close(one[1], every_state(model, seen[1])[1], atol=1e-5, rtol=1e-5)


def test_a_prompts_own_position_goes_before_last(model: Any) -> None:
    text = SENTENCES[0]
    states = residual_stream(model, [Prompt(text, position=0), Prompt(text, position=-2), text])
    every = every_state(model, tokenize(model, [text])[0])
    torch.testing.assert_close(states, every[[1, -2, -1]], atol=1e-5, rtol=1e-5)


def test_layers_come_in_the_order_asked(model: Any) -> None:
    every = residual_stream(model, SENTENCES)
    torch.testing.assert_close(residual_stream(model, SENTENCES, layers=[2, 0, 2]),
                               every[:, [2, 0, 2]])  # fmt: skip
    torch.testing.assert_close(residual_stream(model, SENTENCES, layers=[0]), every[:, :1])


def test_the_last_content_is_before_the_full_stop(model):
    with_stop, without = ["the dog barks.", "five."], ["the dog barks", "five"]
    read = residual_stream(model, with_stop, positions="content")
    torch.testing.assert_close(read, residual_stream(model, without), atol=1e-5, rtol=1e-5)
    own = [Prompt("the dog barks.", position=0)]
    first = residual_stream(model, own)
    assert torch.equal(residual_stream(model, own, positions="content"), first)
    with pytest.raises(SemanticHubError, match="'content' for prompt 0; expected a token with a"):
        residual_stream(model, ["..."], positions="content")


@pytest.mark.parametrize("positions", ["last", "mean"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_batch_of_1_is_batch_of_64(model: Any, positions: Any, side: Any) -> None:
    prompts = [
        torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(length)).tolist()
        for length in range(1, 65)
    ]
    alone = residual_stream(model, prompts, positions=positions, batch_size=1)
    together = residual_stream(
        model, prompts, positions=positions, batch_size=64, padding_side=side
    )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_forward_pass_stops_at_the_last_asked_layer(model: Any) -> None:
    ran: list[str] = []
    hooks = [
        (f"blocks.{i}.hook_resid_post", lambda value, hook, i=i: ran.append(str(i)))
        for i in range(3)
    ]
    tokens = torch.tensor([[1, 2, 3]])
    with running_to_layer(model, 2, hooks[:2]) as run:
        run(tokens, torch.ones_like(tokens))
    assert ran == ["0", "1"]


def test_hooks_are_taken_down(model: Any) -> None:
    tokens = torch.tensor([[1, 2, 3]])
    before = model(tokens)
    residual_stream(model, SENTENCES, layers=[1])
    assert torch.equal(model(tokens), before)


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
def test_a_models_own_hooks_stay(model: Any) -> None:
    calls: list[int] = []
    with model.hooks(fwd_hooks=[("blocks.0.hook_resid_pre", lambda v, hook: calls.append(1))]):
        residual_stream(model, SENTENCES, batch_size=1)
        assert len(calls) == len(SENTENCES)
        model(torch.tensor([[1, 2, 3]]))
    assert len(calls) == len(SENTENCES) + 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(llama_folder: Path, model: Any, dtype: torch.dtype) -> None:
    half = load_model(llama_folder, device="cpu", dtype=dtype, backend="bridge")
    states = residual_stream(half, SENTENCES)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states, residual_stream(model, SENTENCES), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_encoders_match_plain_transformers(bert_folder: Path, side: Any) -> None:
    bert = load_model(bert_folder, device="cpu")
    plain = transformers.BertModel.from_pretrained(bert_folder, attn_implementation="eager")
    states = residual_stream(bert, SENTENCES, padding_side=side)
    means = residual_stream(bert, SENTENCES, positions="mean", padding_side=side)
    for row, mean, tokens in zip(states, means, tokenize(bert, SENTENCES), strict=True):
        with torch.no_grad():
            run = plain(torch.tensor([tokens]), output_hidden_states=True)
        hidden = torch.stack(run.hidden_states)[:, 0]
        torch.testing.assert_close(row, hidden[:, -2], atol=1e-5, rtol=1e-4)  # before [SEP]
        torch.testing.assert_close(mean, hidden[:, 1:-1].mean(dim=1), atol=1e-5, rtol=1e-4)


def test_encoders_stop_early_too(bert_folder: Path) -> None:
    bert = load_model(bert_folder, device="cpu")
    every = residual_stream(bert, SENTENCES)
    torch.testing.assert_close(residual_stream(bert, SENTENCES, layers=[1]), every[:, [1]])


def test_layer_out_of_range(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="layers: got layer 4; expected layers 0 to 3"):
        residual_stream(model, SENTENCES, layers=[0, 4])


@pytest.mark.parametrize(
    ("prompt", "positions", "message"),
    [
        (Prompt("cat", position=9), "last", "got position 9 for prompt 1"),
        (Prompt("cat", position=-9), "last", "got position -9 for prompt 1"),
        ("cat", (7, 9), r"got positions \(7, 9\) for prompt 1"),
        ("cat", lambda tokens: 50 if len(tokens) < 6 else 0, "got positions from a function for"),
        ([0], "mean", "got positions 'mean' for prompt 1"),
    ],
)
def test_position_out_of_range(model: Any, prompt: Any, positions: Any, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        residual_stream(model, [SENTENCES[1], prompt], positions=positions)


def test_no_prompts(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="got no prompts; expected at least one"):
        residual_stream(model, [])


def test_not_finite_names_the_first_layer_and_the_prompt(model: Any) -> None:
    broken: Any = random_twin(model)
    with torch.no_grad():
        for parameter in broken.blocks[1].parameters():
            parameter.fill_(torch.nan)
    message = re.escape("got NaN or infinity at layer 2 of prompt 0; expected finite activations")
    with pytest.raises(SemanticHubError, match=message):
        residual_stream(broken, ["a dog", "cat"], batch_size=1)


def test_torchs_default_dtype_changes_no_number(model: Any) -> None:
    def measured() -> list[torch.Tensor]:
        states = residual_stream(model, SENTENCES)
        like = Direction(torch.ones(model.cfg.d_model), 1, "ones")
        with steer(model, random_direction(like, seed=0)):
            steered = residual_stream(model, SENTENCES)
        return [states, steered]

    expected = measured()
    torch.set_default_dtype(torch.float64)
    try:
        for got, wanted in zip(measured(), expected, strict=True):
            assert got.dtype == wanted.dtype and torch.equal(got, wanted)
    finally:
        torch.set_default_dtype(torch.float32)


def test_running_out_of_gpu_memory_halves_the_batch(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = residual_stream(model, SENTENCES)
    sizes: list[int] = []
    forward = type(model).forward

    def small_memory(self: Any, tokens: torch.Tensor, **options: Any) -> Any:
        sizes.append(len(tokens))
        if len(tokens) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return forward(self, tokens, **options)

    monkeypatch.setattr(type(model), "forward", small_memory)
    torch.testing.assert_close(residual_stream(model, SENTENCES), expected, atol=1e-5, rtol=1e-5)
    assert sizes == [5, 2, 3, 1, 2]
    with pytest.raises(torch.cuda.OutOfMemoryError):
        residual_stream(model, SENTENCES, batch_size=5)
