"""Results of `similarity`: curves over layers with intervals, p-values and controls."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.results.result import Counts, EffectCurve, Family, Result
from semantic_hub.statistics.margins import (
    NO_CONTROLS,
    NO_MIDDLE,
    CellMargins,
    least_p,
    middle_cells,
)
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_MEANS = ("similarity", "matched", "mismatched")
_BESIDE = ("low", "high", "p", "p_corrected")
_MARGIN = ("margin", "margin_low", "margin_high", "margin_p_corrected")
_COLUMNS = ("row", "measure", "layer", "value", *_BESIDE, *_MARGIN, "strongest", "n")
_COSINE = {"unit": "mean cosine"}
_DIFFERENCE = {"unit": "difference of mean cosines"}
_PROBABILITY = {"unit": "probability"}


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasureResult(Result):
    """One registered measure at each layer, of the same states as the similarity.

    Args:
        layers: The layers.
        value: The measure, in `unit`.
        low: Lower end of its interval over pairs; NaN with 2 pairs.
        high: Upper end.
        p: Permutation p-value over pairings at this layer, in (0, 1].
        p_corrected: The same, corrected over layers by the max statistic.
        chance: What states that say nothing of their pair read.
        unit: What the value counts.
        manifest: Empty; the similarity's own says where the numbers come from.

    Raises:
        SemanticHubError: Arrays that do not fit the layers.
    """

    coordinates: ClassVar[Mapping[str, str]] = {"layer": "layers"}
    layers: tuple[int, ...]
    value: Float[Tensor, " layer"]
    low: Float[Tensor, " layer"]
    high: Float[Tensor, " layer"]
    p: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    p_corrected: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    chance: float
    unit: str

    @property
    def units(self) -> dict[str, str]:
        """Array name to its unit."""
        return super().units | dict.fromkeys(("value", "low", "high"), self.unit)

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: columns ``layer value low high p p_corrected``."""
        import pandas as pd

        columns = {name: getattr(self, name).numpy() for name in ("value", *_BESIDE)}
        return pd.DataFrame({"layer": self.layers, **columns})

    def figure(self) -> "go.Figure":
        """Curve of the measure over layers with its interval, and a line at chance level."""
        from semantic_hub.plotting.curves import layer_curve

        frame = self.to_frame().assign(row="pairs")
        return layer_curve(frame, y_title=self.unit, references={"chance": self.chance})


@dataclass(frozen=True, eq=False, kw_only=True)
class SimilarityResult(Result):
    """Similarity of pairs at each layer, with interval, p-values, controls and measures.

    Args:
        layers: The layers: 0 is the embedding, k the stream after block k.
        similarity: ``matched − mismatched`` (Eq. 1), in [-2, 2].
        matched: Mean cosine of matched pairs, in [-1, 1].
        mismatched: Mean cosine of all mismatched pairs, in [-1, 1].
        low: Lower end of the bootstrap interval of ``similarity`` over pairs; NaN with 2 pairs.
        high: Upper end.
        p: Permutation p-value over pairings at this layer, in (0, 1].
        p_corrected: The same, corrected over layers by the max statistic.
        margin: Similarity above that of the strongest null control; NaN without controls.
        margin_low: Lower end of its bootstrap interval over pairs; NaN with 2 pairs.
        margin_high: Upper end.
        margin_p_corrected: Bootstrap p-value that the margin is above 0, corrected over layers
            (`semantic_hub.statistics.p_values.max_t_p_values`); NaN with 2 pairs.
        strongest: The name of that control at each layer; empty without controls.
        n_pairs: Number of pairs.
        x_name: What the x side is called.
        y_name: What the y side is called.
        controls: Null controls by name, each a result at the same layers.
        checks: Check rows by name: the effect on pairs that were chosen or rewritten.
        measures: Other measures of the same states, by name.
        n_layers: The model's number of blocks.
        resampling: Resamples, coverage and seed of the intervals.
        permutations: Number of pairings that p is taken over.
        dropped: Pairs that a check row lacks: reason to number.
        left_out: Row or measure that could not be had to the reason.
        manifest: Where the numbers come from.

    Raises:
        SemanticHubError: Arrays that do not fit the layers, or a row at other layers.
    """

    kind: ClassVar[str] = "similarity"
    family: ClassVar[Family | None] = "similarity"
    coordinates: ClassVar[Mapping[str, str]] = {"layer": "layers"}
    layers: tuple[int, ...]
    similarity: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    matched: Float[Tensor, " layer"] = field(metadata=_COSINE)
    mismatched: Float[Tensor, " layer"] = field(metadata=_COSINE)
    low: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    high: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    p: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    p_corrected: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    margin: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    margin_low: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    margin_high: Float[Tensor, " layer"] = field(metadata=_DIFFERENCE)
    margin_p_corrected: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    strongest: tuple[str, ...] = ()
    n_pairs: int
    x_name: str
    y_name: str
    controls: Mapping[str, "SimilarityResult"] = field(default_factory=dict)
    checks: Mapping[str, "SimilarityResult"] = field(default_factory=dict)
    measures: Mapping[str, MeasureResult] = field(default_factory=dict)
    n_layers: int
    resampling: Resampling
    permutations: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, row in [*self.controls.items(), *self.checks.items()]:
            deeper = row.controls or row.checks
            taken = name == self.row or (name in self.controls and name in self.checks)
            if row.layers != self.layers or deeper or taken:
                raise SemanticHubError(
                    "SimilarityResult",
                    got=f"control {name!r} at layers {row.layers}",
                    expected=f"a control at layers {self.layers}, with a name of its own",
                    fix="Measure it with the same layers, without controls, under a free name.",
                )

    def effect_curve(self) -> EffectCurve:
        """Similarity at each layer, with its interval."""
        summary = Summary(value=self.similarity, low=self.low, high=self.high)
        return EffectCurve(self.layers, summary, self.n_pairs, _DIFFERENCE["unit"])

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """Similarity above the strongest null control at each middle layer.

        p is the larger of the permutation p-value of the pairs and the margin's own.

        Args:
            resampling: Not used: the margin has its own resamples.
        """
        unit = _DIFFERENCE["unit"]
        cells, rows = middle_cells(self.layers, self.n_layers)
        if not self.strongest or not cells:
            return CellMargins.none(unit, NO_MIDDLE if self.strongest else NO_CONTROLS)
        p = torch.maximum(self.p_corrected.double(), self.margin_p_corrected.double())
        return CellMargins(
            cells=cells,
            value=self.margin[rows].double(),
            low=self.margin_low[rows].double(),
            high=self.margin_high[rows].double(),
            p=p[rows].clamp(min=least_p(self.n_pairs, len(cells))),
            strongest=tuple(self.strongest[row] for row in rows),
            n=self.n_pairs,
            unit=unit,
        )

    def best_cell(self) -> tuple[int, ...]:
        """Index of the layer with the highest similarity."""
        return (int(self.similarity.argmax()),)

    def counts(self) -> Counts:
        """Number of pairs, and of those dropped by reason."""
        return Counts(self.n_pairs, self.dropped)

    def effect_frame(self) -> "pd.DataFrame":
        """The similarity alone as a frame, one row for each layer, without controls and measures.

        Returns:
            Columns ``layer value low high p p_corrected n``.
        """
        import pandas as pd

        columns = ["layer", "value", *_BESIDE, "n"]
        return pd.DataFrame(next(_all_lines(self)), columns=columns)

    def _title(self) -> str:
        return f"{super()._title()}: {self.row}"

    @property
    def row(self) -> str:
        """Name of the row of the pairs themselves in frames and figures: ``"en – es"``."""
        return f"{self.x_name} – {self.y_name}"

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: one line for each row (pairs, controls, checks), measure and layer.

        The similarity of the pairs alone, one line for each layer, is `effect_frame`.

        Returns:
            Columns ``row``, ``measure`` (similarity, matched, mismatched, then those of
            `measures`), ``layer``, ``value``, ``low``, ``high``, ``p``, ``p_corrected``,
            ``margin``, ``margin_low``, ``margin_high``, ``margin_p_corrected``, ``strongest``,
            ``n``; where a line has none of them it is NaN, ``strongest`` is ``""``. The margin is
            the similarity's.
        """
        import pandas as pd

        rows = {self.row: self, **self.controls, **self.checks}
        frames = [
            pd.DataFrame(lines).assign(row=name)
            for name, result in rows.items()
            for lines in _all_lines(result)
        ]
        return pd.concat(frames, ignore_index=True).reindex(columns=list(_COLUMNS))

    def figure(
        self, measure: Literal["similarity", "matched", "mismatched"] | str = "similarity"
    ) -> "go.Figure":
        """One measure over layers: the pairs and each other row, with the intervals as bands.

        Args:
            measure: Column ``measure`` of `to_frame`.

        Returns:
            A plotly figure, not shown.

        Raises:
            SemanticHubError: A measure that was not taken.
        """
        from semantic_hub.plotting.curves import layer_curve

        units = {name: self.units[name] for name in _MEANS}
        units |= {name: result.unit for name, result in self.measures.items()}
        check_choice("SimilarityResult.figure", "measure", measure, tuple(units))
        frame = self.to_frame()
        return layer_curve(
            frame.loc[frame["measure"] == measure],
            value="value",
            low="low",
            high="high",
            group="row",
            title=f"{measure[:1].upper()}{measure[1:]} of {self.n_pairs} pairs, {self.row}",
            y_title=units[measure],
        )


def _all_lines(result: SimilarityResult) -> Iterator[dict[str, Any]]:
    """Columns of one row of the result, measure by measure."""
    shared = {"layer": result.layers, "n": result.n_pairs}
    own = {name: getattr(result, name).numpy() for name in (*_BESIDE, *_MARGIN)}
    own["strongest"] = result.strongest or ""
    nothing = {**dict.fromkeys((*_BESIDE, *_MARGIN), math.nan), "strongest": ""}
    for name in _MEANS:
        beside = own if name == "similarity" else nothing
        yield {**shared, "measure": name, "value": getattr(result, name).numpy(), **beside}
    for name, measure in result.measures.items():
        beside = {column: getattr(measure, column).numpy() for column in ("value", *_BESIDE)}
        yield {**shared, **nothing, "measure": name, **beside}
