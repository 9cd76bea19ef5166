"""Result of steering free text: scores of every text, with means and changes over prompts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import check_choice
from semantic_hub.results.result import Counts, EffectCurve, Result
from semantic_hub.statistics.margins import NO_MIDDLE, CellMargins, item_margins, middle_cells
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Measure = Literal["mean", "change"]
"""Scores themselves, or their change against the unsteered texts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TextSteeringResult(Result):
    """Scores of every text, one for each direction, layer, strength, prompt and seed.

    Texts of one prompt are not independent, so every summary first takes the mean over seeds;
    intervals are over prompts. Texts without a score (NaN) are left out, and prompts of which no
    text has a score. Where steering leaves few texts that can be scored (a low ``n`` in the
    frame), their mean is not reliable.

    Args:
        n_layers: Number of the model's blocks.
        directions: Names of the directions, and of the controls.
        effect_direction: The direction that is expected to have an effect.
        control_directions: The placebos, random directions of equal norm.
        layers: Where they were applied; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions; strength 0 is the unsteered text, the same in all.
        scorers: Names of the scorers.
        primary_scorer: The scorer that the effect is about.
        seeds: Seeds of the texts.
        prompts: The prompts as text.
        score: Scores, in the scorers' own units.
        relative_norm: Norm of each direction over that of the prompts' states at the layer.
        texts: All continuations, in the order of the axes of `score` without ``scorer``.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    kind = "text_steering"
    family = "causal"
    coordinates = {
        "direction": "directions",
        "layer": "layers",
        "strength": "strengths",
        "scorer": "scorers",
        "prompt": "prompts",
        "seed": "seeds",
    }

    n_layers: int
    directions: tuple[str, ...]
    effect_direction: str
    control_directions: tuple[str, ...]
    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    scorers: tuple[str, ...]
    primary_scorer: str
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

        Args:
            scorer: Name of a scorer.
            direction: Name of a direction.

        Raises:
            SemanticHubError: No scorer or direction of that name.
        """
        return self._summary("mean", scorer, direction)

    def mean_change(self, scorer: str, direction: str) -> Summary:
        """Mean change against the unsteered texts, in the scorer's unit, by layer and strength.

        Args:
            scorer: Name of a scorer.
            direction: Name of a direction.

        Raises:
            SemanticHubError: No scorer or direction of that name.
        """
        return self._summary("change", scorer, direction)

    def effect_curve(self) -> EffectCurve:
        """Mean change of the primary score at each layer, at the strength of `best_cell`.

        Its items are prompts.
        """
        change = self.mean_change(self.primary_scorer, self.effect_direction)
        _, best = self.best_cell()
        summary = Summary(
            value=change.value[:, best], low=change.low[:, best], high=change.high[:, best]
        )
        unit, note = f"change of {self.primary_scorer}", f"strength {self.strengths[best]:g}"
        return EffectCurve(self.layers, summary, len(self.prompts), unit, note)

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """Primary score's change minus the strongest control's, at middle layers and strengths.

        A cell is a middle layer and a strength other than 0.

        Args:
            resampling: Resamples over prompts, and coverage and seed of the intervals.
        """
        where = [f"strength {strength:g}" for strength in self.strengths if strength]
        cells, rows = middle_cells(self.layers, self.n_layers, where)
        unit = f"change of {self.primary_scorer}"
        if not cells:
            return CellMargins.none(unit, NO_MIDDLE)
        controls = {name: self._changes(name, rows) for name in self.control_directions}
        effect = self._changes(self.effect_direction, rows)
        return item_margins(cells, effect, controls, unit, resampling)

    def best_cell(self, direction: str | None = None) -> tuple[int, int]:
        """Indices of the layer and strength where a direction raises the primary score most.

        The largest mean change among strengths other than 0.

        Args:
            direction: Its name; None for the effect's.

        Raises:
            SemanticHubError: No such direction.
        """
        direction = self.effect_direction if direction is None else direction
        change = self.mean_change(self.primary_scorer, direction).value.clone()
        change[:, self.strengths.index(0.0)] = -torch.inf
        return divmod(int(change.nan_to_num(nan=-torch.inf).argmax()), len(self.strengths))

    def counts(self) -> Counts:
        """Number of prompts continued; none is dropped."""
        return Counts(len(self.prompts), {})

    def text(self, direction: str, layer: int, strength: int, prompt: int, seed: int) -> str:
        """Text generated for one direction, layer, strength, prompt and seed.

        Args:
            direction: Name of a direction.
            layer: Index of a layer.
            strength: Index of a strength.
            prompt: Index of a prompt.
            seed: Index of a seed.

        Raises:
            SemanticHubError: No such direction.
        """
        row = check_choice("TextSteeringResult.text", "direction", direction, self.directions)
        axes = (self.directions, self.layers, self.strengths, self.prompts, self.seeds)
        shape = tuple(len(axis) for axis in axes)
        return self.texts[int(np.ravel_multi_index((row, layer, strength, prompt, seed), shape))]

    def to_frame(self) -> "pd.DataFrame":
        """Tidy frame of each scorer's mean and mean change, by direction, layer and strength.

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
        """Every generated text with its scores as a frame.

        Returns:
            Columns ``direction layer strength prompt seed text``, then one for each scorer. An
            unsteered text comes once for each direction and layer.
        """
        import pandas as pd

        axes = (self.directions, self.layers, self.strengths, self.prompts, self.seeds)
        names = ["direction", "layer", "strength", "prompt", "seed"]
        frame = pd.MultiIndex.from_product(axes, names=names).to_frame(index=False)
        scores = self.score.movedim(3, -1).flatten(0, -2)
        by_scorer = dict(zip(self.scorers, scores.T.numpy(), strict=True))
        return frame.assign(text=self.texts, **by_scorer)

    def figure(self, layer: int | None = None, *, measure: Measure = "change") -> "go.Figure":
        """Every scorer over strengths, at one layer.

        See `semantic_hub.interventions.text.figures.strength_panels`.

        Args:
            layer: Which; None where there is only one.
            measure: ``"change"`` against the unsteered texts, or ``"mean"``.

        Raises:
            SemanticHubError: No such layer, or none named and several there.
        """
        from semantic_hub.interventions.text.figures import strength_panels

        layer = self.layers[0] if layer is None and len(self.layers) == 1 else layer
        check_choice("TextSteeringResult.figure", "layer", layer, self.layers)
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
        check_choice("TextSteeringResult.layer_figure", "scorer", scorer, self.scorers)
        check_choice("TextSteeringResult.layer_figure", "strength", strength, self.strengths)
        frame = self.to_frame().query("measure == @measure and scorer == @scorer")
        return layer_curves(frame.query("strength == @strength"))

    def _per_prompt(
        self, measure: Measure, scorer: str, direction: str
    ) -> Float[Tensor, "layer strength prompt"]:
        """Mean over seeds of one scorer under one direction."""
        operation = f"TextSteeringResult.{measure}"
        column = check_choice(operation, "scorer", scorer, self.scorers)
        row = check_choice(operation, "direction", direction, self.directions)
        values = self.score if measure == "mean" else self.change
        return values[row, :, :, column].nanmean(dim=-1)

    def _changes(self, direction: str, rows: Sequence[int]) -> Float[Tensor, "prompt cell"]:
        """Change of the primary score at some layers and every strength but 0."""
        steered = [column for column, strength in enumerate(self.strengths) if strength]
        change = self.change[:, :, :, self.scorers.index(self.primary_scorer)]
        mean = change[self.directions.index(direction)].double().nanmean(dim=-1)
        cells = mean[list(rows)][:, steered]
        return rearrange(cells, "layer strength prompt -> prompt (layer strength)")

    def _summary(self, measure: Measure, scorer: str, direction: str) -> Summary:
        """Summary of every layer and strength, ``[layer strength]``."""
        per_prompt = self._per_prompt(measure, scorer, direction)
        cells = [self._cell(values) for values in per_prompt.flatten(0, 1)]
        ends = torch.stack(cells, dim=1).unflatten(1, tuple(per_prompt.shape[:2]))
        return Summary(value=ends[0], low=ends[1], high=ends[2])

    def _cell(self, values: Float[Tensor, " prompt"]) -> Float[Tensor, "3"]:
        """Mean over the prompts that have a score, and its interval."""
        known = values[~values.isnan()]
        if not len(known):
            return values.new_full((3,), float("nan"))
        summary = mean_summary(known, resampling=self.resampling)
        return torch.stack([summary.value, summary.low, summary.high])

    def _rows(self, measure: Measure, scorer: str, direction: str) -> Iterator[dict[str, Any]]:
        """Rows of the frame for one measure, scorer and direction."""
        summary = self._summary(measure, scorer, direction)
        known = ~self._per_prompt(measure, scorer, direction).isnan()
        columns = [summary.value, summary.low, summary.high, known.sum(dim=-1)]
        values = zip(*(column.flatten().tolist() for column in columns), strict=True)
        row = {"measure": measure, "scorer": scorer, "direction": direction}
        cells = product(self.layers, self.strengths)
        for (layer, strength), cell_values in zip(cells, values, strict=True):
            cell = dict(zip(("value", "low", "high", "n"), cell_values, strict=True))
            yield row | {"layer": layer, "strength": strength} | cell
