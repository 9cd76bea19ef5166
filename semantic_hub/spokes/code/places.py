"""Find the arguments of calls with their parameters' names, and the commas in lists.

A function's parameters are taken from its definition in the same file, or from a builtin's
signature; those of a method if it is called on its own object (``self.say(...)``), those of a class
from its ``__init__``. An argument whose parameter is not certain keeps the reason.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.code.programs import Parameters, Program
from semantic_hub.spokes.code.scopes import (
    ANYTHING,
    Function,
    Names,
    around,
    bindings,
    builtin_parameters,
    inside,
    methods,
)
from semantic_hub.spokes.code.spans import Spans, parse

# Reasons why an argument is not read
KEYWORD = "keyword argument"
STARRED = "starred, or behind a starred argument"
UNKNOWN_FUNCTION = "function that is not known"
NO_PARAMETER = "no parameter with a name at this place"
ELSEWHERE = "argument that starts on another line"
SAME = "argument that begins with the parameter's name"


@dataclass(frozen=True)
class Argument:
    """Argument of a call.

    Args:
        place: Index into the program's code, right after the ``(`` or ``,`` before the argument.
        parameter: Name of the parameter without underscores around it; empty if not known.
        problem: Reason why the argument is not read, such as `KEYWORD`; None if it is read.
    """

    place: int
    parameter: str
    problem: str | None = None
    __repr__ = short_repr


def arguments(program: Program) -> list[Argument]:
    """Arguments of all calls in a program, in the order of the syntax tree.

    Calls inside f-strings are left out, because before Python 3.12 their positions are not exact.

    Example:
        >>> read = arguments(Program("def f(key, n): pass\\nf(1, key='a')\\nf(2, *x)"))
        >>> [(a.parameter, a.problem) for a in read]
        [('key', None), ('', 'keyword argument'), ('key', None), ('', 'starred, or ...')]
    """
    spans = Spans(program.code)
    return [
        argument
        for call, names in calls(program)
        for argument in _arguments_of_call(call, names, spans)
    ]


def calls(program: Program) -> Iterator[tuple[ast.Call, Names]]:
    """Calls in a program outside f-strings, each with the names in scope there."""
    tree = parse(program.code)
    return _calls(tree, {**program.around, **bindings(tree)}, method=False)


def is_builtin(name: str, names: Names) -> bool:
    """Whether a name refers to a builtin: neither a name in scope nor a star import shadows it."""
    return name not in names and ANYTHING not in names


def list_commas(program: Program) -> list[int]:
    """Indices right after each comma between two elements of a list, ascending.

    Lists that are assigned to (``[a, b] = pair``) and lists inside f-strings are left out.

    Example:
        >>> list_commas(Program("x = [1, (2, 3), [4, 5],]"))
        [7, 15, 19]
    """
    if "[" not in program.code:
        return []
    spans = Spans(program.code)
    return sorted(
        spans.after(",", spans.end(before))
        for node in _lists(parse(program.code))
        for before, _ in pairwise(node.elts)
    )


def _calls(node: ast.AST, names: Names, *, method: bool) -> Iterator[tuple[ast.Call, Names]]:
    """Calls in a node; `method` says whether its functions are methods."""
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.Call):
        yield node, names
    in_body = isinstance(node, ast.Module | ast.ClassDef)  # a method may be a program of its own
    for child, in_scope in _children(node, names, method):
        yield from _calls(child, in_scope, method=in_body)


def _children(node: ast.AST, names: Names, method: bool) -> Iterator[tuple[ast.AST, Names]]:
    """Children of a node, each with the names in scope there."""
    if isinstance(node, Function | ast.Lambda):
        body = node.body if isinstance(node.body, list) else [node.body]
        in_scope = inside(names, node, method=method)
        for child in ast.iter_child_nodes(node):
            yield child, in_scope if child in body else names
    elif isinstance(node, ast.ClassDef):
        in_scope, own_methods = {**names, **bindings(node)}, methods(node)
        for child in ast.iter_child_nodes(node):
            is_method = isinstance(child, Function)
            yield child, around(names, child, own_methods) if is_method else in_scope
    else:
        yield from ((child, names) for child in ast.iter_child_nodes(node))


def _arguments_of_call(call: ast.Call, names: Names, spans: Spans) -> Iterator[Argument]:
    """Arguments of one call."""
    given = sorted([*call.args, *call.keywords], key=spans.start)
    parameters = _parameters(call.func, names)
    opened = spans.after("(", spans.end(call.func))
    places = [opened, *(spans.after(",", spans.end(before)) for before, _ in pairwise(given))]
    for index, (argument, place) in enumerate(zip(given, places, strict=False)):
        problem, parameter = _filled_parameter(given[: index + 1], argument, parameters)
        name = parameter.strip("_")
        yield Argument(place, name, problem or _text_problem(spans.source, place, name))


def _parameters(function: ast.expr, names: Names) -> Parameters | None:
    """Parameters of a called function, None if it is not known."""
    match function:
        case ast.Name(id=name) if is_builtin(name, names):
            return builtin_parameters(name)
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=ast.Name(id=called_on), attr=name):
            return names.get(f"{called_on}.{name}")
    return None


def _filled_parameter(
    given: Sequence[ast.expr | ast.keyword],
    argument: ast.expr | ast.keyword,
    parameters: Parameters | None,
) -> tuple[str | None, str]:
    """Problem of the last of the given arguments, or None; and the parameter that it fills."""
    if isinstance(argument, ast.keyword):
        return KEYWORD, ""
    if any(isinstance(other, ast.Starred) for other in given):
        return STARRED, ""
    if parameters is None:
        return UNKNOWN_FUNCTION, ""
    if len(given) > len(parameters) or not parameters[len(given) - 1].strip("_"):
        return NO_PARAMETER, ""
    return None, parameters[len(given) - 1]


def _text_problem(source: str, place: int, parameter: str) -> str | None:
    """Problem with the text after a place, or None: a line end, or the parameter's own name."""
    begins = re.compile(r"[ \t\f]*(?:(?P<end>[\r\n#\\])|(?P<word>\w*))").match(source, place)
    if begins is None or begins["end"]:
        return ELSEWHERE
    return SAME if begins["word"] == parameter else None


def _lists(node: ast.AST) -> Iterator[ast.List]:
    """List displays in a node, outside f-strings and assignment targets."""
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _lists(child)
