"""Progress: plain lines in a log, a bar for a person, and other libraries' bars in neither's way."""

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from semantic_hub.plotting import progress
from semantic_hub.plotting.progress import showing_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def two_steps(*, fails: bool = False) -> None:
    with showing_progress(True, 2) as step:
        step("the [first]")
        if fails:
            raise KeyboardInterrupt
        step("the\nsecond")


def test_a_log_gets_a_line_for_each_step_with_its_number_and_the_time_left(
    monkeypatch, capsys
) -> None:
    monkeypatch.setattr(progress, "monotonic", iter([100.0, 100.0, 165.0]).__next__)
    two_steps()
    assert capsys.readouterr().err == (
        "1 of 2: the [first]\n2 of 2: the⏎second (about 0:01:05 left)\n"
    )


def test_false_is_silent_and_a_function_gets_the_lines(capsys) -> None:
    lines: list[str] = []
    for given in (False, lines.append):
        with showing_progress(given, 1) as step:
            step("a")
    assert lines == ["a"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("rich_is_installed", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_terminal_gets_a_bar(monkeypatch, rich_is_installed: bool, fails: bool) -> None:
    monkeypatch.setattr(sys, "stderr", seen := Terminal())
    monkeypatch.setattr(progress, "find_spec", lambda name: rich_is_installed or None)
    monkeypatch.setenv("TERM", "xterm")
    if fails:
        with pytest.raises(KeyboardInterrupt):
            two_steps(fails=True)
    else:
        two_steps()
    shown = seen.getvalue()
    assert "1 of 2" not in shown and "━" * 8 in shown if rich_is_installed else "it/s]" in shown
    assert ("2/2" in shown) is not fails


def test_a_notebook_gets_the_bar_of_tqdm(monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    two_steps()
    assert "2/2" in capsys.readouterr().err


def test_a_kernel_is_told_from_a_console(monkeypatch) -> None:
    from semantic_hub.models.bars import in_notebook

    for name, expected in (("ZMQInteractiveShell", True), ("TerminalInteractiveShell", False)):
        shell = type(name, (), {})()
        monkeypatch.setitem(
            sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell)
        )
        assert in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


@pytest.mark.slow
def test_loading_a_folder_draws_no_bars_into_a_log(llama_folder) -> None:
    code = (
        "import semantic_hub as sh, sys; from transformers.utils import logging;"
        f"sh.load_model({str(llama_folder)!r}, device='cpu', backend='bridge');"
        "assert logging.is_progress_bar_enabled()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "%|" not in done.stderr
