"""Arguments and their parameters, against the real functions' signatures."""

import ast
import builtins
import importlib
import inspect
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from semantic_hub.spokes.code.functions import functions
from semantic_hub.spokes.code.places import (
    ELSEWHERE,
    KEYWORD,
    NO_PARAMETER,
    SAME,
    STARRED,
    UNKNOWN_FUNCTION,
    arguments,
)
from semantic_hub.spokes.code.programs import Program

MODULES = ["textwrap", "statistics", "heapq", "shlex", "difflib", "calendar", "json.decoder",
           "fractions", "inspect", "ast"]  # fmt: skip


def read(code: str) -> list[tuple[str, str]]:
    """Each argument that is read: its parameter, and the text from the place on."""
    program = Program(code)
    return [(a.parameter, code[a.place :][:4]) for a in arguments(program) if a.problem is None]


def problems(code: str) -> list[str | None]:
    return [argument.problem for argument in arguments(Program(code))]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a, b): pass\nf(1, 2)", [("a", "1, 2"), ("b", " 2)")]),
        ("def f(a, /, b=3, *, c): pass\nf(1, 2, c=3)", [("a", "1, 2"), ("b", " 2, ")]),
        ("def ä(größe): pass\nä('é', *x); ä ('é')", [("größe", "'é',"), ("größe", "'é')")]),
        ("def f(_a_, __): pass\nf(1, 2)", [("a", "1, 2")]),
        ("def f(a, b): pass\nf((1), (2 # ,\n))", [("a", "(1),"), ("b", " (2 ")]),
        ("def f(a, b): pass\n(f)(1 # ,\n , 2)", [("a", "1 # "), ("b", " 2)")]),
        ("def f(a): pass\nf(x for x in y)", [("a", "x fo")]),
        ("f(1)\nasync def f(a): await g(2)", [("a", "1)\na")]),
        ("len([1])", [("obj", "[1])")]),
        ("class A:\n def __init__(self, a): pass\nA(1)", [("a", "1)")]),
        ("class A:\n def m(s, a): s.m(1)", [("a", "1)")]),
        ("class A:\n @staticmethod\n def m(a): pass\n def n(s): s.m(1)", [("a", "1)")]),
        ("class A:\n @classmethod\n def m(c, a): pass\n def n(s): s.m(1)", [("a", "1)")]),
        ("@d(len([1]))\ndef f(len): len([2])", [("obj", "[1])")]),
        ("def f(a): pass\ndef g(x=f(1)):\n def h(): f(2)", [("a", "1)):"), ("a", "2)")]),
        ("if x:\n def f(a): pass\nelse:\n def f(a): pass\nf(1)", [("a", "1)")]),
    ],
)
def test_parameters(code: str, expected: list[tuple[str, str]]) -> None:
    assert read(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "x(1)", "x.y(1)", "x[0](1)", "f()(1)", "min(1)",
        "def f(a): pass\nf = g\nf(1)",
        "def f(a): pass\ndef f(b): pass\nf(1)",
        "def f(a): pass\nimport f\nf(1)",
        "def f(a): pass\ndef g(f): f(1)",
        "def f(a): pass\nlambda f: f(1)",
        "def f(a): pass\n[f(1) for f in x]",
        "def f(a): pass\ndef g():\n global f\n f = 1\nf(1)",
        "def g():\n def f(a): pass\n def h():\n  nonlocal f\n  f = 1\n f(1)",
        "def f(a): pass\nwith x as f: f(1)",
        "def f(a): pass\ntry: x\nexcept E as f: f(1)",
        "def f(a): pass\nmatch x:\n case [f, *_]: f(1)",
        "def f(a): pass\n(f := 1)\nf(1)",
        "@wrapped\ndef f(a): pass\nf(1)",
        "from x import *\nlen(1)",
        "len = 3\nlen(1)",
        "class A:\n def f(self, a): pass\nf(1)",
        "class A:\n def f(self, a): pass\n x.f(1)",
        "class A:\n def m(s, a): pass\n m = 1\n def n(s): s.m(1)",
        "class A:\n @property\n def m(s): pass\n def n(s): s.m(1)",
        "class A:\n def m(s, a): pass\n def n(s):\n  s = 1\n  s.m(1)",
        "class A:\n def m(s, a): pass\n def n(s):\n  def o(s): s.m(1)",
        "class A:\n def m(s, a): pass\n @classmethod\n def n(c): c.m(1)",
        "class A:\n def m(s, a): pass\n def n(s):\n  class B:\n   def o(s): s.m(1)",
        "class A: pass\nA(1)",
        "class A(metaclass=M):\n def __init__(self, a): pass\nA(1)",
        "class A:\n def __init__(self, a): pass\n def __new__(cls, b): pass\nA(1)",
        "f'{len(1)}' + x(1)",
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed(code: str) -> None:
    assert problems(code)[-1:] == [UNKNOWN_FUNCTION]
    assert read(code) == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(1, a=2)", [None, KEYWORD]),
        ("f(**k)", [KEYWORD]),
        ("f(*x, 1)", [STARRED, STARRED]),
        ("f(1, 2, 3)", [None, None, NO_PARAMETER]),
        ("f(\n 1,\n\t2)", [ELSEWHERE, ELSEWHERE]),
        ("f( # one\n 1)", [ELSEWHERE]),
        ("f(\\\n 1)", [ELSEWHERE]),
        ("f(a, b.c)", [SAME, SAME]),
        ("f(ab, 'b')", [None, None]),
    ],
)
def test_problems(call: str, expected: list[str | None]) -> None:
    assert problems(f"def f(a, b): pass\n{call}") == expected


@pytest.mark.parametrize("name", MODULES)
def test_real_calls_against_the_signatures_of_the_real_functions(name: str) -> None:
    module = importlib.import_module(name)
    compared = 0
    for program in functions(inspect.getsource(module), name):
        found = {argument.place: argument for argument in arguments(program)}
        local = {n.id for n in ast.walk(ast.parse(program.code))
                 if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip
        for place, parameter, called in expected_parameters(program.code, module):
            if found[place].parameter and called not in local:
                assert found[place].parameter == parameter
                compared += 1
    assert compared > 0


def expected_parameters(code: str, module: ModuleType) -> list[tuple[int, str, str]]:
    """Place, parameter and function of each argument, by the function objects themselves."""
    lines = code.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    found = []
    for call in outside_f_strings(ast.parse(code)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        function: Any = getattr(module, call.func.id, getattr(builtins, call.func.id, None))
        home = getattr(function, "__module__", None)
        if not isinstance(function, FunctionType | type(len)) or home not in (
            module.__name__,
            "builtins",
        ):
            continue
        try:
            signature = inspect.signature(function)
        except ValueError:
            continue
        parameters = [p.name.strip("_") for p in signature.parameters.values()
                 if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]  # fmt: skip
        for argument, parameter in zip(call.args, parameters, strict=False):
            line = lines[argument.lineno - 1].encode()[: argument.col_offset].decode()
            before = code[: starts[argument.lineno - 1] + len(line)]
            if isinstance(argument, ast.GeneratorExp):
                break
            place = len(before.rstrip(" "))
            mark = f"{call.func.id}(" if argument is call.args[0] else ","
            if not isinstance(argument, ast.Starred) and before[:place].endswith(mark):
                found.append((place, parameter, call.func.id))
    return found


def outside_f_strings(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from outside_f_strings(child)
