"""Functions cut out of files, against the syntax trees that they were cut from."""

import ast
import sysconfig
import tokenize
from pathlib import Path

import pytest

from semantic_hub.spokes.code.functions import functions
from semantic_hub.spokes.sampling import evenly_spaced

STDLIB = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def outer_functions(tree: ast.Module) -> list[Function]:
    """All functions that no function holds, by another route: every node and its ancestors."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}

    def held(node: ast.AST) -> bool:
        above = parents.get(node)
        return above is not None and (isinstance(above, Function) or held(above))

    found = [node for node in ast.walk(tree) if isinstance(node, Function) and not held(node)]
    return sorted(found, key=lambda function: function.lineno)


def without_docstring(function: Function) -> str:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    function.body = body
    return ast.dump(function)


@pytest.mark.parametrize("file", evenly_spaced(STDLIB, 25), ids=lambda file: file.stem)
def test_code_is_the_function_without_its_docstring(file: Path) -> None:
    with tokenize.open(file) as opened:
        source = opened.read()
    wanted = [
        function
        for function in outer_functions(ast.parse(source))
        if ast.get_docstring(function) is None or len(function.body) > 1
    ]
    found = functions(source, file.stem)
    assert len(found) == len(wanted)
    for program, function in zip(
        sorted(found, key=lambda p: p.name), sorted(wanted, key=lambda f: f.name), strict=True
    ):
        assert program.name.endswith(function.name) or len(found) > 1
    expected = sorted(
        ((ast.get_docstring(f) or "").split("\n")[0].strip(), without_docstring(f)) for f in wanted
    )
    assert expected == sorted((p.text, ast.dump(ast.parse(p.code).body[0])) for p in found)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('def f(): "Say."; return 1', "def f(): return 1"),
        ('def f():\n    "Say."; return 1', "def f():\n    return 1"),
        ('def f():\n    "Say."  # why\n    return 1', "def f():\n    # why\n    return 1"),
        ('def f():\n    ("Say."\n     " More.")\n    return 1', "def f():\n    return 1"),
        ('def f():\r\n\t"""Say.\r\n\t"""\r\n\treturn 1', "def f():\r\n\treturn 1"),
        ('class A:\n  @d\n  def f(ä):\n    "Say."\n    x', "@d\ndef f(ä):\n  x"),
        (
            'class A:\n    def f(a):\n        "Say."\n        return """x\n    y"""',
            'def f(a):\n    return """x\n    y"""',
        ),
        (
            'class A:\n    def f(a):\n        "Say."\n        return ("x"\n                "y")',
            'def f(a):\n    return ("x"\n            "y")',
        ),
        ("try:\n  x\nexcept E:\n  def f(): return 1", "def f(): return 1"),
    ],
)
def test_the_docstring_and_the_margin_go(source: str, code: str) -> None:
    [program] = functions(source)
    assert program.code == code


def test_a_docstring_alone_is_no_program_and_inner_functions_are_not_taken() -> None:
    source = 'def f():\n    "Say."\ndef g():\n    def h(): pass\n    return h'
    assert [program.name for program in functions(source, "m")] == ["m.g"]


def test_a_function_knows_what_its_file_calls_what() -> None:
    source = "def f(a): pass\nx = 1\nclass A:\n  def m(self, b): pass\n  def n(self): return 1\n"
    last = functions(source)[-1]
    assert last.around == {
        "f": ("a",), "x": None, "A": None, "self.m": ("b",), "self.n": (),
    }  # fmt: skip
