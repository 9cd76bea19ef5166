"""The commas between the elements of lists in a program."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spans import Spans, parse


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
