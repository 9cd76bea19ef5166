"""Running a spoke: every set measured, with the same numbers as the single calls."""

from pathlib import Path

import pytest
import torch
from small_spokes import SETTINGS, Steered, Told, Words

import semantic_hub as sh
from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.lenses.result import LensResult
from semantic_hub.models.loading import load_model
from semantic_hub.statistics.resampling import Resampling


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
    lens = sh.logit_lens(
        model,
        Words().readouts()["after the"],
        resampling=Resampling(resamples=50, seed=3),
    )
    assert torch.equal(findings.lens["after the"].log_prob, lens.log_prob)
    top = findings.top_tokens["after the"]
    assert top.prompts == ("the", "a dog and")
    assert torch.equal(top.tokens, sh.top_tokens(model, ["the", "a dog and"], k=1).tokens)


def test_frame_names_spoke_evidence_and_set(findings: Findings) -> None:
    frame = findings.to_frame()
    assert set(frame["spoke"]) == {"words"}
    assert set(zip(frame["evidence"], frame["set"], strict=True)) == {
        ("similarity", "set <a>"),
        ("lens", "after the"),
    }
    results = (*findings.similarity.values(), *findings.lens.values())
    assert len(frame) == sum(len(result.to_frame()) for result in results)
    assert {"spoke", "evidence", "set"}.union(
        *(result.to_frame().columns for result in results)
    ) <= set(frame.columns)
    assert frame["value"].notna().all()


def test_frame_without_sets_is_empty(findings: Findings) -> None:
    frame = Findings("bare").to_frame()
    assert frame.empty
    assert list(frame.columns) == list(findings.to_frame().columns)


def test_save_and_load(findings: Findings, tmp_path: Path) -> None:
    findings.save(tmp_path / "run")
    again = Findings.load(tmp_path / "run")
    assert again.to_frame().equals(findings.to_frame())


def test_a_second_save_replaces_the_first(findings: Findings, tmp_path: Path) -> None:
    findings.save(tmp_path)
    (tmp_path / "own notes").mkdir()
    Findings("other", {"similarity": findings.similarity}).save(tmp_path)
    assert Findings.load(tmp_path).spoke == "other"
    left = {path.name for path in tmp_path.iterdir()}
    [folder] = left - {"findings.json", "own notes"}
    assert [path.name for path in (tmp_path / folder).iterdir()] == ["0"]


def test_a_save_that_fails_midway_keeps_the_old_findings(
    model, findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    old = run(model, Words(), **{**SETTINGS, "resampling": Resampling(50, seed=4)})
    assert not old.to_frame().equals(findings.to_frame())
    old.save(tmp_path)
    monkeypatch.setattr(LensResult, "save", fail)  # similarity is written by then
    with pytest.raises(KeyboardInterrupt):
        findings.save(tmp_path)
    monkeypatch.undo()
    assert Findings.load(tmp_path).to_frame().equals(old.to_frame())
    assert Findings.load(findings.save(tmp_path)).to_frame().equals(findings.to_frame())


class Unreadable(Words):
    """One set of which this tokenizer leaves nothing, between two that it reads."""

    def readouts(self):
        same = [sh.Readout(sh.Prompt("the"), {"surface": ("dog",), "hub": ("dog",)})]
        (read,) = super().readouts().values()
        return {"before": read, "same words": same, "behind": read}


def test_a_set_of_which_nothing_is_left_stops_no_run(model, tmp_path: Path) -> None:
    found = run(model, Unreadable(), **SETTINGS)
    assert list(found.lens) == list(found.top_tokens) == ["before", "behind"]
    assert list(found.left_out) == ["lens, same words"]
    assert "shared token: 1" in found.left_out["lens, same words"]
    assert Findings.load(found.save(tmp_path)).left_out == found.left_out


def test_findings_without_sets_are_saved(tmp_path: Path) -> None:
    bare = Findings("bare")
    assert Findings.load(bare.save(tmp_path / "deep" / "er")) == bare


@pytest.mark.parametrize(
    "index",
    [
        "[]",
        '{"format": 2, "spoke": "a", "folder": "results-a", "left_out": {}}',
        '{"format": 2, "spoke": 1, "folder": "results-a", "left_out": {}, "results": []}',
        '{"format": 2, "spoke": "a", "folder": 0, "left_out": {}, "results": []}',
        '{"format": 2, "spoke": "a", "folder": "results-a", "left_out": [], "results": []}',
        '{"format": 2, "spoke": "a", "folder": "results-a", "left_out": {}, "results": {}}',
        '{"format": 2, "spoke": "a", "folder": "results-a", "left_out": {}, "results": [1]}',
        '{"format": 2, "spoke": "a", "folder": "results-a", "left_out": {}, "results": [{}]}',
    ],
)
def test_load_refuses_a_damaged_index(tmp_path: Path, index: str) -> None:
    (tmp_path / "findings.json").write_text(index)
    with pytest.raises(SemanticHubError, match=r"Findings\.load: got .*findings\.json: an index"):
        Findings.load(tmp_path)


def test_load_refuses_an_older_format(tmp_path: Path) -> None:
    (tmp_path / "findings.json").write_text('{"spoke": "a", "generation": 0, "similarity": []}')
    with pytest.raises(
        SemanticHubError, match=r"format None; expected format 2, that of this vers"
    ):
        Findings.load(tmp_path)


def test_load_names_a_kind_of_result_that_is_not_imported(tmp_path: Path) -> None:
    entry = '{"group": "odd", "name": "a", "kind": "odd", "folder": "0"}'
    (tmp_path / "findings.json").write_text(
        '{"format": 2, "spoke": "a", "folder": "f", "left_out": {}, "results": [' + entry + "]}"
    )
    with pytest.raises(SemanticHubError, match=r"kind 'odd'; .* Import the module that defines"):
        Findings.load(tmp_path)


def test_load_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"findings\.json: FileNotFoundError"):
        Findings.load(tmp_path)


def test_an_encoder_gets_similarity_alone(bert_folder) -> None:
    encoder = load_model(bert_folder, device="cpu")
    found = run(encoder, Words(), **SETTINGS)
    assert found.similarity
    assert found.lens == found.top_tokens == {}


def test_interventions_are_run_saved_and_read_back(model, tmp_path: Path) -> None:
    lines: list[str] = []
    found = run(model, Steered(), progress=lines.append, **SETTINGS)
    assert lines[2:] == [f"words: intervention, {name}" for name in ("move", "push", "write")]
    alone = sh.patching_sweep(model, Steered().interventions()["move"].patch_pairs)
    assert torch.equal(found.patching["move"].log_prob, alone.log_prob)
    assert found.steering["push"].directions == ("dog", "placebo")
    assert found.text_steering["write"].scorers == ("length", "perplexity")
    frame = found.to_frame()
    assert {"patching", "steering", "text_steering"} < set(frame["evidence"])
    assert Findings.load(found.save(tmp_path)).to_frame().equals(frame)


def test_texts_and_other_lenses_are_measured_saved_and_read_back(model, tmp_path: Path) -> None:
    lines: list[str] = []
    found = run(model, Told(), lenses={"raw": "raw"}, progress=lines.append, **SETTINGS)
    assert lines[-1] == "words: language mass, tales"
    assert found.language_mass["tales"].languages == ("en", "es")
    assert found.lens_comparison["after the"].lenses["logit"] is found.lens["after the"]
    frame = found.to_frame()
    assert {"language_mass", "lens_comparison"} < set(frame["evidence"])
    assert set(frame.loc[frame["evidence"] == "lens_comparison", "lens"]) == {"logit", "raw"}
    assert Findings.load(found.save(tmp_path)).to_frame().equals(frame)


def test_no_other_lenses_unless_asked_for(findings: Findings) -> None:
    assert findings.lens_comparison == findings.language_mass == {}


def test_an_encoder_is_not_intervened_on(bert_folder) -> None:
    found = run(load_model(bert_folder, device="cpu"), Steered(), **SETTINGS)
    assert found.patching == found.steering == found.text_steering == {}


def test_something_else_is_no_spoke(model, without_shape_checks) -> None:
    assert isinstance(Words(), Spoke)
    with pytest.raises(SemanticHubError, match="run: got a dict; expected a spoke"):
        run(model, {})


def test_progress_names_each_set(model) -> None:
    lines: list[str] = []
    run(model, Words(), progress=lines.append, **SETTINGS)
    assert lines == ["words: similarity, set <a>", "words: lens, after the"]


def test_in_a_log_each_set_has_its_number_among_all_and_silence_can_be_asked_for(
    model, capsys
) -> None:
    run(model, Steered(), **SETTINGS)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 5: words: similarity, set <a>"
    assert [line.partition(":")[0] for line in lines] == [f"{n} of 5" for n in range(1, 6)]
    run(model, Words(), progress=False, **SETTINGS)
    assert capsys.readouterr().err == ""


class Shown(Words):
    """Spelled-out prompts under the name of a set of read-outs."""

    def spelled_out(self):
        return {"after the": [sh.Prompt("a cat")]}


def test_read_outs_and_spelled_out_prompts_may_share_a_name(model, tmp_path: Path) -> None:
    found = run(model, Shown(), **SETTINGS)
    assert found.top_tokens["after the"].prompts == ("the", "a dog and")
    assert found.spelled_out["after the"].prompts == ("a cat",)
    again = Findings.load(found.save(tmp_path))
    assert again.spelled_out["after the"].prompts == ("a cat",)
