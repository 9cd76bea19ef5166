"""Steered runs that start where they act give what plain passes over whole texts give."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from counting import counting_passes
from tiny import ON_EACH_CLASS, SENTENCES

from semantic_hub.activations.generating import generate_changed
from semantic_hub.activations.growing import starts_where_it_acts
from semantic_hub.interventions.steering import continuations
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.runs import Steered, SteeredRuns, SteeringOptions
from semantic_hub.models.conventions import end_tokens
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.prompt import encode

N_LAYERS, N_NEW = 3, 3
PROMPTS = (SENTENCES[3], SENTENCES[0])
STEERED = {
    "all": lambda position, length: True,
    "last": lambda position, length: position == length - 1,
    "generated": lambda position, length: position >= length,
    (1, 3): lambda position, length: position in (2, 3),  # behind the BOS
}  # fmt: skip


class Plain(NamedTuple):
    """A text that was read anew for each token."""

    tokens: tuple[int, ...]
    log_probs: list[torch.Tensor]


def steered(value: torch.Tensor, vector: torch.Tensor, strength: float, mode: str) -> torch.Tensor:
    if mode == "add":
        return value + strength * vector
    if mode == "replace":
        return value + strength * (vector - value)
    unit = vector / vector.norm()
    return value - strength * (value @ unit)[..., None] * unit


def read_anew(
    model: Any,
    prompt: Sequence[int],
    steering: Steered,
    mode: str,
    is_steered: Callable[[int, int], bool],
    row: int,
) -> Plain:
    tokens, found = list(prompt), []

    def hook_of(direction: Direction) -> tuple[str, Callable[..., torch.Tensor]]:
        vector = direction.vector if direction.vector.ndim == 1 else direction.vector[row]

        def change(value: torch.Tensor, hook: Any) -> torch.Tensor:
            new = steered(value, vector, steering.strength, mode)
            where = [is_steered(position, len(prompt)) for position in range(value.shape[1])]
            return torch.where(torch.tensor(where)[:, None], new, value)

        return layer_hook(direction.layer or 0), change

    for _ in range(N_NEW):
        with model.hooks(fwd_hooks=[hook_of(direction) for direction in steering.directions]):
            logits = model(torch.tensor([tokens]))[0, -1]
        found.append(logits.log_softmax(dim=-1))
        tokens.append(int(logits.argmax()))
    new = tokens[len(prompt) :]
    ends = [place for place, token in enumerate(new) if token in end_tokens(model)]
    return Plain(tuple(new[: ends[0]] if ends else new), found)


def directions(model: Any, layer: int, seed: int = 0, rows: int | None = None) -> Direction:
    generator = torch.Generator().manual_seed(10 * seed + layer)
    shape = [model.cfg.d_model] if rows is None else [rows, model.cfg.d_model]
    return Direction(torch.randn(*shape, generator=generator), layer, "random")


@pytest.mark.parametrize(("architecture", "backend"), ON_EACH_CLASS)
def test_steered_runs_equal_texts_that_are_read_anew_for_each_token(
    checkpoint: Callable[[str], Path], architecture: str, backend: Any
) -> None:
    model = load_model(checkpoint(architecture), device="cpu", backend=backend)
    assert starts_where_it_acts(model)
    encodings = encode(model, PROMPTS)
    by_one = [Steered((directions(model, k, 1),), 1.5) for k in (0, 2, N_LAYERS)]
    by_rows = Steered((directions(model, 1, 2, rows=len(PROMPTS)),), -2.0)
    by_several = Steered(tuple(directions(model, k, 3) for k in (1, 2, 3)), 0.5)
    steerings = [*by_one, by_rows, by_several, Steered((), 0.0)]
    how = [("last", "add"), ("all", "add"), ("generated", "replace"), ((1, 3), "project_out")]
    for positions, mode in how:
        prompts = range(len(PROMPTS) if positions == "last" else 1)
        cells = [(s, p) for s in range(len(steerings)) for p in prompts]
        runs = SteeredRuns(model, encodings, steerings, SteeringOptions(positions, mode), cells)
        said: dict[int, list[torch.Tensor]] = {index: [] for index in range(len(cells))}

        def choose(
            some: Sequence[int],
            tokens: torch.Tensor,
            logits: torch.Tensor,
            said: dict[int, list[torch.Tensor]] = said,
        ) -> torch.Tensor:
            for index, row in zip(some, logits, strict=True):
                said[index].append(row.log_softmax(dim=-1))
            return logits.argmax(dim=-1)

        new = generate_changed(
            model, encodings, runs.runs, runs.edits, max_new_tokens=N_NEW, choose=choose
        )
        for index, (steering, prompt) in enumerate(cells):
            plain = read_anew(
                model, encodings[prompt].tokens, steerings[steering], mode, STEERED[positions], prompt
            )  # fmt: skip
            for ours, theirs in zip(said[index], plain.log_probs, strict=False):
                torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
                best = theirs.topk(2).values
                if best[0] - best[1] < 1e-4:
                    break  # a tie: either token may come
            else:
                assert new[index] == plain.tokens


@pytest.mark.parametrize("positions", ["last", "all", "generated", ((0, 2), (1, 3))])
def test_from_the_start_the_texts_are_the_same(
    model: Any, positions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steerings = [
        Steered((directions(model, layer, seed),), strength)
        for layer in range(N_LAYERS + 1)
        for seed in (1, 2)
        for strength in (-1.0, 2.0)
    ]
    several = [Steered(tuple(directions(model, k) for k in (1, 3)), 1.0), Steered((), 0.0)]
    texts = Continuations(model, encode(model, PROMPTS), N_NEW)
    options = SteeringOptions(positions, "add")
    begun = texts.steered([*steerings, *several], options)
    monkeypatch.setattr(continuations, "starts_where_it_acts", lambda *_: False)
    assert texts.steered([*steerings, *several], options) == begun


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_changes_no_text(model: Any, batch_size: int) -> None:
    steerings = [Steered((directions(model, k),), 1.0) for k in range(N_LAYERS + 1)]
    options = SteeringOptions("last", "add")
    encodings = encode(model, PROMPTS)
    together = Continuations(model, encodings, N_NEW).steered(steerings, options)
    assert (
        Continuations(model, encodings, N_NEW, batch_size).steered(steerings, options) == together
    )


def test_a_prompt_is_read_once_and_each_run_one_position_for_each_token(model: Any) -> None:
    [encoding] = encode(model, [SENTENCES[3]])
    steerings = [Steered((directions(model, k),), 1.0) for k in range(N_LAYERS + 1)]
    runs = SteeredRuns(
        model, [encoding], steerings, SteeringOptions("last", "add"), [(k, 0) for k in range(4)]
    )
    starts_where_it_acts(model)
    with counting_passes(model, f"blocks.{N_LAYERS - 1}.hook_resid_pre") as read:
        new = generate_changed(model, [encoding], runs.runs, runs.edits, max_new_tokens=N_NEW)
    passed = sum(rows * columns for rows, columns in read)
    assert {len(tokens) for tokens in new} == {N_NEW}
    assert passed == len(encoding) + N_LAYERS + (N_NEW - 1) * (N_LAYERS + 1)


def test_a_text_that_has_ended_leaves_the_batch(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings = encode(model, PROMPTS)
    runs = SteeredRuns(
        model, encodings, [Steered((), 0.0)], SteeringOptions("last", "add"), [(0, 0), (0, 1)]
    )

    def choose(some: Sequence[int], tokens: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        n_new = tokens.shape[1] - len(encodings[some[0] % 2])
        return torch.tensor([1 if index == 0 and n_new == 1 else 5 for index in some])

    new = generate_changed(model, encodings, runs.runs, runs.edits, max_new_tokens=4, choose=choose)
    assert 1 in end_tokens(model)
    assert new == [(5,), (5, 5, 5, 5)]
