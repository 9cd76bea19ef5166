"""Read a folder of sound files with a table of their labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_hub.errors import SemanticHubError, is_file
from semantic_hub.prompts.tables import read_rows, read_table
from semantic_hub.spokes.audio.sounds.clip import Clip, read_clip
from semantic_hub.spokes.sampling import evenly_spaced

_OPERATION = "clips_from_folder"
_VGGSOUND_COLUMNS = 4


def clips_from_folder(
    folder: str | Path,
    labels: str | Path = "labels.csv",
    *,
    split: str | None = None,
    rate: int | None = 16_000,
    seconds: float | None = None,
    at_most: int | None = None,
) -> tuple[Clip, ...]:
    """Read the clips of a folder, in the order of a CSV file with their labels.

    The table has one of two layouts. With a header: columns ``file`` and ``label``, and ``split``
    if one is requested. Without a header, the layout of VGGSound: ``youtube id, start second,
    label, split``, where the sound of the row ``--PJHxphWEs,30,dog barking,test`` is in the file
    ``--PJHxphWEs_000030.wav``. Files that the table does not name are ignored.

    Args:
        folder: Where the files are.
        labels: The table; a relative path starts in the folder.
        split: Only rows of this split; None for all.
        rate: Rate to resample to; None for each file's own.
        seconds: How much of each file to read, from its beginning; None for all.
        at_most: Files to read, evenly spaced over the table; None for all.

    Raises:
        SemanticHubError: A table that is missing or has another layout, no rows of the split, or a
            row whose file is missing or cannot be read; the error names the line.

    Example:
        >>> import numpy as np, soundfile
        >>> soundfile.write("bark.wav", np.zeros(800), 16000)
        >>> _ = Path("labels.csv").write_text("file,label\\nbark.wav,dog\\n")
        >>> [(clip.label, clip.seconds) for clip in clips_from_folder(".")]
        [('dog', 0.05)]

    Source:
        Chen et al. 2020, VGGSound: A Large-scale Audio-Visual Dataset, arXiv 2004.14368.
    """
    folder = Path(folder)
    table = folder / labels
    rows = [row for row in _rows(table, split) if split in (None, row.split)]
    if not rows:
        raise SemanticHubError(
            _OPERATION,
            got=f"{table}: no row" + (f" of split {split!r}" if split else ""),
            expected="at least one",
            fix="Name a split that the table has, or leave it out.",
        )
    chosen = rows if at_most is None else evenly_spaced(rows, at_most)
    _check_files(folder, chosen)
    return tuple(
        read_clip(folder / row.file, row.label, rate=rate, seconds=seconds) for row in chosen
    )


@dataclass(frozen=True)
class _Row:
    """Row of the table: a labeled file, and the row's location for errors."""

    file: str
    label: str
    split: str
    location: str


def _rows(table: Path, split: str | None) -> Iterator[_Row]:
    """Rows of a table in either layout."""
    rows = list(read_rows(table, _OPERATION))
    if rows and {"file", "label"} & {*rows[0][1]}:
        columns = ("file", "label", *(("split",) if split else ()))
        for number, row in enumerate(read_table(table, columns, _OPERATION), start=1):
            yield _Row(row["file"], row["label"], row.get("split", ""), f"{table}, row {number}")
        return
    for location, cells in rows:
        yield _vggsound_row(cells, location)


def _vggsound_row(cells: Sequence[str], location: str) -> _Row:
    """Row in the layout of VGGSound."""
    if len(cells) != _VGGSOUND_COLUMNS or not cells[1].isdecimal() or not all(cells):
        raise SemanticHubError(
            _OPERATION,
            got=f"{location}: {', '.join(map(repr, cells))}",
            expected="youtube id, start second, label, split; or a header with file and label",
            fix="Correct the line, or put a header on top.",
        )
    video, start, label, split = cells
    return _Row(f"{video}_{start.zfill(6)}.wav", label, split, location)


def _check_files(folder: Path, rows: Sequence[_Row]) -> None:
    """Raise if a file is missing, before anything is decoded."""
    missing = [row for row in rows if not is_file(folder / row.file)]
    if missing:
        raise SemanticHubError(
            _OPERATION,
            got=f"{missing[0].location}: no file {folder / missing[0].file} "
            f"({len(missing)} of {len(rows)} are missing)",
            expected="a file for each row",
            fix="Drop the rows of files that are not there.",
        )
