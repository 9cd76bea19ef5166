"""Arguments read from generated text: every bracket, string and end of line, and all outcomes."""

import ast

import pytest

from semantic_hub.spokes.code.interventions import (
    has_one_argument,
    starts_at_zero,
    written_arguments,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (")", ()),
        (" ) x", ()),
        ("n)", ("n",)),
        ("n,)", ("n",)),
        ("0, n):", ("0", "n")),
        ("0,\n  n # ), end\n ):", ("0", "n")),
        ("0, \\\n n)", ("0", "n")),
        ("0, \\\r\n n)", ("0", "n")),
        ("len(x), y[1, 2], {3: (4, 5)})", ("len ( x )", "y [ 1 , 2 ]", "{ 3 : ( 4 , 5 ) }")),
        ('\')\', "a,b\\")")', ("')'", '"a,b\\")"')),
        ('"""a\n"), \'""", 1)', ('"""a\n"), \'"""', "1")),
        ("'''a''b''', 1)", ("'''a''b'''", "1")),
        ("rb'x', f\"{y}\")", ("rb'x'", 'f"{y}"')),
        ("'a\\\nb')", ("'a\\\nb'",)),
        ("größe + ä)", ("größe + ä",)),
        ("a if b else c)", ("a if b else c",)),
        ("n", None),
        ("", None),
        ("len(x)", None),
        ("'n)", None),
        ("'n\n')", None),
        ('"""n)', None),
        ("n])", None),
        ("(n])", None),
        ("[n)]", None),
        (", n)", None),
        (",)", None),
        ("n,,)", None),
        ("n # )", None),
    ],
)
def test_written_arguments(text: str, expected: tuple[str, ...] | None) -> None:
    assert written_arguments(text) == expected


@pytest.mark.parametrize(
    "call",
    ["f(1, (2, 3), [4], {5: 6})", "f('(', \")\", '''\n,''', #,\n x)", "f(a.b[c(d, e)](g), h)",
     "f(x for x in (1, 2))", "f(lambda: (1, 2), 3)", "f(\\\n  1,\\\n 2,)"],
)  # fmt: skip
def test_as_many_as_python_counts(call: str) -> None:
    tree = ast.parse(call, mode="eval").body
    assert isinstance(tree, ast.Call)
    written = written_arguments(call[2:])
    assert written is not None
    expected = [ast.dump(argument) for argument in tree.args]
    assert [ast.dump(ast.parse(f"({text})", mode="eval").body) for text in written] == expected


@pytest.mark.parametrize(
    ("own", "steered", "outcome"),
    [
        ("n):", "0, n):\n", "success"),
        ("n):", "0,n) # x", "success"),
        ("len( x )):", "0, len(x)):", "success"),
        ("n):", "n):", "unchanged"),
        ("n):", " n ) ", "unchanged"),
        ("len(x)):", "len( x, )):", "other"),
        ("n):", "m):", "other"),
        ("n):", "1, n):", "other"),
        ("n):", "0, m):", "other"),
        ("n):", "n, 0):", "other"),
        ("n):", "0, n, 1):", "other"),
        ("n):", "start, n):", "other"),
        ("n):", "0):", "other"),
        ("n):", "):", "other"),
        ("n):", "0, n", "other"),
        ("n):", "0, 'n):", "other"),
        ("'n'):", "0, n):", "other"),
        ("n", "0, n):", "other"),
    ],
)
def test_every_outcome_at_range(own: str, steered: str, outcome: str) -> None:
    assert starts_at_zero(own, steered) == outcome


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("n):", True),
        ("n,)", True),
        ("f(a, b))", True),
        ("0, n)", False),
        (")", False),
        ("n", False),
    ],
)
def test_one_argument(own: str, expected: bool) -> None:
    assert has_one_argument(own) is expected
