"""Soft tokens: the same as embeddings given to plain transformers, and as the tokens themselves."""

import copy
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from every_state import every_state
from tiny import BACKENDS, SENTENCES

import semantic_hub as sh
from semantic_hub.activations.features import injecting_features
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.controls import shuffled_tokens
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair, PositionMap
from semantic_hub.interventions.patching.scope import patchscope
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.contrasts import (
    activation_difference,
    mean_difference,
    paired_differences,
)
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.runs import Steered, SteeringOptions
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.generation import Sampling, generate_texts
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.lenses.translators.fitted import fit_affine_lens
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Prompt, Readout, encode, read_tokens, tokenize
from semantic_hub.prompts.soft_tokens import (
    SOFT,
    SOFT_TOKEN,
    SoftPositions,
    SoftTokens,
    placeholder_id,
)
from semantic_hub.statistics.resampling import Resampling

WIDTH = 32
N_NEW = 4
IMAGE, SOUND = SoftPositions(0), SoftPositions(1)


def features(rows: int, seed: int = 0) -> SoftTokens:
    return SoftTokens(torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed)))


MIXED = [
    Prompt(f"The dog {SOFT} barks.", soft=(features(3),)),
    Prompt(f"{SOFT}cat", soft=(features(1, 1),)),
    "El perro ladra al gato",
    Prompt(f"cat{SOFT}{SOFT} dog {SOFT}", soft=(features(2, 2), features(4, 3), features(1, 4))),
    Prompt(tokens=(0, 20, SOFT_TOKEN, 21), soft=(features(5, 5),)),
]
"""No span, one and three; at the start, in the middle and at the end; spans of different length."""


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def folder(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path]) -> Path:
    """Rotary positions, and absolute ones that are added to the features."""
    return checkpoint(request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def fed(request: pytest.FixtureRequest, folder: Path) -> Any:
    return load_model(folder, device="cpu", backend=request.param)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()


def embedded(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """What ``hook_embed`` holds: ``[batch pos d_model]``."""
    return model.run_with_cache(tokens, names_filter=["hook_embed"])[1]["hook_embed"].detach()


def in_features(model: Any, text: str, start: int, stop: int) -> Prompt:
    """A text of which some own tokens are given as their embeddings."""
    [tokens] = tokenize(model, [text])
    first = int(tokens[0] == 0)
    span = embedded(model, torch.tensor([tokens]))[0, first + start : first + stop]
    rest = (*tokens[: first + start], SOFT_TOKEN, *tokens[first + stop :])
    return Prompt(tokens=rest, soft=(SoftTokens(span),))


def through_transformers(network: Any, model: Any, prompt: Any) -> torch.Tensor:
    """The same from ``inputs_embeds``, one prompt by itself."""
    [encoding] = encode(model, [prompt])
    given = network.get_input_embeddings()(torch.tensor([encoding.tokens])).detach().clone()
    for place in encoding.soft:
        given[0, place.start : place.start + len(place.span)] = place.span.features
    blocks = getattr(network.base_model, "layers", None) or network.base_model.h
    last: list[torch.Tensor] = []  # the last of hidden_states comes after the final norm
    hook = blocks[-1].register_forward_hook(lambda block, inputs, output: last.append(output))
    with torch.no_grad():
        states = network(inputs_embeds=given, output_hidden_states=True).hidden_states
    hook.remove()
    final = last[0][0] if isinstance(last[0], tuple) else last[0]
    return torch.stack([*(state[0] for state in states[:-1]), final.reshape(states[0].shape)[0]], 1)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 2, "auto"])
def test_equals_embeddings_given_to_transformers(fed, plain, side, batch_size) -> None:
    found = every_state(fed, MIXED, batch_size=batch_size, padding_side=side)
    for prompt, states in zip(MIXED, found, strict=True):
        expected = through_transformers(plain, fed, prompt)
        torch.testing.assert_close(states, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_passes_of_ones_own(fed, plain, side) -> None:
    with torch.no_grad(), injecting_features(fed, MIXED, side) as batch:
        logits = fed(batch.tokens, attention_mask=batch.attention_mask)
    for row, prompt in enumerate(MIXED):
        states = through_transformers(plain, fed, prompt)[:, -1]
        norm = getattr(plain.base_model, "norm", None) or plain.base_model.ln_f
        expected = plain.get_output_embeddings()(norm(states)).detach()
        found = logits[row][batch.attention_mask[row].bool()]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_embeddings_of_tokens_are_these_tokens(fed) -> None:
    words = [in_features(fed, text, 0, 2) for text in SENTENCES[:4]]
    for states, expected in zip(
        every_state(fed, words), every_state(fed, SENTENCES[:4]), strict=True
    ):
        torch.testing.assert_close(states, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("use_past_kv_cache", [True, False])
def test_generation_token_for_token(fed, use_past_kv_cache) -> None:
    options = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False, "verbose": False}
    options |= {"use_past_kv_cache": use_past_kv_cache, "output_logits": True}
    for text in SENTENCES[:4]:
        expected = fed.generate(torch.tensor(tokenize(fed, [text])), **options)
        with injecting_features(fed, [in_features(fed, text, 0, 2)]) as batch:
            found = fed.generate(batch.tokens, **options)
        assert found.sequences[:, -N_NEW:].tolist() == expected.sequences[:, -N_NEW:].tolist()
        torch.testing.assert_close(
            torch.stack(found.logits), torch.stack(expected.logits), atol=1e-5, rtol=1e-5
        )


def test_a_prompt_of_one_feature_is_overwritten_once(fed) -> None:
    """A cached step reads one column, as the prompt itself does."""
    options = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False, "verbose": False}
    prompt = Prompt(tokens=(SOFT_TOKEN,), soft=(features(1),))
    with injecting_features(fed, [prompt]) as batch:
        cached = fed.generate(batch.tokens, **options)
        whole = fed.generate(batch.tokens, use_past_kv_cache=False, **options)
    assert cached.tolist() == whole.tolist()


def told(model: Any) -> tuple[list[Prompt], list[Prompt]]:
    """Texts as token ids, and the same with three tokens as features."""
    texts = [f"{text} the cat" for text in SENTENCES[:4]]
    words = [Prompt(tokens=tuple(tokens)) for tokens in tokenize(model, texts)]
    return words, [in_features(model, text, 0, 3) for text in texts]


def direction(model: Any) -> Direction:
    vector = torch.randn(WIDTH, generator=torch.Generator().manual_seed(1))
    return Direction(10 * vector, 1, "random")


def lens(model: Any, prompts: list[Any], **options: Any) -> Any:
    groups = {"one": ("a",), "other": ("e", " the cat runs")}
    readouts = [Readout(prompt, groups) for prompt in prompts]
    return sh.logit_lens(model, readouts, resampling=Resampling(resamples=10), **options).log_prob


def patched(model: Any, prompts: list[Any]) -> Any:
    targets = {"source": ("a",), "own": ("e",)}
    one, two, three, four = prompts
    patch_pairs = [PatchPair((one,), two, targets), PatchPair((three,), four, targets)]
    return patching_sweep(
        model, patch_pairs, controls=False, resampling=Resampling(resamples=10)
    ).log_prob


def continued(model: Any, prompts: list[Any]) -> list[Any]:
    texts = Continuations(model, encode(model, prompts), N_NEW)
    how = SteeringOptions("last", "add")
    return [
        texts.unsteered(),
        texts.steered([Steered((direction(model),), s) for s in (1.0, -1.0)], how),
    ]


def written(model: Any, prompts: list[Any]) -> list[Any]:
    sampling = Sampling(max_new_tokens=N_NEW, frequency_penalty=0.0, seeds=(0, 1))
    texts = generate_texts(model, prompts, sampling)
    scores = perplexity(model, model)(texts)
    return [[text.new_tokens for text in texts], [round(score, 3) for score in scores]]


def swept(model: Any, prompts: list[Any]) -> Any:
    def says(index: int, text: str) -> str:
        return "success" if "e" in text else "other"

    return steering_sweep(
        model, prompts, direction(model), says, layers=[1], strengths=[1.0]
    ).outcome


READ: dict[str, Callable[[Any, list[Any]], Any]] = {
    "residual_stream": residual_stream,
    "mean": partial(residual_stream, positions="mean"),
    "span": partial(residual_stream, positions=(1, 4)),
    "lens": lens,
    "first tokens": partial(lens, whole_words=False),
    "top_tokens": lambda model, prompts: top_tokens(model, prompts, k=3).log_prob,
    "patchscope": lambda model, prompts: (
        patchscope(model, prompts, identity_prompt=prompts[0], k=2).log_prob
    ),
    "fit_affine_lens": lambda model, prompts: fit_affine_lens(model, prompts).error,
    "activation_difference": lambda model, prompts: (
        activation_difference(model, prompts[0], prompts[1], 2).vector
    ),
    "mean_difference": lambda model, prompts: (
        mean_difference(model, prompts[:2], prompts[2:], 2).vector
    ),
    "paired_differences": lambda model, prompts: (
        paired_differences(model, prompts[:2], prompts[2:], [2])[2].vector
    ),
    "patching_sweep": patched,
    "continuations": continued,
    "generate_texts": written,
    "steering_sweep": swept,
}


@pytest.mark.parametrize("name", READ)
def test_everything_that_takes_prompts_reads_features(model, name) -> None:
    texts, words = told(model)
    found, expected = READ[name](model, words), READ[name](model, texts)
    if isinstance(found, list):
        assert str(found) == str(expected)
    else:
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_similarity_and_its_controls(model) -> None:
    _, words = told(model)
    pairs = Pairs.from_prompts(words, list(reversed(words)))
    assert sh.similarity(model, pairs, resampling=Resampling(resamples=20)).n_pairs == len(words)
    mixed = shuffled_tokens(model, pairs)
    assert mixed is not None
    for before, after in zip(words, mixed.x, strict=True):
        assert after.soft != before.soft
        assert after.tokens is not None and before.tokens is not None
        assert sorted(after.tokens) == sorted(before.tokens)
        assert after.tokens.index(SOFT_TOKEN) == before.tokens.index(SOFT_TOKEN)
        rows, others = after.soft[0].features, before.soft[0].features
        assert sorted(rows.tolist()) == sorted(others.tolist())


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("use_past_kv_cache", [True, False])
def test_steering_the_features_alone(fed, side, use_past_kv_cache) -> None:
    """They are at other columns in each row; by hand in one prompt at a time."""
    edit = direction(fed)
    with (
        torch.no_grad(),
        injecting_features(fed, MIXED[:2], side) as batch,
        steer(fed, edit, 2.0, positions=IMAGE),
    ):
        logits = fed(batch.tokens, attention_mask=batch.attention_mask)
    for row, prompt in enumerate(MIXED[:2]):
        [encoding] = encode(fed, [prompt])
        columns = list(encoding.spans[0])

        def add(value: torch.Tensor, hook: Any, columns: list[int] = columns) -> torch.Tensor:
            value = value.clone()
            value[:, columns] += 2 * edit.vector
            return value

        options = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False}
        options |= {"verbose": False, "use_past_kv_cache": use_past_kv_cache}
        with torch.no_grad(), injecting_features(fed, [prompt]) as one:
            expected = fed.run_with_hooks(one.tokens, fwd_hooks=[(layer_hook(1), add)])[0]
            found = logits[row][batch.attention_mask[row].bool()]
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
            with steer(fed, edit, 2.0, positions=IMAGE):
                text = fed.generate(one.tokens, **options)
            tokens = one.tokens
        for _ in range(N_NEW):  # a loop of whole passes, features and edit by hand
            with torch.no_grad():
                hooks = [("hook_embed", partial(put, encoding)), (layer_hook(1), add)]
                following = fed.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1].argmax(-1)
            tokens = torch.cat([tokens, following[:, None]], dim=1)
        assert text.tolist() == tokens.tolist()


def put(encoding: Any, value: torch.Tensor, hook: Any) -> torch.Tensor:
    value = value.clone()
    for place in encoding.soft:
        value[:, list(place.positions)] = place.span.features
    return value


def test_a_span_for_each_prompt_and_sweeps_of_them(model) -> None:
    prompts = [replace(p, position=-1) if isinstance(p, Prompt) else p for p in MIXED[:2]]
    rows = (SoftPositions(0, rows=(0, -1)), IMAGE)
    for positions in (IMAGE, rows):
        found = steering_sweep(
            model,
            prompts,
            direction(model),
            lambda index, text: "other",
            layers=[1],
            strengths=[4.0],
            positions=positions,
        )
        assert "SoftPositions" in str(found.manifest["parameters"]["positions"])
    texts = Continuations(model, encode(model, prompts), N_NEW)
    options = SteeringOptions(rows, "add")
    by = [Steered((direction(model),), strength) for strength in (9.0, -9.0)]
    together = texts.steered(by, options)
    for index, positions in enumerate(rows):
        alone = Continuations(model, encode(model, [prompts[index]]), N_NEW)
        for row, steering in enumerate(by):
            options = SteeringOptions(positions, "add")
            assert alone.steered([steering], options)[0][0] == together[row][index]


def test_patching_spans_of_features(model) -> None:
    """All of the source's image at layer 0 makes the base the source, if only images differ."""
    source, base = (
        Prompt(f"{before}{SOFT} barks", soft=(features(3, seed),))
        for before, seed in (("", 7), ("", 8))
    )
    pair = PatchPair((source,), base, {"source": ("a",), "own": ("e",)})
    places = {
        "all": PositionMap(IMAGE, IMAGE, mode="one-to-one"),
        "last row": PositionMap(SoftPositions(rows=(-1,)), SoftPositions(rows=(-1,))),
    }
    found = patching_sweep(model, [pair], position_maps=places, layers=[0], controls=False)
    effect = found.normalized_logit_diff().value[0]
    torch.testing.assert_close(effect[0], torch.ones(()).to(effect), atol=1e-4, rtol=0)
    assert abs(float(effect[1]) - 1) > 1e-3


def test_positions_of_features(model) -> None:
    prompt = MIXED[3]
    [encoding] = encode(model, [prompt])
    every = every_state(model, [prompt])[0]
    spans = [list(span) for span in encoding.spans]
    assert [len(span) for span in spans] == [2, 4, 1]
    for positions, columns in [
        (SoftPositions(), spans[0]),
        (SoftPositions(1, rows=(-1,)), spans[1][-1:]),
        (SoftPositions(-1), spans[2]),
    ]:
        [state] = residual_stream(model, [prompt], positions=positions)
        torch.testing.assert_close(state, every[columns].mean(dim=0), atol=1e-5, rtol=1e-5)
    own = replace(prompt, position=SoftPositions(1, rows=(2,)))
    [state] = residual_stream(model, [own])
    torch.testing.assert_close(state, every[spans[1][2]], atol=1e-5, rtol=1e-5)
    assert lens(model, [own]).shape[0] == 1
    for wrong in [SoftPositions(3), SoftPositions(0, rows=(2,)), SoftPositions(-4)]:
        with pytest.raises(SemanticHubError, match=re.escape("spans of features: 2, 4, 1")):
            residual_stream(model, [prompt], positions=wrong)
    with pytest.raises(SemanticHubError, match="positions: got position SoftPositions"):
        residual_stream(model, [replace(prompt, position=SoftPositions(1))])


def test_the_mean_and_the_last_content_count_features(model) -> None:
    [encoding] = encode(model, [MIXED[0]])
    placeholder = frozenset({placeholder_id(model)})
    assert placeholder <= set(encoding.tokens)
    [mean] = read_positions([MIXED[0]], [encoding], "mean", model)
    assert set(encoding.spans[0]) <= set(mean)
    alone = replace(encoding, own=slice(encoding.spans[0][0], encoding.spans[0][-1] + 1))
    assert read_positions([MIXED[0]], [alone], "content", model) == [(encoding.spans[0][-1],)]


def test_text_around_markers_is_read_as_text(model) -> None:
    [encoding] = encode(model, [MIXED[0]])
    place = placeholder_id(model)
    before = read_tokens(model, "The dog ")
    after = tuple(model.tokenizer(" barks.", add_special_tokens=False)["input_ids"])
    assert encoding.tokens == (*before, place, place, place, *after)
    assert encoding.own_positions == range(1, len(encoding))
    assert read_tokens(model, f"The dog {SOFT} barks.") == (*before, SOFT_TOKEN, *after)
    alone = encode(model, [Prompt(SOFT, soft=(features(2),))])[0]
    assert (alone.tokens, alone.own_positions) == ((0, place, place), range(1, 3))
    told_bos = encode(model, [Prompt(f"<s>{SOFT} cat", soft=(features(2),))])[0]
    assert told_bos.tokens == encode(model, [Prompt(f"{SOFT} cat", soft=(features(2),))])[0].tokens
    assert SOFT not in model.tokenizer.get_vocab()


def test_the_place_is_held_by_no_special_token(model) -> None:
    assert placeholder_id(model) == 299
    tokenizer = model.tokenizer
    assert 299 not in {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}


def test_a_read_out_in_a_longer_text(model) -> None:
    prompt = Prompt(f"{SOFT} The dog", soft=(features(3),))
    readout = Readout(prompt, {"hub": ("\0",), "other": ("e",)}, following=" barks.")
    assert sh.logit_lens(model, [readout], resampling=Resampling(resamples=10)).kept == (0,)


def test_features_in_words(model) -> None:
    """What results call a prompt has a marker for each span."""
    assert top_tokens(model, [MIXED[0]], k=1).prompts == (f"The dog {SOFT} barks.",)
    [text] = generate_texts(model, [MIXED[1]], Sampling(max_new_tokens=2, seeds=(0,)))
    assert text.prompt_text == f"{SOFT}cat"
    assert "3 × 32" in activation_difference(model, MIXED[0], "cat", 1).description


def test_a_cut_inside_a_span(model) -> None:
    [encoding] = encode(model, [MIXED[0]])
    cut = encoding.first(encoding.spans[0][1])
    assert torch.equal(cut.soft[0].features, features(3).features[:1])
    assert encoding.first(encoding.spans[0][0]).soft == ()


def test_batches_that_do_not_fit_into_memory(model, monkeypatch) -> None:
    expected, forward, sizes = residual_stream(model, MIXED), type(model).forward, []

    def small_memory(self: Any, input: torch.Tensor, **options: Any) -> Any:
        sizes.append(len(input))
        if len(input) > 2:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return forward(self, input, **options)

    monkeypatch.setattr(type(model), "forward", small_memory)
    torch.testing.assert_close(residual_stream(model, MIXED), expected, atol=1e-5, rtol=1e-5)
    assert sizes == [5, 2, 3, 1, 2]


def test_dtype_of_the_embedding(model, folder, request) -> None:
    half = features(3).features.to(torch.bfloat16)
    prompts = [Prompt(f"{SOFT} cat", soft=(SoftTokens(part),)) for part in (half, half.float())]
    assert prompts[0].soft[0].features.dtype == torch.bfloat16
    states = residual_stream(model, prompts)
    torch.testing.assert_close(states[0], states[1], atol=0, rtol=0)
    small = load_model(folder, device="cpu", dtype=torch.bfloat16, backend="bridge")
    assert residual_stream(small, [MIXED[0]]).isfinite().all()


def test_prompts_are_values() -> None:
    one, same, other = features(3), features(3), features(3, seed=1)
    assert one == same != other and hash(one) == hash(same) and len({one, same, other}) == 2
    assert one != SoftTokens(one.features.to(torch.bfloat16))
    assert one != SoftTokens(one.features.reshape(6, -1))
    prompt = Prompt(f"{SOFT} cat", soft=(one,))
    assert prompt == Prompt(f"{SOFT} cat", soft=(same,)) and hash(prompt) == hash(replace(prompt))
    assert pickle.loads(pickle.dumps(prompt)) == prompt == copy.deepcopy(prompt)
    assert len(repr(prompt)) < 120
    with pytest.raises(FrozenInstanceError):
        one.features = other.features  # type: ignore[misc]
    given = torch.ones(2, 3)
    kept = SoftTokens(given)
    given.zero_()
    assert kept.features.all()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (torch.ones(3), "float32 of shape (3,)"),
        (torch.ones(1, 2, 3), "float32 of shape (1, 2, 3)"),
        (torch.ones(0, 3), "float32 of shape (0, 3)"),
        (torch.ones(2, 3, dtype=torch.long), "int64 of shape (2, 3)"),
        (torch.full((2, 3), float("nan")), "with NaN or infinity in it"),
        ([[1.0]], "a list"),
    ],
    ids=str,
)
def test_features_of_another_kind(wrong, told, without_shape_checks) -> None:
    with pytest.raises(SemanticHubError, match=re.escape(told)):
        SoftTokens(wrong)


@pytest.mark.parametrize(
    ("text", "tokens", "spans", "told"),
    [
        (f"{SOFT} cat", None, 0, "1 markers and 0 spans"),
        ("cat", None, 1, "0 markers and 1 spans"),
        (f"{SOFT}{SOFT}", None, 1, "2 markers and 1 spans"),
        (None, (5, SOFT_TOKEN), 2, "1 markers and 2 spans"),
    ],
)
def test_as_many_markers_as_spans(text, tokens, spans, told) -> None:
    with pytest.raises(SemanticHubError, match=told):
        Prompt(text, tokens, soft=(features(2),) * spans)


def test_features_of_another_width(model) -> None:
    prompt = Prompt(f"{SOFT} cat", soft=(SoftTokens(torch.ones(2, 5)),))
    told = "prompt 1 with features of width 5; expected width 32"
    with pytest.raises(SemanticHubError, match=told):
        residual_stream(model, ["cat", prompt])


def test_longer_than_the_context(model) -> None:
    prompt = Prompt(f"{SOFT} cat", soft=(features(64),))
    with pytest.raises(SemanticHubError, match="expected at most 64, the model's context"):
        residual_stream(model, [prompt])


def test_alignment_and_steering_without_features(model) -> None:
    pair = PatchPair((Prompt("cat"),), Prompt("dog"), {"a": ("a",), "b": ("e",)})
    with pytest.raises(SemanticHubError, match="0 spans of features"):
        patching_sweep(model, [pair], position_maps={"image": PositionMap(IMAGE, IMAGE)})
    with (
        pytest.raises(SemanticHubError, match="0 spans of features"),
        steer(model, direction(model), positions=IMAGE),
    ):
        model("cat")


def test_another_model_scores_no_features(model, folder) -> None:
    texts = generate_texts(model, [MIXED[1]], Sampling(max_new_tokens=2, seeds=(0,)))
    with pytest.raises(SemanticHubError, match="expected the generating model"):
        perplexity(load_model(folder, device="cpu", backend="bridge"), model)(texts)


def test_another_batch_is_refused(model) -> None:
    with injecting_features(model, MIXED[:1]) as batch:
        with pytest.raises(SemanticHubError, match="the prompts whose features are in place"):
            model(batch.tokens[:, 1:])
        assert residual_stream(model, [SENTENCES[0]]).isfinite().all()
        expected = residual_stream(model, MIXED)
        model(batch.tokens)
    torch.testing.assert_close(residual_stream(model, MIXED), expected)


def traces(model: Any) -> dict[str, Any]:
    own = {name: vars(model).get(name) for name in ("forward", "generate", "generate_stream")}
    hooks = sum(len(module._forward_hooks) for module in model.modules())
    return own | {"hooks": hooks, "level": model.context_level, "tokenizer": len(model.tokenizer)}


def test_nothing_is_left_behind(model) -> None:
    tokens = torch.tensor([encode(model, [MIXED[0]])[0].tokens])
    before, logits = traces(model), model(tokens)
    with injecting_features(model, [MIXED[0]]):
        assert traces(model)["hooks"] == before["hooks"] + 2  # one checks the logits
    assert traces(model) == before
    with pytest.raises(RuntimeError, match="stopped"), injecting_features(model, [MIXED[0]]):
        raise RuntimeError("stopped")
    with pytest.raises(ZeroDivisionError):
        residual_stream(model, MIXED, overwrites={"hook_embed": lambda prompt: 1 // 0})
    assert traces(model) == before
    assert torch.equal(model(tokens), logits)


def test_prompts_without_features_cost_a_check_of_the_logits(model) -> None:
    before = traces(model)
    with injecting_features(model, SENTENCES):
        assert traces(model) == before | {"hooks": before["hooks"] + 1}


def test_generation_of_a_padded_batch(fed, monkeypatch) -> None:
    """Each row writes what it writes by itself.

    A bridge must be told the mask; a HookedTransformer cannot be, and asks the tokenizer's side.
    """
    monkeypatch.setattr(fed.tokenizer, "padding_side", "left")
    options = {"max_new_tokens": N_NEW, "do_sample": False, "stop_at_eos": False, "verbose": False}
    is_bridge = type(fed).__name__ == "TransformerBridge"
    with injecting_features(fed, MIXED[:4], "left") as batch:
        mask = {"attention_mask": batch.attention_mask} if is_bridge else {}
        together = fed.generate(batch.tokens, **mask, **options)[:, -N_NEW:]
    for row, prompt in zip(together.tolist(), MIXED[:4], strict=True):
        with injecting_features(fed, [prompt]) as one:
            assert fed.generate(one.tokens, **options)[0, -N_NEW:].tolist() == row
