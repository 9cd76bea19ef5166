"""Changed runs that start where they are changed give what whole runs give, on every architecture.

Whole runs are `capture_layers`: every prompt from its first token and layer on.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from counting import counting_passes
from tiny import ON_EACH_CLASS, SENTENCES, save_decoder

from semantic_hub.activations.captures import Captured, Overwrite, Overwrites, capture_layers
from semantic_hub.activations.growing import capture_changed, starts_where_it_acts
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubWarning
from semantic_hub.interventions.patching.components import component_hook
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.models import key_values
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens
from semantic_hub.zoo.planted import models as planted

N_LAYERS = 3


def both_ways(
    model: Any,
    prompts: Sequence[Any],
    overwrites: Overwrites,
    positions: Sequence[Sequence[int]] | None = None,
    **options: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Kept states of the last layer, from whole runs and from where they are changed."""
    encodings, last = encode(model, prompts), model.cfg.n_layers
    kept = positions or [[len(encoding) - 1] for encoding in encodings]
    found = torch.full((2, len(prompts), max(map(len, kept)), model.cfg.d_model), torch.nan)

    def keep(way: int) -> Callable[[Captured, torch.Tensor], None]:
        def on_batch(captured: Captured, values: torch.Tensor) -> None:
            for row, prompt in enumerate(captured.prompts):
                found[way, prompt, : len(kept[prompt])] = values[captured.rows == row]

        return on_batch

    def whole(captured: Captured, values: torch.Tensor) -> None:
        keep(0)(captured, values[:, 0])

    capture_layers(model, encodings, kept, [last], whole, overwrites=overwrites)
    capture_changed(model, encodings, kept, last, keep(1), overwrites=overwrites, **options)
    return found[0], found[1]


def every_kind(
    model: Any, parts: bool = True, beginning: str = ""
) -> tuple[list[str], dict[str, Callable[[int], Overwrite | None]]]:
    """Prompts, most of them several times, and one way of overwriting in each."""
    generator = torch.Generator().manual_seed(0)
    sentences = [beginning + sentence for sentence in SENTENCES]
    lengths = [len(encoding) for encoding in encode(model, sentences)]
    prompts: list[str] = []
    changes: list[dict[str, Overwrite]] = []

    def add(prompt: int, *changed: tuple[str, Sequence[int], int | None, tuple[int, ...]]) -> None:
        prompts.append(sentences[prompt])
        changes.append(
            {
                name: Overwrite(
                    tuple(positions),
                    torch.randn(len(positions), *features, generator=generator),
                    head,
                )
                for name, positions, head, features in changed
            }
        )

    width = (model.cfg.d_model,)
    for prompt, length in enumerate(lengths):
        add(prompt)
        for layer in range(N_LAYERS + 1):
            for position in {0, length // 2, length - 1}:
                add(prompt, (layer_hook(layer), [position], None, width))
        add(prompt, (layer_hook(1), range(length), None, width))
        add(prompt, (layer_hook(2), range(length // 2, length), None, width))
        add(prompt, *[(layer_hook(k), [length - 1], None, width) for k in range(1, N_LAYERS + 1)])
        for layer in (1, 3) if parts else ():
            head_width = (model.cfg.d_head,)
            add(prompt, (component_hook("attn", layer), [length - 1], None, width))
            add(prompt, (component_hook("mlp", layer), [length // 2], None, width))
            add(prompt, (component_hook("head", layer), [length // 2], 1, head_width))
    names = dict.fromkeys(name for changed in changes for name in changed)
    return prompts, {name: lambda index, name=name: changes[index].get(name) for name in names}


@pytest.mark.parametrize(("architecture", "backend"), ON_EACH_CLASS)
def test_changed_runs_equal_whole_runs(
    checkpoint: Callable[[str], Path], architecture: str, backend: Any
) -> None:
    model = load_model(checkpoint(architecture), device="cpu", backend=backend)
    prompts, overwrites = every_kind(model, parts=architecture != "opt")  # of flattened positions
    assert starts_where_it_acts(model, list(overwrites))
    whole, begun = both_ways(model, prompts, overwrites)
    assert whole.isfinite().all()
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize(("architecture", "backend"), ON_EACH_CLASS)
def test_prompts_that_begin_alike_equal_whole_runs(
    checkpoint: Callable[[str], Path], architecture: str, backend: Any
) -> None:
    """Changes within what they begin with included."""
    model = load_model(checkpoint(architecture), device="cpu", backend=backend)
    prompts, overwrites = every_kind(model, architecture != "opt", beginning=EXAMPLES)
    whole, begun = both_ways(model, prompts, overwrites)
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)


EXAMPLES = "the cat sees the dog and the dog sees the cat and "


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_changes_no_number(model: Any, batch_size: int) -> None:
    prompts, overwrites = every_kind(model)
    whole, begun = both_ways(model, prompts, overwrites, batch_size=batch_size)
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)


def test_states_before_and_after_a_change_are_kept_too(model: Any) -> None:
    prompts, overwrites = every_kind(model)
    lengths = [len(encoding) for encoding in encode(model, prompts)]
    whole, begun = both_ways(model, prompts, overwrites, [range(length) for length in lengths])
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5, equal_nan=True)


def test_what_is_overwritten_after_the_last_kept_position_changes_nothing(model: Any) -> None:
    [length] = {len(encoding) for encoding in encode(model, SENTENCES[:1])}
    new = torch.ones(2, model.cfg.d_model)
    overwrites = {layer_hook(1): lambda index: Overwrite((length - 3, length - 1), new)}
    whole, begun = both_ways(model, SENTENCES[:1], overwrites, [[length - 2]])
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)


def test_features_are_read_once_with_their_prompt(model: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    spans = [SoftTokens(torch.randn(3, model.cfg.d_model, generator=generator)) for _ in range(2)]
    prompts = [Prompt(f"the {SOFT} dog is", soft=(span,)) for span in spans for _ in range(2)]
    new = torch.randn(4, 1, model.cfg.d_model, generator=generator)
    overwrites = {layer_hook(1): lambda index: Overwrite((2,), new[index])}
    whole, begun = both_ways(model, prompts, overwrites)
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)
    assert (whole[0] - whole[2]).abs().max() > 0.01


def positions_read(model: Any, run: Callable[[], object]) -> int:
    """Number of positions that enter the last block, over all forward passes."""
    with counting_passes(model, f"blocks.{N_LAYERS - 1}.hook_resid_pre") as read:
        run()
    return sum(rows * columns for rows, columns in read)


def last_patched_at_every_layer(model: Any) -> tuple[list[str], Overwrites, int]:
    prompt = SENTENCES[1]
    [encoding] = encode(model, [prompt])
    new = torch.ones(1, model.cfg.d_model)
    overwrites = {
        layer_hook(layer): lambda index, layer=layer: (
            Overwrite((len(encoding) - 1,), new) if index == layer else None
        )
        for layer in range(N_LAYERS + 1)
    }
    return [prompt] * (N_LAYERS + 1), overwrites, len(encoding)


def test_what_prompts_begin_with_is_read_once(model: Any) -> None:
    encodings = encode(model, [EXAMPLES + word for word in ("dog", "cat", "the dog")])
    columns = zip(*(encoding.tokens for encoding in encodings), strict=False)
    n_alike = [len(set(column)) == 1 for column in columns].index(False)
    longest = max(map(len, encodings))
    last = [[len(encoding) - 1] for encoding in encodings]

    def run() -> None:
        capture_changed(model, encodings, last, N_LAYERS, lambda *_: None, overwrites={})

    assert starts_where_it_acts(model) and n_alike >= 8
    joined = len({*map(len, encodings)})  # a row with which the last positions of a length enter
    n_read = n_alike + len(encodings) * (longest - n_alike) + joined
    assert positions_read(model, run) == n_read


def test_a_prompt_is_read_once_and_each_change_one_position(model: Any) -> None:
    prompts, overwrites, length = last_patched_at_every_layer(model)

    def run() -> None:
        residual_stream(model, prompts, layers=[N_LAYERS], overwrites=overwrites)

    run()  # with the test of the model, which is made once
    assert positions_read(model, run) == length + N_LAYERS


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
@pytest.mark.parametrize("how", ["hook", "steering", "left", "several layers"])
def test_whole_runs_are_made_where_they_are_needed(
    model: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: Any, **options: Any) -> None:
        raise AssertionError("runs that start where they are changed")

    prompts, overwrites, _ = last_patched_at_every_layer(model)
    starts_where_it_acts(model)
    monkeypatch.setattr("semantic_hub.activations.residuals.capture_changed", refused)
    options: dict[str, Any] = {"layers": [N_LAYERS], "overwrites": overwrites}
    options |= {"left": {"padding_side": "left"}, "several layers": {"layers": [1, 3]}}.get(how, {})
    direction = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    if how == "hook":
        with model.hooks(fwd_hooks=[(layer_hook(1), lambda value, hook: None)]):
            residual_stream(model, prompts, **options)
    elif how == "steering":
        with steer(model, direction, positions="last"):
            residual_stream(model, prompts, **options)
    else:
        residual_stream(model, prompts, **options)
    with pytest.raises(AssertionError, match="start where"):
        residual_stream(model, prompts, layers=[N_LAYERS], overwrites=overwrites)


def test_a_bridge_whose_position_bias_is_made_for_its_batch_runs_from_the_start(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    sizes = {"vocab_size": 300, "hidden_size": 32, "n_layer": N_LAYERS, "n_head": 4}
    save_decoder(transformers.BloomConfig(**sizes), tokenizer_folder, tmp_path / "bloom")
    model = load_model(tmp_path / "bloom", device="cpu", backend="bridge")
    prompts, overwrites, _ = last_patched_at_every_layer(model)
    with pytest.warns(SemanticHubWarning, match="from its start"):
        residual_stream(model, prompts, layers=[N_LAYERS], overwrites=overwrites)


def test_a_model_without_a_cache_runs_from_the_start() -> None:
    world = planted.planted_world("planted-hub")
    model = planted.planted_model(world, backend="bridge")
    with pytest.warns(SemanticHubWarning, match="keys and values of 0 blocks"):
        assert not starts_where_it_acts(model)


@pytest.mark.parametrize("fault", ["forgets", "raises"])
def test_a_model_that_cannot_go_on_runs_from_the_start_and_says_so_once(
    llama_folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(llama_folder, device="cpu", backend="bridge")
    prompts, overwrites, _ = last_patched_at_every_layer(model)
    appended = key_values._appended

    def faulty(keys: Any, values: Any, *new: Any, **options: Any) -> Any:
        if fault == "raises":
            raise RuntimeError("no cache here")
        return appended(torch.zeros_like(keys), torch.zeros_like(values), *new, **options)

    monkeypatch.setattr(key_values, "_appended", faulty)
    told = "raises RuntimeError: no cache here" if fault == "raises" else "states differ by"
    with pytest.warns(SemanticHubWarning, match=told):
        found = residual_stream(model, prompts, layers=[N_LAYERS], overwrites=overwrites)
    again = residual_stream(model, prompts, layers=[N_LAYERS], overwrites=overwrites)
    monkeypatch.undo()
    whole, _ = both_ways(model, prompts, overwrites)
    torch.testing.assert_close(found, whole, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(again, whole, atol=2e-5, rtol=2e-5)


def test_running_out_of_gpu_memory_halves_the_rows(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, overwrites, _ = last_patched_at_every_layer(model)
    whole, _ = both_ways(model, prompts, overwrites)
    sizes: list[int] = []
    appended = key_values._appended

    def small_memory(keys: Any, values: Any, new: Any, *others: Any, **options: Any) -> Any:
        sizes.append(len(new))
        if len(new) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return appended(keys, values, new, *others, **options)

    monkeypatch.setattr(key_values, "_appended", small_memory)
    _, begun = both_ways(model, prompts, overwrites)
    torch.testing.assert_close(begun, whole, atol=2e-5, rtol=2e-5)
    assert max(sizes) == 3
    with pytest.raises(torch.cuda.OutOfMemoryError):
        both_ways(model, prompts, overwrites, batch_size=4)
