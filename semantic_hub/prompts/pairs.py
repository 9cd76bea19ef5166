"""Pairs of prompts with the same meaning, built in code or read from files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import (
    SemanticHubError,
    as_list,
    check_kinds,
    check_text,
    items_of,
    set_tuples,
)
from semantic_hub.plotting.values import Displayable
from semantic_hub.prompts.prompt import Prompt, PromptLike, as_prompt
from semantic_hub.prompts.tables import read_records, read_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pairs(Displayable):
    """Pairs (x_i, y_i) of prompts with the same meaning, such as a text and its translation.

    ``len`` is the number of pairs, a slice is `Pairs` again, and iteration gives ``(x_i, y_i)``.

    Args:
        x: Prompts of one side. `Pairs.from_prompts` takes plain text.
        y: Prompts of the other side, in the same order.
        x_name: Name of the x side in results and figures.
        y_name: Name of the y side.
        labels: One name for each pair, such as its meaning; empty for none.

    Raises:
        SemanticHubError: No pairs, sides or labels of unequal length, a side that is not a tuple
            of `Prompt`, or a name or label that cannot be written as UTF-8.

    Example:
        >>> pairs = Pairs.from_prompts(["one", "two"], ["uno", "dos"], x_name="en", y_name="es")
        >>> len(pairs), pairs[1:].y[0].text
        (2, 'dos')
    """

    x: tuple[Prompt, ...]
    y: tuple[Prompt, ...]
    x_name: str = "x"
    y_name: str = "y"
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, side in (("x", self.x), ("y", self.y)):
            if not isinstance(side, tuple) or not all(isinstance(p, Prompt) for p in side):
                got = f"{name}, a {type(side).__name__}"
                raise _pairs_error(got, "tuples of Prompt", "Use from_prompts().")
        check_kinds("Pairs", x_name=(self.x_name, str), y_name=(self.y_name, str))
        set_tuples(self, labels=str)
        lengths = f"{len(self.x)} x prompts and {len(self.y)} y prompts"
        if len(self.x) != len(self.y):
            raise _pairs_error(lengths, "equal lengths", "Give every x prompt its y prompt.")
        if not self.x:
            raise _pairs_error(lengths, "at least 1 pair", "Pass some pairs.")
        if len(self.labels) not in (0, len(self.x)):
            got = f"{len(self.labels)} labels for {len(self.x)} pairs"
            raise _pairs_error(got, "one label for each pair, or none", "Leave the labels out.")
        for what, text in (("x_name", self.x_name), ("y_name", self.y_name)):
            check_text("Pairs", what, text)
        for row, label in enumerate(self.labels):
            check_text("Pairs", f"label {row}", label)

    def __len__(self) -> int:
        return len(self.x)

    def __iter__(self) -> Iterator[tuple[Prompt, Prompt]]:
        return zip(self.x, self.y, strict=True)

    def _lines(self) -> Iterator[str]:
        yield f"Pairs: {len(self)}, {self.x_name} – {self.y_name}"
        yield f"first: {self.x[0].shown()!r} – {self.y[0].shown()!r}"
        yield "pairs.x  pairs.y  pairs.labels  pairs[:5]  summary()"

    def _table(self) -> "pd.DataFrame":
        import pandas as pd

        sides = [[prompt.shown() for prompt in side] for side in (self.x, self.y)]
        labels = [self.labels] if self.labels else []
        names = [self.x_name, self.y_name, "label"][: 2 + len(labels)]
        return pd.DataFrame(list(zip(*sides, *labels, strict=True)), columns=names)

    def __getitem__(self, rows: slice) -> "Pairs":
        if not isinstance(rows, slice):
            fix = f"Use pairs[{rows}:{rows + 1}], or pairs.x[{rows}]."
            raise SemanticHubError("Pairs[...]", got=rows, expected="a slice", fix=fix)
        return Pairs(self.x[rows], self.y[rows], self.x_name, self.y_name, self.labels[rows])

    @classmethod
    def from_prompts(
        cls,
        x: Iterable[PromptLike],
        y: Iterable[PromptLike],
        *,
        x_name: str = "x",
        y_name: str = "y",
        labels: str | Iterable[str] = (),
    ) -> "Pairs":
        """Make pairs of texts, token ids or `Prompt` objects.

        Args:
            x: Prompts of one side.
            y: Prompts of the other side, in the same order.
            x_name: Name of the x side.
            y_name: Name of the y side.
            labels: One name for each pair, or none.

        Raises:
            SemanticHubError: As `Pairs`, or an empty prompt, or one prompt where a list is meant.
        """
        x_prompts, y_prompts = _side("x", x), _side("y", y)
        names = as_list("Pairs.from_prompts", "labels", labels, str)
        return cls(x_prompts, y_prompts, x_name, y_name, tuple(names))

    @classmethod
    def from_tsv(
        cls, path: str | Path, x: str = "en", y: str = "es", *, labels: str | None = None
    ) -> "Pairs":
        """Read pairs from two columns of a UTF-8 table with a header; tabs, or commas in ``.csv``.

        A file whose name ends in ``.csv`` is comma-separated. Quotes are those of pandas and
        the ``csv`` module in both. Spaces around cells and names of columns are dropped.

        Args:
            path: The file.
            x: Header of the x column; it becomes ``x_name``.
            y: Header of the y column; it becomes ``y_name``.
            labels: Header of a column of labels.

        Raises:
            SemanticHubError: A file that is missing, empty or not UTF-8, that lacks a column or has
                it twice, or has a row of another length, an empty cell or an open quote; names the
                file and the line.
        """
        columns = [x, y, *([labels] if labels else [])]
        rows = read_table(path, columns, "Pairs.from_tsv")
        if not rows:
            raise _no_rows("Pairs.from_tsv", path)
        return _from_cells([tuple(row[column] for column in columns) for row in rows], x, y)

    @classmethod
    def from_jsonl(
        cls, path: str | Path, x: str = "en", y: str = "es", *, labels: str | None = None
    ) -> "Pairs":
        """Read pairs from two fields of the JSON objects in a UTF-8 file, one object per line.

        Args:
            path: The file.
            x: Field of the x text; dots go into nested objects: ``"translation.en"``. Its last
                part becomes ``x_name``.
            y: Field of the y text.
            labels: Field of the labels.

        Raises:
            SemanticHubError: A file that is missing, empty or not UTF-8, a line that is not a JSON
                object, or a field that is missing, empty or not text; names the file and the line.
        """
        return _from_records(
            read_records(path, "Pairs.from_jsonl"), x, y, labels, "Pairs.from_jsonl"
        )

    @classmethod
    def from_dataset(
        cls,
        dataset: Iterable[Mapping[str, Any]],
        x: str = "en",
        y: str = "es",
        *,
        labels: str | None = None,
    ) -> "Pairs":
        """Make pairs of two fields of a ``datasets`` split, or of any mappings.

        Args:
            dataset: A ``datasets.Dataset``, streaming or not, or a list of dictionaries.
            x: Field of the x text; dots go into nested fields: ``"translation.en"``. Its last
                part becomes ``x_name``.
            y: Field of the y text.
            labels: Field of the labels.

        Raises:
            SemanticHubError: No rows, a dictionary of splits, or a field that is missing, empty
                or not text; names the row.

        Example:
            >>> rows = [{"translation": {"en": "one", "es": "uno"}}]
            >>> pairs = Pairs.from_dataset(rows, x="translation.en", y="translation.es")
            >>> pairs.x_name, pairs.y[0].text
            ('en', 'uno')
        """
        operation = "Pairs.from_dataset"
        if isinstance(dataset, Mapping):
            raise SemanticHubError(
                operation,
                got=f"a mapping with {', '.join(map(str, dataset))}",
                expected="one split: rows that are mappings",
                fix="Choose one, such as dataset['train'].",
            )
        rows = ((f"row {number}", row) for number, row in enumerate(dataset))
        return _from_records(rows, x, y, labels, operation)


def _from_records(
    records: Iterable[tuple[str, Mapping[str, Any]]],
    x: str,
    y: str,
    labels: str | None,
    operation: str,
) -> Pairs:
    """Pairs from two fields of records, each of which comes with its place in the source."""
    names = [x, y, *([labels] if labels else [])]
    cells = [
        tuple(_text(record, name, place, operation) for name in names) for place, record in records
    ]
    if not cells:
        raise _no_rows(operation, "the dataset")
    return _from_cells(cells, x.rpartition(".")[2], y.rpartition(".")[2])


def _from_cells(cells: Sequence[tuple[str, ...]], x_name: str, y_name: str) -> Pairs:
    """Pairs from rows ``(x, y)`` or ``(x, y, label)``."""
    x, y, *labels = zip(*cells, strict=True)
    return Pairs.from_prompts(
        x, y, x_name=x_name, y_name=y_name, labels=labels[0] if labels else ()
    )


def _text(record: Mapping[str, Any], name: str, place: str, operation: str) -> str:
    """The text in a field; a name with dots that is no field itself leads into nested fields."""
    value: Any = record
    for part in [name] if name in record else name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            fields = ", ".join(map(repr, value)) if isinstance(value, Mapping) else "no fields"
            raise SemanticHubError(
                operation,
                got=f"{place}: {fields}",
                expected=f"a field {name!r}",
                fix="Name a field that is there; dots go into nested ones.",
            )
        value = value[part]
    if not isinstance(value, str) or not value.strip():
        raise SemanticHubError(
            operation,
            got=f"{place}: {value!r} under {name!r}",
            expected="text that is not empty",
            fix="Fill it, or drop the row.",
        )
    return check_text(operation, f"{place}: the text under {name!r}", value.strip())


def _side(name: str, prompts: Iterable[PromptLike]) -> tuple[Prompt, ...]:
    """Prompts of one side; raise for a single one, which would be a text's letters as a list."""
    if isinstance(prompts, str | Prompt):
        raise SemanticHubError(
            "Pairs.from_prompts",
            got=f"{name}={as_prompt(prompts).shown()!r}, one prompt",
            expected="a list of prompts, one for each pair",
            fix="Put it in brackets, or split it into the prompts that are meant.",
        )
    return tuple(as_prompt(prompt, "Pairs.from_prompts", name) for prompt in items_of(prompts))


def _pairs_error(got: str, expected: str, fix: str) -> SemanticHubError:
    """An error of `Pairs`."""
    return SemanticHubError("Pairs", got=got, expected=expected, fix=fix)


def _no_rows(operation: str, place: object) -> SemanticHubError:
    """The error for a source without rows."""
    fix = "Pass some pairs."
    return SemanticHubError(operation, got=f"{place}: no rows", expected="at least 1 pair", fix=fix)
