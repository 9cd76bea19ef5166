"""The exception and the warning of the package, contexts that raise it, and checks of arguments."""

import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from numbers import Real
from operator import index
from os import PathLike
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, TypeVar

Choice = TypeVar("Choice")
Item = TypeVar("Item")

Kind = Any
"""A class, or a tuple of classes and perhaps None, that an argument may be of; see `check_kinds`.

Abstract ones, such as ``Callable``, are no ``type`` to a type checker."""

EXTRAS: Mapping[str, str] = {
    "PIL": "vision",
    "babel": "languages",
    "circuitsvis": "report",
    "gguf": "gguf",
    "jinja2": "report",
    "kaleido": "images",
    "num2words": "languages",
    "peft": "peft",
    "platformdirs": "languages",
    "rich": "report",
    "soundfile": "audio",
    "soxr": "audio",
    "typer": "report",
    "wordfreq": "languages",
}
"""Optional module to the extra that installs it."""

_LONGEST = 400
"""Characters of one part of a message; of a longer part the middle is left out."""


class SemanticHubError(ValueError):
    """Error about bad input: the operation, what was passed, what was expected, and how to fix it.

    The message has no more than some hundred characters of each part, and shows those that cannot
    be printed as ``repr`` does; the attributes ``operation got expected fix`` have all of it.

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
        told = [_in_short(str(part)) for part in (operation, got, expected, fix)]
        super().__init__("{}: got {}; expected {}. {}".format(*told))
        self.operation, self.got, self.expected, self.fix = operation, got, expected, fix

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.operation, self.got, self.expected, self.fix)


class NothingLeftError(SemanticHubError):
    """Error for a measurement that has no items left, because every one was dropped."""


class SemanticHubWarning(UserWarning):
    """Warning that a condition changes the meaning of the results; issued once."""


@contextmanager
def reading(
    operation: str, path: str | Path, *, expected: str, fix: str, at_most: int | None = None
) -> Iterator[Path]:
    """Context for reading a file that may be missing, damaged or malicious.

    On entry the path must be a regular file (no folder, pipe, device or broken link) that is not
    too large. Whatever goes wrong inside becomes the package's error, which names the file;
    `SemanticHubError` itself passes, so that a reader can say more where it knows more.

    Args:
        operation: The user's call, for the error.
        path: The file.
        expected: What the file should be, for the error.
        fix: One sentence on how to fix it, for the error.
        at_most: Largest size that is read, in bytes; None for any.

    Yields:
        The file's path.

    Raises:
        SemanticHubError: No regular file is there, it is too large, or reading it failed.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> _ = Path("settings.json").write_text('{"seed": ')
        >>> with reading("load_settings", "settings.json", expected="a JSON file",
        ...              fix="Save it again.") as path:
        ...     json.loads(path.read_text(encoding="utf-8"))
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: load_settings: got settings.json: JSONDecodeError, ...
    """

    def failed(reason: str) -> SemanticHubError:
        return SemanticHubError(operation, got=f"{path}: {reason}", expected=expected, fix=fix)

    try:
        status = Path(path).stat()
        if stat.S_ISDIR(status.st_mode):
            raise failed("a folder")
        if not stat.S_ISREG(status.st_mode):
            raise failed("no regular file")
        if at_most is not None and status.st_size > at_most:
            raise failed(f"{status.st_size:,} bytes, more than the {at_most:,} that are read")
        yield Path(path)
    except (SemanticHubError, SemanticHubWarning):
        raise
    except Exception as error:
        raise failed(_reason(error)) from error


@contextmanager
def told_as(operation: str, instead_of: str) -> Iterator[None]:
    """Context of a call that goes through another public one, whose errors name the user's call.

    Args:
        operation: The user's call.
        instead_of: The call that errors inside would name.

    Raises:
        SemanticHubError: What was raised inside, of the user's call.

    Example:
        >>> with told_as("report", instead_of="run"):
        ...     raise SemanticHubError("run", got="none", expected="one", fix="Pass it.")
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: report: got none; expected one. Pass it.
    """
    try:
        yield
    except SemanticHubError as error:
        if error.operation != instead_of:
            raise
        told = type(error)(operation, got=error.got, expected=error.expected, fix=error.fix)
        raise told from error


def is_file(path: str | Path) -> bool:
    """Whether a regular file is there; False too where no file can have such a name.

    Example:
        >>> is_file("a" * 10_000)
        False
    """
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def expanded(path: str | PathLike[str]) -> Path:
    """A path with its ``~`` expanded; as it is where there is no such user.

    Example:
        >>> expanded("~nobody-of-this-name/model")
        PosixPath('~nobody-of-this-name/model')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_folder(path: str | PathLike[str]) -> bool:
    """Whether a folder is there; False too where none can have such a name.

    Example:
        >>> is_folder("."), is_folder("a" * 10_000)
        (True, False)
    """
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


@contextmanager
def writing(operation: str, path: str | Path) -> Iterator[None]:
    """Context for writing a file or folder: what the system refuses becomes the package's error.

    Args:
        operation: The user's call, for the error.
        path: What is written, for the error.

    Raises:
        SemanticHubError: The disk is full, writing is not allowed, something is in the way, or no
            file can have this name or text.

    Example:
        >>> from pathlib import Path
        >>> with writing("Report.save", "no folder/page.html"):
        ...     Path("no folder/page.html").write_text("page")
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: Report.save: got no folder/page.html: No such file ...
    """
    try:
        yield
    except SemanticHubError:
        raise
    except (OSError, ValueError) as error:
        raise SemanticHubError(
            operation,
            got=f"{path}: {_reason(error)}",
            expected="a place that can be written to, with room for it",
            fix="Make room, or name another place.",
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, in one line: the system's own words, or the kind of error and its text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = str(error).splitlines()
    return f"{type(error).__name__}, {lines[0]}" if lines else type(error).__name__


def _in_short(text: str) -> str:
    """A text without its middle if it is long, and with what cannot be printed as `repr` has it."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST * 2 // 3]} … {text[-_LONGEST // 3 :]}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def check_text(operation: str, what: str, text: str) -> str:
    r"""Return a text that can be written as UTF-8; raise for one with half a surrogate pair.

    JSON can hold such halves, ``"\ud800"``; tokenizers and files cannot.

    Args:
        operation: The user's call, for the error.
        what: What the text is, and its row: ``"label 3"``.
        text: The text.

    Raises:
        SemanticHubError: It cannot be written as UTF-8.

    Example:
        >>> check_text("Prompt", "the text", "el año")
        'el año'
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.start + 20]
        raise SemanticHubError(
            operation,
            got=f"{what} with {text[error.start]!r} in {around!r}",
            expected="text that can be written as UTF-8",
            fix="Mend the text where it comes from: this is half a surrogate pair.",
        ) from None
    return text


def check_names(operation: str, what: str, names: Iterable[object]) -> None:
    """Raise unless all names are text that can be shown, saved and told apart.

    Args:
        operation: The user's call, for the error.
        what: What the names are of: ``"set of pairs"``.
        names: The names, such as the keys of a mapping.

    Raises:
        SemanticHubError: One is no text, is empty, stands twice, or has a control character, a line
            break or half a surrogate pair in it.

    Example:
        >>> check_names("run", "set of pairs", {"en – es": 1, "en – fr": 2})
        >>> check_names("run", "set of pairs", {1: 1})
        Traceback (most recent call last):
        ...
        semantic_hub.errors.SemanticHubError: run: got a set of pairs called 1; expected ...
    """
    seen = set()
    for name in names:
        sound = isinstance(name, str) and name.strip() and not any(map(_is_control, name))
        if sound and name not in seen:
            seen.add(name)
            continue
        raise SemanticHubError(
            operation,
            got=f"two {what}s called {name!r}" if sound else f"a {what} called {name!r}",
            expected="names that differ, of text without control characters",
            fix="Give each a name of its own." if sound else "Name it with letters, as text.",
        )


def _is_control(character: str) -> bool:
    """Whether a character is a control, a line break, or half a surrogate pair."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def check_kinds(operation: str, **given: tuple[object, Kind]) -> None:
    """Raise unless each argument is of its kind.

    Args:
        operation: The user's call, for the error.
        given: From the name of an argument to its value and its kind: a class, or several and
            perhaps None. ``int`` is every whole number, numpy's too, and ``float`` every real one;
            True and False are neither.

    Raises:
        SemanticHubError: For the first that is not; the message names it.

    Example:
        >>> check_kinds("similarity", permutations=(1000, int), confidence=(0.95, float))
    """
    for name, (value, kind) in given.items():
        if not _is_of(value, kind):
            raise kind_error(operation, f"{name}={_shown(value)}", name, value, kind)


def as_list(operation: str, name: str, value: Item | Iterable[Item], kind: Kind) -> list[Item]:
    """The list that an argument is; a single one of its items is a list of one.

    A text is one text, never its letters. A mapping or a set, which has no order, is refused.

    Args:
        operation: The user's call, for the error.
        name: The argument's name.
        value: One item, or a list, tuple, array or other iterable of items.
        kind: What each item is, as for `check_kinds`.

    Raises:
        SemanticHubError: It is neither; the message names the argument.

    Example:
        >>> as_list("similarity", "measures", "debiased CKA", str)
        ['debiased CKA']
        >>> as_list("residual_stream", "layers", range(2), int)
        [0, 1]
    """
    items: list[Any] = [value] if _is_of(value, kind) else items_of(value)
    for item in items:
        if not _is_of(item, kind):
            got = f"{name}={_shown(value)}" if item is value else f"{_shown(item)} in {name}"
            raise kind_error(operation, got, name, item, kind, or_list=True)
    if kind is int:
        items = [index(item) for item in items]
    return items


def items_of(value: Any) -> list[Any]:
    """List what a value holds in order; the value itself where it holds nothing, or has no order.

    Example:
        >>> items_of(range(2)), items_of("text"), items_of(3)
        ([0, 1], ['text'], [3])
    """
    try:
        iterator = iter(value)
    except TypeError:
        return [value]
    return [value] if isinstance(value, str | bytes | Mapping | Set) else list(iterator)


def is_whole(value: Any) -> bool:
    """Whether a value can be an index: whole numbers, numpy's and tensors without axes included."""
    try:
        index(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not getattr(value, "ndim", 0)


def set_tuples(instance: object, **kinds: Kind) -> None:
    """Make fields of a frozen dataclass the tuples of what `as_list` reads; for ``__post_init__``.

    Args:
        instance: The instance that is being made.
        kinds: From the name of a field to what each of its items is.

    Raises:
        SemanticHubError: As `as_list`.
    """
    for name, kind in kinds.items():
        items = as_list(type(instance).__name__, name, getattr(instance, name), kind)
        object.__setattr__(instance, name, tuple(items))


def as_seed(seed: int) -> int:
    """The seed of random numbers, a whole number of at least 0.

    Raises:
        SemanticHubError: It is none.

    Example:
        >>> as_seed(3)
        3
    """
    if not _is_of(seed, int) or seed < 0:
        raise SemanticHubError(
            "random numbers",
            got=f"seed={_shown(seed)}",
            expected="a whole number of at least 0",
            fix="Leave it at 0.",
        )
    return index(seed)


def kind_error(
    operation: str, got: str, name: str, value: object, kind: Kind, *, or_list: bool = False
) -> SemanticHubError:
    """Make the error for an argument of a wrong kind; the caller raises it.

    Args:
        operation: The user's call.
        got: The argument's name and what came.
        name: The argument's name.
        value: What is of the wrong kind; a class in place of an instance is answered as such.
        kind: What it should be, as for `check_kinds`.
        or_list: Whether a list of such is accepted too.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    classes = tuple(one for one in kinds if one is not None)
    fix = f"Pass that as {name}."
    if isinstance(value, type) and issubclass(value, classes):
        fix = f"Make one: {value.__name__}(...)."
    return SemanticHubError(
        operation,
        got=got,
        expected=" or ".join(map(_kind_name, kinds)) + (", or a list of such" if or_list else ""),
        fix=fix,
    )


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


_KIND_NAMES: Mapping[Any, str] = {
    None: "None",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Callable: "a function",
    Mapping: "a mapping",
}
"""Kinds that have a plainer name than that of their class."""


def _kind_name(kind: Kind) -> str:
    return _KIND_NAMES.get(kind) or _a(kind.__name__)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def _is_of(value: object, kind: Kind) -> bool:
    """Whether a value is of a kind; see `check_kinds`."""
    if isinstance(kind, tuple):
        return any(_is_of(value, one) for one in kind)
    if kind is None:
        return value is None
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    if kind is int:
        return is_whole(value) and not isinstance(value, bool)
    return isinstance(value, kind)


def _shown(value: object) -> str:
    """A value for an error: text and numbers as they are, of others the class."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    plain = value is None or isinstance(value, str | bytes | Real)
    return short_repr(value) if plain else _a(type(value).__name__)


def _rebuild(
    kind: type[SemanticHubError], operation: str, got: object, expected: str, fix: str
) -> SemanticHubError:
    """Make an error again from its parts, when it is unpickled."""
    return kind(operation, got=got, expected=expected, fix=fix)
