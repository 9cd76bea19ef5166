"""What a value shows of itself: a few lines in a console, a small table in a notebook."""

import html
import reprlib
from collections.abc import Iterable, Iterator, Sized
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from semantic_hub.plotting.tables import html_table, latex_table, text_table
from semantic_hub.plotting.text import one_line, shortened

if TYPE_CHECKING:
    import pandas as pd

_LINES, _WIDTH = 5, 96
"""Lines of a repr, and their letters."""


class _Short(reprlib.Repr):
    """Shortens texts and collections, and shows arrays as shape and type."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 60, 80
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = 3

    def repr_Tensor(self, value: Any, level: int) -> str:  # noqa: N802
        """Shape and type of an array."""
        kind = str(value.dtype).removeprefix("torch.")
        return f"<{' × '.join(map(str, value.shape)) or 'scalar'}, {kind}>"

    repr_ndarray = repr_Tensor


_SHORT = _Short()


def short_repr(self: object) -> str:
    """A repr of one bounded line: class and fields, without those that are None or empty.

    To be the ``__repr__`` of a dataclass or named tuple whose fields may be long. It never raises,
    not even for a value that is half made.

    Example:
        >>> from typing import NamedTuple
        >>> class Told(NamedTuple):
        ...     texts: tuple[str, ...]
        ...     seed: int | None = None
        ...     __repr__ = short_repr
        >>> Told(("a", "b", "c", "d"))
        Told(texts=('a', 'b', 'c', ...))
    """
    try:
        given = [
            f"{name}={_SHORT.repr(field)}"
            for name, field in _fields(self)
            if field is not None and not (isinstance(field, Sized) and not len(field))
        ]
        return shortened(f"{type(self).__name__}({', '.join(given)})", (_LINES - 1) * _WIDTH)
    except Exception:  # an error in a repr would hide what it is printed for
        return object.__repr__(self)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value):
        return ((field.name, getattr(value, field.name)) for field in fields(value) if field.repr)
    named = value._asdict() if hasattr(value, "_asdict") else vars(value)
    return ((name, field) for name, field in named.items() if not name.startswith("_"))


class Displayable:
    """Base of values that show in a few lines what they are, and their numbers as a small table.

    A subclass gives the lines and the table; dataclasses among them need no ``repr=False``.

    Example:
        >>> import pandas as pd
        >>> class Told(Displayable):
        ...     def _lines(self):
        ...         return ["Told: one number"]
        ...     def _table(self):
        ...         return pd.DataFrame({"number": [1]})
        >>> print(Told().summary())
        Told: one number
        <BLANKLINE>
        number
        1
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = cls.__repr__  # a class's own, so that @dataclass writes none of all fields

    def _lines(self) -> Iterable[str]:
        """What it is, in at most five lines."""
        raise NotImplementedError

    def _table(self) -> "pd.DataFrame":
        """Its numbers in brief."""
        raise NotImplementedError

    def _picture(self) -> str:
        """A picture for a notebook, as SVG; none by default."""
        return ""

    def __repr__(self) -> str:
        try:
            lines = list(self._lines())[:_LINES]
        except Exception:  # an error in a repr would hide what it is printed for
            return short_repr(self)
        return "\n".join(shortened(one_line(line), _WIDTH) for line in lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{self._picture()}{html_table(self._table())}"

    def summary(self) -> str:
        """What it is and its numbers in brief, as text."""
        return f"{self!r}\n\n{text_table(self._table())}"

    def to_latex(self) -> str:
        """The table of `summary`, every row of it, in LaTeX with the rules of booktabs."""
        return latex_table(self._table())
