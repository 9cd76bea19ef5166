"""Places of syntax nodes, against Python's own (slow) way to cut a node's text out."""

import ast
import functools
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from semantic_hub.spokes.code.spans import Spans, parse
from semantic_hub.spokes.sampling import evenly_spaced

STDLIB = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
ODD = {
    "unicode": "größe = f('ä€😀', ß, [é, 'х'])\n",
    "tabs": "def f(a,\tb):\n\tif a:\n\t\treturn g(a,\t'\tä', b)\n",
    "form feed": "x = 1\n\x0cdef f(ä):\n    return 'é\x0c', g(ä, 1)\n",
    "line separators": "x = 'a\u2028b\x85c', f(1)\ny = 'é\x1c', g(2)\n",
    "carriage returns": "def f(a):\r\n    return g('ä',\r\n        a)\r\n",
    "old mac": "x = f('é', 1)\ry = g(x, 2)\r",
    "decorators": "@d(1, 'ä')\n@e\nasync def f(self, /, x, *, y=g(1)):\n    await x\n",
    "continued": "x = f(1, \\\n  'ä', \\\n  b) + \\\n  g(2)\n",
    "comments": "f(  # é, (\n  1,  # ), ü\n  (2)  # end\n  , 3)\n",
    "no end of line": "f(é, 1)",
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own way splits the source anew for each node; the lines are kept here."""
    split = ast._splitlines_no_ff  # pyright: ignore[reportAttributeAccessIssue]

    @functools.lru_cache(maxsize=1)
    def lines(source: str) -> list[str]:
        return split(source)

    monkeypatch.setattr(ast, "_splitlines_no_ff", lambda source, maxlines=None: lines(source))


def nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes outside f-strings, where Python before 3.12 has no exact places itself."""
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from nodes(child)


def check_all_nodes(source: str) -> int:
    spans, placed = (
        Spans(source),
        [node for node in nodes(parse(source)) if hasattr(node, "lineno")],
    )
    for node in placed:
        assert source[spans.span(node)] == ast.get_source_segment(source, node)  # pyright: ignore
    return len(placed)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ODD)
def test_odd_sources(name: str) -> None:
    assert check_all_nodes(ODD[name]) > 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("file", evenly_spaced(STDLIB, 12), ids=lambda file: file.stem)
def test_every_node_of_real_files(file: Path) -> None:
    with tokenize.open(file) as opened:
        check_all_nodes(opened.read())


@pytest.mark.parametrize(
    ("text", "mark", "start", "expected"),
    [
        ("f(a, b)", ",", 3, 4),
        ("f(a # x, y\n , b)", ",", 3, 13),
        ("f(a # x, y\r , b)", ",", 3, 13),
        ("f(a \\\n , b)", ",", 3, 8),
        ("(f)(a)", "(", 2, 4),
        ("f # (\n  (a)", "(", 1, 9),
    ],
)
def test_a_mark_is_found_behind_comments(text: str, mark: str, start: int, expected: int) -> None:
    assert Spans(text).after(mark, start) == expected
    assert text[expected - 1] == mark


def test_no_mark_is_an_error_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="no ',' from character 3"):
        Spans("f(a # ,").after(",", 3)
