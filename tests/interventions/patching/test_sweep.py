"""Patching: checks by construction, parity with plain hooks, closed forms, bad input."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import BACKENDS, requires_hooked_transformer
from transformers import AutoTokenizer

import semantic_hub as sh
from semantic_hub.interventions.patching.components import component_hook
from semantic_hub.interventions.patching.pairs import (
    ONE_TO_ONE,
    PatchPair,
    PositionMap,
    single_positions,
)
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patch, patching_sweep
from semantic_hub.models.checkpoints import build_hooked_transformer
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.words import places, word_tokens
from semantic_hub.zoo.planted import models as planted

SOURCE = Prompt("two plus three equals five")
BASE = Prompt("The dog barks at the cat")
ANSWERS = {"source": ("dog",), "base": ("cat",)}
COMPONENTS = ("resid", "attn", "mlp", "head")


@pytest.fixture(params=BACKENDS)
def mini(request: pytest.FixtureRequest) -> Any:
    return sh.load_model("hub-mini", backend=request.param)


def question(c: str, a: str) -> Prompt:
    return Prompt(f"{c} equals {a} plus")


PATCH_PAIRS = [
    PatchPair((question("nine", "six"),), question("five", "one"),
             {"source": ("three",), "base": ("four",)}),
    PatchPair((question("ten", "eight"),), question("twelve", "seven"),
             {"source": ("two",), "base": ("five",)}),
    PatchPair((question("seven", "six"),), question("six", "four"),
             {"source": ("one",), "base": ("two",)}),
]  # fmt: skip


def log_probs(model: Any, prompt: Prompt, hooks: Any = ()) -> torch.Tensor:
    """Next-token log-probabilities by TransformerLens alone."""
    logits = model.run_with_hooks(
        model.to_tokens(prompt.text), return_type="logits", fwd_hooks=list(hooks)
    )
    return logits[0, -1].float().log_softmax(dim=-1)


def activations(model: Any, prompt: Prompt, name: str) -> torch.Tensor:
    _, cache = model.run_with_cache(model.to_tokens(prompt.text))
    return cache[name].clone()


def write(positions: Any, values: torch.Tensor, head: int | None = None) -> Callable[..., Any]:
    def hook(value: torch.Tensor, hook: Any) -> torch.Tensor:
        changed = value.clone()
        if head is None:
            changed[0, positions] = values
        else:
            changed[0, positions, head] = values[:, head] if values.ndim == 3 else values[head]
        return changed

    return hook


def of_words(model: Any, found: torch.Tensor, base: Prompt, words: Any) -> torch.Tensor:
    """Each word's log-probability after the base, by the first tokens of its spellings there."""
    [place] = places(model, [base])
    firsts = [word_tokens(model.tokenizer, word, before=place).firsts for word in words]
    return torch.stack([found[list(tokens)].logsumexp(dim=0) for tokens in firsts])


def first_words(pair: PatchPair) -> list[str]:
    return [words[0] for words in pair.answers.values()]


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("position_map", [ONE_TO_ONE, PositionMap()])
def test_patching_a_run_into_itself_changes_nothing(
    mini: Any, component: Any, position_map: PositionMap
) -> None:
    found = patch(mini, BASE, BASE, answers=ANSWERS, component=component, position_map=position_map)
    unchanged = found.base_log_prob[:, None, None].expand_as(found.log_prob)
    assert torch.allclose(found.log_prob, unchanged, atol=1e-5)


def test_patching_every_position_of_layer_0_gives_the_sources_output(mini: Any) -> None:
    source, base = question("nine", "six"), question("five", "one")
    found = patch(
        mini, source, base, answers=("three", "four"), position_map=ONE_TO_ONE, layers=[0]
    )
    assert torch.allclose(found.log_prob[:, 0, 0], found.reference_log_prob, atol=1e-5)
    assert found.normalized_logit_diff().value.item() == pytest.approx(1, abs=1e-5)
    assert abs(found.reference_log_prob - found.base_log_prob).max() > 1


def test_patching_the_last_position_of_the_last_layer_gives_the_sources_logits(mini: Any) -> None:
    found = patch(mini, SOURCE, BASE, answers=ANSWERS, layers=[mini.cfg.n_layers])
    assert torch.allclose(found.log_prob[:, 0, 0], found.reference_log_prob, atol=1e-5)
    assert found.normalized_logit_diff().value.item() == pytest.approx(1, abs=1e-4)


@requires_hooked_transformer
def test_parallel_components_sum_to_the_residual_patch_on_a_one_block_model(
    tokenizer_folder: Path,
) -> None:
    from transformer_lens import HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=1, d_model=16, n_ctx=16, d_head=4, n_heads=4, d_mlp=32, act_fn="gelu",
        d_vocab=300, parallel_attn_mlp=True, normalization_type=None, seed=0, device="cpu",
        init_weights=True,
    )  # fmt: skip
    model = build_hooked_transformer(config, AutoTokenizer.from_pretrained(tokenizer_folder))
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    source, base = Prompt(tokens=(5, 60, 7, 80)), Prompt(tokens=(9, 100, 11, 42))
    found = {
        component: patch(model, source, base, answers=("z", "q"), component=component, layers=[1])
        for component in COMPONENTS
    }
    effects = {
        component: result.normalized_logit_diff().value.sum().item()
        for component, result in found.items()
    }
    tokens = torch.tensor([source.tokens, base.tokens])
    embedded = (model.embed(tokens) + model.pos_embed(tokens))[:, -1]
    ids = [model.to_single_token(letter) for letter in "zq"]
    directions = model.W_U.T[ids]
    direct = (embedded[0] - embedded[1]) @ (directions[0] - directions[1])
    first, second = (found["resid"].reference_log_prob - found["resid"].base_log_prob)[0]
    effects["embedding"] = (direct / (first - second)).item()
    assert effects["head"] == pytest.approx(effects["attn"], abs=1e-4)
    assert all(abs(effects[part]) > 0.01 for part in ("attn", "mlp", "embedding"))
    parts = effects["attn"] + effects["mlp"] + effects["embedding"]
    assert parts == pytest.approx(effects["resid"], abs=1e-4)
    assert effects["resid"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_sweep_equals_plain_hooks_cell_by_cell(mini: Any, component: Any) -> None:
    positions = range(-4, 0)
    layers = [1, 3, 8]
    heads = [0, 2] if component == "head" else None
    found = patching_sweep(
        mini, PATCH_PAIRS, component=component, layers=layers, heads=heads, controls=False,
        position_maps=single_positions(positions),
    )  # fmt: skip
    for item, pair in enumerate(PATCH_PAIRS):
        for i, layer in enumerate(layers):
            name = component_hook(component, layer)
            given = activations(mini, pair.sources[0], name)[0]
            cells = [(p, head) for p in positions for head in (heads or [None])]
            for place, (position, head) in enumerate(cells):
                hook = write(position, given[position], head)
                found_here = log_probs(mini, pair.base, [(name, hook)])
                expected = of_words(mini, found_here, pair.base, first_words(pair))
                got = found.log_prob[item, i, place]
                assert torch.allclose(got, expected, atol=2e-5), (item, layer, position, head)


def test_several_sources_are_averaged(mini: Any) -> None:
    sources = [question("nine", "six"), Prompt("neuf égale six plus"), Prompt("9=6+")]
    base = question("five", "one")
    found = patch(mini, sources, base, answers=("three", "four"), layers=[5])
    name = component_hook("resid", 5)
    mean = torch.stack([activations(mini, source, name)[0, -1] for source in sources]).mean(dim=0)
    by_hand = log_probs(mini, base, [(name, write(-1, mean))])
    expected = of_words(mini, by_hand, base, ("three", "four"))
    assert torch.allclose(found.log_prob[0, 0, 0], expected, atol=1e-5)
    single = patch(mini, sources[0], base, answers=("three", "four"), layers=[5])
    assert not torch.allclose(found.log_prob, single.log_prob, atol=1e-3)


def test_the_mean_of_a_span_goes_to_each_position_of_another(mini: Any) -> None:
    position_map = PositionMap((0, 2), (1, 4), mode="mean-to-each")
    source, base = question("nine", "six"), question("five", "one")
    found = patch(
        mini, source, base, answers=("three", "four"), layers=[2], position_map=position_map
    )
    name = component_hook("resid", 2)
    bos = mini.to_tokens("five").shape[1] - 1
    mean = activations(mini, source, name)[0, bos : bos + 2].mean(dim=0)
    span = slice(bos + 1, bos + 4)
    by_hand = log_probs(mini, base, [(name, write(span, mean))])
    expected = of_words(mini, by_hand, base, ("three", "four"))
    assert torch.allclose(found.log_prob[0, 0, 0], expected, atol=1e-5)


def test_a_prompts_own_position_is_where_it_is_patched_and_read(mini: Any) -> None:
    text = "nine equals six plus three times"
    found = patch(
        mini, Prompt(text, position=3), question("five", "one"), answers=("three", "four")
    )
    plain = patch(mini, question("nine", "six"), question("five", "one"), answers=("three", "four"))
    assert torch.allclose(found.log_prob, plain.log_prob, atol=1e-5)
    longer = Prompt("five equals one plus four times", position=3)
    into = patch(mini, question("nine", "six"), longer, answers=("three", "four"))
    assert torch.allclose(into.log_prob, plain.log_prob, atol=1e-5)


def test_a_bare_text_is_no_group_of_words(without_shape_checks: None) -> None:
    with pytest.raises(sh.SemanticHubError, match="'3' as group 'source'; expected a tuple"):
        PatchPair((SOURCE,), BASE, {"source": "3", "base": "four"})  # type: ignore[dict-item]


@requires_hooked_transformer
def test_models_of_attention_alone_have_sound_components(tokenizer_folder: Path) -> None:
    from transformer_lens import HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=2, d_model=16, n_ctx=32, d_head=4, n_heads=4, d_vocab=300, attn_only=True,
        seed=0, device="cpu", init_weights=True,
    )  # fmt: skip
    model = build_hooked_transformer(config, AutoTokenizer.from_pretrained(tokenizer_folder))
    found = patch(model, SOURCE, BASE, answers=("z", "q"), component="attn")
    assert found.layers == (1, 2)


def test_all_later_layers_patches_every_later_layer(mini: Any) -> None:
    source, base = question("nine", "six"), question("five", "one")
    layers = [3, 7]
    found = patch(
        mini, source, base, answers=("three", "four"), component="mlp", layers=layers,
        all_later_layers=True,
    )  # fmt: skip
    for i, first in enumerate(layers):
        hooks = [
            (name, write(-1, activations(mini, source, name)[0, -1]))
            for name in (component_hook("mlp", k) for k in range(first, 9))
        ]
        expected = of_words(mini, log_probs(mini, base, hooks), base, ("three", "four"))
        assert torch.allclose(found.log_prob[0, i, 0], expected, atol=1e-5)


def test_the_batch_size_changes_no_number(mini: Any) -> None:
    one = patching_sweep(mini, PATCH_PAIRS, layers=[2, 6], batch_size=1)
    many = patching_sweep(mini, PATCH_PAIRS, layers=[2, 6])
    assert torch.allclose(one.log_prob, many.log_prob, atol=1e-5)
    for name in ("placebo", "another source"):
        first, second = one.controls[name], many.controls[name]
        assert torch.allclose(first.logit_diff, second.logit_diff, atol=1e-5)
        assert torch.equal(first.rank, second.rank)


def test_controls_move_other_activations_of_the_same_kind(mini: Any) -> None:
    found = patching_sweep(mini, PATCH_PAIRS, layers=[8])
    placebo, another = found.controls["placebo"], found.controls["another source"]
    assert not torch.allclose(placebo.logit_diff, found.logit_diff, atol=0.1)
    assert placebo.log_prob.isnan().all() and not found.log_prob.isnan().any()
    sources = [log_probs(mini, pair.sources[0]) for pair in PATCH_PAIRS]
    for item, other in enumerate((1, 2, 0)):
        pair = PATCH_PAIRS[item]
        first, second = of_words(mini, sources[other], pair.base, first_words(pair))
        assert another.logit_diff[item, 0, 0].item() == pytest.approx(
            (first - second).item(), abs=1e-4
        )
        top = mini.tokenizer.decode(sources[other].argmax().item()).strip()
        on_top = [int(word == top) for word in first_words(pair)]
        assert another.rank[item, 0, 0].tolist() == on_top


def item_effects(found: PatchResult) -> torch.Tensor:
    """Normalized logit difference of each patch pair by itself, ``[item layer place]``."""
    patched, base, reference = (
        (log_prob[..., 0] - log_prob[..., 1]).double()
        for log_prob in (found.log_prob, found.base_log_prob, found.reference_log_prob)
    )
    return (patched - base[:, None, None]) / (reference - base)[:, None, None]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["planted-hub", "planted-separate"])
def test_planted_curves_equal_their_closed_form(name: str, backend: Any) -> None:
    world = planted.planted_world(name)
    model = planted.planted_model(world, backend=backend)
    for source, base in (("en", "es"), ("es", "fr"), ("fr", "en"), ("es", "es")):
        found = patching_sweep(model, world.patch_pairs(source, base), controls=False)
        expected = torch.from_numpy(planted.expected_patching(world, source, base))
        assert torch.allclose(item_effects(found)[..., 0], expected, atol=1e-4)


def test_planted_separate_passes_nothing_between_languages() -> None:
    world = planted.planted_world("planted-separate")
    model = planted.planted_model(world)
    across = patching_sweep(
        model, world.patch_pairs("es", "fr"), controls=False
    ).normalized_logit_diff()
    assert (across.low <= 0).all() and (across.high >= 0).all()
    within = patching_sweep(
        model, world.patch_pairs("es", "es"), controls=False
    ).normalized_logit_diff()
    assert torch.allclose(within.value, torch.ones_like(within.value), atol=1e-4)


def test_planted_hub_names_the_sources_concept_in_the_base_language() -> None:
    world = planted.planted_world("planted-hub")
    found = patching_sweep(planted.planted_model(world), world.patch_pairs("es", "fr"))
    top1 = found.top1_share("source").value[:, 0]
    assert top1.tolist() == [1, 1, 1, 1, 0, 0]
    assert found.controls["placebo"].top1_share("source").value.max() < 0.1


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "neox", "qwen2"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_components_add_up_on_architectures_that_are_sound(
    checkpoint: Callable[[str], Path], architecture: str, backend: Any
) -> None:
    model = sh.load_model(checkpoint(architecture), device="cpu", backend=backend)
    found = patching_sweep(
        model,
        [PatchPair((SOURCE,), BASE, {"source": ("d",), "base": ("c",)})],
        component="attn",
        controls=False,
    )
    assert found.layers == (1, 2, 3)


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
def test_a_component_hook_that_is_not_what_the_block_adds_is_refused(mini: Any) -> None:
    def doubled(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return value * 2

    with mini.hooks(fwd_hooks=[("blocks.3.hook_resid_post", doubled)]):
        with pytest.raises(sh.SemanticHubError, match="block 3 that miss what the block adds"):
            patch(mini, SOURCE, BASE, answers=ANSWERS, component="mlp")
        patch(mini, SOURCE, BASE, answers=ANSWERS, component="resid", layers=[1])


def test_patch_pairs_whose_answers_share_a_token_are_dropped_and_counted(mini: Any) -> None:
    same = PatchPair(PATCH_PAIRS[0].sources, PATCH_PAIRS[0].base,
                    {"source": ("three",), "base": ("three",)})  # fmt: skip
    found = patching_sweep(mini, [same, *PATCH_PAIRS], layers=[4])
    assert found.kept == (1, 2, 3)
    assert found.dropped["shared token"] == 1
    with pytest.raises(sh.SemanticHubError, match="shared token: 1"):
        patching_sweep(mini, [same], layers=[4])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"component": "neuron"}, "the component 'neuron'"),
    ({"layers": [9]}, "layer 9"),
    ({"layers": [0], "component": "attn"}, "layer 0 of component 'attn'"),
    ({"position_maps": {"all": ONE_TO_ONE}}, "match them one to one"),
    ({"position_maps": {"far": PositionMap((50, 60), (0, 1))}}, "span \\(50, 60\\) of the source"),
    ({"position_maps": {"far": PositionMap((0, 1), (50, 60))}}, "of the base"),
    ({"position_maps": {}}, "no position maps"),
    ({"heads": [0]}, "heads=\\[0\\] with component 'resid'"),
    ({"heads": [4], "component": "head"}, "heads 0 to 3"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad_input(
    mini: Any, options: dict[str, Any], message: str, without_shape_checks: None
) -> None:
    pair = PatchPair((Prompt("9=6"),), question("five", "one"), PATCH_PAIRS[0].answers)
    with pytest.raises(sh.SemanticHubError, match=message):
        patching_sweep(mini, [pair], **options)


def test_a_patch_behind_the_answer_is_refused_and_one_that_reaches_it_is_not(mini: Any) -> None:
    """The answer is read at "equals"; the map's mean goes to every token of a span."""
    base = Prompt("five equals one plus", position=1)

    def patched(span: Any, mode: Any = "mean-to-each") -> torch.Tensor:
        to = PositionMap((1, 2), span, mode)
        found = patch(mini, question("nine", "six"), base, answers=("three", "four"),
                      layers=[4], position_map=to)  # fmt: skip
        return found.log_prob[0, 0, 0]

    for span, mode in (
        ((2, 3), "mean-to-each"),
        ((2, 4), "mean-to-each"),
        ((0, 3), "last-to-last"),
    ):
        with pytest.raises(sh.SemanticHubError, match=r"base 0 from token 3 on, .* at token 2"):
            patched(span, mode)
    assert torch.equal(patched((1, 4)), patched((1, 2)))
    assert not torch.equal(patched((0, 2)), patched((1, 2)))


def test_bad_patch_pairs(mini: Any, without_shape_checks: None) -> None:
    with pytest.raises(sh.SemanticHubError, match="0 sources"):
        PatchPair((), BASE, ANSWERS)
    with pytest.raises(sh.SemanticHubError, match="at least two groups"):
        PatchPair((SOURCE,), BASE, {"source": ("dog",)})
    with pytest.raises(sh.SemanticHubError, match="mode='first'"):
        PositionMap(mode="first")  # type: ignore[arg-type]
    with pytest.raises(sh.SemanticHubError, match="two words"):
        patch(mini, SOURCE, BASE, answers=("dog",))  # type: ignore[arg-type]
    with pytest.raises(sh.SemanticHubError, match="that of the bases"):
        patch(mini, BASE, BASE, answers=ANSWERS, layers=[1]).normalized_logit_diff()
    with pytest.raises(sh.SemanticHubError, match="0 read-outs"):
        patching_sweep(mini, [])


def test_an_encoder_is_refused(bert_folder: Path) -> None:
    model = sh.load_model(bert_folder, device="cpu", backend="bridge")
    with pytest.raises(sh.SemanticHubError, match="a decoder"):
        patch(model, SOURCE, BASE, answers=ANSWERS)


def test_results_are_saved_framed_and_drawn(mini: Any, tmp_path: Path) -> None:
    found = patching_sweep(mini, PATCH_PAIRS, layers=[0, 4, 8])
    again = PatchResult.load(found.save(tmp_path / "patch"))
    assert torch.equal(again.log_prob, found.log_prob)
    assert torch.equal(again.controls["placebo"].logit_diff, found.controls["placebo"].logit_diff)
    frame = found.to_frame()
    assert list(frame) == [
        "row",
        "measure",
        "layer",
        "place",
        "answer",
        "value",
        "low",
        "high",
        "n",
        "value_doable",
        "low_doable",
        "high_doable",
        "n_doable",
        "base_accuracy",
        "reference_accuracy",
    ]
    placebos = {"placebo", "placebo, states' covariance"}
    assert set(frame["row"]) == {"patched", *placebos, "another source"}
    effect = frame[(frame["measure"] == "normalized_logit_diff") & (frame["row"] == "patched")]
    assert effect["value"].tolist() == pytest.approx(
        found.normalized_logit_diff().value[:, 0].tolist()
    )
    assert len(found.figure().data) == 8
    assert len(found.figure("top1").data) == 8
    with pytest.raises(sh.SemanticHubError, match="the measure 'both'"):
        found.figure("both")
    with pytest.raises(sh.SemanticHubError, match="the answer 'nobody'"):
        found.top1_share("nobody")
    wide = patching_sweep(
        mini, PATCH_PAIRS, layers=[0, 4], position_maps=single_positions([-2, -1]), controls=False
    )
    (heat,) = wide.figure().data
    assert heat.type == "heatmap"
    assert heat.z[1][1] == pytest.approx(wide.normalized_logit_diff().value[1, 1].item())
