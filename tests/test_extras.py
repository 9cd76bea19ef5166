"""What works without the extras, and what the rest says there; nothing is installed for it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from semantic_hub.errors import EXTRAS, SemanticHubError, require

PROGRAM = Path(__file__).with_name("without_extras.py")
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
PACKAGES = {"PIL": "pillow", "babel": "Babel"}  # all others have the name of their module
ERROR = re.compile(
    r"SemanticHubError: import (\w+): got no module of that name; expected the packages of the "
    r"extra '(\w+)'\. Install them: pip install \"semantic-hub\[(\w+)\]\""
)


@pytest.fixture(scope="module")
def without_extras() -> dict[str, Any]:
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_users_own_data_needs_no_extra(without_extras: dict[str, Any]) -> None:
    assert set(without_extras["bare use"]) == {
        "similarity",
        "logit_lens",
        "patching_sweep",
        "steering_sweep",
    }
    assert all(without_extras["bare use"].values())


@pytest.mark.slow
def test_all_modules_but_the_command_line_are_imported_without_extras(
    without_extras: dict[str, Any],
) -> None:
    assert set(without_extras["not imported"]) == {"semantic_hub.cli", "semantic_hub.__main__"}


@pytest.mark.slow
def test_a_missing_extra_gives_one_error_with_the_command_that_installs_it(
    without_extras: dict[str, Any],
) -> None:
    errors = {
        **without_extras["errors"],
        "report: cli": without_extras["not imported"]["semantic_hub.cli"],
    }
    missed = set()
    for use, error in errors.items():
        match = ERROR.fullmatch(error)
        assert match, (use, error)
        module, *extras = match.groups()
        assert extras == [EXTRAS[module]] * 2 == [use.partition(":")[0]] * 2
        missed.add(module)
    assert missed == set(without_extras["hidden"]) == EXTRAS.keys() - {"rich"}


def test_extras_are_those_of_the_distribution() -> None:
    tomllib = pytest.importorskip("tomllib")  # new in Python 3.11
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    packages = {
        extra: {package.partition(">")[0] for package in lines} for extra, lines in extras.items()
    }
    for module, extra in EXTRAS.items():
        package = PACKAGES.get(module, module)
        assert package in packages[extra]
        assert not any(package in line for line in project["dependencies"])
    assert set(EXTRAS.values()) == extras.keys() - {"all", "dev"}
    assert extras["all"] == ["semantic-hub[languages,vision,audio,report,gguf,peft]"]
    assert "semantic-hub[all]" in extras["dev"]


def test_what_an_optional_module_itself_lacks_is_not_taken_for_an_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import not_there", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        require("half_there")
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(SemanticHubError, match=r"semantic-hub\[languages\]"):
        require("wordfreq")
