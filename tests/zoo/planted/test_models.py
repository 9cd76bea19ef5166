"""Planted models: what is measured on them is what was written into them."""

from itertools import permutations

import numpy as np
import pytest
import torch
from tiny import BACKENDS

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.cosine import paired_interval, paired_similarity
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.loading import load_model
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.intervals import bootstrap_interval
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.codes import AMPLITUDES, COMPONENTS
from semantic_hub.zoo.planted.expected_interventions import _effect, _run_on
from semantic_hub.zoo.planted.models import (
    expected_component_patching,
    expected_lens,
    expected_patching,
    expected_similarity,
    expected_steering,
    expected_stream,
    planted_hub,
    planted_model,
    planted_separate,
    planted_world,
)

NAMES = ("planted-hub", "planted-separate")
LANGUAGE_PAIRS = [("en", "es"), ("en", "fr"), ("es", "fr")]
POPULATION = [0, 4 / 17, 0.8, 0.8, 4 / 9, 0]
TOLERANCE = 1e-4
SEEDS = range(200)


@pytest.fixture(scope="module", params=NAMES)
def world(request):
    return planted_world(request.param)


@pytest.fixture(scope="module", params=BACKENDS)
def model(request, world):
    return planted_model(world, backend=request.param, device="cpu")


@torch.no_grad()
def answers(model, world, prompts):
    """The most likely next token of each prompt, and its probability."""
    logits = model(model.to_tokens([prompt.text for prompt in prompts]))[:, -1]
    probability, token = logits.softmax(dim=-1).max(dim=-1)
    return [world.vocabulary[index] for index in token], probability


@torch.no_grad()
def target_logits(model, world, prompts, patch_pairs, hooks=()):
    """First target's logit minus the second's, under hooks."""
    tokens = model.to_tokens([prompt.text for prompt in prompts])
    logits = model.run_with_hooks(tokens, fwd_hooks=list(hooks))[:, -1]
    words = [[word for (word,) in e.answers.values()] for e in patch_pairs]
    ids = torch.tensor([[world.vocabulary.index(word) for word in pair] for pair in words])
    first, second = logits.gather(1, ids).T
    return (first - second).numpy()


def effects(model, world, patch_pairs, interventions):
    """The effect as `PatchPair` defines it; a forward pass on all bases for each hook."""
    bases = [pair.base for pair in patch_pairs]
    before = target_logits(model, world, bases, patch_pairs)
    reference = target_logits(model, world, [e.reference for e in patch_pairs], patch_pairs)
    after = [target_logits(model, world, bases, patch_pairs, [i]) for i in interventions]
    return np.stack([(patched - before) / (reference - before) for patched in after], axis=1)


@torch.no_grad()
def last_position(model, prompts, hook):
    """What a hook sees at the last position."""
    tokens = model.to_tokens([prompt.text for prompt in prompts])
    _, cache = model.run_with_cache(tokens, names_filter=hook)
    return cache[hook][:, -1]


def overwrite(name, values):
    def hook_function(stream, hook):
        stream[:, -1] = values
        return stream

    return name, hook_function


def add(name, values):
    def hook_function(stream, hook):
        stream[:, -1] += values
        return stream

    return name, hook_function


def share_with_zero(intervals):
    """Share of worlds and languages whose interval contains 0, at each layer."""
    return np.mean([((low <= 0) & (high >= 0)).numpy() for low, high in intervals], axis=0)


def test_the_answer_is_the_word_in_the_markers_language(model, world):
    for language in world.languages:
        said, probability = answers(model, world, world.prompts(language))
        assert said == list(world.words(language))
        assert probability.min() > 0.5


def test_the_hub_translates_what_separate_codes_cannot(model, world):
    mixed = [Prompt(f"<fr> {word}") for word in world.words("es")]
    said, _ = answers(model, world, mixed)
    share = np.mean([a == b for a, b in zip(said, world.words("fr"), strict=True)])
    assert share == 1 if world.shared else share < 0.2


def test_residual_stream(model, world):
    for language in world.languages:
        measured = residual_stream(model, world.prompts(language))
        assert np.abs(measured.numpy() - expected_stream(world, language)).max() <= TOLERANCE


@pytest.mark.parametrize(("x", "y"), [*LANGUAGE_PAIRS, ("es", "es")])
def test_similarity(model, world, x, y):
    expected = expected_similarity(world, x, y)
    result = similarity(
        model, world.pairs(x, y), resampling=Resampling(resamples=20), permutations=20
    )
    assert np.abs(result.similarity.numpy() - expected).max() <= TOLERANCE
    states = [residual_stream(model, world.prompts(language)) for language in (x, y)]
    assert np.abs(paired_similarity(*states).numpy() - expected).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["logit", "raw"])
@pytest.mark.parametrize("language", ["es", "fr"])
def test_lens(model, world, language, name):
    lens = logit_lens(
        model, world.readouts(language), lens=name, resampling=Resampling(resamples=20)
    )
    assert lens.groups == ("surface", "hub", "control")
    assert len(lens.kept) == len(world.concepts)
    expected = expected_lens(world, language, name)
    assert np.abs(lens.log_prob.numpy() - expected).max() <= TOLERANCE


ROUTES = [("en", "es"), ("es", "fr"), ("fr", "fr")]


@pytest.mark.parametrize(("source", "base"), ROUTES)
def test_patching(model, world, source, base):
    patch_pairs = world.patch_pairs(source, base)
    sources = residual_stream(model, [e.sources[0] for e in patch_pairs])
    hooks = [overwrite(layer_hook(k), sources[:, k]) for k in range(model.cfg.n_layers + 1)]
    measured = effects(model, world, patch_pairs, hooks)
    assert np.abs(measured - expected_patching(world, source, base)).max() <= TOLERANCE


@pytest.mark.parametrize("component", ["attn", "mlp"])
@pytest.mark.parametrize(("source", "base"), ROUTES)
def test_patching_components(model, world, source, base, component):
    patch_pairs = world.patch_pairs(source, base)
    sources = [e.sources[0] for e in patch_pairs]
    names = [f"blocks.{block}.hook_{component}_out" for block in range(model.cfg.n_layers)]
    hooks = [overwrite(name, last_position(model, sources, name)) for name in names]
    measured = effects(model, world, patch_pairs, hooks)
    expected = expected_component_patching(world, source, base, component)
    assert np.abs(measured - expected).max() <= TOLERANCE


@pytest.mark.parametrize(("source", "base"), ROUTES)
def test_steering(model, world, source, base):
    strengths = (-1.0, 0.0, 0.5, 1.0, 2.0)
    given = residual_stream(model, world.prompts(source))
    direction = given - given.roll(1, dims=0)
    hooks = [
        add(layer_hook(layer), strength * direction[:, layer])
        for layer in range(model.cfg.n_layers + 1)
        for strength in strengths
    ]
    measured = effects(model, world, world.patch_pairs(source, base), hooks)
    expected = expected_steering(world, source, base, strengths)
    assert np.abs(measured.reshape(expected.shape) - expected).max() <= TOLERANCE


def test_patching_is_the_replacement_that_the_blocks_go_on_from(world):
    """The closed form of a patch, and the blocks' rule that the other two go through."""
    for source, base in ROUTES:
        given = expected_stream(world, source)
        final = [_run_on(world, base, given[:, k], k) for k in range(given.shape[1])]
        effect = _effect(world, base, np.stack(final, axis=1))
        assert effect == pytest.approx(expected_patching(world, source, base), abs=1e-12)


def test_patch_pairs(world):
    patch_pairs = world.patch_pairs("es", "fr")
    assert len(patch_pairs) == len(world.concepts)
    assert patch_pairs[1] == PatchPair(
        sources=(Prompt("<es> es:cat"),),
        base=Prompt("<fr> fr:dog"),
        answers={"source": ("fr:cat",), "other": ("fr:boat",)},
        reference=Prompt("<fr> fr:cat"),
    )
    assert patch_pairs[0].base == world.prompt("fr", world.concepts[-1])


@pytest.mark.parametrize("n_concepts", [3, 4, 5])
def test_three_concepts_are_enough_for_targets_of_their_own(n_concepts):
    for pair in planted_world("planted-hub", n_concepts=n_concepts).patch_pairs("es", "fr"):
        base_word = (pair.base.text or "").split()[-1]
        words = {*pair.answers["source"], *pair.answers["other"], base_word}
        assert len(words) == 3


def test_patching_within_a_language_has_effect_1(world):
    assert expected_patching(world, "fr", "fr") == pytest.approx(1)


def test_steering_within_a_language_has_effect_1_at_strength_1(world):
    effect = expected_steering(world, "fr", "fr", [0.0, 1.0])
    assert effect[..., 0] == pytest.approx(0, abs=1e-12)
    assert effect[..., 1] == pytest.approx(1)


@pytest.mark.parametrize("expected", [expected_patching, expected_steering])
def test_the_default_separate_world_reads_null_between_languages(expected):
    """What `load_model("planted-separate")` shows; over seeds, see the coverage below."""
    world = planted_world("planted-separate")
    strength = [[1.0]] if expected is expected_steering else []
    for source, base in permutations(world.languages, 2):
        effects = torch.from_numpy(expected(world, source, base, *strength)).flatten(1)
        low, high = bootstrap_interval(effects)
        assert ((low < 0) & (high > 0)).all()


def test_only_the_fourth_attention_writes_and_only_a_language(world):
    """With a hub, no logit of the base's language is changed by answering in another."""
    assert expected_component_patching(world, "fr", "fr", "attn") == pytest.approx(0, abs=1e-12)
    between = np.abs(expected_component_patching(world, "es", "fr", "attn")).max(axis=0)
    assert between[[0, 1, 2, 4]] == pytest.approx(0, abs=1e-12)
    assert between[3] == pytest.approx(0, abs=1e-12) if world.shared else 0 < between[3] < 0.2


def test_loaded_by_name_it_is_the_default_worlds_model(model, world):
    backend = "bridge" if type(model).__name__ == "TransformerBridge" else "hooked"
    loaded = load_model(world.name, device="cpu", backend=backend)
    tokens = model.to_tokens(world.prompt("es", "dog").text)
    with torch.no_grad():
        assert torch.equal(loaded(tokens), model(tokens))
    assert loaded.cfg.model_name == world.name


def test_a_random_twin_knows_nothing(model, world):
    said, _ = answers(random_twin(model), world, world.prompts("es"))
    assert np.mean([a == b for a, b in zip(said, world.words("es"), strict=True)]) < 0.2


def test_text_is_read_word_by_word(model, world):
    tokens = model.to_tokens("<es> es:dog")[0].tolist()
    assert [world.vocabulary[token] for token in tokens] == ["<s>", "<es>", "es:dog"]
    assert model.to_tokens("es:chien")[0].tolist()[-1] == world.vocabulary.index("<unk>")


@pytest.mark.parametrize("build", [planted_hub, planted_separate])
def test_worlds_of_another_size(build):
    name = "planted-hub" if build is planted_hub else "planted-separate"
    size = {"languages": ("a", "b", "c", "d"), "n_concepts": 3}
    world, model = planted_world(name, 7, **size), build(7, **size, device="cpu")
    measured = residual_stream(model, world.prompts("d")).numpy()
    assert np.abs(measured - expected_stream(world, "d")).max() <= TOLERANCE


def test_double_precision_is_exact(world):
    model = planted_model(world, device="cpu", dtype=torch.float64)
    seen = {}
    hooks = [(layer_hook(5), lambda stream, hook: seen.update(last=stream[:, -1].numpy()))]
    with torch.no_grad():
        tokens = model.to_tokens([prompt.text for prompt in world.prompts("es")])
        model.run_with_hooks(tokens, fwd_hooks=hooks)
    assert np.abs(seen["last"] - expected_stream(world, "es")[:, 5]).max() <= 1e-6


def test_codes_are_orthonormal(world):
    components = dict(zip(COMPONENTS, world.codes.components, strict=True))
    unique = [components[name].reshape(-1, world.codes.d_model) for name in ("token", "surface")]
    concept = components["concept"][: 1 if world.shared else None]
    unique += [concept.reshape(-1, world.codes.d_model), components["language"][:, 0]]
    basis = np.concatenate([*unique, world.codes.start[None]])
    assert basis @ basis.T == pytest.approx(np.eye(len(basis)), abs=1e-12)
    assert basis @ components["own"][0].T == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(components["own"], axis=-1) == pytest.approx(1)


def test_the_hubs_curves_by_eye():
    """Over seeds: similarity is the concept's share of the squared length; the lens reads the
    dominant word in the middle and the surface word at the end; a patch moves the concept until
    the language arrives."""
    worlds = [planted_world("planted-hub", seed, n_concepts=24) for seed in range(30)]
    shares = AMPLITUDES[1] ** 2 / (AMPLITUDES**2).sum(axis=0)
    assert shares == pytest.approx(POPULATION)
    curves = np.mean([expected_similarity(world, "es", "fr") for world in worlds], axis=0)
    assert curves == pytest.approx(POPULATION, abs=0.02)
    lens = np.exp(np.mean([expected_lens(world, "es") for world in worlds], axis=(0, 1)))
    surface, hub, control = lens.T
    assert (hub[1:5] > 10 * np.maximum(surface, control)[1:5]).all() and hub[2] > 0.8
    assert surface[5] > 0.8 and max(hub[5], control[5]) < 0.01
    effect = np.mean([expected_patching(world, "es", "fr") for world in worlds], axis=(0, 1))
    assert effect == pytest.approx([1, 1, 1, 1, 0, 0], abs=0.03)
    steered = np.mean([expected_steering(w, "es", "fr", [1.0]) for w in worlds], axis=(0, 1))[:, 0]
    assert steered == pytest.approx([0.21, 0.39, 0.85, 0.85, 0.85, 0], abs=0.03)


@pytest.fixture(scope="module")
def separate_worlds():
    """Intervals of every evidence in 200 worlds, from their closed forms."""
    intervals = {"similarity": [], "lens": [], "patching": [], "steering": []}
    for seed in SEEDS:
        world = planted_world("planted-separate", seed)
        streams = {lang: expected_stream(world, lang).astype("f4") for lang in world.languages}
        for x, y in LANGUAGE_PAIRS:
            states = streams[x], streams[y]
            intervals["similarity"].append(
                paired_interval(
                    *states,
                    resampling=Resampling(resamples=500, seed=seed),
                )
            )
            effects = torch.from_numpy(expected_patching(world, x, y))
            intervals["patching"].append(
                bootstrap_interval(
                    effects,
                    resampling=Resampling(resamples=500, seed=seed),
                )
            )
            effects = torch.from_numpy(expected_steering(world, x, y, [1.0])[..., 0])
            intervals["steering"].append(
                bootstrap_interval(
                    effects,
                    resampling=Resampling(resamples=500, seed=seed),
                )
            )
        for language in ("es", "fr"):
            _, hub, control = torch.from_numpy(expected_lens(world, language)).unbind(dim=-1)
            ahead = bootstrap_interval(
                hub - control,
                resampling=Resampling(resamples=500, seed=seed),
            )
            intervals["lens"].append(ahead)
    return intervals


@pytest.mark.slow
@pytest.mark.parametrize("evidence", ["similarity", "lens", "patching", "steering"])
def test_separate_worlds_read_null(separate_worlds, evidence):
    """Nominally .95 of the intervals contain 0; counted at each layer, over worlds and languages.

    One pair of languages alone is counted over 200 intervals, where .95 ± .03 is to be expected.
    """
    intervals = separate_worlds[evidence]
    assert all((low < high).all() for low, high in intervals)
    covered = share_with_zero(intervals)
    assert (covered >= 0.93).all(), covered


@pytest.mark.slow
def test_the_closed_forms_intervals_are_the_models(separate_worlds):
    for seed in SEEDS[:3]:
        world = planted_world("planted-separate", seed)
        model = planted_model(world, device="cpu")
        for index, (x, y) in enumerate(LANGUAGE_PAIRS):
            states = [residual_stream(model, world.prompts(language)) for language in (x, y)]
            measured = paired_interval(
                *states,
                resampling=Resampling(resamples=500, seed=seed),
            )
            expected = separate_worlds["similarity"][len(LANGUAGE_PAIRS) * seed + index]
            for end, expected_end in zip(measured, expected, strict=True):
                assert torch.allclose(end, expected_end, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: planted_world("planted"), "got 'planted'; expected \"planted-hub\" or"),
        (lambda: planted_hub(n_concepts=2), "PlantedWorld: got concepts .* at least 3"),
        (lambda: planted_hub(languages=("en", "en")), "got languages .* different names"),
        (lambda: planted_hub(languages=("en", "e s")), "without spaces"),
        (lambda: planted_world("planted-hub").pairs("en", "de"), "language 'de'; expected one of"),
        (lambda: planted_world("planted-hub").patch_pairs("de", "en"), "got language 'de'"),
        (lambda: planted_world("planted-hub").readouts("en"), "readouts: got 'en' of en, es, fr"),
        (
            lambda: planted_world("planted-hub", languages=("en", "es")).readouts("es"),
            "a third to compare with",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(SemanticHubError, match=message):
        call()
