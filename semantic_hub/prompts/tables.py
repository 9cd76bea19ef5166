"""Read text tables and JSON from disk, with errors that name the file and the line."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from semantic_hub.errors import SemanticHubError, reading


def read_lines(path: str | Path, operation: str) -> list[str]:
    """Read the lines of a UTF-8 file, without line ends; a byte order mark is dropped.

    Only line feeds end a line; other line separators of Unicode stay in their cells.

    Raises:
        SemanticHubError: The file is missing, empty, or not UTF-8 (names the line).
    """
    with reading(operation, path, expected="a text file", fix="Check the path.") as file:
        data = file.read_bytes()
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


def read_rows(path: str | Path, operation: str) -> Iterator[tuple[str, list[str]]]:
    """Yield ``("file:line", cells)`` for each row of a table that is not empty.

    The dialect is that of the ``csv`` module and pandas, with commas in ``.csv`` files and tabs
    elsewhere: a cell may stand in double quotes, may then hold separators and line breaks, and has
    a quote of its own as two. Spaces around cells are dropped. The line is the row's first.

    Raises:
        SemanticHubError: As `read_lines`, or a quote that is not closed.
    """
    commas = Path(path).suffix.lower() == ".csv"
    reader = csv.reader(
        (f"{line}\n" for line in read_lines(path, operation)),
        delimiter="," if commas else "\t",
        skipinitialspace=True,
        strict=True,
    )
    first_line = 1
    try:
        for row in reader:
            if any(cells := [cell.strip() for cell in row]):
                yield f"{path}:{first_line}", cells
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise SemanticHubError(
            operation,
            got=f"{path}:{first_line}: {error}",
            expected=f"cells between {'commas' if commas else 'tabs'}, quoted ones closed",
            fix="Close the quote of this row. A cell that begins with a quote of its own stands in "
            'quotes, with each of its own twice: """Yes,"" she said."',
        ) from None


def read_table(
    path: str | Path, columns: Sequence[str], operation: str, *, may_be_empty: bool = False
) -> list[dict[str, str]]:
    """Read named columns of a table with a header line; `read_rows` has the dialect.

    Raises:
        SemanticHubError: No such column, or two of its name; a row with more or fewer cells than
            it needs; an empty cell; a quote that is not closed; each names the file and the line.
    """
    rows = read_rows(path, operation)
    place, header = next(rows, (f"{path}:1", []))
    for column in columns:
        if header.count(column) != 1:
            raise SemanticHubError(
                operation,
                got=f"{place}: columns {', '.join(map(repr, header))}",
                expected=f"a column {column!r}, once",
                fix="Name a column that is there, or mend the header.",
            )
    indices = {column: header.index(column) for column in columns}
    return [
        _cells(row, len(header), indices, place, operation, may_be_empty) for place, row in rows
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
        except (ValueError, RecursionError) as error:  # digits or brackets without end
            raise SemanticHubError(
                operation,
                got=f"{place}: {error or type(error).__name__}",
                expected="a JSON object",
                fix="Mend the line.",
            ) from None
        if not isinstance(record, dict):
            raise SemanticHubError(
                operation,
                got=f"{place}: {type(record).__name__}",
                expected="a JSON object",
                fix="Write one object a line.",
            )
        yield place, record


def _cells(
    row: list[str],
    width: int,
    indices: dict[str, int],
    place: str,
    operation: str,
    may_be_empty: bool,
) -> dict[str, str]:
    """The named cells of one row, of a table of this width."""
    if len(row) <= max(indices.values()) or any(row[width:]):
        raise SemanticHubError(
            operation,
            got=f"{place}: {len(row)} columns",
            expected=f"{width}, as the header has",
            fix="Check the separators of this line; a cell that holds one stands in quotes.",
        )
    cells = {column: row[index] for column, index in indices.items()}
    for column, cell in cells.items():
        if not cell and not may_be_empty:
            raise SemanticHubError(
                operation,
                got=f"{place}: an empty cell in column {column!r}",
                expected="text",
                fix="Fill it, or drop the line.",
            )
    return cells
