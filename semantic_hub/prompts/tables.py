"""Read text tables from disk, with errors that name the file and the line."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError


def read_lines(path: str | Path, operation: str) -> list[str]:
    """Read the lines of a UTF-8 file, without line ends; a byte order mark is dropped.

    Only line feeds end a line; other line separators of Unicode stay in their cells.

    Raises:
        SemanticHubError: The file is missing, empty, or not UTF-8 (names the line).
    """
    path = Path(path)
    if not path.is_file():
        raise SemanticHubError(
            operation, got=f"{path}: no such file", expected="a text file", fix="Check the path."
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SemanticHubError(
            operation,
            got=f"{path}:{line}: byte 0x{data[error.start]:02x}",
            expected="UTF-8 text",
            fix="Convert the file to UTF-8.",
        ) from None
    if not text.strip():
        raise SemanticHubError(
            operation, got=f"{path}: an empty file", expected="at least one line", fix="Fill it."
        )
    return text.removesuffix("\n").split("\n")


def read_table(
    path: str | Path, columns: Sequence[str], operation: str, *, may_be_empty: bool = False
) -> list[dict[str, str]]:
    """Read named columns of a table with a header line; commas in ``.csv`` files, else tabs.

    Raises:
        SemanticHubError: No such column, a row that is too short, an empty cell, a quote that is
            not closed; each names the file and the line (the first one of the row).
    """
    rows = _rows(path, operation)
    _, header = next(rows)
    for column in columns:
        if column not in header:
            raise SemanticHubError(
                operation,
                got=f"{path}:1: columns {', '.join(header)}",
                expected=f"a column {column!r}",
                fix="Name a column that is there, or add it to the header.",
            )
    indices = {column: header.index(column) for column in columns}
    return [
        _cells(row, indices, f"{path}:{number}", operation, may_be_empty)
        for number, row in rows
        if any(cell.strip() for cell in row)
    ]


def read_records(path: str | Path, operation: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``("file:line", object)`` for each object in a JSON Lines file.

    Raises:
        SemanticHubError: A line that is not a JSON object.
    """
    for number, line in enumerate(read_lines(path, operation), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SemanticHubError(
                operation, got=f"{place}: {error}", expected="a JSON object", fix="Mend the line."
            ) from None
        if not isinstance(record, dict):
            raise SemanticHubError(
                operation,
                got=f"{place}: {type(record).__name__}",
                expected="a JSON object",
                fix="Write one object a line.",
            )
        yield place, record


def _rows(path: str | Path, operation: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the number of its first line."""
    lines = read_lines(path, operation)
    if Path(path).suffix.lower() != ".csv":
        yield from enumerate((line.split("\t") for line in lines), start=1)
        return
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    first_line = 1
    try:
        for row in reader:
            yield first_line, row
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise SemanticHubError(
            operation,
            got=f"{path}:{first_line}: {error}",
            expected="cells between commas, quoted ones closed",
            fix='Close the quote of this row; write a quote inside a quoted cell as "".',
        ) from None


def _cells(
    row: list[str], indices: dict[str, int], place: str, operation: str, may_be_empty: bool
) -> dict[str, str]:
    """The named cells of one row."""
    if len(row) <= max(indices.values()):
        raise SemanticHubError(
            operation,
            got=f"{place}: {len(row)} columns",
            expected=f"at least {max(indices.values()) + 1}",
            fix="Check the separators of this line.",
        )
    cells = {column: row[index].strip() for column, index in indices.items()}
    for column, cell in cells.items():
        if not cell and not may_be_empty:
            raise SemanticHubError(
                operation,
                got=f"{place}: an empty cell in column {column!r}",
                expected="text",
                fix="Fill it, or drop the line.",
            )
    return cells
