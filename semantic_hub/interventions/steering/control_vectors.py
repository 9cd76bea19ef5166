"""Directions in the file format of other steering tools: a GGUF control vector.

llama.cpp (``--control-vector``) reads such files, repeng (``ControlVector.export_gguf`` and
``import_gguf``) writes and reads them. The tensor ``direction.k`` is a vector that is added to the
output of block k. Blocks are counted from 0, and layers here from the embedding: ``direction.k``
belongs to layer k + 1. A file holds vectors and their blocks; how they were made is not in it.

Sources: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; the
layout of control vectors, https://github.com/vgel/repeng (``repeng/extract.py``) and
https://github.com/ggml-org/llama.cpp (``common_control_vector_load`` in ``common/common.cpp``).
"""

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from semantic_hub.errors import SemanticHubError, reading
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.results.files import write_atomically

_ARCHITECTURE = "controlvector"
_MAGIC, _VERSION, _ALIGNMENT = b"GGUF", 3, 32
_UINT32, _TEXT, _ARRAY = 4, 8, 9
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", _UINT32: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
          12: "d"}  # fmt: skip
"""GGUF's number of a type to its `struct` code."""

_DTYPES = {0: "<f4", 1: "<f2", 28: "<f8"}
"""GGUF's number of a tensor's type to NumPy's name."""

_LARGEST = 2**28
"""Bytes of the largest file that is read; 128 vectors of width 16,384 have 2**23."""


def write_control_vector(
    path: str | Path, directions: Direction | Mapping[int, Direction], *, model_hint: str
) -> Path:
    """Write one direction, or one at each of several layers, as a GGUF control vector.

    Args:
        path: The file, such as ``"good.gguf"``; one that is there is replaced in one step.
        directions: One vector for each layer, as `mean_differences` gives them. Layers 0 and 1
            have no place: the embedding is no block, and llama.cpp leaves out block 0.
        model_hint: Architecture that they were made for, as ``model_type`` in the checkpoint's
            ``config.json``: ``"llama"``.

    Returns:
        The path.

    Raises:
        SemanticHubError: No direction, one without a layer or of layer 0 or 1, one with rows,
            directions of different widths, no model hint, or a path that cannot be written.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import mean_differences
        >>> directions = mean_differences(model, ["good"], ["bad"], layers=[3, 4])
        >>> write_control_vector("good.gguf", directions, model_hint="llama").name
        'good.gguf'
    """
    single = isinstance(directions, Direction)
    by_layer = {directions.layer or 0: directions} if single else directions
    wrong = [
        f"{direction.description} at layer {direction.layer}"
        for layer, direction in by_layer.items()
        if direction.layer != layer or layer < 2 or direction.n_rows
    ]
    widths = {direction.d_model for direction in by_layer.values()}
    if wrong or len(widths) != 1 or not model_hint:
        raise SemanticHubError(
            "write_control_vector",
            got="; ".join(wrong) or f"vectors of the widths {sorted(widths)} for {model_hint!r}",
            expected="one vector for each layer from 2 on, all of one width, and a model hint",
            fix="Leave out layers 0 and 1, take the mean() of rows, and name the layer with "
            ".at(layer).",
        )
    tensors = [
        (f"direction.{layer - 1}", direction.vector.detach().numpy().astype("<f4"))
        for layer, direction in by_layer.items()
    ]
    write_atomically(Path(path), _file(tensors, model_hint), "write_control_vector")
    return Path(path)


def read_control_vector(path: str | Path) -> dict[int, Direction]:
    """Read the directions of a GGUF control vector, as llama.cpp and repeng write it.

    Args:
        path: The file.

    Returns:
        Mapping from layer to direction, float32; ``direction.k`` is of layer k + 1.

    Raises:
        SemanticHubError: No GGUF file of version 2 or 3, one that is damaged or holds something
            other than a control vector, or more than 256 MiB.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import activation_difference
        >>> direction = activation_difference(model, "good", "bad", layer=4)
        >>> path = write_control_vector("good.gguf", direction, model_hint="llama")
        >>> read_control_vector(path)[4].vector.equal(direction.vector)
        True
    """
    with reading(
        "read_control_vector",
        path,
        expected="a GGUF control vector: direction.k tensors, one float vector for each block",
        fix="Give a file that repeng, llama.cpp or write_control_vector wrote.",
        at_most=_LARGEST,
    ) as file:
        return _directions(file.read_bytes(), file.name)


def _file(tensors: list[tuple[str, np.ndarray]], model_hint: str) -> bytes:
    """Content of a GGUF file: header, metadata, where each tensor is, and the tensors."""
    metadata = [
        ("general.architecture", _TEXT, _text(_ARCHITECTURE)),
        (f"{_ARCHITECTURE}.model_hint", _TEXT, _text(model_hint)),
        (f"{_ARCHITECTURE}.layer_count", _UINT32, struct.pack("<I", len(tensors))),
    ]
    parts = [_MAGIC, struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [_text(key) + struct.pack("<I", kind) + value for key, kind, value in metadata]
    data = b""
    for name, vector in tensors:
        parts.append(_text(name) + struct.pack("<IQIQ", 1, len(vector), 0, len(data)))
        data += _padded(vector.tobytes())
    return _padded(b"".join(parts)) + data


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _directions(data: bytes, name: str) -> dict[int, Direction]:
    """Directions in the content of a file; raise, in one way or another, where there are none."""
    cursor = _Cursor(data)
    magic, version = cursor.take(len(_MAGIC)), cursor.number("I")
    if magic != _MAGIC or version not in (2, _VERSION):
        raise ValueError(f"begins with {magic!r} and version {version}")
    n_tensors, n_metadata = cursor.number("Q"), cursor.number("Q")
    metadata = {cursor.text(): cursor.value(cursor.number("I")) for _ in range(n_metadata)}
    if metadata.get("general.architecture") != _ARCHITECTURE:
        raise ValueError(f"holds {metadata.get('general.architecture')!r}")
    places = {cursor.text(): cursor.tensor() for _ in range(n_tensors)}
    alignment = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int):
        raise ValueError(f"is aligned to {alignment!r}")
    start = cursor.place + -cursor.place % alignment
    blocks = {key: re.fullmatch(r"direction\.(\d{1,6})", key) for key in places}
    lengths = {length for length, _, _ in places.values()}
    if not n_tensors == len(places) or None in blocks.values() or len(lengths) != 1:
        raise ValueError(f"holds {n_tensors} tensors of lengths {sorted(lengths)[:3]}")
    hint = metadata.get(f"{_ARCHITECTURE}.model_hint", "an unnamed model")
    directions = {}
    for key, (length, dtype, offset) in places.items():
        vector = np.frombuffer(data, dtype, length, start + offset).astype(np.float32)
        layer = int(key.removeprefix("direction.")) + 1
        directions[layer] = Direction(torch.from_numpy(vector), layer, f"{key} for {hint}, {name}")
    return dict(sorted(directions.items()))


class _Cursor:
    """Reads the fields of a GGUF file one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, size: int) -> bytes:
        """The next bytes; raise ValueError if the file has fewer."""
        taken = self.data[self.place : self.place + size]
        if len(taken) < size:
            raise ValueError("ends early")
        self.place += size
        return taken

    def number(self, code: str) -> int:
        """The next number, by its `struct` code."""
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        """The next text."""
        return self.take(self.number("Q")).decode()

    def value(self, kind: int) -> object:
        """The next value of metadata; an array's, which no control vector needs, is skipped."""
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            return self.number(_CODES[kind])
        item, length = self.number("I"), self.number("Q")
        if item in _CODES:
            self.take(length * struct.calcsize(_CODES[item]))
        else:
            for _ in range(length):
                self.value(item)
        return None

    def tensor(self) -> tuple[int, str, int]:
        """Length, type and offset of the next tensor; raise ValueError unless it is a vector."""
        n_axes = self.number("I")
        if n_axes != 1:
            raise ValueError(f"holds a tensor of {n_axes} axes")
        return self.number("Q"), _DTYPES[self.number("I")], self.number("Q")
