"""Every block of Python in the documentation runs, page by page, on the bundled model.

The tutorial and the how-to pages run while the site is built (`make docs`): here only their syntax
and their imports from this package are checked. So are those of a block with a title
(```` ```python title="needs the network" ````), which needs something of the reader's.
"""

import ast
import doctest
import re
from collections.abc import Iterator
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from registries import restored

import semantic_hub as sh
from semantic_hub.spokes.arithmetic.items import problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
SKETCHES = {"docs/spokes.md"}
"""Pages whose blocks all read files of the reader's."""

RUN_BY_THE_SITE = ("docs/tutorial.md", "docs/how-to/")
"""Pages whose code runs while the site is built: here their syntax and imports are checked."""

SLOW = {"README.md"}
"""Pages that measure whole spokes."""

BLOCK = re.compile(r"^```python(?P<title> title=\"[^\"\n]+\")?\n(?P<code>.*?)^```$", re.M | re.S)


def blocks(path: Path) -> list[tuple[str, bool]]:
    """The code of each block of a page, and whether it runs here as it stands."""
    name = path.relative_to(ROOT).as_posix()
    sketches = name in SKETCHES or name.startswith(RUN_BY_THE_SITE)
    text = path.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(text))
    assert len(found) == text.count("```python"), f"{path}: a block with another kind of head"
    return [(block["code"], not (block["title"] or sketches)) for block in found]


PAGES = {
    path.relative_to(ROOT).as_posix(): found
    for path in [ROOT / "README.md", *DOCS]
    if (found := blocks(path))
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Figures open no browser, files go to a folder of the test, a report of everything is small."""
    monkeypatch.setattr(sh, "report", partial(small_report, sh.report))
    monkeypatch.setattr(go.Figure, "show", lambda figure: None)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else []) for page in PAGES]
)
def test_blocks_run(page: str) -> None:
    names: dict[str, Any] = {"__name__": page}
    with restored():
        for code, runs in PAGES[page]:
            chosen = code if runs else "\n".join(own_imports(code))
            exec(compile(chosen, page, "exec"), names)


def test_the_documentation_has_code_that_runs() -> None:
    running = [page for page, found in PAGES.items() if any(runs for _, runs in found)]
    assert SLOW | {"docs/index.md", "docs/zoo.md"} <= set(running)


@pytest.mark.parametrize(
    "hook", sorted((ROOT / "docs" / "hooks").glob("*.py")), ids=lambda p: p.stem
)
def test_hooks_do_what_their_examples_say(hook: Path) -> None:
    pytest.importorskip("mkdocs", reason="the documentation's own tools are not installed")
    spec = spec_from_file_location(f"docs_{hook.stem}", hook)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module).failed == 0


def small_report(report: Any, model: Any, spokes: Any = None, **settings: Any) -> Any:
    small = ArithmeticSpoke(items=tuple(problems("+")[::80]), at_most=2)
    few = {"resampling": sh.Resampling(resamples=100), "permutations": 100}
    return report(model, spokes or [small], **few | settings)


def own_imports(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in getattr(node, "names", ())]
        if isinstance(node, ast.Import | ast.ImportFrom) and any(
            name.startswith("semantic_hub") for name in [getattr(node, "module", "") or "", *names]
        ):
            yield ast.unparse(node)
