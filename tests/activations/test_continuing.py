"""What goes on from a text that was read once gives what whole texts give."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import BACKENDS, CONFIGS, SENTENCES

from semantic_hub.activations import continuing
from semantic_hub.activations.continuing import states_after
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens

CONTINUATIONS = [(7,), (7, 8), (7, 9, 40), (100, 8)]


def runs(model: Any, prompts: list[Any]) -> list[tuple[Prompt, tuple[int, ...]]]:
    texts = [encoding.first(len(encoding)) for encoding in encode(model, prompts)]
    return [(text, new) for new in CONTINUATIONS for text in texts]


def whole(model: Any, continuations: list[tuple[Prompt, tuple[int, ...]]]) -> torch.Tensor:
    texts = [
        Prompt(tokens=(*(text.tokens or ()), *new), soft=text.soft) for text, new in continuations
    ]
    return torch.cat([residual_stream(model, [text])[:, -1] for text in texts])


@pytest.fixture(params=BACKENDS)
def any_model(request: Any, checkpoint: Callable[[str], Path]) -> Iterator[Callable[[str], Any]]:
    def load(architecture: str) -> Any:
        if architecture == "gemma2" and request.param == "hooked":
            pytest.skip("TransformerLens' own class differs from transformers here")
        return load_model(checkpoint(architecture), device="cpu", backend=request.param)

    yield load


@pytest.mark.parametrize("architecture", list(CONFIGS))
def test_states_are_those_of_the_whole_text(
    any_model: Callable[[str], Any], architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = any_model(architecture)
    continuations = runs(model, SENTENCES)
    expected = whole(model, continuations)
    assert (expected[0] - expected[len(SENTENCES)]).abs().max() > 0.01
    monkeypatch.setattr(continuing, "capture_layers", refuse_long(continuing.capture_layers))
    torch.testing.assert_close(states_after(model, continuations), expected, atol=2e-5, rtol=2e-5)


def refuse_long(capture: Callable[..., None]) -> Callable[..., None]:
    """Whole texts are read up to the embedding alone."""

    def captured(model: Any, encodings: Any, positions: Any, layers: Any, *rest: Any, **more: Any):
        assert layers == [0]
        capture(model, encodings, positions, layers, *rest, **more)

    return captured


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_change_no_number(model: Any, batch_size: int) -> None:
    continuations = runs(model, SENTENCES[:2])
    states = states_after(model, continuations, batch_size=batch_size)
    torch.testing.assert_close(states, whole(model, continuations), atol=2e-5, rtol=2e-5)


def test_a_model_that_cannot_start_in_the_middle_reads_whole_texts(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    continuations = runs(model, SENTENCES[:2])
    monkeypatch.setattr(continuing, "starts_where_it_acts", lambda *args: False)
    monkeypatch.setattr(continuing, "capture_changed", None)
    states = states_after(model, continuations)
    torch.testing.assert_close(states, whole(model, continuations), atol=2e-5, rtol=2e-5)


def test_features_come_before_what_goes_on(model: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    spans = [SoftTokens(torch.randn(3, model.cfg.d_model, generator=generator)) for _ in range(2)]
    prompts = [Prompt(f"the {SOFT} dog is", soft=(span,)) for span in spans]
    continuations = runs(model, prompts)
    states = states_after(model, continuations)
    torch.testing.assert_close(states, whole(model, continuations), atol=2e-5, rtol=2e-5)
    assert (states[0] - states[1]).abs().max() > 0.01
