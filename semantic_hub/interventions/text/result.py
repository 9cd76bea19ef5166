"""What free text under steering scored, with means and changes over prompts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Measure = Literal["mean", "change"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TextSteeringResult(Result):
    """Scores of every text, one for each direction, layer, strength, prompt and seed.

    Runs of one prompt are not independent of each other, so every summary first takes the mean
    over seeds; intervals are over prompts. Texts without a score (NaN) are left out; a prompt
    whose texts have none does not count. Where steering leaves few texts that can be scored (a low
    ``n`` in the frame), a mean over them says little.

    Args:
        directions: Names of the directions, the placebo last.
        layers: Where they were applied; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions; strength 0 is the unsteered text, the same in all.
        scorers: Names of the scorers.
        seeds: Seeds of the texts.
        prompts: The prompts as text.
        score: What the scorers gave, in their own units.
        relative_norm: Length of each direction over that of the prompts' states at the layer.
        texts: All continuations, in the order of the axes of `score` without ``scorer``.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {
        "direction": "directions",
        "layer": "layers",
        "strength": "strengths",
        "scorer": "scorers",
        "prompt": "prompts",
        "seed": "seeds",
    }

    directions: tuple[str, ...]
    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    scorers: tuple[str, ...]
    seeds: tuple[int, ...]
    prompts: tuple[str, ...]
    score: Float[Tensor, "direction layer strength scorer prompt seed"]
    relative_norm: Float[Tensor, "direction layer"] = field(metadata={"unit": "stream norm"})
    texts: tuple[str, ...]
    resampling: Resampling = Resampling()

    @property
    def change(self) -> Float[Tensor, "direction layer strength scorer prompt seed"]:
        """Score minus that of the unsteered text of the same prompt and seed."""
        unsteered = self.strengths.index(0.0)
        return self.score - self.score[:, :, unsteered : unsteered + 1]

    def mean(self, scorer: str, direction: str) -> Summary:
        """Mean score, in the scorer's unit, for each layer and strength.

        Raises:
            SemanticHubError: No scorer or direction of that name.
        """
        return self._summary("mean", scorer, direction)

    def mean_change(self, scorer: str, direction: str) -> Summary:
        """Mean change against the unsteered texts, in the scorer's unit, by layer and strength.

        Raises:
            SemanticHubError: No scorer or direction of that name.
        """
        return self._summary("change", scorer, direction)

    def to_frame(self) -> "pd.DataFrame":
        """All summaries as a tidy frame.

        Returns:
            Columns ``measure scorer direction layer strength value low high n``. ``measure`` is
            ``mean`` or ``change``; ``n`` is the number of prompts that have a score; where there
            are none, the rest is NaN.
        """
        import pandas as pd

        measures: tuple[Measure, ...] = ("mean", "change")
        return pd.DataFrame(
            [
                row
                for measure in measures
                for scorer in self.scorers
                for direction in self.directions
                for row in self._rows(measure, scorer, direction)
            ]
        )

    def texts_frame(self) -> "pd.DataFrame":
        """Every text with its scores: columns ``direction layer strength prompt seed text``, then
        one for each scorer. An unsteered text comes once for each direction and layer."""
        import pandas as pd

        axes = (self.directions, self.layers, self.strengths, self.prompts, self.seeds)
        names = ["direction", "layer", "strength", "prompt", "seed"]
        frame = pd.MultiIndex.from_product(axes, names=names).to_frame(index=False)
        scores = self.score.movedim(3, -1).flatten(0, -2)
        by_scorer = dict(zip(self.scorers, scores.T.numpy(), strict=True))
        return frame.assign(text=self.texts, **by_scorer)

    def figure(self, layer: int | None = None, *, measure: Measure = "change") -> "go.Figure":
        """Every scorer over strengths, at one layer; see `text_steering_plots.strength_panels`.

        Args:
            layer: Which; None where there is only one.
            measure: ``"change"`` against the unsteered texts, or ``"mean"``.

        Raises:
            SemanticHubError: No such layer, or none named and several there.
        """
        from semantic_hub.interventions.text.figures import strength_panels

        layer = self.layers[0] if layer is None and len(self.layers) == 1 else layer
        _check_one("layer", layer, self.layers)
        return strength_panels(self.to_frame().query("layer == @layer and measure == @measure"))

    def layer_figure(
        self, scorer: str, strength: float | None = None, *, measure: Measure = "change"
    ) -> "go.Figure":
        """One scorer over layers, at one strength.

        Args:
            scorer: Which.
            strength: Which; None for the greatest.
            measure: ``"change"`` against the unsteered texts, or ``"mean"``.

        Raises:
            SemanticHubError: No such scorer or strength.
        """
        from semantic_hub.interventions.text.figures import layer_curves

        strength = self.strengths[-1] if strength is None else strength
        _check_one("scorer", scorer, self.scorers)
        _check_one("strength", strength, self.strengths)
        frame = self.to_frame().query("measure == @measure and scorer == @scorer")
        return layer_curves(frame.query("strength == @strength"))

    def _per_prompt(
        self, measure: Measure, scorer: str, direction: str
    ) -> Float[Tensor, "layer strength prompt"]:
        _check_one("scorer", scorer, self.scorers)
        _check_one("direction", direction, self.directions)
        values = self.score if measure == "mean" else self.change
        row, column = self.directions.index(direction), self.scorers.index(scorer)
        return values[row, :, :, column].nanmean(dim=-1)

    def _summary(self, measure: Measure, scorer: str, direction: str) -> Summary:
        per_prompt = self._per_prompt(measure, scorer, direction)
        cells = [self._cell(values) for values in per_prompt.flatten(0, 1)]
        ends = torch.stack(cells, dim=1).unflatten(1, tuple(per_prompt.shape[:2]))
        return Summary(value=ends[0], low=ends[1], high=ends[2])

    def _cell(self, values: Float[Tensor, " prompt"]) -> Float[Tensor, "3"]:
        """Mean over the prompts that have a score, and its interval."""
        known = values[~values.isnan()]
        if not len(known):
            return values.new_full((3,), float("nan"))
        summary = mean_summary(
            known,
            resampling=self.resampling,
        )
        return torch.stack([summary.value, summary.low, summary.high])

    def _rows(self, measure: Measure, scorer: str, direction: str) -> Iterator[dict[str, Any]]:
        summary = self._summary(measure, scorer, direction)
        known = ~self._per_prompt(measure, scorer, direction).isnan()
        columns = [summary.value, summary.low, summary.high, known.sum(dim=-1)]
        values = zip(*(column.flatten().tolist() for column in columns), strict=True)
        row = {"measure": measure, "scorer": scorer, "direction": direction}
        for (layer, strength), found in zip(
            product(self.layers, self.strengths), values, strict=True
        ):
            cell = dict(zip(("value", "low", "high", "n"), found, strict=True))
            yield row | {"layer": layer, "strength": strength} | cell


def _check_one(kind: str, got: object, known: tuple[object, ...]) -> None:
    if got not in known:
        raise SemanticHubError(
            "TextSteeringResult",
            got=f"{kind} {got!r}",
            expected=f"one of {', '.join(map(repr, known))}",
            fix="Name one of these.",
        )
