"""What similarity found: curves over layers with intervals, p-values, controls and measures."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result

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
    """One measure of `semantic_hub.alignment.measures.MEASURES` at each layer, of the same states.

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
        """The measure over layers with its interval, and what chance reads."""
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
        manifest: Where the numbers come from; ``left_out`` has each row or measure that could not
            be had, with the reason.

    Raises:
        SemanticHubError: Arrays that do not fit the layers, or a row at other layers.
    """

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

    @property
    def row(self) -> str:
        """The name of the pairs' own row: ``"en – es"``."""
        return f"{self.x_name} – {self.y_name}"

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: one line for each row (pairs, controls, checks), measure and layer.

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
        if measure not in units:
            raise SemanticHubError(
                "SimilarityResult.figure",
                got=repr(measure),
                expected=f"one of {', '.join(units)}",
                fix="Name it in similarity(..., measures=[...]) first.",
            )
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
    """The columns of one row, measure by measure."""
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
