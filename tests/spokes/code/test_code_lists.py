"""Commas in lists, against a count by Python's tokenizer, which knows no syntax tree."""

import io
import keyword
import sysconfig
import tokenize
from pathlib import Path

import pytest

from semantic_hub.spokes.code.places import list_commas
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.sampling import evenly_spaced

STDLIB = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
SKIPPED = {tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
F_STRING = [getattr(tokenize, name, None) for name in ("FSTRING_START", "FSTRING_END")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("[]", []),
        ("[1]", []),
        ("[1,]", []),
        ("[1, 2,]", [3]),
        ("x[1, 2]", []),
        ("(1, 2), {3, 4}, f(5, 6)", []),
        ("[(1, 2), [3, 4]]", [8, 12]),
        ("[(1), (2)]", [5]),
        ("['a,', # b, c\n 'd']", [6]),
        ("[1 # ,\n , 2]", [9]),
        ("['é', *x, y for_ z]".replace(" for_ z", ""), [5, 9]),
        ("[a, b] = [1, 2]", [12]),
        ("f'{[1, 2]}'", []),
        ("[x for x in (1, 2)]", []),
    ],
)
def test_places(code: str, expected: list[int]) -> None:
    assert list_commas(Program(code)) == expected


@pytest.mark.parametrize("file", evenly_spaced(STDLIB, 15), ids=lambda file: file.stem)
def test_real_files_against_the_tokenizer(file: Path) -> None:
    with tokenize.open(file) as opened:
        source = opened.read()
    assigned = {place for place in commas_by_tokens(source) if assigns(source, place)}
    assert list_commas(Program(source)) == sorted(commas_by_tokens(source) - assigned)


def commas_by_tokens(source: str) -> set[int]:
    """Behind commas whose innermost bracket is a ``[`` that begins a list."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline)
              if t.type not in SKIPPED]  # fmt: skip
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found, brackets, in_f_string = set(), [], 0
    for before, token, behind in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        in_f_string += (token.type == F_STRING[0]) - (token.type == F_STRING[1])
        if in_f_string:
            continue
        if token.string in BRACKETS and token.type == tokenize.OP:
            brackets.append(set() if token.string == "[" and begins_list(before) else None)
        elif token.string in BRACKETS.values() and token.type == tokenize.OP:
            found |= brackets.pop() or set()
        elif not brackets or brackets[-1] is None:
            continue
        elif token.string == "," and token.type == tokenize.OP and behind and behind.string != "]":
            brackets[-1].add(starts[token.end[0] - 1] + token.end[1])
        elif token.string == "for" and token.type == tokenize.NAME:  # a comprehension
            brackets[-1] = None
    return found


def begins_list(before: tokenize.TokenInfo | None) -> bool:
    if before is None or before.type in (tokenize.STRING, tokenize.NUMBER, F_STRING[1]):
        return before is None
    if before.type == tokenize.NAME:
        return keyword.iskeyword(before.string) and before.string not in ("None", "True", "False")
    return before.string not in (")", "]", "}")


def assigns(source: str, place: int) -> bool:
    """Whether the list around a place is assigned to."""
    close = source.index("]", place)
    rest = source[close + 1 :].lstrip(" ")
    return (rest.startswith("=") and not rest.startswith("==")) or rest.startswith("in ")
