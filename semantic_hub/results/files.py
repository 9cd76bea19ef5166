"""Records and folders on disk: replaced in one step, with digests, of a format that they name."""

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from semantic_hub.errors import SemanticHubError, reading, writing

RECORD_FILE = "result.json"
FORMAT = 7

_LARGEST_JSON = 2**30
"""Largest JSON file that is read, in bytes; a report with its figures takes some megabytes."""

_ORPHAN_AGE = 24 * 3600
"""Seconds after which what a killed writer left behind is removed by the next one.

A save takes seconds, and minutes on a slow network disk: a writer that is silent for a day is dead.
"""

_TOKEN = "[0-9a-f]{32}"
_PART = re.compile(rf"\.semantic-hub-{_TOKEN}\.part")
_EARLIER = re.compile(r"arrays-[0-9a-f]{16}\.safetensors|results-\w{8}")
"""Names of arrays and folders in formats before 3."""


def write_record(
    directory: Path, record: Mapping[str, Any], arrays: Mapping[str, Tensor], operation: str
) -> None:
    """Write a record and its arrays into a directory, replacing an earlier record.

    The arrays go into a file of a new name; the moment the JSON file is moved into place, the
    directory holds the new record. Killed before that, it still holds the old one, or none. Of
    several processes that write at once, one leaves its record, whole.

    Args:
        directory: Made if it does not exist.
        record: Plain JSON values.
        arrays: Arrays by name.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: The record holds something that JSON cannot, or writing failed.
    """
    to_json(record, operation)  # refused before anything is written
    data = safetensors.torch.save({name: array.contiguous() for name, array in arrays.items()})
    about = {"arrays_bytes": len(data), "arrays_digest": _digest(data)}
    index = directory / RECORD_FILE
    with _replacing(index, "arrays", "arrays-", ".safetensors", operation) as (file, write_index):
        write_atomically(file, data, operation)
        write_index({**about, **record})


def read_record(directory: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read back what `write_record` wrote: the record, and its arrays by name.

    Raises:
        SemanticHubError: No record there, one of another kind or format, or one that is damaged or
            whose arrays are.
    """
    path = directory / RECORD_FILE
    about = about_loading(kind)
    record = _read_json(path, **about)
    with reading(path=path, **about):
        if record["kind"] != kind:
            raise SemanticHubError(got=f"{path}: the kind {record['kind']!r}", **about)
        file, size = directory / Path(record["arrays"]).name, int(record["arrays_bytes"])
        with reading(path=file, at_most=size, **about):
            data = file.read_bytes()
            _check_digest(file, data, record["arrays_digest"], about)
            return record, safetensors.torch.load(data)


@contextmanager
def replacing_folder(
    index: Path, operation: str
) -> Iterator[tuple[Path, Callable[[Mapping[str, Any]], None]]]:
    """Context for writing a new folder and the index beside it, replacing an earlier one.

    New content is written into a folder of a new name; then the index, with a digest of every JSON
    file in the folder, is moved into place; then the folder that the replaced index named is
    removed. Killed before the index is moved, the directory still holds what it held. Of several
    processes that write at once, one leaves its content, whole.

    Args:
        index: The index, a JSON file; its directory is made if it does not exist.
        operation: The user's call, for the error.

    Yields:
        The new folder, and a function that writes the content of the index: call it last.

    Raises:
        SemanticHubError: The index holds something that JSON cannot, or writing failed.
    """
    with _replacing(index, "folder", f"{index.stem}-", "", operation) as (folder, write_index):
        with writing(operation, folder):
            folder.mkdir()

        def write_with_digests(content: Mapping[str, Any]) -> None:
            files = sorted(folder.rglob("*.json"))
            names = [file.relative_to(folder).as_posix() for file in files]
            digests = [_digest(file.read_bytes()) for file in files]
            write_index({"digests": dict(zip(names, digests, strict=True)), **content})

        yield folder, write_with_digests


def read_folder(index: Path, operation: str, expected: str, fix: str) -> tuple[Any, Path]:
    """Read back what `replacing_folder` wrote: the content of the index, and the folder.

    Args:
        index: The index.
        operation: The user's call, for the error.
        expected: What should be there, for the error.
        fix: One sentence on how to fix it, for the error.

    Raises:
        SemanticHubError: No index there, one of another format or a damaged one, or a JSON file in
            the folder that is not the one that was written with this index.
    """
    about: dict[str, Any] = {"operation": operation, "expected": expected, "fix": fix}
    content = _read_json(index, **about)
    with reading(path=index, **about):
        folder = index.parent / Path(content["folder"]).name
        for name, digest in content["digests"].items():
            with reading(path=folder / name, at_most=_LARGEST_JSON, **about) as file:
                _check_digest(file, file.read_bytes(), digest, about)
        return content, folder


def check_writable(folder: str | Path, operation: str) -> None:
    """Write a file into a folder and remove it, before a long run; make the folder if need be.

    Args:
        folder: The folder, made with those above it if it does not exist.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: The folder cannot be made or written to, or the disk is full.
    """
    probe = _part(Path(folder))
    with writing(operation, folder):
        probe.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_synced(probe, b"semantic-hub")
        finally:
            _remove(probe)


def write_atomically(path: Path, data: bytes, operation: str) -> None:
    """Write a file atomically: under another name in the same folder, synced, then renamed.

    Args:
        path: The file; an existing one is replaced.
        data: Its content.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: Writing failed; an existing file is as it was.
    """
    part = _part(path.parent)
    with writing(operation, path):
        try:
            _write_synced(part, data)
            part.replace(path)
        finally:
            _remove(part)
            for orphan in _orphans(path.parent, _PART):
                _remove(path.parent / orphan)
        sync(path.parent)


def to_json(content: object, operation: str) -> str:
    """Convert plain values to indented JSON; raise if it cannot hold them, as with NaN.

    Raises:
        SemanticHubError: The content holds something that JSON cannot: NaN, text with half a
            surrogate pair, values that hold themselves.
    """
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
        text.encode()
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise SemanticHubError(
            operation,
            got=f"{error}",
            expected="text, finite numbers, lists and mappings",
            fix="Keep only plain values outside the arrays.",
        ) from None


def old_format_error(operation: str, path: Path, number: object) -> SemanticHubError:
    """The error for files in a format that this version of the package does not read.

    Args:
        operation: The user's call.
        path: The file.
        number: The format that it names.
    """
    return SemanticHubError(
        operation,
        got=f"{path} of format {number!r}",
        expected=f"format {FORMAT}, that of this version of semantic-hub",
        fix="Measure and save again, or read it with the version that wrote it.",
    )


@contextmanager
def _replacing(
    index: Path, key: str, prefix: str, suffix: str, operation: str
) -> Iterator[tuple[Path, Callable[[Mapping[str, Any]], None]]]:
    """Context for writing a file or folder of a new name, and then the index that names it.

    At its end, what nothing names is removed: what the replaced index named, the new content if it
    was not finished or another process has replaced it since, and what killed writers left more
    than `_ORPHAN_AGE` ago. Names are never used twice, so that no process removes what another has
    just written.

    Args:
        index: The JSON file; its directory is made if it does not exist.
        key: The index's key for the name.
        prefix: Beginning of the name.
        suffix: Its end.
        operation: The user's call, for the error.

    Yields:
        The place of the new file or folder, and a function that writes the index.
    """
    directory = index.parent
    with writing(operation, directory):
        directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f"{prefix}{secrets.token_hex(16)}{suffix}"
    ours = re.compile(f"{re.escape(prefix)}{_TOKEN}{re.escape(suffix)}")
    replaced, written = None, False

    def write_index(content: Mapping[str, Any]) -> None:
        nonlocal replaced, written
        replaced = _named(index, key, ours)
        _write_json(index, {key: fresh.name, **content}, operation)
        written = True

    try:
        yield fresh, write_index
    finally:
        current = _named(index, key, ours) or (fresh.name if written else None)
        for name in {replaced, fresh.name, *_orphans(directory, ours)} - {current, None}:
            _remove(directory / name)


def _named(index: Path, key: str, ours: re.Pattern[str]) -> str | None:
    """Name that an index has under a key, if this package gave it, in this format or another."""
    try:
        with reading("", index, expected="", fix="", at_most=_LARGEST_JSON):
            name = json.loads(index.read_text(encoding="utf-8"))[key]
            return name if ours.fullmatch(name) or _EARLIER.fullmatch(name) else None
    except SemanticHubError:
        return None


def _orphans(directory: Path, ours: re.Pattern[str]) -> list[str]:
    """Names of this package's that were last written to more than `_ORPHAN_AGE` ago."""
    with suppress(OSError):
        return [
            entry.name
            for entry in os.scandir(directory)
            if ours.fullmatch(entry.name)
            and time.time() - entry.stat(follow_symlinks=False).st_mtime > _ORPHAN_AGE
        ]
    return []


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there and can be removed."""
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


def _part(folder: Path) -> Path:
    """Unique name of a file that is not finished; `_PART` knows it again."""
    return folder / f".semantic-hub-{secrets.token_hex(16)}.part"


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Write a file, or a folder's list of names, to the disk, where the system can do so."""
    with suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _write_json(path: Path, content: Mapping[str, Any], operation: str) -> None:
    """Write a mapping as JSON, with its format and a digest."""
    plain = json.loads(to_json(content, operation))
    text = to_json({"format": FORMAT, "digest": _digest_json(plain), **plain}, operation)
    write_atomically(path, text.encode(), operation)


def _read_json(path: Path, operation: str, expected: str, fix: str) -> dict[str, Any]:
    """Read back what `_write_json` wrote, without its format and digest."""
    about: dict[str, Any] = {"operation": operation, "expected": expected, "fix": fix}
    with reading(path=path, at_most=_LARGEST_JSON, **about):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise SemanticHubError(got=f"{path}: a {type(content).__name__}", **about)
        if (number := content.pop("format", None)) != FORMAT:
            raise old_format_error(operation, path, number)
        if content.pop("digest", None) != _digest_json(content):
            raise SemanticHubError(got=f"{path}: not the content that was saved", **about)
        return content


def _digest_json(content: object) -> str:
    """Digest of JSON values; the order of keys counts, since sets are shown in it."""
    return _digest(json.dumps(content, allow_nan=False).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_digest(path: Path, data: bytes, digest: str, about: Mapping[str, Any]) -> None:
    if _digest(data) != digest:
        raise SemanticHubError(got=f"{path}: not the content that was saved", **about)


def about_loading(kind: str) -> dict[str, Any]:
    """What errors about loading a record of a kind say: operation, expectation and mend."""
    return {
        "operation": f"{kind}.load",
        "expected": f"a {kind} of format {FORMAT}",
        "fix": "Give the whole directory that its save() wrote.",
    }
