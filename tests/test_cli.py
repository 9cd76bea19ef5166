"""The command line: a page from a small model's folder, and errors that reach the user whole."""

from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from semantic_hub.cli import app
from semantic_hub.errors import SemanticHubError
from semantic_hub.models import load_model
from semantic_hub.spokes.arithmetic import ArithmeticSpoke, problems
from semantic_hub.zoo.held_out import WorldLanguageSpoke
from semantic_hub.zoo.recipe import Recipe
from semantic_hub.zoo.train import train
from semantic_hub.zoo.world import World

FEW = ("--device", "cpu", "--resamples", "20", "--permutations", "20")


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def unwrapped(result: Result) -> str:
    """What was shown, whatever the width of the lines: without white space."""
    return "".join(result.stderr.split())


def told(message: str) -> str:
    return "".join(message.split())


@pytest.fixture(scope="module")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one training step; what its world holds out makes the smallest whole report."""
    recipe = Recipe(
        d_model=8, d_mlp=16, n_layers=1, n_heads=2, d_vocab=600, tokenizer_documents=500,
        documents=4, groups=1, english_steps=0, steps=1,
    )  # fmt: skip
    return train(recipe, tmp_path_factory.mktemp("world"))


def test_report_of_a_folder(
    world_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(seed=0)
    few = (
        WorldLanguageSpoke(world, ("es", "zh"), at_most=4),
        ArithmeticSpoke("en", ("es", "fr"), problems("+")[::60], at_most=4),
    )
    module = import_module("semantic_hub.report")  # the package's name `report` is the function
    monkeypatch.setattr(module, "spokes_of", lambda model: few)
    page = tmp_path / "page.html"
    result = call("--model", world_folder, "--out", page, *FEW)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "random twin" in html
    shown = unwrapped(result)
    for line in (f"loading {world_folder}", "language: similarity, facts, es",
                 "language: lens, facts, zh", "arithmetic: lens, c=a+, digits", f"wrote {page}"):  # fmt: skip
        assert told(line) in shown


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


@pytest.mark.parametrize("name", ["[red]", "[/red]", "[link=x]"])
def test_square_brackets_are_text(tmp_path: Path, name: str) -> None:
    result = call("--out", tmp_path / name / "page.html")
    assert result.exit_code == 1
    assert f"{name}/page.html" in unwrapped(result)
    assert f"{name}first." in unwrapped(result)
    assert "loading" not in result.stderr
