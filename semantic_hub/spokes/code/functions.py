"""The functions of a source file as programs, without their docstrings."""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache

from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.scopes import Function, around, bindings, methods
from semantic_hub.spokes.code.spans import Spans, parse

_DOCSTRING_END = re.compile(r"[ \t\f]*;?[ \t\f]*(?P<line_end>\r\n|\r|\n)?")
_LONG_STRING = re.compile(r"\"\"\"|'''|\\(?:\r\n|\r|\n)")


def functions(source: str, module: str = "", *, source_name: str = "") -> list[Program]:
    """Functions and methods of a file that are not inside another function, in their order.

    Each has its docstring's first line as text, and the docstring's own characters taken out of its
    code, which begins at the margin. One that is a docstring alone is no program.

    Args:
        source: The file's text.
        module: What comes before the functions' names.
        source_name: The file, as programs and errors name it; the module if empty.

    Returns:
        Programs; `Program.around` says what the file calls what.

    Raises:
        SyntaxError: The text is no Python.

    Example:
        >>> [program] = functions('def say(x):\\n    "Say it."\\n    print(x)', "talk")
        >>> program.name, program.text, program.code
        ('talk.say', 'Say it.', 'def say(x):\\n    print(x)')
    """
    tree, spans = parse(source), Spans(source)
    names, own = bindings(tree), cache(methods)
    return [
        Program(
            _code(function, spans),
            _first_line(function),
            f"{module}.{path}{function.name}".lstrip("."),
            source_name or module,
            around(names, function, own(owner)) if owner else names,
        )
        for function, owner, path in _definitions(tree.body)
        if len(function.body) > 1 or not _has_docstring(function)
    ]


def _definitions(
    body: Sequence[ast.stmt], owner: ast.ClassDef | None = None, path: str = ""
) -> Iterator[tuple[Function, ast.ClassDef | None, str]]:
    """Functions with their class and its path, through classes and conditions."""
    for statement in body:
        if isinstance(statement, Function):
            yield statement, owner, path
        elif isinstance(statement, ast.ClassDef):
            yield from _definitions(statement.body, statement, f"{path}{statement.name}.")
        else:
            yield from _definitions(_inner(statement), owner, path)


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    """Statements inside a condition, a loop, a ``with`` or a ``try``, its handlers included."""
    parts = list(ast.iter_child_nodes(statement))
    handlers = [node.body for node in parts if isinstance(node, ast.ExceptHandler | ast.match_case)]
    return [node for node in parts if isinstance(node, ast.stmt)] + [s for h in handlers for s in h]


def _first_line(function: Function) -> str:
    docstring = ast.get_docstring(function, clean=False)
    lines = inspect.cleandoc(docstring or "").splitlines()
    return lines[0].strip() if lines else ""


def _has_docstring(function: Function) -> bool:
    return ast.get_docstring(function, clean=False) is not None


def _code(function: Function, spans: Spans) -> str:
    """A function's text at the margin, without its docstring: some characters left out."""
    first = min([function.lineno, *(node.lineno for node in function.decorator_list)])
    left_out = sorted([*_docstring(function, spans), *_margins(function, first, spans)])
    kept, place = [], spans.line_start(first)
    for start, end in left_out:
        kept.append(spans.source[place : max(place, start)])
        place = max(place, end)
    return "".join(kept) + spans.source[place : spans.end(function)]


def _docstring(function: Function, spans: Spans) -> list[tuple[int, int]]:
    """The docstring's characters, and those of its lines where nothing else is on them."""
    if not _has_docstring(function):
        return []
    start, end = spans.start(function.body[0]), spans.end(function.body[0])
    line = spans.line_start(function.body[0].lineno)
    behind = _DOCSTRING_END.match(spans.source, end)
    alone = behind and behind["line_end"] and not spans.source[line:start].strip()
    return [(line if alone else start, behind.end() if behind else end)]


def _margins(function: Function, first: int, spans: Spans) -> Iterator[tuple[int, int]]:
    """What stands before each line on account of the function's own indentation."""
    margin = spans.source[spans.line_start(function.lineno) : spans.start(function)]
    inside = _lines_in_strings(function, spans)
    for line in range(first, (function.end_lineno or function.lineno) + 1):
        start = spans.line_start(line)
        if line not in inside and spans.source.startswith(margin, start):
            yield start, start + len(margin)


def _lines_in_strings(function: Function, spans: Spans) -> set[int]:
    """Lines that begin inside a string, where each space counts."""
    strings = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))
    ]
    return {
        line
        for node in strings
        if node.end_lineno != node.lineno and _LONG_STRING.search(spans.source[spans.span(node)])
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
