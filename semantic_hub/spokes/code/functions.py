"""Extract the functions of a source file as programs without their docstrings."""

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


def functions(
    source: str,
    module: str = "",
    *,
    source_name: str = "",
    described: bool = False,
    longest: int | None = None,
) -> list[Program]:
    """Extract functions and methods that are not inside another function, in their order.

    The text of each program is the docstring's first line. Its code is dedented, with the
    docstring's characters removed. Functions that consist of a docstring only are left out.

    Args:
        source: Text of the file.
        module: Prefix of the functions' names.
        source_name: Name of the file in programs and errors; the module if empty.
        described: Leave out functions without a docstring.
        longest: Longest code in characters; longer functions are left out. None for any length.

    Returns:
        Programs; `Program.around` holds the names that the rest of the file defines.

    Raises:
        SyntaxError: The text is not valid Python.

    Example:
        >>> [program] = functions('def say(x):\\n    "Say it."\\n    print(x)', "talk")
        >>> program.name, program.text, program.code
        ('talk.say', 'Say it.', 'def say(x):\\n    print(x)')
    """
    tree, spans = parse(source), Spans(source)
    names, methods_of = bindings(tree), cache(methods)
    found: list[Program] = []
    for function, owner, path in _definitions(tree.body):
        text = _first_line(function)
        if (described and not text) or (len(function.body) == 1 and _has_docstring(function)):
            continue
        code = _code_without_docstring(function, spans)
        if longest is None or len(code) <= longest:
            name = f"{module}.{path}{function.name}".lstrip(".")
            scope = around(names, function, methods_of(owner)) if owner else names
            found.append(Program(code, text, name, source_name or module, scope))
    return found


def _definitions(
    body: Sequence[ast.stmt], owner: ast.ClassDef | None = None, path: str = ""
) -> Iterator[tuple[Function, ast.ClassDef | None, str]]:
    """Function definitions with their class and its path, also in classes and conditions."""
    for statement in body:
        if isinstance(statement, Function):
            yield statement, owner, path
        elif isinstance(statement, ast.ClassDef):
            yield from _definitions(statement.body, statement, f"{path}{statement.name}.")
        else:
            yield from _definitions(_inner(statement), owner, path)


def _inner(statement: ast.stmt) -> list[ast.stmt]:
    """Statements inside a condition, a loop, a ``with`` or a ``try`` with its handlers."""
    parts = list(ast.iter_child_nodes(statement))
    handlers = [node.body for node in parts if isinstance(node, ast.ExceptHandler | ast.match_case)]
    return [node for node in parts if isinstance(node, ast.stmt)] + [s for h in handlers for s in h]


def _first_line(function: Function) -> str:
    """First line of a function's docstring, empty if it has none."""
    docstring = ast.get_docstring(function, clean=False)
    lines = inspect.cleandoc(docstring or "").splitlines()
    return lines[0].strip() if lines else ""


def _has_docstring(function: Function) -> bool:
    """Whether a function has a docstring."""
    return ast.get_docstring(function, clean=False) is not None


def _code_without_docstring(function: Function, spans: Spans) -> str:
    """Dedented text of a function without its docstring."""
    first = min([function.lineno, *(node.lineno for node in function.decorator_list)])
    removed = sorted([*_docstring_spans(function, spans), *_margins(function, first, spans)])
    kept, position = [], spans.line_start(first)
    for start, end in removed:
        kept.append(spans.source[position : max(position, start)])
        position = max(position, end)
    return "".join(kept) + spans.source[position : spans.end(function)]


def _docstring_spans(function: Function, spans: Spans) -> list[tuple[int, int]]:
    """Characters of the docstring, with its whole lines if nothing else is on them."""
    if not _has_docstring(function):
        return []
    start, end = spans.start(function.body[0]), spans.end(function.body[0])
    line = spans.line_start(function.body[0].lineno)
    behind = _DOCSTRING_END.match(spans.source, end)
    alone = behind and behind["line_end"] and not spans.source[line:start].strip()
    return [(line if alone else start, behind.end() if behind else end)]


def _margins(function: Function, first: int, spans: Spans) -> Iterator[tuple[int, int]]:
    """Characters of the function's indentation at the start of each line."""
    margin = spans.source[spans.line_start(function.lineno) : spans.start(function)]
    inside = _lines_in_strings(function, spans)
    for line in range(first, (function.end_lineno or function.lineno) + 1):
        start = spans.line_start(line)
        if line not in inside and spans.source.startswith(margin, start):
            yield start, start + len(margin)


def _lines_in_strings(function: Function, spans: Spans) -> set[int]:
    """Lines that begin inside a string, whose spaces must be kept."""
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
