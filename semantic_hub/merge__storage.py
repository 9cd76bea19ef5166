"""A record and its arrays on disk: JSON and safetensors, never half-written, never pickled."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from semantic_hub.errors import SemanticHubError

RECORD_FILE = "result.json"
FORMAT = 1


def write_record(
    directory: Path, record: Mapping[str, Any], arrays: Mapping[str, Tensor], operation: str
) -> None:
    """Write a record and its arrays into a directory, in place of what is there.

    The arrays' file is named by its content and written first; the moment the JSON file is moved
    into place, the directory holds the new record. Killed before that, it still holds the old
    one, or none.

    Args:
        directory: Made if it does not exist.
        record: Plain JSON values.
        arrays: Arrays by name.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: The record holds something that JSON cannot.
    """
    data = safetensors.torch.save({name: array.contiguous() for name, array in arrays.items()})
    file = directory / f"arrays-{_digest(data)}.safetensors"
    text = to_json({"format": FORMAT, "arrays": file.name, **record}, operation)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(file, data)
    write_atomically(directory / RECORD_FILE, text.encode())
    for stale in set(directory.glob("arrays-*.safetensors")) - {file}:
        stale.unlink()


def read_record(directory: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read back what `write_record` wrote: the record, and its arrays by name.

    Raises:
        SemanticHubError: No record there, one of another kind or format, or arrays that are
            missing or damaged.
    """
    path = directory / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _load_error(kind, f"{path}: {type(error).__name__}") from None
    found = (record.get("kind"), record.get("format")) if isinstance(record, dict) else None
    if found != (kind, FORMAT):
        raise _load_error(kind, f"{path}: kind and format {found}")
    return record, _read_arrays(directory / Path(record["arrays"]).name, kind)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside its place, then move it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_json(content: object, operation: str) -> str:
    """Readable, strict JSON.

    Raises:
        SemanticHubError: The content holds something that JSON cannot, NaN included.
    """
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise SemanticHubError(
            operation,
            got=f"{error}",
            expected="text, finite numbers, lists and mappings",
            fix="Keep only plain values outside the arrays.",
        ) from None


def _read_arrays(path: Path, kind: str) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _load_error(kind, f"{path}: {error.strerror}") from None
    if _digest(data) not in path.name:
        raise _load_error(kind, f"{path}: not the content that was saved")
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise _load_error(kind, f"{path}: {error}") from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _load_error(kind: str, got: str) -> SemanticHubError:
    return SemanticHubError(
        f"{kind}.load",
        got=got,
        expected=f"a {kind} of format {FORMAT}",
        fix="Give the whole directory that its save() wrote.",
    )
