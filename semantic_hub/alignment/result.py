"""Results of `similarity`: curves over layers with intervals, p-values and controls."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.alignment.auc import AUC, LEAD
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

WINS = "wins"
"""Measure, in frames, of how often a match beats a control."""

_MEANS = ("similarity", "matched", "mismatched")
_BESIDE = ("low", "high", "p", "p_corrected")
_MARGIN = ("margin", "margin_low", "margin_high", "margin_p_corrected")
_COLUMNS = ("row", "measure", "layer", "value", *_BESIDE, *_MARGIN, "strongest", "n")
_COSINE = {"unit": "mean cosine"}
_DIFFERENCE = {"unit": "difference of mean cosines"}
_LEAD = {"unit": LEAD}
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

    The effect, of which margins and verdicts are, is the AUC in `measures`. ``similarity``,
    ``matched`` and ``mismatched`` are Eq. 1 as the paper has it: on models whose states have a
    large direction in common, its values have no room (see docs/measures.md).

    Args:
        layers: The layers: 0 is the embedding, k the stream after block k.
        similarity: ``matched − mismatched`` (Eq. 1), in [-2, 2].
        matched: Mean cosine of matched pairs, in [-1, 1].
        mismatched: Mean cosine of all mismatched pairs, in [-1, 1].
        low: Lower end of the bootstrap interval of ``similarity`` over pairs; NaN with 2 pairs.
        high: Upper end.
        p: Permutation p-value over pairings at this layer, in (0, 1].
        p_corrected: The same, corrected over layers by the max statistic.
        margin: AUC above the strongest null control, in [-1, 0.5]: the smallest of its leads over
            chance (``"mismatched pairs"``), over the AUC of other models, and of ``wins`` over
            0.5; NaN without controls.
        margin_low: Lower end of its bootstrap interval over pairs.
        margin_high: Upper end.
        margin_p_corrected: Bootstrap p-value that the margin is above 0, corrected over layers
            (`semantic_hub.statistics.p_values.max_t_p_values`).
        strongest: The name of that control at each layer; empty without controls.
        wins: Name of a control that is made of the pairs to how often a match beats the control of
            its own pair; chance level 0.5.
        n_pairs: Number of pairs.
        x_name: What the x side is called.
        y_name: What the y side is called.
        controls: Null controls by name, each a result at the same layers.
        checks: Check rows by name: the effect on pairs that were chosen or rewritten.
        measures: Other measures of the same states, by name; the AUC among them.
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
    margin: Float[Tensor, " layer"] = field(metadata=_LEAD)
    margin_low: Float[Tensor, " layer"] = field(metadata=_LEAD)
    margin_high: Float[Tensor, " layer"] = field(metadata=_LEAD)
    margin_p_corrected: Float[Tensor, " layer"] = field(metadata=_PROBABILITY)
    strongest: tuple[str, ...] = ()
    wins: Mapping[str, MeasureResult] = field(default_factory=dict)
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
        if AUC not in self.measures:
            raise SemanticHubError(
                "SimilarityResult",
                got=f"measures {list(self.measures)}",
                expected=f"the {AUC} among them, which margins and verdicts are about",
                fix="Take the result of similarity(...).",
            )
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

    @property
    def auc(self) -> MeasureResult:
        """Share of mismatches that a match beats, both ways; chance level 0.5."""
        return self.measures[AUC]

    def effect_curve(self) -> EffectCurve:
        """AUC at each layer, with its interval."""
        summary = Summary(value=self.auc.value, low=self.auc.low, high=self.auc.high)
        return EffectCurve(self.layers, summary, self.n_pairs, self.auc.unit)

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """AUC above the strongest null control at each middle layer.

        p is the larger of the permutation p-value of the AUC and the margin's own.

        Args:
            resampling: Not used: the margin has its own resamples.
        """
        unit = _LEAD["unit"]
        cells, rows = middle_cells(self.layers, self.n_layers)
        if not self.strongest or not cells:
            return CellMargins.none(unit, NO_MIDDLE if self.strongest else NO_CONTROLS)
        p = torch.maximum(self.auc.p_corrected.double(), self.margin_p_corrected.double())
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
        """Index of the layer with the highest AUC, of several the first."""
        return (int(self.auc.value.argmax()),)

    def counts(self) -> Counts:
        """Number of pairs, and of those dropped by reason."""
        return Counts(self.n_pairs, self.dropped)

    def effect_frame(self) -> "pd.DataFrame":
        """The AUC and its margin as a frame, one row for each layer, and Eq. 1 beside it.

        Returns:
            Columns ``layer value low high p p_corrected margin margin_low margin_high
            margin_p_corrected strongest similarity n``.
        """
        lines = {name: getattr(self, name).numpy() for name in _MARGIN}
        return self.auc.to_frame().assign(
            **lines,
            strongest=self.strongest or "",
            similarity=self.similarity.numpy(),
            n=self.n_pairs,
        )

    def _title(self) -> str:
        return f"{super()._title()}: {self.row}"

    @property
    def row(self) -> str:
        """Name of the row of the pairs themselves in frames and figures: ``"en – es"``."""
        return f"{self.x_name} – {self.y_name}"

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: one line for each row (pairs, controls, checks), measure and layer.

        The AUC of the pairs alone, one line for each layer, is `effect_frame`.

        Returns:
            Columns ``row``, ``measure`` (those of `measures`, then similarity, matched and
            mismatched; of a control that is made of the pairs also ``wins``), ``layer``,
            ``value``, ``low``, ``high``, ``p``, ``p_corrected``, ``margin``, ``margin_low``,
            ``margin_high``, ``margin_p_corrected``, ``strongest``, ``n``; where a line has none of
            them it is NaN, ``strongest`` is ``""``. The margin is the AUC's.
        """
        import pandas as pd

        rows = {self.row: self, **self.controls, **self.checks}
        frames = [
            pd.DataFrame(lines).assign(row=name)
            for name, result in rows.items()
            for lines in _all_lines(result, self.wins.get(name))
        ]
        return pd.concat(frames, ignore_index=True).reindex(columns=list(_COLUMNS))

    def figure(
        self, measure: Literal["AUC", "similarity", "matched", "mismatched"] | str = AUC
    ) -> "go.Figure":
        """One measure over layers: the pairs and each other row, with the intervals as bands.

        With the AUC, a control that is made of the pairs is shown by how often a match beats it
        (``against …``), all others by their own AUC.

        Args:
            measure: Column ``measure`` of `to_frame`.

        Returns:
            A plotly figure, not shown.

        Raises:
            SemanticHubError: A measure that was not taken.
        """
        import pandas as pd

        from semantic_hub.plotting.curves import layer_curve

        units = {name: result.unit for name, result in self.measures.items()}
        units |= {name: self.units[name] for name in _MEANS}
        check_choice("SimilarityResult.figure", "measure", measure, tuple(units))
        frame = self.to_frame()
        shown = frame.loc[frame["measure"] == measure]
        if measure == AUC:
            others = ~shown["row"].isin(self.wins)
            beaten = frame.loc[frame["measure"] == WINS]
            against = beaten.assign(row="against " + beaten["row"])
            shown = pd.concat([shown.loc[others], against], ignore_index=True)
        known = self.measures.get(measure)
        return layer_curve(
            shown,
            value="value",
            low="low",
            high="high",
            group="row",
            title=f"{measure[:1].upper()}{measure[1:]} of {self.n_pairs} pairs, {self.row}",
            y_title=units[measure],
            references={"chance": known.chance} if known else None,
        )


def _all_lines(result: SimilarityResult, wins: MeasureResult | None) -> Iterator[dict[str, Any]]:
    """Columns of one row of the result, measure by measure."""
    shared = {"layer": result.layers, "n": result.n_pairs}
    margin = {name: getattr(result, name).numpy() for name in _MARGIN}
    margin["strongest"] = result.strongest or ""
    nothing = {**dict.fromkeys((*_BESIDE, *_MARGIN), math.nan), "strongest": ""}
    for name, measure in {**result.measures, **({WINS: wins} if wins else {})}.items():
        beside = {column: getattr(measure, column).numpy() for column in ("value", *_BESIDE)}
        more = margin if name == AUC else {}
        yield {**shared, **nothing, "measure": name, **beside, **more}
    own = {name: getattr(result, name).numpy() for name in _BESIDE}
    for name in _MEANS:
        beside = own if name == "similarity" else {}
        value = getattr(result, name).numpy()
        yield {**shared, **nothing, "measure": name, "value": value, **beside}
