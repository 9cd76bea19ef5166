"""What similarity found: curves over layers with intervals, p-values and controls."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_MEASURES = ("similarity", "matched", "mismatched")
_COSINE = {"unit": "mean cosine"}
_DIFFERENCE = {"unit": "difference of mean cosines"}
_PROBABILITY = {"unit": "probability"}


@dataclass(frozen=True, eq=False, kw_only=True)
class SimilarityResult(Result):
    """Similarity of pairs at each layer, with interval, p-values and controls.

    Args:
        layers: The layers: 0 is the embedding, k the stream after block k.
        similarity: ``matched − mismatched`` (Eq. 1), in [-2, 2].
        matched: Mean cosine of matched pairs, in [-1, 1].
        mismatched: Mean cosine of all mismatched pairs, in [-1, 1].
        low: Lower end of the bootstrap interval of ``similarity`` over pairs; NaN with 2 pairs.
        high: Upper end.
        p: Permutation p-value over pairings at this layer, in (0, 1].
        p_corrected: The same, corrected over layers by the max statistic.
        n_pairs: Number of pairs.
        x_name: What the x side is called.
        y_name: What the y side is called.
        controls: Rows by name to compare with, each a result at the same layers.
        manifest: Where the numbers come from.

    Raises:
        SemanticHubError: Arrays that do not fit the layers, or a control at other layers.
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
    n_pairs: int
    x_name: str
    y_name: str
    controls: Mapping[str, "SimilarityResult"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, control in self.controls.items():
            if control.layers != self.layers or control.controls or name == self.row:
                raise SemanticHubError(
                    "SimilarityResult",
                    got=f"control {name!r} at layers {control.layers}",
                    expected=f"a control at layers {self.layers}, with a name of its own",
                    fix="Measure it with the same layers, without controls, under a free name.",
                )

    @property
    def row(self) -> str:
        """The name of the pairs' own row: ``"en – es"``."""
        return f"{self.x_name} – {self.y_name}"

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: one line for each row (pairs, then controls), measure and layer.

        Returns:
            Columns ``row``, ``measure`` (similarity, matched, mismatched), ``layer``, ``value``,
            ``low``, ``high``, ``p``, ``p_corrected``, ``n``; interval and p-values belong to the
            similarity and are NaN elsewhere.
        """
        import pandas as pd

        rows = {self.row: self, **self.controls}
        frames = [
            pd.DataFrame(_lines(result, measure)).assign(row=name, measure=measure)
            for name, result in rows.items()
            for measure in _MEASURES
        ]
        columns = ["row", "measure", "layer", "value", "low", "high", "p", "p_corrected", "n"]
        return pd.concat(frames, ignore_index=True).reindex(columns=columns)

    def figure(
        self, measure: Literal["similarity", "matched", "mismatched"] = "similarity"
    ) -> "go.Figure":
        """One measure over layers: the pairs and each control, with the intervals as bands.

        Args:
            measure: Column ``measure`` of `to_frame`.

        Returns:
            A plotly figure, not shown.
        """
        from semantic_hub.plotting import layer_curve

        frame = self.to_frame()
        return layer_curve(
            frame.loc[frame["measure"] == measure],
            value="value",
            low="low",
            high="high",
            group="row",
            title=f"{measure.capitalize()} of {self.n_pairs} pairs, {self.row}",
            y_title=self.units[measure],
        )


def _lines(result: SimilarityResult, measure: str) -> dict[str, Any]:
    """The columns of one row and measure."""
    beside = {name: getattr(result, name).numpy() for name in ("low", "high", "p", "p_corrected")}
    return {
        "layer": result.layers,
        "value": getattr(result, measure).numpy(),
        **(beside if measure == "similarity" else dict.fromkeys(beside, math.nan)),
        "n": result.n_pairs,
    }
