"""Running a spoke: every set measured, with the same numbers as the single calls."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from registries import restored
from small_spokes import SETTINGS, Steered, Told, Words

import semantic_hub as sh
from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.lenses.result import LensResult
from semantic_hub.models.loading import load_model
from semantic_hub.results.result import RESULTS, Result
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


@pytest.mark.parametrize("index", ["[]", '"text"', "7"])
def test_load_refuses_what_is_no_index(tmp_path: Path, index: str) -> None:
    (tmp_path / "findings.json").write_text(index)
    with pytest.raises(SemanticHubError, match=r"Findings\.load: got .*findings\.json: a \w+;"):
        Findings.load(tmp_path)


@pytest.mark.parametrize("number", [None, 2])
def test_load_refuses_an_older_format(tmp_path: Path, number: int | None) -> None:
    index = {"spoke": "a", "left_out": {}, "results": []} | ({"format": number} if number else {})
    (tmp_path / "findings.json").write_text(json.dumps(index))
    with pytest.raises(SemanticHubError, match=rf"format {number}; expected format 7, that of"):
        Findings.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"spoke": "another"},
        {"left_out": {"lens, x": "nothing left"}},
        {"results": []},
        {"folder": "elsewhere"},
        {"digests": {}},
    ],
)
def test_load_refuses_a_changed_index(findings: Findings, tmp_path: Path, change: dict) -> None:
    path = findings.save(tmp_path) / "findings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SemanticHubError, match=r"findings\.json: not the content that was saved"):
        Findings.load(tmp_path)


def test_load_refuses_a_result_of_another_run(model, findings: Findings, tmp_path: Path) -> None:
    """It is sound by itself, but this run's index has another digest."""
    other = run(model, Words(), **{**SETTINGS, "resampling": Resampling(50, seed=4)})
    for found, place in ((findings, "a"), (other, "b")):
        found.save(tmp_path / place)
    ours, theirs = (next((tmp_path / place).glob("findings-*")) / "0" for place in "ab")
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    with pytest.raises(SemanticHubError, match=r"0/result\.json: not the content that was saved"):
        Findings.load(tmp_path / "a")


def test_load_names_a_kind_of_result_that_is_not_imported(
    findings: Findings, tmp_path: Path
) -> None:
    with restored():

        @dataclass(frozen=True, eq=False, kw_only=True)
        class Odd(Result):
            kind = "odd"

        Findings("a", {"odd": {"set": Odd(manifest={})}}).save(tmp_path)
    with pytest.raises(SemanticHubError, match=r"kind 'odd'; .* Import the module that defines"):
        Findings.load(tmp_path)


def test_load_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"findings\.json: No such file"):
        Findings.load(tmp_path)


def test_a_file_in_the_way_is_the_packages_error(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("notes")
    with pytest.raises(SemanticHubError, match=r"Findings\.save: got .*run: File exists; expected"):
        findings.save(tmp_path / "run")


@dataclass(frozen=True, eq=False, kw_only=True)
class Numbered(Result):
    number: int
    value: Float[torch.Tensor, " item"]
    manifest: dict = field(default_factory=dict)


def numbered(number: int) -> Findings:
    """Findings whose every part bears a number."""
    sets = {
        f"set {index}": Numbered(number=number, value=torch.full((4,), float(number)))
        for index in range(3)
    }
    return Findings(f"{number}", {"numbered": sets})


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Numbered, "kind", "numbered")
    with restored():
        RESULTS.register("numbered", Numbered)
        yield


def numbers(found: Findings) -> set[int]:
    [sets] = found.results.values()
    values = {int(value) for one in sets.values() for value in (one.number, *one.value)}
    return {int(found.spoke), *values}


def save_often(folder: Path, number: int, times: int, barrier) -> None:
    for _ in range(times):
        barrier.wait()
        numbered(number).save(folder)


def race(folder: Path, times: int) -> None:
    """Save different findings from two processes at once, several times."""
    context = get_context("fork")
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=save_often, args=(folder, number, times, barrier))
        for number in (1, 2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.parametrize("times", [4, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("registered")
def test_processes_that_save_at_once_leave_one_run_whole(tmp_path: Path, times: int) -> None:
    numbered(3).save(tmp_path)
    race(tmp_path, times)
    assert numbers(Findings.load(tmp_path)) in ({1}, {2})
    numbered(3).save(tmp_path)
    assert numbers(Findings.load(tmp_path)) == {3}


def test_the_folder_of_a_killed_save_is_removed_after_a_day(
    findings: Findings, tmp_path: Path
) -> None:
    for name in (killed := f"findings-{'0' * 32}", other := f"report-{'0' * 32}", "findings-mine"):
        (tmp_path / name / "0").mkdir(parents=True)
    findings.save(tmp_path)
    assert (tmp_path / killed).exists()
    yesterday = time.time() - 25 * 3600
    for name in (killed, other, "findings-mine"):
        os.utime(tmp_path / name, (yesterday, yesterday))
    findings.save(tmp_path)
    assert not (tmp_path / killed).exists()
    assert (tmp_path / other).exists() and (tmp_path / "findings-mine").exists()


def test_an_earlier_format_is_replaced_with_its_folder(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "results-ab_d3fgh").mkdir()
    (tmp_path / "findings.json").write_text('{"format": 2, "folder": "results-ab_d3fgh"}')
    findings.save(tmp_path)
    assert not (tmp_path / "results-ab_d3fgh").exists()


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


class Bare(Spoke):
    name = "bare"


class Concepts(Bare):
    def concepts(self):
        forms = {"en": ("dog", "cat"), "es": ("perro", "gato")}
        return {
            form: {"dog": sh.Prompt(dog), "cat": sh.Prompt(cat)}
            for form, (dog, cat) in forms.items()
        }


def test_a_spoke_without_a_set_to_measure_is_refused(model, bert_folder) -> None:
    for call in (run, sh.report):
        with pytest.raises(SemanticHubError, match="the spoke 'bare', without a set"):
            call(model, Bare(), **SETTINGS)
    with pytest.raises(SemanticHubError, match="the spoke 'bare', without a set"):
        run(model, Concepts(), **SETTINGS)
    assert sh.report(model, Concepts(), **SETTINGS).forms is not None


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
