"""A program: a piece of Python with its description."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from semantic_hub.errors import SemanticHubError, check_text
from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.code.spans import parse

_DEEPEST = 500
"""Levels of a syntax tree: Python parses deeper ones, but no function of ours could walk them."""

Parameters = tuple[str, ...]
"""Names of the parameters that a call can fill by position, without ``self``."""


@dataclass(frozen=True)
class Program:
    """Piece of Python with a description of what it does.

    Args:
        code: Text of the program, without its docstring.
        text: Description in a sentence; empty if there is none.
        name: Name in figures and errors.
        source: File or module that it comes from; hard negatives are taken from the same source.
        around: Names that the rest of its file defines, with the parameters of functions; None for
            a name that is not a function, or not a known one.

    Raises:
        SemanticHubError: Code that is empty or not valid Python; names the source and the line.

    Example:
        >>> Program('print("hello")', text="Say hello.").text
        'Say hello.'
    """

    code: str
    text: str = ""
    name: str = ""
    source: str = ""
    around: Mapping[str, Parameters | None] = field(default_factory=dict, repr=False, compare=False)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        label = ": ".join(filter(None, (self.source, self.name))) or "the code"
        if not self.code.strip():
            raise SemanticHubError(
                "Program", got=f"{label}: no code", expected="a program", fix="Leave it out."
            )
        check_text("Program", f"{label}: a description", self.text)
        check_syntax(self.code, label, "Program")


def check_syntax(code: str, source: str, operation: str) -> None:
    """Raise unless a text is valid Python, nested no deeper than some hundred levels.

    Args:
        code: Text of a program.
        source: Where it comes from, such as a file's name; the line is added.
        operation: Name of the call in the error.

    Raises:
        SemanticHubError: A syntax error, or a tree that is too deep; names the source and, for the
            first, the line.

    Example:
        >>> check_syntax("if 1:\\nx", "a.py", "Program")
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: Program: got a.py:2: expected an indented block ...
    """
    try:
        tree = parse(code)
    except SyntaxError as error:
        got = f"{source}:{error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:  # nested too deeply to be parsed
        got = f"{source}: {error or type(error).__name__}"
    else:
        if len(code) <= _DEEPEST or not _deeper_than(_DEEPEST, tree):
            return
        got = f"{source}: more than {_DEEPEST} parts inside each other"
    raise SemanticHubError(
        operation, got=got, expected="Python that this version can parse", fix="Correct or drop it."
    )


def _deeper_than(depth: int, tree: ast.AST) -> bool:
    """Whether a syntax tree has more levels than that."""
    level = [tree]
    for _ in range(depth):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)
