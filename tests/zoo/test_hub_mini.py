"""The bundled model: what it is, what it knows, and what its model card claims of it."""

import json
from dataclasses import asdict
from itertools import product

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

import semantic_hub as sh
from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.spokes.code.interventions import has_one_argument
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo import hub_mini_path
from semantic_hub.zoo.senses import AUDIO_PROJECTOR, IMAGE_PROJECTOR
from semantic_hub.zoo.training.evaluate import score
from semantic_hub.zoo.training.recipe import Recipe
from semantic_hub.zoo.training.train_senses import EncodersRecipe
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.formal_text import FormalText
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.spokes import (
    MultimodalWorldSpokes,
    WorldLanguageSpoke,
    spokes_of,
    world_spokes,
)

FOLDER = hub_mini_path()
WORLD = World(Recipe().world_seed)
NOTATIONS = ("es", "fr", "ru", "zh", "digits")
QUICK = {"resampling": sh.Resampling(resamples=200), "permutations": 200}


@pytest.fixture(scope="module")
def hub_mini():
    return sh.load_model("hub-mini", device="cpu")


def accuracy(model, readouts) -> float:
    """Share of read-outs in which the surface word begins the most likely continuation."""
    asked = [sh.Readout(r.prompt, {"surface": r.candidates["surface"]}) for r in readouts]
    return score(model, asked).accuracy


def test_it_is_small_and_complete() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "training.json",
        IMAGE_PROJECTOR,
        AUDIO_PROJECTOR,
        "README.md",
    } <= {*files}
    assert sum(files.values()) < 10_000_000
    training = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    assert training["recipe"] == asdict(Recipe())
    assert training["senses"] == asdict(EncodersRecipe())
    assert training["step"] == Recipe().steps


def test_plain_transformers_loads_it() -> None:
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    assert model.num_parameters() < 4_000_000
    assert 6 <= model.config.num_hidden_layers <= 8
    tokens = tokenizer("quince es igual a siete más", return_tensors="pt")
    said = model.generate(**tokens, max_new_tokens=2, do_sample=False)[
        0, tokens["input_ids"].shape[1] :
    ]
    assert tokenizer.decode(said) == " ocho."


@pytest.mark.slow
@pytest.mark.training
def test_words_of_one_and_of_several_tokens_occur(hub_mini) -> None:
    pieces = [len(hub_mini.tokenizer.tokenize(f" {term.forms['ru']}")) for term in WORLD.terms]
    assert 0.1 < sum(n == 1 for n in pieces) / len(pieces) < 0.9


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("notation", NOTATIONS)
def test_it_knows_what_it_was_told(hub_mini, notation: str) -> None:
    language, arithmetic, *_ = world_spokes(WORLD, held_out=False)
    assert accuracy(hub_mini, arithmetic.readouts()[f"c=a+, {notation}"]) >= 0.9
    if notation != "digits":
        assert accuracy(hub_mini, language.readouts()[f"facts, {notation}"]) >= 0.9


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("notation", NOTATIONS)
def test_it_computes_what_was_held_out(hub_mini, notation: str) -> None:
    _, arithmetic, *_ = world_spokes(WORLD)
    assert accuracy(hub_mini, arithmetic.readouts()[f"c=a+, {notation}"]) >= 0.75


@pytest.mark.slow
@pytest.mark.training
def test_it_knows_every_fact_in_english(hub_mini) -> None:
    facts = WorldLanguageSpoke(WORLD).facts
    asked = [
        sh.Readout(Prompt(fact.question(Voice(DOMINANT))), {"surface": (fact.value.forms["en"],)})
        for fact in facts
    ]
    assert accuracy(hub_mini, asked) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("notation", NOTATIONS)
def test_questions_share_a_state(hub_mini, notation: str) -> None:
    _, arithmetic, *_ = spokes_of(hub_mini) or ()
    pairs = arithmetic.pairs()[f"c=a+, {notation}"]
    twin = sh.random_twin(hub_mini)
    found = sh.similarity(hub_mini, pairs, controls={RANDOM_TWIN: twin}, **QUICK)
    [peak] = found.best_cell()
    assert abs(found.similarity[0]) < 0.1
    assert found.auc.low[peak] > 0.75 > found.controls[RANDOM_TWIN].auc.high[peak]
    assert found.auc.p_corrected[peak] < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("notation", ["fr", "ru", "digits"])
def test_english_is_read_in_the_middle(hub_mini, notation: str) -> None:
    """Spanish and Chinese are not among them: there the English word leads in a half at most.

    That the English word also beats another English number is not claimed; see the model card.
    """
    _, arithmetic, *_ = spokes_of(hub_mini) or ()
    lens = sh.logit_lens(hub_mini, arithmetic.readouts()[f"c=a+, {notation}"])
    ahead, middle = lens.share("hub", "surface"), 3
    assert ahead.low[middle] > 0.5 > ahead.high[-1]
    assert lens.share("hub", "control").low[middle] > 0.5


@pytest.mark.slow
def test_lists_of_a_program_are_read_with_and(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert spokes is not None
    lens = sh.logit_lens(hub_mini, spokes.code.readouts()["list, behind a comma"])
    for layer, other in product((2, 3), ("surface", "control", "unrelated")):
        assert lens.share("hub", other).low[layer] > 0.5
    assert lens.share("hub", "surface").high[-1] < 0.1


@pytest.mark.slow
def test_arguments_are_read_as_their_own_parameters(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert spokes is not None
    lens = sh.logit_lens(hub_mini, spokes.code.readouts()["call, before an argument"])
    assert (lens.share("hub", "control").low[1:] > 0.5).all()


@pytest.mark.slow
def test_roles_are_read_before_names(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert spokes is not None
    lens = sh.logit_lens(hub_mini, spokes.semantics.readouts()["before names"])
    reads = spokes.semantics.name_readouts
    matrix = LabelMatrix.from_lens(lens, reads.readouts, reads.roles)
    assert (matrix.diagonal_low[1:5] > 0).all()


@pytest.mark.slow
@pytest.mark.training
def test_it_writes_forms_with_names_that_no_form_had_together(hub_mini) -> None:
    text, rng = FormalText(WORLD), np.random.default_rng(99)
    asked = [
        sh.Readout(Prompt(f"{event.sentence}\n{form[: form.index(f' {name} )')]}"),
                   {"surface": (name,)})
        for event in (text.happening(rng, held_out=True).event for _ in range(100))
        for form in [event.logical_form]
        for name in event.names.values()
    ]  # fmt: skip
    assert accuracy(hub_mini, asked) >= 0.9


@pytest.mark.slow
@pytest.mark.training
def test_it_answers_about_happenings_scenes_and_animals(hub_mini) -> None:
    text, rng = FormalText(WORLD), np.random.default_rng(99)
    happenings = [text.question(rng) for _ in range(100)]
    scenes = [scene for scene in (text.scene(rng) for _ in range(100)) if scene.asked is not None]
    animals = [animal for animal in (text.animal(rng) for _ in range(100)) if animal.asked]
    answers = {
        0.9: [(h.question(), h.event.names[h.asked]) for h in happenings],
        0.6: [(s.question(), s.regions[s.asked].color) for s in scenes],
        0.95: [(a.question(), a.answer) for a in animals],
    }
    for least, asked in answers.items():
        readouts = [sh.Readout(Prompt(question), {"surface": (said,)}) for question, said in asked]
        assert accuracy(hub_mini, readouts) >= least


@pytest.mark.slow
@pytest.mark.training
def test_it_counts_to_ends_that_no_program_had(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert spokes is not None
    asked = spokes.code.interventions()["range("].prompts
    own = Continuations(hub_mini, encode(hub_mini, asked), 6).unsteered()
    assert sum(has_one_argument(text) for text in own) >= len(asked) - 2


@pytest.mark.slow
@pytest.mark.training
def test_it_sees_and_hears_what_no_projector_was_trained_on(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert isinstance(spokes, MultimodalWorldSpokes)
    vision, audio = spokes.vision, spokes.audio
    colors = {
        kind: [
            sh.Readout(
                one.prompt(vision.wording.question_about(region)), {"surface": (region.color,)}
            )
            for one in shown[::3]
            for region in one.picture.regions
        ]
        for kind, shown in vision.encoded_pictures.items()
    }
    assert accuracy(hub_mini, colors["one colour"]) == 1
    assert accuracy(hub_mini, colors["halves"]) > 0.95
    assert accuracy(hub_mini, colors["shapes"]) > 0.4
    for text, answer in {
        "{clip} animal:": lambda label: label,
        "{clip} mammal:": audio.question.answer,
    }.items():
        asked = [
            sh.Readout(clip.prompt(text), {"surface": (answer(clip.clip.label),)})
            for clip in audio.encoded_clips
        ]
        assert accuracy(hub_mini, asked) > 0.95


@pytest.mark.slow
def test_colours_and_animals_are_read_inside_pictures_and_clips(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert isinstance(spokes, MultimodalWorldSpokes)
    sets = {
        **{k: v for k, v in spokes.vision.readouts().items() if k.startswith("colour")},
        **spokes.audio.readouts(),
    }
    for readouts in sets.values():
        lens = sh.logit_lens(hub_mini, readouts)
        for layer in (4, 8):
            assert lens.share("hub", "control").low[layer] > 0.5


@pytest.mark.slow
def test_a_picture_in_the_place_of_another_is_answered(hub_mini) -> None:
    spokes = spokes_of(hub_mini)
    assert isinstance(spokes, MultimodalWorldSpokes)
    task = spokes.vision.interventions()["picture -> picture, halves"]
    found = intervene(hub_mini, task, resampling=Resampling(resamples=20))
    placebo = found.controls["placebo"].top1_share("source")
    assert (found.top1_share("source").low[:3, 0] > placebo.high[:3, 0]).all()
    assert (found.top1_share("source").high[-1:, 0] < 0.1).all()
