"""The arguments of calls, each with the name of the parameter that it fills.

A function's parameters are read from its definition in the same file, or from a builtin's
signature. A method is known where it is called on its own object (``self.say(...)``), a class by
its ``__init__``. Nothing is guessed: an argument whose parameter cannot be told keeps its reason.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

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

KEYWORD = "keyword argument"
STARRED = "starred, or behind a starred argument"
UNKNOWN_FUNCTION = "function that is not known"
NO_PARAMETER = "no parameter with a name at this place"
ELSEWHERE = "argument that starts on another line"
SAME = "argument that begins with the parameter's name"
PROBLEMS = (KEYWORD, STARRED, UNKNOWN_FUNCTION, NO_PARAMETER, ELSEWHERE, SAME)
"""Why an argument is not read."""


@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    Args:
        place: Index into the program's code, right behind the ``(`` or ``,`` before the argument.
        parameter: The parameter's name, without underscores around it; empty if it is not known.
        problem: One of `PROBLEMS`, or None where the argument can be read.
    """

    place: int
    parameter: str
    problem: str | None = None


def arguments(program: Program) -> list[Argument]:
    """Every argument of every call in a program, in the order of the syntax tree.

    Calls inside f-strings are left out: before Python 3.12 their places are not exact.

    Example:
        >>> found = arguments(Program("def f(key, n): pass\\nf(1, key='a')\\nf(2, *x)"))
        >>> [(a.parameter, a.problem) for a in found]
        [('key', None), ('', 'keyword argument'), ('key', None), ('', 'starred, or ...')]
    """
    spans = Spans(program.code)
    found = (_arguments(call, names, spans) for call, names in calls(program))
    return [argument for of_call in found for argument in of_call]


def calls(program: Program) -> Iterator[tuple[ast.Call, Names]]:
    """Every call in a program outside f-strings, with the names that hold where it stands."""
    tree = parse(program.code)
    return _calls(tree, {**program.around, **bindings(tree)}, method=False)


def is_builtin(name: str, names: Names) -> bool:
    """Whether nothing that holds here hides the builtin of this name."""
    return name not in names and ANYTHING not in names


def _calls(node: ast.AST, names: Names, *, method: bool) -> Iterator[tuple[ast.Call, Names]]:
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.Call):
        yield node, names
    in_body = isinstance(node, ast.Module | ast.ClassDef)  # a method may be a program of its own
    for child, held in _children(node, names, method):
        yield from _calls(child, held, method=in_body)


def _children(node: ast.AST, names: Names, method: bool) -> Iterator[tuple[ast.AST, Names]]:
    """The parts of a node, each with the names that hold in it."""
    if isinstance(node, Function | ast.Lambda):
        body = node.body if isinstance(node.body, list) else [node.body]
        held = inside(names, node, method=method)
        for child in ast.iter_child_nodes(node):
            yield child, held if child in body else names
    elif isinstance(node, ast.ClassDef):
        held, own = {**names, **bindings(node)}, methods(node)
        for child in ast.iter_child_nodes(node):
            yield child, around(names, child, own) if isinstance(child, Function) else held
    else:
        yield from ((child, names) for child in ast.iter_child_nodes(node))


def _arguments(call: ast.Call, names: Names, spans: Spans) -> Iterator[Argument]:
    given = sorted([*call.args, *call.keywords], key=spans.start)
    parameters = _parameters(call.func, names)
    opened = spans.after("(", spans.end(call.func))
    places = [opened, *(spans.after(",", spans.end(before)) for before, _ in pairwise(given))]
    for index, (argument, place) in enumerate(zip(given, places, strict=False)):
        problem, parameter = _filled(given[: index + 1], argument, parameters)
        name = parameter.strip("_")
        yield Argument(place, name, problem or _unreadable(spans.source, place, name))


def _parameters(function: ast.expr, names: Names) -> Parameters | None:
    match function:
        case ast.Name(id=name) if is_builtin(name, names):
            return builtin_parameters(name)
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=ast.Name(id=called_on), attr=name):
            return names.get(f"{called_on}.{name}")
    return None


def _filled(
    given: Sequence[ast.expr | ast.keyword],
    argument: ast.expr | ast.keyword,
    parameters: Parameters | None,
) -> tuple[str | None, str]:
    """A problem, or the parameter that the last of these arguments fills."""
    if isinstance(argument, ast.keyword):
        return KEYWORD, ""
    if any(isinstance(one, ast.Starred) for one in given):
        return STARRED, ""
    if parameters is None:
        return UNKNOWN_FUNCTION, ""
    if len(given) > len(parameters) or not parameters[len(given) - 1].strip("_"):
        return NO_PARAMETER, ""
    return None, parameters[len(given) - 1]


def _unreadable(source: str, place: int, parameter: str) -> str | None:
    begins = re.compile(r"[ \t\f]*(?:(?P<end>[\r\n#\\])|(?P<word>\w*))").match(source, place)
    if begins is None or begins["end"]:
        return ELSEWHERE
    return SAME if begins["word"] == parameter else None


def list_commas(program: Program) -> list[int]:
    """Indices right behind each comma between two elements of a list, ascending.

    Lists that are assigned to (``[a, b] = pair``) and lists inside f-strings are left out.

    Example:
        >>> list_commas(Program("x = [1, (2, 3), [4, 5],]"))
        [7, 15, 19]
    """
    spans = Spans(program.code)
    return sorted(
        spans.after(",", spans.end(before))
        for node in _lists(parse(program.code))
        for before, _ in pairwise(node.elts)
    )


def _lists(node: ast.AST) -> Iterator[ast.List]:
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _lists(child)
