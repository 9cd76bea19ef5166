"""A program: a piece of Python with its description."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.code.spans import parse

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
        check_syntax(self.code, label, "Program")


def check_syntax(code: str, source: str, operation: str) -> None:
    """Raise unless a text is valid Python.

    Args:
        code: Text of a program.
        source: Where it comes from, such as a file's name; the line is added.
        operation: Name of the call in the error.

    Raises:
        SemanticHubError: A syntax error; names the source and the line.

    Example:
        >>> check_syntax("if 1:\\nx", "a.py", "Program")
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: Program: got a.py:2: expected an indented block ...
    """
    try:
        parse(code)
    except SyntaxError as error:
        got = f"{source}:{error.lineno}: {error.msg}"
    except ValueError as error:
        got = f"{source}: {error}"
    else:
        return
    raise SemanticHubError(
        operation, got=got, expected="Python that this version can parse", fix="Correct or drop it."
    )
