"""Running a spoke: every set measured, with the same numbers as the single calls."""

from pathlib import Path

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment import RANDOM_TWIN, Findings, Spoke, run
from semantic_hub.models import load_model


class Words:
    """The smallest spoke: two pairs and two read-outs in words of the fixtures' tokenizer."""

    name = "words"

    def pairs(self):
        return {"set <a>": sh.Pairs.from_prompts(["dog", "cat", "cat"], ["perro", "gato", "el"])}

    def readouts(self):
        candidates = {"surface": ("dog",), "hub": ("cat",)}
        return {"after the": [sh.Readout(sh.Prompt(t), candidates) for t in ("the", "a dog and")]}


SETTINGS = {"resamples": 50, "permutations": 20, "seed": 3}


@pytest.fixture
def findings(model) -> Findings:
    return run(model, Words(), **SETTINGS)


def test_run_is_the_single_calls(model, findings: Findings) -> None:
    twin = sh.random_twin(model, 3)
    alone = sh.similarity(
        model, Words().pairs()["set <a>"], controls={RANDOM_TWIN: twin}, **SETTINGS
    )
    found = findings.similarity["set <a>"]
    assert torch.equal(found.similarity, alone.similarity)
    assert torch.equal(found.low, alone.low)
    assert torch.equal(
        found.controls[RANDOM_TWIN].similarity, alone.controls[RANDOM_TWIN].similarity
    )
    lens = sh.logit_lens(model, Words().readouts()["after the"], resamples=50, seed=3)
    assert torch.equal(findings.lens["after the"].log_prob, lens.log_prob)
    says = findings.says["after the"]
    assert says.prompts == ("the", "a dog and")
    assert torch.equal(says.tokens, sh.top_tokens(model, ["the", "a dog and"], k=1).tokens)


def test_frame_names_spoke_evidence_and_set(findings: Findings) -> None:
    frame = findings.to_frame()
    assert set(frame["spoke"]) == {"words"}
    assert set(zip(frame["evidence"], frame["set"], strict=True)) == {
        ("similarity", "set <a>"),
        ("lens", "after the"),
        ("says", "after the"),
    }


def test_save_and_load(findings: Findings, tmp_path: Path) -> None:
    findings.save(tmp_path / "run")
    again = Findings.load(tmp_path / "run")
    assert again.to_frame().equals(findings.to_frame())


def test_load_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"findings\.json: FileNotFoundError"):
        Findings.load(tmp_path)


def test_an_encoder_gets_similarity_alone(bert_folder) -> None:
    encoder = load_model(bert_folder, device="cpu")
    found = run(encoder, Words(), **SETTINGS)
    assert found.similarity
    assert found.lens == found.says == {}


def test_something_else_is_no_spoke(model, without_shape_checks) -> None:
    assert isinstance(Words(), Spoke)
    with pytest.raises(SemanticHubError, match="run: got a dict; expected a spoke"):
        run(model, {})


def test_progress_names_each_set(model) -> None:
    lines: list[str] = []
    run(model, Words(), progress=lines.append, **SETTINGS)
    assert lines == ["words: similarity, set <a>", "words: lens, after the"]
