"""One model, several owners: threads, hooks of users, steers in any order, interruptions, modes."""

import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.text.generation import Sampling, generate_texts
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.lenses.per_token import token_lens
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.loading import check_model, describe, load_model
from semantic_hub.models.shared_state import exclusive, hooks_on

ENTERING = {"steer", "exclusive", "following", "_wrap_methods", "_recording", "_wrapped", "hooked"}
"""Functions that put a steer in place."""

PROMPTS = ["The dog barks.", "cat", "2+3="]


def push(model: Any, layer: int) -> Any:
    """A steer that adds ones at a layer."""
    return steer(model, Direction(torch.ones(model.cfg.d_model), layer, f"ones at {layer}"), 3.0)


def is_clean(model: Any) -> bool:
    """Whether nothing of a steer is left: no hook, no wrapped method, no lock."""
    hooked = any(point.fwd_hooks for point in model.hook_dict.values())
    wrapped = {"forward", "generate", "generate_stream"} & vars(model).keys()
    return not hooked and not wrapped and in_another_thread(lambda: is_free(model))


def is_free(model: Any) -> bool:
    done = threading.Event()

    def enter() -> None:
        with exclusive(model):
            done.set()

    threading.Thread(target=enter, daemon=True).start()
    return done.wait(10)


def in_another_thread(call: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_a_users_hook_is_warned_about_once_and_in_the_manifest(model: Any) -> None:
    def left_from_yesterday(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return value * 2

    with model.hooks(fwd_hooks=[(layer_hook(2), left_from_yesterday)]):
        with pytest.warns(SemanticHubWarning, match=r"on the model: .*: left_from_yesterday"):
            check_model(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            residual_stream(model, PROMPTS)
        [named] = describe(model)["hooks"]
    assert named.endswith(": left_from_yesterday")
    assert describe(model)["hooks"] == []


def test_a_hook_of_torch_is_named_too(model: Any) -> None:
    def watch(module: Any, inputs: Any, output: Any) -> None:
        pass

    handle = model.unembed.register_forward_hook(watch)
    try:
        assert [name.endswith(": watch") for name in hooks_on(model)] == [True]
    finally:
        handle.remove()


def test_a_steer_is_no_users_hook_but_in_the_manifest(model: Any) -> None:
    with push(model, 1):
        assert hooks_on(model) == []
        [named] = describe(model)["hooks"]
    assert named.endswith(": steer(ones at 1)")


@pytest.mark.parametrize("order", ["in turn", "crossed"])
def test_steers_may_be_left_in_any_order(model: Any, order: str) -> None:
    plain = residual_stream(model, PROMPTS)
    with push(model, 2):
        alone = residual_stream(model, PROMPTS)
    first, second = push(model, 1), push(model, 2)
    first.__enter__()
    second.__enter__()
    (first if order == "crossed" else second).__exit__(None, None, None)
    one_left = residual_stream(model, PROMPTS)
    (second if order == "crossed" else first).__exit__(None, None, None)

    if order == "crossed":
        assert torch.equal(one_left, alone)
    assert torch.equal(residual_stream(model, PROMPTS), plain)
    assert is_clean(model)


@pytest.mark.slow
def test_an_interrupt_at_any_line_of_entering_restores_the_model(model: Any) -> None:
    def interrupting(at: int) -> Any:
        lines = 0

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal lines
            if frame.f_code.co_name not in ENTERING:
                return None
            lines += event == "line"
            if lines > at:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        return trace

    former, at, entered = sys.gettrace(), 0, False
    while not entered:
        context = push(model, 1)
        try:
            sys.settrace(interrupting(at))
            context.__enter__()
            sys.settrace(None)
            entered = True
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(former)
        if entered:
            context.__exit__(None, None, None)
        del context
        assert describe(model)["hooks"] == [], at
        assert "forward" not in vars(model), at
        at += 1
    assert at > 20
    assert is_clean(model)


def test_threads_on_one_model_wait_for_each_other(model: Any) -> None:
    plain = residual_stream(model, PROMPTS)
    with push(model, 1):
        steered = residual_stream(model, PROMPTS)

    def measure(index: int) -> torch.Tensor:
        if index % 2:
            return residual_stream(model, PROMPTS)
        with push(model, 1):
            return residual_stream(model, PROMPTS)

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(measure, range(16)))
    for index, got in enumerate(states):
        assert torch.equal(got, plain if index % 2 else steered), index
    assert is_clean(model)


def test_a_plain_call_in_another_thread_is_not_steered(model: Any) -> None:
    tokens = torch.tensor([[0, 5, 9]])
    with torch.no_grad():
        expected = model(tokens)
    with ThreadPoolExecutor(1) as pool:
        with push(model, 1):
            waiting = pool.submit(lambda: model(tokens).detach())
        assert torch.equal(waiting.result(), expected)


def test_nothing_is_dropped_in_train_mode(checkpoint: Callable[[str], Path]) -> None:
    model: Any = load_model(checkpoint("gpt2"), device="cpu", backend="bridge")
    inside = model.original_model
    expected, ids = residual_stream(model, PROMPTS), torch.tensor([[0, 5, 9]])
    inside.train()
    modes = [module.training for module in inside.modules()]
    with torch.no_grad():
        assert not torch.equal(model(ids), model(ids))
    assert torch.equal(residual_stream(model, PROMPTS), expected)
    assert [module.training for module in inside.modules()] == modes


@pytest.mark.parametrize("where", ["block", "unembedding"])
@pytest.mark.parametrize("measure", ["token lens", "generation", "perplexity"])
def test_nan_is_refused_wherever_it_shows(llama_folder: Path, where: str, measure: str) -> None:
    model: Any = load_model(llama_folder, device="cpu")
    cold = Sampling(max_new_tokens=2, seeds=(0,))
    texts = generate_texts(model, PROMPTS[:1], cold)
    weight = model.blocks[1].mlp.W_out if where == "block" else model.unembed.W_U
    with torch.no_grad():
        weight[0, 0] = torch.nan
    calls: dict[str, Callable[[], Any]] = {
        "token lens": lambda: token_lens(model, PROMPTS[0]),
        "generation": lambda: generate_texts(model, PROMPTS[:1], cold),
        "perplexity": lambda: perplexity(model, model)(texts),
    }
    with pytest.raises(SemanticHubError, match="got NaN or infinity"):
        calls[measure]()
