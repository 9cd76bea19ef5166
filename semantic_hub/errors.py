"""The exception and the warning of the package, and checks of names and optional modules."""

from collections.abc import Iterable, Mapping, Sequence
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
"""Optional module to the extra that installs it."""


class SemanticHubError(ValueError):
    """Error about bad input: the operation, what was passed, what was expected, and how to fix it.

    Args:
        operation: The call that failed, as the user wrote it (``"similarity"``).
        got: What was passed: a value, a shape, a file and line.
        expected: What would have been accepted.
        fix: One sentence on how to fix it.

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
    """Error for a measurement that has no items left, because every one was dropped."""


class SemanticHubWarning(UserWarning):
    """Warning that a condition changes the meaning of the results; issued once."""


def check_choice(operation: str, what: str, got: Choice, known: Sequence[Choice]) -> int:
    """Return the index of a value in the list of accepted ones; raise if it is not in it.

    Args:
        operation: The user's call, for the error.
        what: What the value is: ``"group"``.
        got: The value.
        known: All values that are accepted.

    Raises:
        SemanticHubError: The value is not among them; the message has the nearest one.

    Example:
        >>> check_choice("LensResult.share", "group", "hub", ("surface", "hub"))
        1
    """
    if got in known:
        return known.index(got)
    raise SemanticHubError(
        operation,
        got=f"the {what} {got!r}",
        expected=f"one of {', '.join(map(repr, known)) or 'none'}",
        fix=nearest_name(got, known),
    )


def nearest_name(got: object, known: Iterable[object]) -> str:
    """Suggest the known name closest to a wrong one, as a sentence for an error message.

    Args:
        got: The wrong name.
        known: The right ones.

    Example:
        >>> nearest_name("hubs", ["surface", "hub"])
        "Did you mean 'hub'?"
    """
    names = [name for name in known if isinstance(name, str)]
    near = get_close_matches(got, names) if isinstance(got, str) else []
    return f"Did you mean {near[0]!r}?" if near else "Name one of these."


def require(module: str) -> None:
    """Raise unless an optional module can be imported; call it just before the import.

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
    """Make an error again from its parts, when it is unpickled."""
    return kind(operation, got=got, expected=expected, fix=fix)
