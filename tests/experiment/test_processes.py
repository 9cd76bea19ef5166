"""Processes that measure one run together: which device each takes, and what becomes of helpers."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_hub.errors import SemanticHubWarning
from semantic_hub.experiment.processes import n_launched, own_device, rank, with_helpers
from semantic_hub.experiment.run_folder import RunFolder


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with two."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize(
    ("environment", "device", "expected"),
    [
        ({}, None, None),
        ({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "3"}, None, "cuda:1"),
        ({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "3"}, "cpu", "cpu"),
        ({"SEMANTIC_HUB_HELPER": "1"}, None, "cuda:1"),
    ],
)
def test_each_process_takes_a_gpu_of_its_own(
    gpus: None,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    device: str | None,
    expected: str | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert own_device(device) == expected
    assert n_launched() == int(environment.get("WORLD_SIZE", 1))
    assert rank() == int(environment.get("RANK", environment.get("SEMANTIC_HUB_HELPER", 0)))


def test_the_keys_of_a_run_are_the_same_on_every_gpu(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(device: str) -> str:
        about = {"model": {"name": "tiny", "device": device}}
        monkeypatch.setattr("semantic_hub.experiment.run_folder.manifest", lambda model: about)
        return RunFolder(tmp_path, model).key("lens", "dog")

    assert on("cuda:0") == on("cuda:1") != on("cpu")


def test_a_helper_that_fails_is_told_of(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    with (
        pytest.warns(SemanticHubWarning, match=r"helper 1 failed.*No such option"),
        with_helpers(2, ["report", "--nonsense=1"], tmp_path),
    ):
        until = time.monotonic() + 60
        while "nonsense" not in (tmp_path / "helper-1.log").read_text():
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(1)
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_helpers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path\n"
        "from semantic_hub.experiment.processes import with_helpers\n"
        f"given = ['report', '--model=hub-mini', '--device=cpu', '--run={tmp_path / 'run'}']\n"
        f"with with_helpers(2, given, Path({str(tmp_path)!r})): time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    processes, until = tmp_path / "run" / "processes", time.monotonic() + 120
    while not (processes.is_dir() and [*processes.iterdir()]):
        assert time.monotonic() < until
        time.sleep(0.1)
    [helper] = map(int, subprocess.check_output(["pgrep", "-P", str(parent.pid)]).split())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{helper}").exists() and "Z" not in state(helper):
        assert time.monotonic() < until
        time.sleep(0.1)


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
