"""Result of a steering sweep: share of each outcome, at every layer and strength."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.interventions.doable import enough_doable, with_doable
from semantic_hub.interventions.steering.outcomes import OUTCOMES
from semantic_hub.results.result import Counts, EffectCurve, Result
from semantic_hub.statistics.margins import NO_MIDDLE, CellMargins, middle_cells, share_margins
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

NOT_DOABLE = "not right without steering"
"""Reason under which `SteeringResult.of_doable` counts the prompts that it leaves out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SteeringResult(Result):
    """Outcome of every prompt under every direction, layer and strength.

    Args:
        n_layers: Number of the model's blocks.
        layers: The steered layers; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions, ascending, 0 (no steering) among them.
        directions: Names of the directions, and of the controls.
        effect_direction: The direction that is expected to have an effect.
        control_directions: The placebos, random directions of equal norm.
        outcome: Index into `semantic_hub.interventions.steering.outcomes.OUTCOMES`, that is
            0 success, 1 unchanged, 2 other.
        relative_norm: Mean norm of a direction at strength 1, over the mean norm of the prompts'
            states at the last position that is steered in them.
        resampling: Resamples, coverage and seed of the intervals.
        dropped: Number of prompts that could not be steered, by reason.
        manifest: Where the numbers come from.
    """

    kind = "steering"
    family = "causal"
    coordinates = {"direction": "directions", "layer": "layers", "strength": "strengths"}

    n_layers: int
    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    directions: tuple[str, ...]
    effect_direction: str
    control_directions: tuple[str, ...]
    outcome: Int[Tensor, "direction layer strength prompt"] = field(
        metadata={"unit": "0 success, 1 unchanged, 2 other"}
    )
    relative_norm: Float[Tensor, "direction layer"] = field(metadata={"unit": "residual norm"})
    resampling: Resampling = Resampling()
    dropped: Mapping[str, int] = field(default_factory=dict)

    def share(self, outcome: str, direction: str) -> Summary:
        """Share of prompts with an outcome, 0 to 1.

        Args:
            outcome: ``"success"``, ``"unchanged"`` or ``"other"``.
            direction: Name of a direction, or ``"placebo"``.

        Returns:
            ``[layer strength]``, with Wilson's interval.

        Raises:
            SemanticHubError: No such outcome or direction.
        """
        row = check_choice("SteeringResult.share", "direction", direction, self.directions)
        hits = self.outcome[row] == check_choice(
            "SteeringResult.share", "outcome", outcome, OUTCOMES
        )
        by_prompt = rearrange(hits, "layer strength prompt -> prompt layer strength")
        return share_summary(by_prompt, self.resampling.confidence)

    def own_accuracy(self) -> dict[str, Summary]:
        """Share of prompts with the right answer at strength 0, as ``"unsteered"``, 0 to 1.

        Right is what the rule of the outcomes calls unchanged. Prompts that were dropped because
        the model gave another answer are not in it (`dropped`).
        """
        return {"unsteered": share_summary(self.doable(), self.resampling.confidence)}

    def doable(self) -> Bool[Tensor, " prompt"]:
        """Which prompts the model gets right without steering: *unchanged* at strength 0.

        No steered run has a part in it.
        """
        unsteered = self.outcome[0, 0, self.strengths.index(0.0)]
        return unsteered == OUTCOMES.index("unchanged")

    def of_doable(self) -> "SteeringResult":
        """The same result for the `doable` prompts alone.

        Raises:
            SemanticHubError: There is none.
        """
        doable = self.doable()
        if not doable.any():
            raise SemanticHubError(
                "SteeringResult.of_doable",
                got=f"{len(doable)} prompts, none of them right without steering",
                expected="one at least",
                fix='Ask what this model knows, and let the rule call its answer "unchanged".',
            )
        dropped = {**self.dropped, NOT_DOABLE: int((~doable).sum())}
        return replace(self, outcome=self.outcome[..., doable], dropped=dropped)

    def effect_curve(self) -> EffectCurve:
        """Success share under `effect_direction` at each layer, at the strength of `best_cell`."""
        best = self.best_cell()[1]
        doable = self.of_doable()._success_curve(best) if self.doable().any() else None
        return self._success_curve(best)._replace(doable=doable)

    def _success_curve(self, best: int) -> EffectCurve:
        share = self.share("success", self.effect_direction)
        summary = Summary(
            value=share.value[:, best], low=share.low[:, best], high=share.high[:, best]
        )
        n, note = self.outcome.shape[-1], f"strength {self.strengths[best]:g}"
        return EffectCurve(self.layers, summary, n, "share of prompts: success", note)

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """Success share minus the strongest control's, at each middle layer and nonzero strength.

        Of the `doable` prompts alone; fewer than `semantic_hub.interventions.doable.MIN_DOABLE`
        have no margins. A cell is a layer and a strength other than 0.

        Args:
            resampling: Resamples over prompts, and coverage and seed of the intervals.
        """
        where = [f"strength {strength:g}" for strength in self.strengths if strength]
        cells, rows = middle_cells(self.layers, self.n_layers, where)
        unit, doable = "share of doable prompts", self.doable()
        if not cells:
            return CellMargins.none(unit, NO_MIDDLE)
        controls = {name: self._successes(name, rows)[doable] for name in self.control_directions}
        effect = self._successes(self.effect_direction, rows)[doable]
        return enough_doable(
            len(effect),
            len(doable),
            unit,
            lambda: share_margins(cells, effect, controls, unit, resampling),
        )

    def best_cell(self, direction: str | None = None) -> tuple[int, int]:
        """Indices of the layer and strength where a direction succeeds most often.

        Args:
            direction: Its name; None for the effect's.

        Raises:
            SemanticHubError: No such direction.
        """
        share = self.share("success", self.effect_direction if direction is None else direction)
        return divmod(int(share.value.argmax()), len(self.strengths))

    def counts(self) -> Counts:
        """Number of prompts steered, and number dropped for each reason."""
        return Counts(self.outcome.shape[-1], self.dropped)

    def to_frame(self) -> "pd.DataFrame":
        """All shares as a tidy frame.

        Returns:
            Columns ``direction layer strength outcome value low high n``, the last four also of the
            `doable` prompts alone (``value_doable`` …, NaN without any), then ``own_accuracy``;
            ``n`` is the number of prompts.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                row
                for direction in self.directions
                for outcome in OUTCOMES
                for row in self._rows(outcome, direction)
            ]
        )

    def figure(self, layer: int | None = None, *, outcome: str = "success") -> "go.Figure":
        """Shares over strengths at one layer.

        See `semantic_hub.interventions.steering.figures.dose_response`.

        Args:
            layer: The layer; None for that where the effect's direction has the highest share.
            outcome: ``"success"``, ``"unchanged"`` or ``"other"``.

        Raises:
            SemanticHubError: No such layer or outcome.
        """
        from semantic_hub.interventions.steering.figures import dose_response

        highest = self.share(outcome, self.effect_direction).value.amax(dim=1)
        if layer is None:
            layer = self.layers[int(highest.argmax())]
        check_choice("SteeringResult.figure", "layer", layer, self.layers)
        return dose_response(self.to_frame(), layer, outcome=outcome)

    def _successes(self, direction: str, rows: Sequence[int]) -> Float[Tensor, "prompt cell"]:
        """1 where a prompt succeeds, at some layers and every strength but 0."""
        steered = [column for column, strength in enumerate(self.strengths) if strength]
        outcome = self.outcome[self.directions.index(direction)][list(rows)][:, steered]
        successes = (outcome == OUTCOMES.index("success")).double()
        return rearrange(successes, "layer strength prompt -> prompt (layer strength)")

    def _rows(self, outcome: str, direction: str) -> Iterator[dict[str, Any]]:
        """Rows of the frame for one outcome and direction."""
        n_doable = int(self.doable().sum())
        axes = {"layer": self.layers, "strength": self.strengths}
        share = self.share(outcome, direction).rows(direction=direction, **axes, outcome=outcome)
        doable = self.of_doable().share(outcome, direction).rows(**axes) if n_doable else None
        n = self.outcome.shape[-1]
        for row in with_doable(share, n, doable, n_doable):
            yield row | {"own_accuracy": n_doable / n}
