"""GGUF files: which one is meant, and how its weights are quantized.

Source of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from semantic_hub.errors import SemanticHubError, reading

_MAGIC = b"GGUF"
_LONGEST_NAME = 2**16
"""Bytes of a field's name, as the format limits it."""

_STRING, _ARRAY = 8, 9
_NUMBERS = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""Type of a value to its letter in `struct`."""


def is_gguf(path: Path) -> bool:
    """Whether a path is named as a GGUF file."""
    return path.suffix.lower() == ".gguf"


def only_gguf(folder: Path) -> str | None:
    """Name of the GGUF file of a folder that has one; None if it has none.

    Raises:
        SemanticHubError: The folder has several.
    """
    names = sorted(path.name for path in folder.iterdir() if is_gguf(path))
    if len(names) > 1:
        raise SemanticHubError(
            "load_model",
            got=f"{folder} with {len(names)} .gguf files: {', '.join(names)}",
            expected="one file",
            fix="Name it with gguf_file=, or pass the path of the file itself.",
        )
    return names[0] if names else None


def gguf_quantization(path: Path) -> str:
    """How a GGUF file's weights are quantized, such as ``"Q4_K_M"``; ``"unknown"`` if it says not.

    Only the fields up to ``general.file_type`` are read.

    Raises:
        SemanticHubError: No such file, or no GGUF file.
    """
    import gguf

    known = {int(member): member.name for member in gguf.LlamaFileType}
    with (
        reading("load_model", path, expected="a GGUF file", fix="Download it again.") as sound,
        sound.open("rb") as file,
    ):
        kind = _number(file, "general.file_type")
        name = "unknown" if kind is None else known.get(int(kind), "unknown")
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _number(file: BinaryIO, name: str) -> int | float | None:
    """The value of a number in a GGUF file's header; None if it has no such field."""
    if file.read(4) != _MAGIC:
        raise ValueError("it does not begin with GGUF")
    _version, _n_tensors, n_fields = _unpack(file, "IQQ")
    for _ in range(n_fields):
        [length] = _unpack(file, "Q")
        if length > _LONGEST_NAME:
            raise ValueError(f"a field with a name of {length} bytes")
        found = file.read(length)
        [kind] = _unpack(file, "I")
        value = _value(file, kind)
        if found == name.encode():
            return value
    return None


def _value(file: BinaryIO, kind: int) -> int | float | None:
    """The next value if it is a number; None for a text or an array, which is passed over."""
    if kind in _NUMBERS:
        return _unpack(file, _NUMBERS[kind])[0]
    if kind == _STRING:
        file.seek(_unpack(file, "Q")[0], 1)
        return None
    if kind != _ARRAY:
        raise ValueError(f"a field of the unknown type {kind}")
    inner, length = _unpack(file, "IQ")
    if inner in _NUMBERS:
        file.seek(length * struct.calcsize(_NUMBERS[inner]), 1)
        return None
    for _ in range(length):
        _value(file, inner)
    return None


def _unpack(file: BinaryIO, letters: str) -> tuple[Any, ...]:
    """The next numbers of a file, little-endian; struct's error where it ends."""
    return struct.unpack(f"<{letters}", file.read(struct.calcsize(f"<{letters}")))
