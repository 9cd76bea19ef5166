"""Base class of results: named axes, units, a manifest, saving and loading."""

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_type_hints,
)

import safetensors.torch
from jaxtyping import AbstractArray
from torch import Tensor

from semantic_hub.errors import SemanticHubError, reading, writing
from semantic_hub.models.layers import layer_name
from semantic_hub.models.loading import describe
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.registry import Registry
from semantic_hub.plotting.values import Displayable, curve_svg, short_repr
from semantic_hub.statistics.margins import CellMargins
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary

RECORD_FILE = "result.json"
FORMAT = 3

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
    about = _load_about(kind)
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
        _sync_folder(path.parent)


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


def _sync_folder(folder: Path) -> None:
    """Write a folder's list of names to the disk, where the system can do so."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
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


def _load_about(kind: str) -> dict[str, Any]:
    """What errors about loading a record of a kind say."""
    return {
        "operation": f"{kind}.load",
        "expected": f"a {kind} of format {FORMAT}",
        "fix": "Give the whole directory that its save() wrote.",
    }


if TYPE_CHECKING:
    import pandas as pd

ResultType = TypeVar("ResultType", bound="Result")

_LIBRARIES = ("semantic-hub", "transformer-lens", "transformers", "tokenizers", "torch", "numpy")

Family = Literal["similarity", "lens", "causal"]
"""A kind of evidence: its sets are corrected together in a verdict."""

RESULTS: "Registry[type[Result]]" = Registry("kind of result")
"""Every class of results that findings hold, by its ``kind``."""


class Counts(NamedTuple):
    """Number of items measured, and of items dropped for each reason."""

    kept: int
    dropped: Mapping[str, int]
    __repr__ = short_repr


class EffectCurve(NamedTuple):
    """Effect at each layer of a result, with its interval; controls are not subtracted.

    ``summary`` has ``[layer]`` arrays, ``n`` counts the items, ``unit`` says what the height is,
    and ``note`` what was chosen by looking, such as a strength.
    """

    layers: tuple[int, ...]
    summary: Summary
    n: int
    unit: str
    note: str = ""
    __repr__ = short_repr


class Highest(NamedTuple):
    """The highest value of an effect over layers, with its interval."""

    layer: int
    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Result(Displayable):
    """The base of all results: a frozen dataclass of arrays with named axes.

    A subclass declares its arrays as annotated fields, ``Float[Tensor, "layer target"]``: the
    annotation names the axes, and arrays that share a name must share its length. A unit goes
    into the field: ``field(metadata={"unit": "probability"})``. ``coordinates`` says which field
    labels an axis. All other fields hold plain JSON values (text, numbers, tuples, mappings), a
    `Resampling`, or results by name, ``Mapping[str, SomeResult]``, of this class or another.

    A result that a spoke's run collects has a ``kind``: its key in ``Findings.results``, and under
    which `Findings.load` finds the class again; naming one registers the class. Its ``family``
    says of which evidence it is a test, and ``effect_curve``, ``cell_margins``, ``best_cell`` and
    ``counts`` what comparisons, verdicts and the report make of it.

    Args:
        manifest: Where the numbers come from, as `manifest` builds it. No computation reads it.

    Raises:
        SemanticHubError: An array lacks an axis, or two fields disagree about an axis' length.

    Example:
        >>> from dataclasses import dataclass, field
        >>> import torch
        >>> from jaxtyping import Float
        >>> @dataclass(frozen=True, eq=False, kw_only=True)
        ... class Norms(Result):
        ...     coordinates = {"layer": "layers"}
        ...     layers: tuple[int, ...]
        ...     norm: Float[torch.Tensor, " layer"] = field(metadata={"unit": "residual norm"})
        >>> norms = Norms(layers=(0, 1), norm=torch.ones(2), manifest={})
        >>> norms.axes, norms.units
        ({'norm': ('layer',)}, {'norm': 'residual norm'})
    """

    coordinates: ClassVar[Mapping[str, str]] = {}
    kind: ClassVar[str] = ""
    family: ClassVar[Family | None] = None
    manifest: Mapping[str, Any]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__dict__.get("kind"):
            known = RESULTS.get(cls.kind, cls)
            again = (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
            RESULTS.register(cls.kind, cls, replace=again)

    def __post_init__(self) -> None:
        _check_axes(self)

    def effect_curve(self) -> EffectCurve | None:
        """Effect at each layer, controls not subtracted; None if the result has no such curve.

        Comparisons of several models use it. The default is None.
        """
        return None

    def cell_margins(self, resampling: Resampling) -> CellMargins | None:
        """Effect minus its strongest control in each cell; verdicts are based on it.

        Args:
            resampling: Resamples over items; a result that brings its own leaves them aside.

        Returns:
            None, the default, where no verdict is defined. Without controls or middle layers,
            `CellMargins.none` with the reason.
        """
        return None

    def best_cell(self) -> tuple[int, ...] | None:
        """Indices of the cell with the largest effect: layer, then place or strength if any.

        Chosen by looking, so an interval there is a description. The page, the comparison and the
        example texts all show this cell. None, the default, where there is nothing to choose.
        """
        return None

    def counts(self) -> Counts | None:
        """Number of items measured, and dropped for each reason; None if they are not counted."""
        return None

    def highest(self) -> Highest | None:
        """The effect at `best_cell`, else at the layer where it is highest; None without a curve.

        Chosen by looking, so its interval is a description.
        """
        curve = self.effect_curve()
        if curve is None:
            return None
        cell, (value, low, high) = self.best_cell(), _ends(curve.summary)
        at = int(curve.summary.value.argmax()) if cell is None else cell[0]
        unit = ", ".join(filter(None, (curve.unit, curve.note)))
        return Highest(curve.layers[at], value[at], low[at], high[at], unit)

    def effect_frame(self) -> "pd.DataFrame | None":
        """The effect alone (`effect_curve`) as a frame, one row for each layer; None without one.

        Returns:
            Columns ``layer value low high n``.
        """
        import pandas as pd

        curve = self.effect_curve()
        if curve is None:
            return None
        value, low, high = _ends(curve.summary)
        ends = {"value": value, "low": low, "high": high}
        return pd.DataFrame({"layer": curve.layers, **ends, "n": curve.n})

    def to_frame(self) -> "pd.DataFrame":
        """Convert all arrays to a tidy frame, one row per number; subclasses may give summaries.

        Returns:
            Columns ``measure``, the names of all axes, and ``value``; ``measure`` is the array's
            name. An axis without a field that labels it is counted from 0.
        """
        import pandas as pd

        rows = []
        for name, axes in self.axes.items():
            array = getattr(self, name)
            labels = [
                getattr(self, self.coordinates[axis]) if axis in self.coordinates else range(length)
                for axis, length in zip(axes, array.shape, strict=True)
            ]
            for place, value in zip(product(*labels), array.flatten().tolist(), strict=True):
                row = dict(zip(axes, place, strict=True))
                rows.append({"measure": name, **row, "value": value})
        return pd.DataFrame(rows)

    def _title(self) -> str:
        """The class, and the model that was measured."""
        model = self.manifest.get("model")
        return type(self).__name__ + (f" of {model['name']}" if model else "")

    def _lines(self) -> Iterator[str]:
        yield self._title()
        counts, lengths = self.counts(), _lengths(self)
        if counts is None:
            yield ", ".join(f"{length} × {axis}" for axis, length in lengths.items())
            for name, results in _nested(self).items():
                yield f"{name}: {', '.join(results)}"
        else:
            dropped = sum(counts.dropped.values())
            layers = getattr(self, self.coordinates["layer"]) if "layer" in lengths else ()
            ends = dict.fromkeys(layer_name(layer) for layer in (*layers[:1], *layers[-1:]))
            yield f"n = {counts.kept}, {dropped} dropped; layers {'–'.join(ends)}"
        if highest := self.highest():
            layer, value, low, high, unit = highest
            at = f"{value:.3g} [{low:.3g}, {high:.3g}] at layer {layer_name(layer)}"
            yield f"highest {at}: {unit}"
        yield "to_frame()  figure()  summary()"

    def _table(self) -> "pd.DataFrame":
        effect = self.effect_frame()
        return self.to_frame() if effect is None else effect

    def _picture(self) -> str:
        curve = self.effect_curve()
        return "" if curve is None else curve_svg(curve.layers, *_ends(curve.summary), curve.unit)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Names of each array's axes, in order, by array name."""
        return {name: tuple(kind.dim_str.split()) for name, kind in _array_types(self).items()}

    @property
    def units(self) -> dict[str, str]:
        """Unit of each array, by array name."""
        units = {field.name: field.metadata.get("unit", "") for field in fields(self)}
        return {name: units[name] for name in self.axes}

    def save(self, directory: str | Path) -> Path:
        """Write the result into a directory: ``result.json`` and one safetensors file of arrays.

        Args:
            directory: Made if it does not exist. A result that is there is replaced in one step.

        Returns:
            The directory.

        Raises:
            SemanticHubError: A field or the manifest holds something that JSON cannot, or writing
                failed.
        """
        directory = Path(directory)
        write_record(directory, _record(self), _arrays(self), f"{type(self).__name__}.save")
        return directory

    @classmethod
    def load(cls: type[ResultType], directory: str | Path) -> ResultType:
        """Read a result that `save` wrote; its numbers are exactly those that were saved.

        Args:
            directory: The directory that was given to `save`.

        Raises:
            SemanticHubError: No result there, a result of another class or format, or one that is
                damaged or whose arrays are.
        """
        path = Path(directory) / RECORD_FILE
        record, arrays = read_record(path.parent, cls.__name__)
        with reading(path=path, **_load_about(cls.__name__)):
            return _build(cls, record, arrays)


def manifest(
    model: HookedModel, *, resampling: Resampling | None = None, **extra: Any
) -> dict[str, Any]:
    """Describe where a result's numbers come from: model, library versions and settings.

    It holds no time, so that equal runs give equal manifests. ``padding_side`` is the one that
    `residual_stream` uses unless told otherwise, whatever the tokenizer's own.

    Args:
        model: The model that was measured.
        resampling: Adds ``resamples``, ``confidence`` and ``seed``.
        extra: What the caller adds: ``seed``, ``dropped``, ``parameters``, …; JSON values.

    Returns:
        ``{"model": …, "python": …, "libraries": …, "prepend_bos": …, "padding_side": …, **extra}``
        in plain JSON values, so that `Result.save` and `Result.load` keep it as it is. A library
        that is not installed has the version None.

    Raises:
        SemanticHubError: An extra that JSON cannot hold.
    """
    description = describe(model)
    content = {
        "model": description,
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "prepend_bos": description.get("default_prepend_bos"),
        "padding_side": "right",
        **(asdict(resampling) if resampling else {}),
        **extra,
    }
    return json.loads(to_json(content, "manifest"))


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _ends(summary: Summary) -> tuple[list[float], list[float], list[float]]:
    return summary.value.tolist(), summary.low.tolist(), summary.high.tolist()


def _lengths(result: Result) -> dict[str, int]:
    """Length of each axis, by its name."""
    return {
        axis: length
        for name, axes in result.axes.items()
        for axis, length in zip(axes, getattr(result, name).shape, strict=True)
    }


def _array_types(result: Result) -> dict[str, type[AbstractArray]]:
    kinds: dict[str, Any] = {field.name: field.type for field in fields(result)}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, AbstractArray)
    }


def _check_axes(result: Result) -> None:
    lengths = {
        axis: (name, len(getattr(result, name))) for axis, name in result.coordinates.items()
    }
    for name, axes in result.axes.items():
        array = getattr(result, name)
        if not isinstance(array, Tensor) or array.ndim != len(axes):
            kind = type(array).__name__
            got = f"{name}, a {kind} of shape {tuple(getattr(array, 'shape', ()))}"
            raise _axis_error(result, got, f"a Tensor with axes {axes}")
        for axis, length in zip(axes, array.shape, strict=True):
            other, expected = lengths.setdefault(axis, (name, length))
            if length != expected:
                wanted = f"{expected} along {axis!r}, as in {other}"
                raise _axis_error(result, f"{name} with {length} along {axis!r}", wanted)


def _axis_error(result: Result, got: str, expected: str) -> SemanticHubError:
    fix = "Give fields that agree about their axes."
    return SemanticHubError(type(result).__name__, got=got, expected=expected, fix=fix)


def _nested(result: Result) -> dict[str, Mapping[str, Result]]:
    """The fields that hold results by name."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, Mapping) and any(isinstance(item, Result) for item in value.values())
    }


def _arrays(result: Result, prefix: str = "") -> dict[str, Tensor]:
    arrays = {f"{prefix}{name}": getattr(result, name).cpu().clone() for name in result.axes}
    for name, rows in _nested(result).items():
        for row, value in rows.items():
            arrays |= _arrays(value, f"{prefix}{name}/{row}/")
    return arrays


def _record(result: Result) -> dict[str, Any]:
    nested = _nested(result)
    apart = {"manifest", *nested, *result.axes}
    return {
        "kind": type(result).__name__,
        "axes": result.axes,
        "units": result.units,
        "fields": {
            field.name: _plain(getattr(result, field.name))
            for field in fields(result)
            if field.name not in apart
        },
        "nested": {
            name: {row: _record(value) for row, value in rows.items()}
            for name, rows in nested.items()
        },
        "manifest": result.manifest,
    }


def _build(
    cls: type[ResultType], record: dict[str, Any], arrays: dict[str, Tensor], prefix: str = ""
) -> ResultType:
    values: dict[str, Any] = {name: _frozen(value) for name, value in record["fields"].items()}
    values |= {
        field.name: Resampling(**values[field.name])
        for field in fields(cls)
        if field.type is Resampling and field.name in values
    }
    values |= {name: arrays[f"{prefix}{name}"] for name in record["axes"]}
    for name, rows in record["nested"].items():
        kind = _nested_type(cls, name)
        values[name] = {
            row: _build(kind, value, arrays, f"{prefix}{name}/{row}/")
            for row, value in rows.items()
        }
    return cls(manifest=record["manifest"], **values)


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Resampling) else value


def _nested_type(cls: type[Result], name: str) -> type[Result]:
    """The class of the results in a field that is annotated ``Mapping[str, SomeResult]``."""
    return get_args(get_type_hints(cls)[name])[1]


def _frozen(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
