"""The one exception and the one warning category of the package, and the check for a name."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TypeVar

Choice = TypeVar("Choice")

EXTRAS: Mapping[str, str] = {
    "PIL": "vision",
    "babel": "languages",
    "circuitsvis": "report",
    "jinja2": "report",
    "num2words": "languages",
    "platformdirs": "languages",
    "rich": "report",
    "soundfile": "audio",
    "soxr": "audio",
    "typer": "report",
    "wordfreq": "languages",
}
"""Modules that a bare install may lack, each with the extra that installs it."""


class SemanticHubError(ValueError):
    """Bad input, told in four parts: what was asked, what came, what was expected, how to mend it.

    Args:
        operation: The call that failed, as the user wrote it (``"similarity"``).
        got: What came: a value, a shape, a file and line.
        expected: What would have been accepted.
        fix: One sentence on what to do now.

    Example:
        >>> from semantic_hub.errors import SemanticHubError
        >>> print(SemanticHubError("similarity", got="0 pairs", expected="at least 2 pairs",
        ...                        fix="Pass more pairs."))
        similarity: got 0 pairs; expected at least 2 pairs. Pass more pairs.
    """

    def __init__(self, operation: str, *, got: object, expected: str, fix: str) -> None:
        super().__init__(f"{operation}: got {got}; expected {expected}. {fix}")
        self.operation, self.got, self.expected, self.fix = operation, got, expected, fix

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.operation, self.got, self.expected, self.fix)


class NothingLeftError(SemanticHubError):
    """Every item had to be dropped for this model, such as words that its tokenizer splits."""


class SemanticHubWarning(UserWarning):
    """Issued once when a condition changes the meaning of the results."""


def check_choice(operation: str, what: str, got: Choice, known: Sequence[Choice]) -> int:
    """Position of a value among those that are known.

    Args:
        operation: The user's call, for the error.
        what: What the value is: ``"group"``.
        got: The value.
        known: All values that would do.

    Raises:
        SemanticHubError: The value is not among them; the message has the nearest one.

    Example:
        >>> check_choice("LensResult.share", "group", "hub", ("surface", "hub"))
        1
    """
    if got in known:
        return known.index(got)
    near = (
        get_close_matches(got, [name for name in known if isinstance(name, str)])
        if isinstance(got, str)
        else []
    )
    raise SemanticHubError(
        operation,
        got=f"the {what} {got!r}",
        expected=f"one of {', '.join(map(repr, known)) or 'none'}",
        fix=f"Did you mean {near[0]!r}?" if near else "Name one of these.",
    )


def require(module: str) -> None:
    """Check that an optional module can be imported, just before it is.

    Args:
        module: One of `EXTRAS`.

    Raises:
        SemanticHubError: It is not installed; the message has the command that installs it.

    Example:
        >>> require("wordfreq")
        >>> import wordfreq
    """
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise  # something else is missing, which no extra of ours installs
        extra = EXTRAS[module]
        raise SemanticHubError(
            f"import {module}",
            got="no module of that name",
            expected=f"the packages of the extra {extra!r}",
            fix=f'Install them: pip install "semantic-hub[{extra}]"',
        ) from None


def _rebuild(
    kind: type[SemanticHubError], operation: str, got: object, expected: str, fix: str
) -> SemanticHubError:
    return kind(operation, got=got, expected=expected, fix=fix)
