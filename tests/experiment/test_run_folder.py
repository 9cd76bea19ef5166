"""Runs on disk: killed at any moment, damaged, changed, of two processes, without a model."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
import torch
from small_spokes import Steered, Told

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.run_folder import RunFolder, Step, run_findings, run_status
from semantic_hub.experiment.runner import run
from semantic_hub.models.loading import load_model
from semantic_hub.reporting.document import Report, report, report_of_run

FEW = {"resampling": sh.Resampling(resamples=20, seed=3), "permutations": 20}


@dataclass(frozen=True)
class Changing(Told):
    """Told, with pairs that a test can change."""

    words: tuple[str, ...] = ("perro", "gato", "el")
    more: dict[str, sh.Pairs] = field(default_factory=dict)

    def pairs(self):
        return {"set": sh.Pairs.from_prompts(["dog", "cat", "the"], list(self.words)), **self.more}


@pytest.fixture
def hub(llama_folder: Path) -> Any:
    return load_model(llama_folder, device="cpu")


def assert_same(found: Findings, expected: Findings) -> None:
    assert found.to_frame().equals(expected.to_frame())
    assert found.left_out == expected.left_out
    assert found.top_tokens.keys() == expected.top_tokens.keys()


def when(folder: Path) -> dict[str, float]:
    return {file.stem: file.stat().st_mtime_ns for file in (folder / "sets").glob("*.json")}


def test_a_run_on_disk_is_the_run_and_once_more_measures_nothing(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(hub, Changing(), **FEW)
    assert_same(run(hub, Changing(), folder=tmp_path / "run", **FEW), expected)
    before = when(tmp_path / "run")
    monkeypatch.setattr(type(hub), "forward", None)  # no pass at all
    assert_same(run(hub, Changing(), folder=tmp_path / "run", **FEW), expected)
    assert when(tmp_path / "run") == before
    status = run_status(tmp_path / "run")
    assert (len(status.left), status.seconds_left) == (0, 0)
    assert [step.what for step in status.done] == [
        "similarity", "lens", "intervention", "intervention", "intervention", "language mass",
    ]  # fmt: skip


def test_what_is_changed_is_measured_again_and_nothing_else(hub: Any, tmp_path: Path) -> None:
    run(hub, Changing(), folder=tmp_path, **FEW)
    before = set(when(tmp_path))
    changed = Changing(words=("perro", "gato", "y"))
    assert_same(run(hub, changed, folder=tmp_path, **FEW), run(hub, changed, **FEW))
    assert len(set(when(tmp_path)) - before) == 1
    more = {**FEW, "permutations": 30}
    assert_same(run(hub, Changing(), folder=tmp_path, **more), run(hub, Changing(), **more))
    assert len(set(when(tmp_path)) - before) == 2
    with torch.no_grad():
        next(iter(hub.parameters())).mul_(1.01)
    assert_same(run(hub, Changing(), folder=tmp_path, **FEW), run(hub, Changing(), **FEW))
    assert len(set(when(tmp_path)) - before) == 2 + len(before)


def measure(folder: Path, checkpoint: Path) -> None:
    report(load_model(checkpoint, device="cpu"), [Changing()], folder=folder, progress=False, **FEW)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path: Path, llama_folder: Path) -> None:
    expected = report(load_model(llama_folder, device="cpu"), [Changing()], progress=False, **FEW)
    context, random = get_context("fork"), Random(0)
    folder, kept = tmp_path / "run", set()
    for _ in range(20):
        process = context.Process(target=measure, args=(folder, llama_folder))
        process.start()
        process.join(random.uniform(0.05, 1.5))
        process.kill()
        process.join()
        if (folder / "sets").is_dir():
            now = set(when(folder))
            assert kept <= now  # nothing is lost
            kept = now
    measure(folder, llama_folder)
    assert report_of_run(folder).to_html() == expected.to_html()


@pytest.mark.parametrize("damage", ["truncated", "altered", "removed"])
def test_damaged_results_are_measured_again(hub: Any, tmp_path: Path, damage: str) -> None:
    expected = run(hub, Changing(), folder=tmp_path, **FEW)
    [arrays, *_] = sorted((tmp_path / "sets").glob("*/*.safetensors"))
    data = bytearray(arrays.read_bytes())
    data[-1] ^= 1
    if damage == "removed":
        arrays.unlink()
    else:
        arrays.write_bytes(data if damage == "altered" else data[:-5])
    with pytest.warns(SemanticHubWarning, match="is damaged and will be measured again"):
        assert_same(run(hub, Changing(), folder=tmp_path, **FEW), expected)
    assert_same(run(hub, Changing(), folder=tmp_path, **FEW), expected)


def test_a_run_that_is_not_finished_can_be_read(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semantic_hub.experiment.runner.intervene", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(hub, Changing(), folder=tmp_path, **FEW)
    status = run_status(tmp_path)
    assert [step.what for step in status.left] == [*["intervention"] * 3, "language mass"]
    assert status.seconds_left is not None
    [found] = run_findings(tmp_path)
    assert found.left_out["intervention, push"] == "not measured yet"
    assert list(found.similarity) == ["set"]
    page = report_of_run(tmp_path).to_html()
    assert "not measured yet" in page
    assert "left: words: intervention, push" in status.lines()


def test_a_set_of_which_nothing_is_left_is_not_tried_again(hub: Any, tmp_path: Path) -> None:
    class Nothing(Steered):
        def readouts(self):
            candidates = {"surface": ("dog",), "hub": ("dog",)}
            return {"none": [sh.Readout(sh.Prompt("the"), candidates)]}

        def interventions(self):
            return {}

    expected = run(hub, Nothing(), **FEW)
    for _ in range(2):
        found = run(hub, Nothing(), folder=tmp_path, **FEW)
        assert found.left_out == expected.left_out != {}
    [about] = [
        json.loads(file.read_text()) for file in (tmp_path / "sets").glob("*.json")
        if json.loads(file.read_text())["left_out"]
    ]  # fmt: skip
    assert about["kind"] == ""


def test_a_process_that_measures_something_else_is_refused(hub: Any, tmp_path: Path) -> None:
    kept = RunFolder(tmp_path, hub)
    with kept.measuring([Step("words", "lens", "other", "0" * 32)], {}):
        process = get_context("fork").Process(target=refused, args=(hub, tmp_path))
        process.start()
        process.join()
        assert process.exitcode == 3
    assert not [*(tmp_path / "processes").iterdir()]
    run(hub, Changing(), folder=tmp_path, progress=False, **FEW)


def refused(hub: Any, folder: Path) -> None:
    try:
        run(hub, Changing(), folder=folder, progress=False, **FEW)
    except SemanticHubError as error:
        raise SystemExit(3 if "measures something else" in str(error) else 1) from None


def said(hub: Any, folder: Path, lines: Path) -> None:
    """Measure, and write down the sets that this process was told of."""
    with lines.open("w", encoding="utf-8", buffering=1) as file:
        run(hub, Changing(), folder=folder, progress=lambda line: print(line, file=file), **FEW)


def test_a_process_leaves_what_another_has_and_waits_for_it(hub: Any, tmp_path: Path) -> None:
    """A set that is claimed is measured last; one whose process has died is measured here."""
    folder, lines = tmp_path / "run", tmp_path / "lines"
    expected = run(hub, Changing(), folder=folder, **FEW)
    first = run_status(folder).done[0]
    shutil.rmtree(folder / "sets")
    claimed, context = tmp_path / "claimed", get_context("fork")
    holder = context.Process(target=hold, args=(hub, folder, first.key, claimed))
    holder.start()
    wait_for(claimed)
    worker = context.Process(target=said, args=(hub, folder, lines))
    worker.start()
    others = len(run_status(folder).left) - 1
    wait_for(folder, lambda: len([*(folder / "sets").glob("*.json")]) == others)
    assert worker.is_alive() and first in run_status(folder).left
    holder.kill()
    worker.join(60)
    assert worker.exitcode == 0 and not run_status(folder).left
    told = lines.read_text(encoding="utf-8").splitlines()
    assert len(told) == others + 1 and told[-1] == "words: similarity, set"
    assert not [*(folder / "processes").iterdir(), *(folder / "claims").iterdir()]
    assert_same(run(hub, Changing(), folder=folder, **FEW), expected)


def hold(hub: Any, folder: Path, key: str, claimed: Path) -> None:
    with RunFolder(folder, hub).claim(key, wait=True):
        claimed.touch()
        time.sleep(600)


def wait_for(file: Path, there: Callable[[], bool] | None = None) -> None:
    until = time.monotonic() + 60
    while not (there() if there else file.exists()):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_processes_share_the_sets_and_find_what_one_finds(hub: Any, tmp_path: Path) -> None:
    """Three at once; every set is measured by one of them, and each has all of them in the end."""
    expected, folder, context = run(hub, Changing(), **FEW), tmp_path / "run", get_context("fork")
    workers = [
        context.Process(target=frame_of, args=(hub, folder, tmp_path / f"{number}.pickle"))
        for number in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 3
    for number in range(3):
        assert_close(pd.read_pickle(tmp_path / f"{number}.pickle"), expected.to_frame())


def assert_close(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Which prompts share a batch depends on who measures what, and rounding on the batch."""
    columns = ["value", "low", "high"]
    others = [frame.drop(columns=columns) for frame in (found, expected)]
    pd.testing.assert_frame_equal(*others)
    pd.testing.assert_frame_equal(found[columns], expected[columns], atol=1e-6, rtol=1e-6)


def frame_of(hub: Any, folder: Path, file: Path) -> None:
    torch.set_num_threads(1)
    run(hub, Changing(), folder=folder, progress=False, **FEW).to_frame().to_pickle(file)


@pytest.mark.slow
def test_processes_of_torchrun_measure_what_one_does(llama_folder: Path, tmp_path: Path) -> None:
    """On the CPU, by the launcher that accelerate uses for GPUs; on these it is untested."""
    expected = report(load_model(llama_folder, device="cpu"), [Steered()], progress=False, **FEW)
    script = tmp_path / "measure.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from small_spokes import Steered\n"
        "import semantic_hub as sh\n"
        "from semantic_hub.experiment.processes import n_launched, rank\n"
        "assert n_launched() == 2\n"
        f"model = sh.load_model({str(llama_folder)!r}, device='cpu')\n"
        "few = {'resampling': sh.Resampling(resamples=20, seed=3), 'permutations': 20}\n"
        f"found = sh.report(model, [Steered()], folder={str(tmp_path / 'run')!r}, **few)\n"
        f"found.save_findings({str(tmp_path)!r} + f'/{{rank()}}')\n"
    )
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", str(script)]
    subprocess.run(
        [sys.executable, *launch], check=True, cwd=Path(__file__).parents[2], capture_output=True
    )
    for number in range(2):
        [found] = Report.load(tmp_path / str(number)).findings
        assert_close(found.to_frame(), expected.findings[0].to_frame())
    assert not run_status(tmp_path / "run").left


def test_a_folder_that_is_no_run(hub: Any, tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match="expected the folder of a run"):
        run_status(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SemanticHubError):
        run(hub, Changing(), folder=tmp_path / "file", **FEW)
