"""Programs with what they are for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.code.spans import parse

Parameters = tuple[str, ...]
"""Names of the parameters that a call can fill by position, ``self`` left out."""


@dataclass(frozen=True)
class Program:
    """A piece of Python, and what it does in words.

    Args:
        code: The program's text, without its docstring.
        text: What it does, in a sentence; empty if nothing says so.
        name: What it is called in figures and errors.
        source: The file or module that it comes from: programs of one source are near each other.
        around: What the rest of its file calls what: names with the parameters of functions, and
            None for what is no function, or one that cannot be told.

    Raises:
        SemanticHubError: Code that is empty or no Python (names the source and the line).

    Example:
        >>> Program('print("hello")', text="Say hello.").text
        'Say hello.'
    """

    code: str
    text: str = ""
    name: str = ""
    source: str = ""
    around: Mapping[str, Parameters | None] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        place = ": ".join(filter(None, (self.source, self.name))) or "the code"
        if not self.code.strip():
            raise SemanticHubError(
                "Program", got=f"{place}: no code", expected="a program", fix="Leave it out."
            )
        check_syntax(self.code, place, "Program")


def check_syntax(code: str, source: str, operation: str) -> None:
    """Refuse what is no Python.

    Args:
        code: A program's text.
        source: Where it is from, such as a file's name; the line is added.
        operation: The call that the error names.

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
        operation, got=got, expected="Python that this version can parse", fix="Mend or drop it."
    )
