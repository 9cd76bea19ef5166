"""Every example runs as it stands, and on another model when one line of it is changed."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
OTHER = re.compile(r'^MODEL = "hub-mini"\n\n# %% real model\n# MODEL = "[\w./-]+"\n', re.M)


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_its_model_has_one_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(OTHER.findall(text)) == 1
    assert not re.search(r'(load_model|load_multimodal)\("', text)
