"""The command line: a page from a small model's folder, and errors that reach the user whole."""

import errno
import os
from pathlib import Path

import pytest
from small_spokes import Steered, Words
from typer.testing import CliRunner, Result

import semantic_hub
from semantic_hub.cli import app
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.loading import load_model
from semantic_hub.reporting.document import Report, report
from semantic_hub.statistics.resampling import Resampling

FEW = ("--device", "cpu", "--resamples", "20", "--permutations", "20")


def call(*arguments: object, command: str = "report") -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments)])


def unwrapped(result: Result) -> str:
    """What was shown, whatever the width of the lines: without white space."""
    return "".join(result.stderr.split())


def told(message: str) -> str:
    return "".join(message.split())


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Steered:
    """What is measured on every model: a few words, with every kind of evidence."""
    spoke = Steered()
    monkeypatch.setattr("semantic_hub.reporting.defaults.spokes_of", lambda model: (spoke,))
    return spoke


def test_report_of_a_folder(llama_folder: Path, tmp_path: Path, words: Steered) -> None:
    page, run = tmp_path / "page.html", tmp_path / "run"
    result = call("--model", llama_folder, "--out", page, "--save", run, *FEW)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "random twin" in html
    shown = unwrapped(result)
    assert Report.load(run).to_html() == html
    for line in (
        f"loading {llama_folder}",
        "1 of 6: words: similarity, set <a>",
        "2 of 6: words: lens, after the",
        "4 of 6: words: intervention, push",
        "6 of 6: report: examples",
        f"wrote {run}",
        f"wrote {page}",
    ):
        assert told(line) in shown


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"semantic-hub {semantic_hub.__version__}\n")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--seed", "-1"), "Invalid value for '--seed'"),
        (("--permutations", "0"), "Invalid value for '--permutations'"),
        (("--dtype", "int8"), "Invalid value for '--dtype'"),
        (("--device", "banana"), "load_model: got device='banana'"),
    ],
)
@pytest.mark.parametrize("command", ["report", "compare"])
def test_options_of_a_wrong_value(
    command: str, option: tuple[str, str], message: str, tmp_path: Path
) -> None:
    models = ("hub-mini", "planted-hub") if command == "compare" else ()
    result = call(*models, *option, "--out", tmp_path / "page.html", command=command)
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    assert told(message) in unwrapped(result).replace("│", "")


def test_unknown_model(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = call("--model", "no-such-model", "--out", page)
    assert result.exit_code == 1
    with pytest.raises(SemanticHubError, match="'no-such-model'") as error:
        load_model("no-such-model")
    assert told(f"error {error.value}") in unwrapped(result)
    assert "Traceback" not in result.output
    assert not page.exists()


def test_a_missing_folder_is_told_before_loading(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    result = call("--model", "no-such-model", "--out", absent / "page.html")
    assert result.exit_code == 1
    assert told(f"expected a file in a folder that exists. Make {absent} first.") in unwrapped(
        result
    )
    assert "loading" not in result.stderr


def test_a_file_in_the_place_of_the_saved_run_is_told_before_loading(tmp_path: Path) -> None:
    (taken := tmp_path / "run").write_text("notes")
    for save in (taken, taken / "deeper"):
        result = call("--out", tmp_path / "page.html", "--save", save)
        assert result.exit_code == 1
        assert told("expected a place that can be written to") in unwrapped(result)
        assert "loading" not in result.stderr
    assert taken.read_text() == "notes"


@pytest.mark.parametrize("name", ["[red]", "[/red]", "[link=x]"])
def test_square_brackets_are_text(tmp_path: Path, name: str) -> None:
    result = call("--out", tmp_path / name / "page.html")
    assert result.exit_code == 1
    assert f"{name}/page.html" in unwrapped(result)
    assert f"{name}first." in unwrapped(result)
    assert "loading" not in result.stderr


def test_spokes_are_chosen_by_name(llama_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = call("--model", llama_folder, "--spokes", "code, taste", "--out", page, *FEW)
    assert result.exit_code == 1
    assert told("got the spoke 'taste'; expected one of language, arithmetic, code") in unwrapped(
        result
    )
    assert not page.exists()


def test_compare_a_saved_run_with_a_model(
    llama_folder: Path, tmp_path: Path, words: Steered
) -> None:
    model = load_model(llama_folder, device="cpu")
    run = report(
        model, [words], resampling=Resampling(resamples=20), permutations=20
    ).save_findings(tmp_path / "before")
    page = tmp_path / "compare.html"
    arguments = (run, llama_folder, "--spokes", "words", "--out", page, *FEW)
    result = call(*arguments, command="compare")
    assert result.exit_code == 0, result.stderr
    assert told(f"loading {llama_folder}") in unwrapped(result)
    assert f"loading{run}" not in unwrapped(result)
    html = page.read_text(encoding="utf-8")
    assert "verdict on before" in html
    assert f"verdict on {llama_folder.name}" in html


def test_compare_two_runs_of_one_name(llama_folder: Path, tmp_path: Path, words: Steered) -> None:
    measured = report(
        load_model(llama_folder, device="cpu"),
        [words],
        resampling=Resampling(resamples=20),
        permutations=20,
    )
    runs = [measured.save_findings(tmp_path / place / "run") for place in ("a", "b")]
    page = tmp_path / "compare.html"
    assert call(*runs, "--out", page, command="compare").exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert all(f"verdict on {run}" in html for run in runs)
    twice = call(runs[0], runs[0], "--out", page, command="compare")
    assert twice.exit_code == 1
    assert told("expected two different runs or models") in unwrapped(twice)


def test_compare_asks_for_a_folder_first(tmp_path: Path) -> None:
    out = tmp_path / "absent" / "page.html"
    result = call("no-such-model", "another", "--out", out, command="compare")
    assert result.exit_code == 1
    assert told("Comparison.save: got") in unwrapped(result)
    assert "loading" not in result.stderr


def no_room(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_before_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in ((), ("--save", tmp_path / "run")):
        monkeypatch.setattr(os, "fsync", no_room)
        result = call("--model", "no-such-model", "--out", tmp_path / "page.html", *arguments)
        assert result.exit_code == 1
        assert told("No space left on device; expected a place that can be") in unwrapped(result)
        assert "loading" not in result.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["run"]


@pytest.mark.parametrize("command", [("report",), ("compare", "a", "b")])
def test_only_a_file_can_become_the_page(command: tuple[str, ...], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for out in (tmp_path / "pipe", tmp_path, Path("/dev/null")):
        result = call(*command[1:], "--out", out, command=command[0])
        assert result.exit_code == 1
        assert told("expected a file in a folder that exists. Name a file.") in unwrapped(result)
        assert "loading" not in result.stderr


def test_the_page_may_not_be_the_folder_of_the_numbers(tmp_path: Path) -> None:
    result = call("--out", tmp_path / "run", "--save", tmp_path / "run")
    assert result.exit_code == 1
    assert told("expected a file in a folder that exists. Name a file.") in unwrapped(result)


@pytest.mark.parametrize("failing", ["save", "save_findings"])
@pytest.mark.parametrize("kind", [SemanticHubError, RuntimeError])
def test_what_can_be_written_is_written_though_the_other_fails(
    failing: str,
    kind: type[Exception],
    llama_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        parts = {"got": "a full disk", "expected": "room", "fix": "Make some."}
        raise SemanticHubError("write", **parts) if kind is SemanticHubError else kind("broken")

    monkeypatch.setattr("semantic_hub.reporting.defaults.spokes_of", lambda model: (Words(),))
    monkeypatch.setattr(Report, failing, fail)
    page, run = tmp_path / "page.html", tmp_path / "run"
    result = call("--model", llama_folder, "--out", page, "--save", run, *FEW)
    assert result.exit_code == 1
    if kind is SemanticHubError:
        assert told("error write: got a full disk; expected room. Make some.") in unwrapped(result)
    else:
        assert isinstance(result.exception, RuntimeError)
    assert page.exists() == (failing == "save_findings")
    assert (run / "report.json").exists() == (failing == "save")


def test_both_failures_are_told(
    llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str):
        def write(*arguments: object) -> None:
            raise SemanticHubError(name, got="a full disk", expected="room", fix="Make some.")

        return write

    monkeypatch.setattr("semantic_hub.reporting.defaults.spokes_of", lambda model: (Words(),))
    monkeypatch.setattr(Report, "save", fail("the page"))
    monkeypatch.setattr(Report, "save_findings", fail("the numbers"))
    place = tmp_path / "run"
    result = call("--model", llama_folder, "--out", tmp_path / "page.html", "--save", place, *FEW)
    assert result.exit_code == 1
    assert told("error the numbers: got") in unwrapped(result)
    assert told("error the page: got") in unwrapped(result)


@pytest.mark.parametrize(
    "given", [[], ["--run", "run"], ["--model", "m", "--run", "run", "--processes", "2"]]
)
def test_processes_of_a_launcher_need_a_folder_and_a_model(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --model, one that comes late would write the page of what is there."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = call(*given)
    assert result.exit_code == 1
    assert told("got 2 processes of a launcher (WORLD_SIZE)") in unwrapped(result)


def test_a_process_that_is_not_the_first_writes_no_page(
    llama_folder: Path, tmp_path: Path, words: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    page, run = tmp_path / "page.html", tmp_path / "run"
    result = call("--model", llama_folder, "--out", page, "--run", run, *FEW)
    assert result.exit_code == 0, result.stderr
    assert not page.exists()
    monkeypatch.setenv("RANK", "0")
    assert call("--model", llama_folder, "--out", page, "--run", run, *FEW).exit_code == 0
    assert page.exists()
