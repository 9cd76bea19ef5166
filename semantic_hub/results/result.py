"""Base class of results: named axes, units, a manifest, saving and loading."""

import json
import platform
from collections.abc import Iterator, Mapping
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

from jaxtyping import AbstractArray
from torch import Tensor

from semantic_hub.errors import SemanticHubError, reading
from semantic_hub.models.layers import layer_name
from semantic_hub.models.loading import describe
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.registry import Registry
from semantic_hub.plotting.svg import curve_svg
from semantic_hub.plotting.values import Displayable, short_repr
from semantic_hub.results.files import (
    RECORD_FILE,
    about_loading,
    read_record,
    to_json,
    write_record,
)
from semantic_hub.statistics.margins import CellMargins
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary

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
    and ``note`` what was chosen by looking, such as a strength. ``doable`` is the same curve of the
    items that the model gets right without an intervention; None where there are none, or no right
    answers.
    """

    layers: tuple[int, ...]
    summary: Summary
    n: int
    unit: str
    note: str = ""
    doable: "EffectCurve | None" = None
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

    def own_accuracy(self) -> Mapping[str, Summary]:
        """Share of items that the model gets right by itself, without an intervention, by run.

        Empty, the default, where nothing intervenes or no answer is right.
        """
        return {}

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
            Columns ``layer value low high n``; the last four of the doable items too where the
            curve has them, as ``value_doable`` ….
        """
        import pandas as pd

        curve = self.effect_curve()
        if curve is None:
            return None
        columns = {"layer": curve.layers, **_columns(curve)}
        if curve.doable:
            columns |= {f"{name}_doable": of for name, of in _columns(curve.doable).items()}
        return pd.DataFrame(columns)

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
        curve = self.effect_curve()
        if curve and highest and (own := self.own_accuracy()):
            runs = ", ".join(f"{run} {share.value:.2f}" for run, share in own.items())
            yield f"own accuracy: {runs}; {_told_of_doable(curve, highest.layer)}"
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
        with reading(path=path, **about_loading(cls.__name__)):
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


def _told_of_doable(curve: EffectCurve, layer: int) -> str:
    """How many items the model gets right by itself, and the effect on these at a layer."""
    if curve.doable is None:
        return f"0 of {curve.n} items doable"
    (value, low, high), at = _ends(curve.doable.summary), curve.layers.index(layer)
    told = f"{value[at]:.3g} [{low[at]:.3g}, {high[at]:.3g}] there"
    return f"{curve.doable.n} of {curve.n} items doable: {told}"


def _columns(curve: EffectCurve) -> dict[str, Any]:
    value, low, high = _ends(curve.summary)
    return {"value": value, "low": low, "high": high, "n": curve.n}


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
