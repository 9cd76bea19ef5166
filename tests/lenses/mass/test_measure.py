"""Language mass against a count in loops, on models whose languages are known, and on bad input."""

import importlib
import math

import pytest
import torch

import semantic_hub as sh
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses import projection as lens_module
from semantic_hub.lenses.lens import Lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.mass.table import REASONS
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.world.corpus import Corpus, Mixture
from semantic_hub.zoo.world.facts import World

LISTS = {
    "en": {"the": 0.06, "dog": 2e-3, "cat": 1e-3, "away": 1e-3},
    "es": {"el": 0.05, "perro": 2e-3, "gato": 1e-3, "ladra": 1e-3},
}
TEXTS = ["The dog barks at the cat.", "El perro", "2+3="]
MINI = ("en", "es", "fr", "ru", "zh")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """One cache for this run of the tests, away from the user's."""
    monkeypatch.setenv("SEMANTIC_HUB_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def short_lists(monkeypatch, tmp_path):
    monkeypatch.setattr("semantic_hub.lenses.mass.table.word_list", LISTS.__getitem__)
    monkeypatch.setenv("SEMANTIC_HUB_CACHE", str(tmp_path))


def slow_posterior(tokenizer, token, prior, threshold):
    """P(en | token), P(es | token) and the shared rest, by a count over all spellings."""
    text = tokenizer.decode([token])
    readable = "\ufffd" in text or any(letter.isalpha() for letter in text)
    shares = []
    for words in LISTS.values():
        forms = [
            (space + form, frequency)
            for word, frequency in words.items()
            for form in (word, word.capitalize(), word.upper())
            for space in ("", " ")
        ]
        tokens = [(tokenizer.encode(form, add_special_tokens=False), f) for form, f in forms]
        total = sum(len(ids) * frequency for ids, frequency in tokens)
        shares.append(sum(ids.count(token) * frequency for ids, frequency in tokens) / total)
    if token in tokenizer.all_special_ids or not readable or not any(shares):
        return 0.0, 0.0, 1.0
    if max(shares) / sum(shares) < threshold:
        return 0.0, 0.0, 1.0
    joint = [share * p for share, p in zip(shares, prior, strict=True)]
    return joint[0] / sum(joint), joint[1] / sum(joint), 0.0


def slow_mass(model, text, layer, lens, prior, threshold):
    """Mean over the text's own tokens, each forward pass and softmax by itself."""
    rows = [
        slow_posterior(model.tokenizer, token, prior, threshold)
        for token in range(model.cfg.d_vocab)
    ]
    n_own = len(model.tokenizer.encode(text, add_special_tokens=False))
    masses = []
    for place in range(n_own):
        stream = residual_stream(model, [Prompt(text, position=place)], layers=[layer])[None, 0]
        with torch.no_grad():
            logits = model.unembed(model.ln_final(stream) if lens == "logit" else stream)[0, 0]
        p = logits.double().softmax(dim=-1).tolist()
        masses.append([sum(x * row[i] for x, row in zip(p, rows, strict=True)) for i in range(3)])
    return [math.fsum(column) / n_own for column in zip(*masses, strict=True)]


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize(
    ("lens", "prior", "threshold"),
    [("logit", "uniform", 0.8), ("raw", {"es": 1.0, "en": 9.0}, 0.6)],
)
def test_agrees_with_a_count_in_loops(model, lens, prior, threshold):
    found = language_mass(model, TEXTS, ["en", "es"], lens=lens, prior=prior, threshold=threshold)
    weights = (0.5, 0.5) if prior == "uniform" else (0.9, 0.1)
    for index, text in enumerate(TEXTS[:2]):
        for layer in (0, model.cfg.n_layers):
            expected = slow_mass(model, text, layer, lens, weights, threshold)
            mass = [*found.mass[index, layer].tolist(), found.shared[index, layer].sum().item()]
            assert mass == pytest.approx(expected, abs=2e-6)


@pytest.mark.usefixtures("short_lists")
def test_mass_and_shared_make_one_at_every_layer(model):
    found = language_mass(model, TEXTS, ["en", "es"])
    total = found.mass.sum(dim=-1) + found.shared.sum(dim=-1)
    assert torch.allclose(total, torch.ones(3, model.cfg.n_layers + 1), atol=1e-5)
    assert (found.vocabulary.sum() + found.vocabulary_shared.sum()).item() == pytest.approx(1)


@pytest.mark.usefixtures("short_lists")
def test_a_lens_that_reads_nothing_has_the_vocabularys_mass(model):
    nothing = Lens.of(lambda layer, residual: residual * 0, name="nothing")
    found = language_mass(model, TEXTS, ["en", "es"], lens=nothing)
    assert found.mass[0, 1].tolist() == pytest.approx(found.vocabulary.tolist(), abs=1e-5)
    assert found.shared[2, 0].tolist() == pytest.approx(found.vocabulary_shared.tolist(), abs=1e-5)


@pytest.mark.usefixtures("short_lists")
def test_blocks_and_batches_change_no_number(model, monkeypatch):
    whole = language_mass(model, TEXTS, ["en", "es"])
    monkeypatch.setattr(lens_module, "_BLOCK", 2 * model.cfg.d_vocab)
    parts = language_mass(model, TEXTS, ["en", "es"], batch_size=1)
    assert torch.allclose(whole.mass, parts.mass, atol=1e-6)


@pytest.mark.usefixtures("short_lists")
def test_several_positions_are_averaged_in_mass_not_in_state(model):
    text = "El perro ladra"
    n_own = len(model.tokenizer.encode(text, add_special_tokens=False))
    singles = [
        language_mass(model, [Prompt(text, position=i)], ["en", "es"], positions="last").mass
        for i in range(n_own)
    ]
    mean = language_mass(model, [text], ["en", "es"]).mass
    assert torch.allclose(mean, torch.stack(singles).mean(dim=0), atol=1e-6)
    span = language_mass(model, [text], ["en", "es"], positions=(1, 3)).mass
    assert torch.allclose(span, torch.stack(singles[1:3]).mean(dim=0), atol=1e-6)


@pytest.mark.usefixtures("short_lists")
def test_layers_come_ascending_and_read_the_same_as_all(model):
    every = language_mass(model, TEXTS, ["en", "es"])
    some = language_mass(model, TEXTS, ["en", "es"], layers=[3, 1, 3])
    assert some.layers == (1, 3) and torch.allclose(some.mass, every.mass[:, [1, 3]], atol=1e-6)


@pytest.mark.usefixtures("short_lists")
def test_the_order_of_languages_is_the_callers(model):
    one, other = (language_mass(model, TEXTS, order) for order in (["en", "es"], ["es", "en"]))
    assert other.languages == ("es", "en")
    assert torch.allclose(one.mass, other.mass.flip(-1), atol=1e-6)


@pytest.mark.usefixtures("short_lists")
def test_the_manifest_tells_prior_threshold_and_lens(model):
    found = language_mass(model, TEXTS, ["en", "es"], prior={"en": 3.0, "es": 1.0}, threshold=0.7)
    assert found.manifest["prior"] == {"en": 0.75, "es": 0.25}
    assert found.manifest["threshold"] == 0.7 and found.manifest["lens"] == "logit"
    assert found.manifest["n_texts"] == 3 and found.manifest["positions"] == "mean"


@pytest.fixture(scope="module")
def hub_mini():
    return sh.load_model("hub-mini", device="cpu")


@pytest.fixture
def masses(hub_mini):
    """Twelve sentences of each of hub-mini's languages."""
    return {
        language: language_mass(
            hub_mini, documents(hub_mini, language, 12), MINI, resampling=Resampling(resamples=50)
        )
        for language in MINI
    }


def documents(model, language, number):
    corpus = Corpus(World(), Mixture({language: 1.0}, mixed=0.0)).documents([7])
    found = []
    while len(found) < number:
        text = next(corpus)
        if len(model.tokenizer(text)["input_ids"]) < model.cfg.n_ctx:
            found.append(text)
    return found


@pytest.mark.slow
def test_hub_mini_says_texts_in_their_own_language_at_the_end(masses):
    for language, found in masses.items():
        mean = dict(zip(MINI, found.mean_mass().value[-1].tolist(), strict=True))
        own = mean.pop(language)
        assert found.dominant[-1] == language and own > 3 * max(mean.values())
        assert own + found.mean_shared().value[-1].item() > 0.9


@pytest.mark.slow
def test_hub_mini_says_english_texts_in_english_throughout(masses):
    assert set(masses["en"].dominant) == {"en"} and masses["en"].crossover("en") is None


@pytest.mark.usefixtures("short_lists")
def test_planted_tokens_are_words_of_no_list():
    model = models.load_model("planted-hub", device="cpu")
    found = language_mass(model, [[3, 4], [5]], ["en", "es"])
    assert torch.allclose(found.shared.sum(dim=-1), torch.ones(2, model.cfg.n_layers + 1))
    assert found.mass.max() == 0 and set(found.dominant) == {None}
    assert found.crossover("es") is None and found.entropy().value.isnan().all()
    entropy = found.to_frame().query("measure == 'entropy'")
    assert set(entropy["n"]) == {0} and entropy["value"].isna().all()


def result(means, shared=0.5, texts=2):
    """Every text alike; ``means[layer]`` are the masses of en and es."""
    mass = torch.tensor(means)[None].repeat(texts, 1, 1)
    rest = torch.zeros(*mass.shape[:2], len(REASONS))
    rest[..., 0] = shared
    return LanguageMassResult(
        n_layers=len(means) - 1,
        layers=tuple(range(len(means))),
        languages=("en", "es"),
        reasons=REASONS,
        mass=mass,
        shared=rest,
        vocabulary=torch.tensor([0.3, 0.2]),
        vocabulary_shared=torch.tensor([0.5, 0.0, 0.0, 0.0]),
        manifest={},
    )


EN, ES, NONE = [0.4, 0.1], [0.1, 0.4], [0.0, 0.0]


@pytest.mark.parametrize(
    ("means", "layer"),
    [
        ([EN, EN, ES, ES], 2),
        ([ES, EN, ES, ES], 2),
        ([EN, ES, EN, ES], 3),
        ([EN, NONE, ES], 1 + 1),
        ([ES, ES, ES], None),
        ([EN, EN, EN], None),
        ([EN, ES, EN], None),
        ([NONE, ES, ES], None),
        ([EN, ES, NONE], None),
    ],
)
def test_crossover_is_where_a_language_takes_the_lead_for_good(means, layer):
    assert result(means).crossover("es") == layer


def test_dominance_is_among_languages_only():
    assert result([EN, ES, NONE], shared=9.0).dominant == ("en", "es", None)


def test_entropy_is_over_the_languages_alone():
    found = result([[0.2, 0.2], [0.4, 0.0], [0.3, 0.1]]).entropy()
    third = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found.value.tolist() == pytest.approx([math.log(2), 0.0, third], abs=1e-6)


def test_texts_without_mass_are_left_out_of_the_entropy_and_counted():
    found = result([EN, EN], texts=3)
    found.mass[0, 1] = 0.0
    rows = found.to_frame().query("measure == 'entropy'")
    assert rows["n"].tolist() == [3, 2]
    assert rows["value"].tolist() == pytest.approx([rows["value"].iloc[0]] * 2)


def test_intervals_hold_the_mean_and_come_from_the_seed():
    found = result([EN, ES], texts=4)
    found.mass[:2] *= 0.5
    mean = found.mean_mass()
    assert mean.value[0].tolist() == pytest.approx([0.3, 0.075])
    assert (mean.low < mean.value).all() and (mean.value < mean.high).all()
    assert torch.equal(mean.low, found.mean_mass().low)


def test_frame_is_tidy():
    frame = result([EN, ES]).to_frame()
    assert list(frame.columns) == [
        "measure", "layer", "group", "value", "low", "high", "n", "vocabulary",
    ]  # fmt: skip
    mass = frame.query("measure == 'mass' and layer == 1").set_index("group")
    assert mass["value"].to_dict() == pytest.approx({"en": 0.1, "es": 0.4, "shared": 0.5})
    assert mass["vocabulary"].to_dict() == pytest.approx({"en": 0.3, "es": 0.2, "shared": 0.5})
    shared = frame.query("measure == 'shared' and layer == 0")
    assert shared["group"].tolist() == list(REASONS) and shared["value"].iloc[0] == 0.5
    assert len(frame.query("measure == 'entropy'")) == 2


@pytest.mark.usefixtures("short_lists")
def test_result_saves_and_loads_in_the_same_numbers(model, tmp_path):
    found = language_mass(model, TEXTS, ["en", "es"], resampling=Resampling(resamples=20))
    loaded = LanguageMassResult.load(found.save(tmp_path / "saved"))
    assert torch.equal(loaded.mass, found.mass) and loaded.manifest == found.manifest
    assert loaded.to_frame().equals(found.to_frame())


def test_figure_stacks_the_languages():
    assert [area.name for area in result([EN, ES]).figure().data] == ["en", "es", "shared"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": ["en", "xx"]}, "one of the 42 .* zh"),
        ({"languages": ["en"]}, "at least 2 different"),
        ({"texts": []}, "no texts"),
        ({"prior": {"en": 1.0}}, "exactly the languages en, es"),
        ({"prior": {"en": 1.0, "es": 1.0, "fr": 1.0}}, "exactly the languages"),
        ({"prior": {"en": 1.0, "es": 0.0}}, "positive numbers"),
        ({"prior": {"en": 1.0, "es": math.nan}}, "positive numbers"),
        ({"threshold": 1.5}, "threshold=1.5"),
        ({"lens": "tuned"}, "the lens 'tuned'"),
        ({"layers": [9]}, "layer 9"),
        ({"positions": (40, 50)}, "positions"),
    ],
)
def test_bad_input_is_refused_before_a_table_is_built(model, monkeypatch, changes, message):
    module = importlib.import_module(
        "semantic_hub.lenses.mass.measure"
    )  # not the function of this name
    monkeypatch.setattr(module, "language_table", None)
    with pytest.raises(SemanticHubError, match=message):
        language_mass(model, **({"texts": TEXTS, "languages": ["en", "es"]} | changes))


@pytest.mark.usefixtures("without_shape_checks")
def test_a_prior_of_another_name_is_refused(model):
    with pytest.raises(SemanticHubError, match="prior='frequency'"):
        language_mass(model, TEXTS, ["en", "es"], prior="frequency")


def test_crossover_of_a_language_that_was_not_measured_is_refused():
    with pytest.raises(SemanticHubError, match="the language 'fr'; expected one of 'en', 'es'"):
        result([EN, ES]).crossover("fr")


def test_a_model_without_a_tokenizer_is_refused(llama_folder):
    model = models.load_model(llama_folder, device="cpu")
    model.tokenizer = None
    with pytest.raises(SemanticHubError, match="without a tokenizer"):
        language_mass(model, [[1, 2]], ["en", "es"])


def test_an_encoder_is_refused(bert_folder):
    model = models.load_model(bert_folder, device="cpu")
    with pytest.raises(SemanticHubError, match="language_mass"):
        language_mass(model, TEXTS, ["en", "es"])


@pytest.mark.usefixtures("short_lists")
def test_a_lens_that_gives_nan_is_named_with_the_layer(model):
    def broken(layer, residual):
        return residual * (math.nan if layer == 2 else 1.0)

    with pytest.raises(SemanticHubError, match="from broken at layer 2"):
        language_mass(model, TEXTS, ["en", "es"], lens=Lens.of(broken, name="broken"))
