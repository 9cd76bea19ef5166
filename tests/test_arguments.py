"""Every public entry answers an argument of a wrong kind with one sentence that names it."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from small_spokes import Words, says_dog

import semantic_hub as sh
from semantic_hub.alignment.measures import MEASURES
from semantic_hub.interventions.steering.contrasts import mean_difference, mean_differences
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.lenses.mass.texts import LanguageTexts

pytestmark = pytest.mark.usefixtures("without_shape_checks")

DOG, CAT = sh.Prompt("dog"), sh.Prompt("cat")
CONTRAST = sh.ActivationContrast((DOG,), (CAT,))
PAIR = sh.PatchPair((DOG,), CAT, {"a": ("cat",), "b": ("dog",)})
READOUT = sh.Readout(DOG, {"hub": ("cat",), "surface": ("perro",)})
PAIRS = sh.Pairs.from_prompts(["dog", "cat"], ["perro", "gato"])
DIRECTION = Direction(torch.ones(32), 1, "ones")
STEERING = {"prompts": (DOG,), "contrasts": {"d": CONTRAST}}
FINDINGS = sh.Findings("words")
REPORT = sh.Report(findings=(FINDINGS,), manifest={}, resampling=sh.Resampling(), n_layers=3)


MODEL = "the model of the fixture"
NO_INPUT = {"Lens", "SemanticHubError", "SemanticHubWarning", "Spoke"}
"""Base classes, and what is raised: nobody calls them with input."""


GOOD: dict[str, Mapping[str, Any]] = {
    "ActivationContrast": {"plus": (DOG,), "minus": (CAT,)},
    "AnswerSteering": {**STEERING, "answers": ("dog", "cat")},
    "ExpectedAnswer": {"new": "a", "old": "b", "parse": str.strip},
    "Findings": {"spoke": "words"},
    "LastTokenOf": {"texts": ("the dog",)},
    "Pairs": {"x": (DOG,), "y": (CAT,)},
    "PatchPair": {"sources": (DOG,), "base": CAT, "answers": {"a": ("cat",), "b": ("dog",)}},
    "Patching": {"patch_pairs": (PAIR,)},
    "PositionMap": {},
    "Prompt": {"text": "dog"},
    "Readout": {"prompt": DOG, "candidates": {"hub": ("cat",)}},
    "RelativeOutcome": {"compare": lambda a, b: "other", "is_usable": bool, "drop_reason": "no"},
    "Report": {"findings": (FINDINGS,), "manifest": {}, "resampling": sh.Resampling(),
               "n_layers": 3},
    "Resampling": {},
    "SoftPositions": {},
    "States": {"prompts": [DOG, CAT], "states": torch.ones(2, 3, 4)},
    "SoftTokens": {"features": torch.ones(2, 32)},
    "Steering": {**STEERING, "outcome": says_dog},
    "TextSteering": {**STEERING, "scorers": {"none": lambda texts: [0.0 for _ in texts]}},
    "UnembeddingContrast": {"plus": "dog", "minus": "cat"},
    "activation_difference": {"model": MODEL, "plus": DOG, "minus": CAT, "layer": 1},
    "browse": {"page": REPORT},
    "compare": {"reports": {"a": REPORT, "b": REPORT}},
    "intervene": {"model": MODEL, "spec": sh.Patching((PAIR,))},
    "language_mass": {"model": MODEL, "texts": ["el perro"], "languages": ["en", "es"]},
    "load_model": {"name_or_path": "planted-hub"},
    "load_multimodal": {"name_or_path": "hub-mini"},
    "logit_lens": {"model": MODEL, "readouts": [READOUT]},
    "paired_similarity": {"x": torch.ones(2, 2, 4), "y": torch.ones(2, 2, 4)},
    "patch": {"model": MODEL, "source": DOG, "base": CAT, "answers": ("cat", "dog")},
    "patching_sweep": {"model": MODEL, "patch_pairs": [PAIR]},
    "random_twin": {"model": MODEL},
    "register_intervention": {"spec_class": int, "run": lambda model, spec, *, resampling: None},
    "register_lens": {"name": "mine", "make": lambda model: None},
    "register_measure": {"measure": MEASURES["cosine"]},
    "register_model": {"name": "mine", "load": lambda options: None},
    "register_spoke": {"name": "mine", "make": lambda model: None},
    "report": {"model": MODEL, "spokes": [Words()]},
    "residual_stream": {"model": MODEL, "prompts": [DOG]},
    "run": {"model": MODEL, "spoke": Words()},
    "similarity": {"model": MODEL, "pairs": PAIRS},
    "steer": {"model": MODEL, "direction": DIRECTION},
    "steering_sweep": {"model": MODEL, "prompts": [DOG], "directions": DIRECTION,
                       "outcome": says_dog, "layers": [1]},
    "top_tokens": {"model": MODEL, "prompts": [DOG]},
    "verdicts": {"findings": [FINDINGS]},
}  # fmt: skip


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> Any:
    return sh.load_model(llama_folder, device="cpu", backend="bridge")


def cases() -> list[Any]:
    return [
        pytest.param(name, parameter, id=f"{name}-{parameter}")
        for name in GOOD
        for parameter in inspect.signature(getattr(sh, name)).parameters
    ]


def call(name: str, arguments: Mapping[str, Any], model: Any) -> Any:
    given = {key: model if value is MODEL else value for key, value in arguments.items()}
    made = getattr(sh, name)(**given)
    if name == "steer":
        with made:
            return None
    return made


def test_every_public_entry_is_tried() -> None:
    """A new one is added to the table above, with the fewest arguments that it accepts."""
    entries = {name for name in sh.__all__ if not isinstance(getattr(sh, name), str | ModuleType)}
    assert set(GOOD) == entries - NO_INPUT


@pytest.mark.parametrize(("name", "parameter"), cases())
def test_a_wrong_kind_is_named(name: str, parameter: str, model: Any) -> None:
    """An object of no use at all, in place of each argument in turn."""
    with pytest.raises(sh.SemanticHubError, match=parameter):
        call(name, {**GOOD[name], parameter: object()}, model)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("Resampling", {"seed": -1}, "seed=-1; expected a whole number of at least 0"),
        ("Resampling", {"resamples": True}, "resamples=True; expected a whole number"),
        ("Resampling", {"confidence": "high"}, "confidence='high'; expected a number"),
        ("random_twin", {"seed": -1}, "seed=-1"),
        ("load_model", {"dtype": "int8"}, "dtype 'int8'; expected one of 'auto', 'float32'"),
        ("load_model", {"device": "banana"}, "device='banana'"),
        ("load_multimodal", {"device": "banana"}, "device='banana'"),
        ("similarity", {"permutations": 0.5}, "permutations=0.5; expected a whole number"),
        ("similarity", {"measures": {"debiased CKA"}}, "measures=a set; expected text, or a list"),
        ("similarity", {"measures": "debiased cka"}, "Did you mean 'debiased CKA'"),
        ("residual_stream", {"layers": [1, "2"]}, "'2' in layers; expected a whole number"),
        ("residual_stream", {"prompts": {"a": 1}}, "prompts: .*; expected text, a Prompt"),
        ("logit_lens", {"readouts": "dog"}, "readouts='dog'; expected a Readout, or a list"),
        ("language_mass", {"languages": "en"}, "at least 2 different language codes"),
        ("report", {"spokes": Words}, r"spokes=the class Words; .* Make one: Words\("),
        ("run", {"spoke": Words}, "the class Words; .* Make one: Words"),
        ("steer", {"direction": torch.ones(32)}, "a direction without a layer"),
        ("ActivationContrast", {"plus": "good"}, "plus='good'; expected a Prompt, or a list"),
        ("verdicts", {"findings": "words"}, "findings='words'; expected a Findings, or a list"),
        ("load_multimodal", {"backend": "other"}, "load_multimodal: got backend='other'"),
        ("load_multimodal", {"end_tokens": "a"}, "load_multimodal: got end_tokens='a'"),
        ("load_multimodal", {"end_tokens": 10**6}, "load_multimodal: got end_tokens with 1000000"),
        (
            "load_model",
            {"end_tokens": [-1]},
            "load_model: got end_tokens with -1; expected ids from",
        ),
        (
            "load_multimodal",
            {"name_or_path": "/nowhere"},
            "load_multimodal: got '/nowhere', .*; expected a local Hugging Face folder with a multimodal",
        ),
    ],
)
def test_what_is_said_of_it(name: str, wrong: dict[str, Any], message: str, model: Any) -> None:
    with pytest.raises(sh.SemanticHubError, match=message):
        call(name, {**GOOD[name], **wrong}, model)


@pytest.mark.parametrize(
    ("name", "none"),
    [
        ("report", {"spokes": []}),
        ("verdicts", {"findings": []}),
        ("logit_lens", {"readouts": []}),
        ("logit_lens", {"layers": []}),
        ("language_mass", {"texts": []}),
        ("residual_stream", {"prompts": []}),
        ("top_tokens", {"prompts": []}),
        ("patch", {"source": []}),
        ("patching_sweep", {"patch_pairs": []}),
        ("patching_sweep", {"position_maps": {}}),
        ("steering_sweep", {"prompts": []}),
        ("steering_sweep", {"directions": {}}),
        ("steering_sweep", {"strengths": []}),
        ("compare", {"reports": {}}),
        ("States", {"prompts": []}),
    ],
)  # fmt: skip
def test_nothing_to_measure_is_an_error(name: str, none: dict[str, Any], model: Any) -> None:
    with pytest.raises(sh.SemanticHubError, match=r"got (no|0|\w+ \[\])"):
        call(name, {**GOOD[name], **none}, model)


@pytest.mark.parametrize("name", ["load_model", "load_multimodal"])
@pytest.mark.parametrize("path", ["x" * 5000, "/" + "x" * 5000, "~nobody-here/x", "a\0b", ""])
def test_a_name_that_no_file_can_have(name: str, path: str) -> None:
    with pytest.raises(sh.SemanticHubError, match=f"^{name}: "):
        getattr(sh, name)(path)


def test_a_text_is_no_list_of_prompts() -> None:
    for x, y in (("one two", "uno dos"), (["one", "two"], "uno"), (DOG, [CAT]), ([1, 2], [3, 4])):
        with pytest.raises(sh.SemanticHubError, match=r"Pairs.from_prompts: got [xy]"):
            sh.Pairs.from_prompts(x, y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_device_that_is_not_here() -> None:
    with pytest.raises(sh.SemanticHubError, match=r"device='cuda'.*expected a device"):
        sh.load_model("planted-hub", device="cuda")


def test_one_is_a_list_of_one(model: Any) -> None:
    """A text is never its letters."""
    assert sh.Pairs.from_prompts(["one two"], ["uno dos"], labels="ab").labels == ("ab",)
    assert torch.equal(
        sh.residual_stream(model, "the dog", layers=3),
        sh.residual_stream(model, ["the dog"], layers=[3]),
    )
    assert torch.equal(
        mean_difference(model, "dog", "cat", 2).vector,
        mean_differences(model, ["dog"], ["cat"], [2])[2].vector,
    )
    one, several = (sh.logit_lens(model, given, layers=[3]) for given in (READOUT, [READOUT]))
    assert torch.equal(one.log_prob, several.log_prob)
    name = "retrieval@1 x to y"
    one, several = (sh.similarity(model, PAIRS, measures=given) for given in (name, [name]))
    assert name in one.measures and list(one.measures) == list(several.measures)
    assert sh.verdicts(FINDINGS) == sh.verdicts([FINDINGS])
    assert LanguageTexts.of("el perro", "es", ["en", "es"]).prompts == (sh.Prompt("el perro"),)
    assert sh.LastTokenOf("the dog").texts == ("the dog",)


def test_one_spoke_is_measured(model: Any) -> None:
    few = {"resampling": sh.Resampling(resamples=20), "permutations": 20, "progress": False}
    assert [found.spoke for found in sh.report(model, Words(), **few).findings] == ["words"]


def test_a_tensor_is_steered_at_its_layer(model: Any) -> None:
    tokens = torch.tensor([[0, 5, 6]])
    with sh.steer(model, torch.ones(32), 2.0, layer=2):
        by_tensor = model(tokens)
    with sh.steer(model, DIRECTION.at(2), 2.0):
        by_direction = model(tokens)
    assert torch.equal(by_tensor, by_direction)
    assert not torch.equal(by_tensor, model(tokens))


def test_a_dtype_by_its_name() -> None:
    assert next(sh.load_model("planted-hub", dtype="bfloat16").parameters()).dtype is torch.bfloat16


@pytest.mark.parametrize("method", ["pairs", "hard_negatives", "readouts", "texts",
                                    "interventions", "spelled_out"])  # fmt: skip
def test_sets_without_names_are_refused(method: str, model: Any) -> None:
    spoke = Words()
    object.__setattr__(spoke, method, lambda: [PAIRS])
    with pytest.raises(sh.SemanticHubError, match=rf"Words.{method}\(\): got a list; .* mapping"):
        sh.run(model, spoke, progress=False)


@pytest.mark.parametrize("config", ["", "{}", '{"model_type": "nope"}', '{"model_type": "llama"}'])
def test_a_folder_that_is_no_multimodal_checkpoint(config: str, tmp_path: Path) -> None:
    if config:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(sh.SemanticHubError, match=r"which is no multimodal checkpoint"):
        sh.load_multimodal(tmp_path)
