"""Steering: right at every position, with a cache or without, padded or not, and gone afterwards."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import BACKENDS, SENTENCES

import semantic_hub as sh
from semantic_hub.interventions.steering.contrasts import (
    activation_difference,
    paired_differences,
    unembedding_difference,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.models.layers import layer_hook
from semantic_hub.zoo.planted.models import expected_steering, planted_world

POSITIONS = ["all", "last", "prompt", "generated", (0, 1), (-2, None), slice(0, None, 2)]
MODES = ["add", "replace", "project_out"]
PROMPTS = ["The dog barks.", "El perro ladra al gato y el gato", "two plus three equals"]
N_NEW = 4


@pytest.fixture(scope="module", params=["llama", "gpt2", "hub-mini"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=BACKENDS)
def steered(request: pytest.FixtureRequest, name: str, checkpoint: Callable[[str], Path]) -> Any:
    """Rotary positions, absolute positions, and a trained model, as each TransformerLens class."""
    source = name if name == "hub-mini" else checkpoint(name)
    return sh.load_model(source, device="cpu", backend=request.param)


@pytest.fixture(scope="module")
def direction(steered: Any) -> Direction:
    """Long enough to change what is said."""
    states = sh.residual_stream(steered, PROMPTS, layers=[2])[:, 0]
    vector = torch.randn(steered.cfg.d_model, generator=torch.Generator().manual_seed(0))
    return Direction(vector / vector.norm() * states.norm(dim=-1).mean(), 2, "random")


@pytest.fixture
def padding_side(steered: Any) -> Iterator[Callable[[str], None]]:
    before = steered.tokenizer.padding_side

    def set_side(side: str) -> None:
        steered.tokenizer.padding_side = side

    yield set_side
    set_side(before)


def generated(model: Any, prompt: Any, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that a model adds to a prompt, and the logits that each was chosen by."""
    greedy = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False, "verbose": False}
    found = model.generate(prompt, output_logits=True, **{**greedy, **options})
    return found.sequences[:, -N_NEW:], torch.stack(found.logits, dim=1)


def by_hand(
    model: Any, tokens: torch.Tensor, edits: list[tuple[str, Any]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same from a loop of whole forward passes with plain hooks, no cache and no steer."""
    length, chosen_by = tokens.shape[1], []
    for _ in range(N_NEW):
        with torch.no_grad():
            chosen_by.append(model.run_with_hooks(tokens, fwd_hooks=edits)[:, -1])
        tokens = torch.cat([tokens, chosen_by[-1].argmax(-1, keepdim=True)], dim=1)
    return tokens[:, length:], torch.stack(chosen_by, dim=1)


def assert_same(found: Any, expected: Any) -> None:
    assert found[0].tolist() == expected[0].tolist()
    torch.testing.assert_close(found[1], expected[1], atol=2e-4, rtol=1e-4)


def hand_hook(columns: slice, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    def hook(value: torch.Tensor, hook: Any) -> torch.Tensor:
        value = value.clone()
        value[:, columns] = change(value[:, columns])
        return value

    return hook


def columns_of(positions: Any, length: int, own_start: int) -> slice:
    """Where a kind of position is in a single prompt of a length, as one slice."""
    if isinstance(positions, str):
        return {
            "all": slice(0, None),
            "last": slice(length - 1, length),
            "prompt": slice(0, length),
            "generated": slice(length, None),
        }[positions]
    span = positions if isinstance(positions, slice) else slice(*positions)
    start, stop, step = span.indices(length - own_start)
    return slice(own_start + start, own_start + stop, step)


CHANGES = {
    "add": lambda h, d: h + 1.5 * d,
    "replace": lambda h, d: -0.5 * h + 1.5 * d,
    "project_out": lambda h, d: h - 1.5 * (h @ d)[..., None] / d.square().sum() * d,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_generation_is_what_plain_hooks_make(steered, direction, positions, mode) -> None:
    """With the cache and without it, against a loop written by hand."""
    tokens = steered.to_tokens(PROMPTS[1])
    own_start = int(tokens[0, 0] == steered.tokenizer.bos_token_id)
    columns = columns_of(positions, tokens.shape[1], own_start)
    hook = hand_hook(columns, lambda h: CHANGES[mode](h, direction.vector))
    expected = by_hand(steered, tokens, [(layer_hook(2), hook)])
    with steer(steered, direction, 1.5, positions=positions, mode=mode):
        assert_same(generated(steered, tokens), expected)
        assert_same(generated(steered, tokens, use_past_kv_cache=False), expected)


def test_every_kind_of_position_does_something_else(steered, direction) -> None:
    """Otherwise the test above would prove little."""
    kinds = [*POSITIONS[:5], slice(0, None, 2)]
    found = [generated(steered, PROMPTS[1])[1]]
    for positions in kinds:
        with steer(steered, direction, 1.5, positions=positions):
            found.append(generated(steered, PROMPTS[1])[1])
    for one, another in itertools.combinations(found, 2):
        assert (one - another).abs().max() > 0.01


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("positions", POSITIONS, ids=str)
def test_batched_generation_is_that_of_single_prompts(steered, direction, positions, cache) -> None:
    with steer(steered, direction, 1.5, positions=positions):
        tokens, logits = generated(steered, PROMPTS, use_past_kv_cache=cache)
        for row, prompt in enumerate(PROMPTS):
            alone = generated(steered, prompt, use_past_kv_cache=cache)
            assert_same((tokens[[row]], logits[[row]]), alone)


@pytest.mark.parametrize("mode", MODES)
def test_a_row_for_each_prompt(steered, direction, mode) -> None:
    factors = torch.tensor([[1.0], [-2.0], [0.5]])
    rows = Direction(factors * direction.vector.roll(3), 2, "rows")
    with steer(steered, rows, 1.5, mode=mode):
        tokens, logits = generated(steered, PROMPTS)
    for row, prompt in enumerate(PROMPTS):
        single = Direction(rows.vector[row], 2, "row")
        with steer(steered, single, 1.5, mode=mode):
            assert_same((tokens[[row]], logits[[row]]), generated(steered, prompt))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("by_row", [False, True], ids=["vector", "rows"])
def test_a_strength_for_each_prompt(steered, direction, mode, by_row) -> None:
    strengths = torch.tensor([1.0, -0.5, 2.0])
    steering = direction
    if by_row:
        steering = Direction(direction.vector * torch.tensor([[2.0], [1.0], [-1.0]]), 2, "rows")
    with torch.no_grad(), steer(steered, steering, strengths, mode=mode):
        together = steered(PROMPTS)
    for row, prompt in enumerate(PROMPTS):
        single = steering.rows([row])
        with torch.no_grad(), steer(steered, single, float(strengths[row]), mode=mode):
            alone = steered(prompt)[0]
        torch.testing.assert_close(together[row, : len(alone)], alone, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("x", ["fr", "es"])
@pytest.mark.parametrize("world_name", ["planted-hub", "planted-separate"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_logits_on_a_planted_model_are_those_of_the_closed_form(backend, world_name, x) -> None:
    """Steered by the difference of two concepts in a language, towards the next concept."""
    model = sh.load_model(world_name, device="cpu", backend=backend)
    world, strengths = planted_world(world_name), [0.5, 1.0, 2.0]
    patch_pairs = world.patch_pairs(x, "fr")
    sources = [pair.sources[0] for pair in patch_pairs]
    directions = paired_differences(model, sources, [*sources[-1:], *sources[:-1]])
    tokens = torch.cat([model.to_tokens(pair.base.text) for pair in patch_pairs])
    words = [[targets[0] for targets in pair.answers.values()] for pair in patch_pairs]
    ids = torch.tensor([model.tokenizer.convert_tokens_to_ids(pair) for pair in words])
    asked = torch.cat([model.to_tokens(e.reference.text) for e in patch_pairs if e.reference])

    def difference(tokens: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            first, second = model(tokens)[:, -1].gather(1, ids).unbind(1)
        return first - second

    own, reference = difference(tokens), difference(asked)
    found = torch.empty(len(patch_pairs), len(directions), len(strengths))
    for layer, direction in directions.items():
        for place, strength in enumerate(strengths):
            with steer(model, direction, strength, positions="last"):
                found[:, layer, place] = (difference(tokens) - own) / (reference - own)
    expected = torch.as_tensor(expected_steering(world, x, "fr", strengths)).float()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def padded(model: Any, side: str) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [model.to_tokens(text)[0].tolist() for text in SENTENCES]
    longest = max(map(len, rows))
    tokens = torch.full((len(rows), longest), model.tokenizer.pad_token_id)
    mask = torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(longest - len(row), None)
        tokens[index, place], mask[index, place] = torch.tensor(row), 1
    return tokens, mask


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("positions", POSITIONS[:3] + POSITIONS[4:5], ids=str)
def test_forward_passes_are_the_same_on_either_side_of_padding(
    steered, direction, positions, mode
) -> None:
    alone = []
    with torch.no_grad(), steer(steered, direction, 1.5, positions=positions, mode=mode):
        for text in SENTENCES:
            alone.append(steered(text)[0])
        for side in ("left", "right"):
            tokens, mask = padded(steered, side)
            logits = steered(tokens, attention_mask=mask)
            for row, expected in enumerate(alone):
                found = logits[row][mask[row].bool()]
                torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("positions", ["last", (0, 1)], ids=str)
def test_lists_of_text_without_a_mask(steered, direction, padding_side, positions, side) -> None:
    padding_side(side)
    with torch.no_grad(), steer(steered, direction, 1.5, positions=positions):
        logits = steered(PROMPTS)
        for row, text in enumerate(PROMPTS):
            expected = steered(text)[0]
            n, columns = len(expected), logits.shape[1]
            place = slice(columns - n, None) if side == "left" else slice(0, n)
            torch.testing.assert_close(logits[row, place], expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_strength_0_changes_no_bit(steered, direction, mode) -> None:
    tokens = steered.to_tokens(PROMPTS[0])
    with torch.no_grad():
        expected = steered(tokens)
        with steer(steered, direction, 0, mode=mode):
            assert torch.equal(steered(tokens), expected)
            assert n_hooks(steered) == 0


def stream(model: Any, text: str, layer: int) -> torch.Tensor:
    hook = layer_hook(layer)
    return model.run_with_cache(text, names_filter=lambda name: name == hook)[1][hook][0]


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_after_projecting_out_the_projection_is_0(steered, direction, layer) -> None:
    moved = direction.at(layer)
    before = stream(steered, PROMPTS[0], layer) @ direction.vector
    with torch.no_grad(), steer(steered, moved, mode="project_out"):
        after = stream(steered, PROMPTS[0], layer) @ direction.vector
    assert before.abs().max() > 0.05
    torch.testing.assert_close(
        after, torch.zeros_like(after), atol=1e-4 * before.abs().max(), rtol=0
    )


def test_replacing_at_strength_1_puts_the_vector_itself_there(steered, direction) -> None:
    with torch.no_grad(), steer(steered, direction, positions="last", mode="replace"):
        found = stream(steered, PROMPTS[0], 2)
    assert torch.equal(found[-1], direction.vector)
    torch.testing.assert_close(found[:-1], stream(steered, PROMPTS[0], 2)[:-1])


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_last_is_the_vector_added_by_hand(steered, direction, layer) -> None:
    hook = hand_hook(slice(-1, None), lambda h: h + 0.7 * direction.vector)
    with torch.no_grad():
        expected = steered.run_with_hooks(PROMPTS[0], fwd_hooks=[(layer_hook(layer), hook)])
        with steer(steered, direction.at(layer), 0.7, positions="last"):
            torch.testing.assert_close(steered(PROMPTS[0]), expected)
            torch.testing.assert_close(steered.run_with_cache(PROMPTS[0])[0], expected)
            torch.testing.assert_close(steered.run_with_hooks(PROMPTS[0]), expected)


def test_steering_towards_another_prompt_makes_its_answer(model) -> None:
    """The last layer's last position, moved by the difference to another prompt, says the same."""
    last = model.cfg.n_layers
    direction = activation_difference(model, "The dog", "The cat runs", last)
    with torch.no_grad(), steer(model, direction, positions="last"):
        found = model("The cat runs")[0, -1]
    torch.testing.assert_close(found, model("The dog")[0, -1].detach(), atol=1e-4, rtol=1e-4)


def test_residual_stream_reads_what_steering_made(model) -> None:
    direction = activation_difference(model, "The dog", "The cat runs", 1)
    plain = sh.residual_stream(model, ["cat", "El perro ladra"], layers=[1])
    with steer(model, direction, 2.0, positions="last"):
        found = sh.residual_stream(model, ["cat", "El perro ladra"], layers=[1])
    torch.testing.assert_close(found, plain + 2 * direction.vector)


def test_an_unembedding_difference_makes_its_word_likelier(model) -> None:
    direction = unembedding_difference(model, "d", "c").at(model.cfg.n_layers)
    plus, minus = (model.tokenizer.encode(word, add_special_tokens=False)[0] for word in "dc")
    ahead = []
    for strength in (-1e3, 1e3):
        with torch.no_grad(), steer(model, direction, strength, positions="last"):
            logits = model("The cat")[0, -1]
        ahead.append(float(logits[plus] - logits[minus]))
    assert ahead[0] < 0 < ahead[1]


def test_encoders_are_steered_too(bert_folder) -> None:
    model = sh.load_model(bert_folder, device="cpu", backend="bridge")
    ones = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    plain = sh.residual_stream(model, ["cat", "The dog barks"], layers=[1, 2])
    with steer(model, ones, 0.5):
        found = sh.residual_stream(model, ["cat", "The dog barks"], layers=[1, 2])
    torch.testing.assert_close(found[:, 0], plain[:, 0] + 0.5)
    assert not torch.allclose(found[:, 1], plain[:, 1])


def n_hooks(model: Any) -> int:
    return sum(len(point.fwd_hooks) + len(point.bwd_hooks) for point in model.hook_dict.values())


def traces(model: Any) -> dict[str, Any]:
    own = {name: vars(model).get(name) for name in ("forward", "generate", "generate_stream")}
    return own | {"hooks": n_hooks(model), "level": model.context_level}


def test_nothing_is_left_behind(model) -> None:
    direction = activation_difference(model, "dog", "cat", 1)
    before = traces(model)
    with steer(model, direction):
        assert n_hooks(model) > 0
        model.generate("The", max_new_tokens=2, verbose=False)
    assert traces(model) == before
    assert before["forward"] is None
    with pytest.raises(RuntimeError, match="stopped"), steer(model, direction):
        raise RuntimeError("stopped")
    assert traces(model) == before


def test_nothing_is_left_behind_by_a_pass_that_fails(model) -> None:
    direction, before = activation_difference(model, "dog", "cat", 1), traces(model)
    plain = model("The dog")

    def fail(value: Any, hook: Any) -> None:
        raise RuntimeError("in a hook")

    with (
        pytest.warns(sh.SemanticHubWarning, match="no forward pass had a position to steer"),
        steer(model, direction, positions="generated"),
    ):
        with (
            model.hooks(fwd_hooks=[(layer_hook(2), fail)]),
            pytest.raises(RuntimeError, match="in a hook"),
        ):
            model.generate("The dog", verbose=False)
        assert torch.equal(model("The dog"), plain)
    assert traces(model) == before


def test_steering_that_reached_nothing_says_so(model) -> None:
    direction = activation_difference(model, "dog", "cat", 1)
    for new_tokens, reached in ((1, False), (2, True)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with steer(model, direction, 3, positions="generated"):
                model.generate("The dog", max_new_tokens=new_tokens, stop_at_eos=False)
        assert [str(one.message)[:46] for one in said] == (
            [] if reached else ["steer: no forward pass had a position to steer"]
        )
    with steer(model, direction, positions="generated"):
        pass  # the model did not run: nothing to say


def test_a_method_that_was_replaced_before_is_put_back(model, monkeypatch) -> None:
    called = []
    forward = model.forward

    def own_forward(*args: Any, **kwargs: Any) -> Any:
        called.append(len(args))
        return forward(*args, **kwargs)

    monkeypatch.setitem(vars(model), "forward", own_forward)
    with steer(model, activation_difference(model, "dog", "cat", 1)):
        model("The dog")
    assert vars(model)["forward"] is own_forward
    assert called


def test_steers_nest(model) -> None:
    one = activation_difference(model, "dog", "cat", 1)
    two = activation_difference(model, "The", "2+3=", 2)
    tokens = model.to_tokens(PROMPTS[0])
    with steer(model, 2 * one, positions="last"), steer(model, two, positions="generated"):
        expected = generated(model, tokens)[0]
    with steer(model, one, positions="last"):
        outer = model(tokens)
        with steer(model, one, positions="last"):
            with steer(model, two, positions="generated"):
                assert generated(model, tokens)[0].tolist() == expected.tolist()
            twice = model(tokens)
        assert torch.equal(model(tokens), outer)
    with steer(model, 2 * one, positions="last"):
        torch.testing.assert_close(twice, model(tokens))


def test_streamed_generation(model) -> None:
    direction, tokens = activation_difference(model, "dog", "cat", 1), model.to_tokens(PROMPTS[0])
    options = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False, "verbose": False}
    for positions in ("all", "last", "generated"):
        with steer(model, direction, 3, positions=positions):
            expected = generated(model, tokens)[0]
            for cache in (True, False):
                parts = list(model.generate_stream(tokens, use_past_kv_cache=cache, **options))
                streamed = torch.cat(parts, dim=1)[:, -N_NEW:]
                assert streamed.tolist() == expected.tolist()


def test_a_filled_cache_means_that_what_follows_is_generated(model) -> None:
    """The user's own loop over a cache, as either TransformerLens class has it."""
    direction, tokens = activation_difference(model, "dog", "cat", 1), model.to_tokens(PROMPTS[1])
    hook = hand_hook(slice(4, None), lambda h: h + 3 * direction.vector)
    expected = model.run_with_hooks(tokens, fwd_hooks=[(layer_hook(1), hook)])[:, -1]
    for positions, later in (("generated", expected), ("last", None), ("prompt", None)):
        with torch.no_grad(), steer(model, direction, 3, positions=positions):
            found = second_half(model, tokens, 4)
        if later is not None:
            torch.testing.assert_close(found, later.detach(), atol=1e-4, rtol=1e-4)
        else:
            assert not torch.allclose(found, expected)


def second_half(model: Any, tokens: torch.Tensor, cut: int) -> torch.Tensor:
    """Last logits, from a pass over the first tokens and one over the others, with a cache."""
    if hasattr(model, "adapter"):
        options = {"use_cache": True, "return_type": "logits_and_cache"}
        _, cache = model(tokens[:, :cut], **options)
        return model(tokens[:, cut:], past_key_values=cache, use_cache=True)[:, -1]
    from transformer_lens import TransformerLensKeyValueCache

    cache = TransformerLensKeyValueCache.init_cache(model.cfg, model.cfg.device, 1)
    model(tokens[:, :cut], past_kv_cache=cache)
    return model(tokens[:, cut:], past_kv_cache=cache)[:, -1]


def test_with_gradients(model) -> None:
    vector = torch.randn(model.cfg.d_model, requires_grad=True)
    with steer(model, Direction(vector, 1, "learned"), positions="last"):
        model("The dog")[0, -1, 5].backward()
    assert vector.grad is not None
    assert vector.grad.abs().sum() > 0
    model.zero_grad()


@pytest.mark.parametrize("mode", MODES)
def test_a_direction_made_in_inference_mode(model, mode) -> None:
    with torch.inference_mode():
        made = Direction(torch.ones(model.cfg.d_model), 1, "in inference mode")
        with steer(model, made, mode=mode):
            expected = model("The dog").clone()
    with steer(model, made, mode=mode):
        logits = model("The dog")
        logits.sum().backward()
    torch.testing.assert_close(logits.detach(), expected)
    model.zero_grad()


def test_in_half_precision(llama_folder) -> None:
    model = sh.load_model(llama_folder, device="cpu", dtype=torch.bfloat16)
    direction = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    for mode in MODES:
        with torch.no_grad(), steer(model, direction, mode=mode):
            assert model("The dog").dtype == torch.bfloat16


def test_generation_of_transformers_itself_is_refused(llama_folder) -> None:
    model = sh.load_model(llama_folder, device="cpu", backend="bridge")
    direction = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    with (
        steer(model, direction),
        pytest.raises(sh.SemanticHubError, match="did not enter through the model itself"),
    ):
        model.hf_generate("The dog", max_new_tokens=2)


def ones(model: Any, *rows: int, layer: int | None = 1) -> Direction:
    return Direction(torch.ones(*rows, model.cfg.d_model), layer, "ones")


def test_a_direction_of_another_width(model) -> None:
    with (
        pytest.raises(sh.SemanticHubError, match="width 7; expected 32"),
        steer(model, Direction(torch.ones(7), 1, "ones")),
    ):
        pass


def test_a_direction_of_no_layer(model) -> None:
    with (
        pytest.raises(sh.SemanticHubError, match=r"Name it: .* direction.at\(4\)"),
        steer(model, ones(model, layer=None)),
    ):
        pass


def test_a_layer_that_the_model_lacks(model) -> None:
    with (
        pytest.raises(sh.SemanticHubError, match="got layer 4; expected layers 0 to 3"),
        steer(model, ones(model, layer=4)),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mode": "multiply"},
            "the mode 'multiply'; expected one of 'add', 'replace', 'project_out'",
        ),
        ({"positions": "first"}, "positions='first'; expected one of 'all', 'last'"),
        ({"positions": (1, 2, 3)}, r"positions=\(1, 2, 3\)"),
        ({"positions": 3}, "positions=3"),
        ({"strength": float("nan")}, "strength=nan; expected finite numbers"),
        ({"strength": "1"}, "strength='1'; expected finite numbers"),
    ],
)
def test_unknown_options(model, options, message, without_shape_checks) -> None:
    with pytest.raises(sh.SemanticHubError, match=message), steer(model, ones(model), **options):
        pass


def test_strengths_that_do_not_match_the_rows(model) -> None:
    with (
        pytest.raises(sh.SemanticHubError, match="got 2 rows and 3 strengths; expected as many"),
        steer(model, ones(model, 2), torch.ones(3)),
    ):
        pass


def test_projecting_out_nothing(model) -> None:
    with (
        pytest.raises(sh.SemanticHubError, match="expected a direction with a length"),
        steer(model, ones(model) * 0, mode="project_out"),
    ):
        pass


def test_rows_that_do_not_match_the_batch(model) -> None:
    with (
        steer(model, ones(model, 2)),
        pytest.raises(sh.SemanticHubError, match="a batch of 3 and a direction with 2 rows"),
    ):
        model(PROMPTS)


@pytest.mark.parametrize("run", ["forward", "generate"])
def test_a_span_outside_of_the_prompt(model, run) -> None:
    n_own = model.to_tokens("The dog").shape[1] - 1
    with (
        steer(model, ones(model), positions=(n_own, None)),
        pytest.raises(sh.SemanticHubError, match=f"in prompt 0, which has {n_own} tokens"),
    ):
        getattr(model, run)("The dog")


def test_a_row_of_nothing_but_padding(model) -> None:
    tokens = torch.ones(2, 3, dtype=torch.long)
    with (
        steer(model, ones(model), positions="last"),
        pytest.raises(sh.SemanticHubError, match="padding throughout"),
    ):
        model(tokens, attention_mask=torch.tensor([[1, 1, 1], [0, 0, 0]]))


def test_a_model_that_is_none(without_shape_checks) -> None:
    direction = Direction(torch.ones(2), 1, "ones")
    with pytest.raises(sh.SemanticHubError, match="got a str"), steer("gpt2", direction):
        pass
