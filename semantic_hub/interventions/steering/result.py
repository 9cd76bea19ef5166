"""What a steering sweep found: how often each outcome came, at every layer and strength."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import OUTCOMES
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class SteeringResult(Result):
    """The outcome of every prompt under every direction, layer and strength.

    Args:
        layers: The steered layers; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions, ascending, 0 (no steering) among them.
        directions: Names of the directions; the last is ``"placebo"``.
        outcome: Index into `semantic_hub.interventions.spec.OUTCOMES`, that is 0 success, 1 unchanged,
            2 other.
        relative_norm: Mean length of a direction at strength 1, over the mean length of the
            prompts' own states at their last position.
        resampling: Resamples, coverage and seed of the intervals.
        dropped: Number of prompts that could not be asked, by reason.
        manifest: Where the numbers come from.
    """

    coordinates = {"direction": "directions", "layer": "layers", "strength": "strengths"}

    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    directions: tuple[str, ...]
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
        row = _index("direction", direction, self.directions)
        hits = self.outcome[row] == _index("outcome", outcome, OUTCOMES)
        by_prompt = rearrange(hits, "layer strength prompt -> prompt layer strength")
        return share_summary(by_prompt, self.resampling.confidence)

    def to_frame(self) -> "pd.DataFrame":
        """All shares as a tidy frame.

        Returns:
            Columns ``direction layer strength outcome value low high n``; ``n`` is the number of
            prompts.
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
        """Shares over strengths at one layer; see `semantic_hub.plotting.curves.dose_response`.

        Args:
            layer: The layer; None for that where the first direction has the highest share.
            outcome: ``"success"``, ``"unchanged"`` or ``"other"``.

        Raises:
            SemanticHubError: No such layer or outcome.
        """
        from semantic_hub.plotting.curves import dose_response

        highest = self.share(outcome, self.directions[0]).value.amax(dim=1)
        best = self.layers[int(highest.argmax())]
        chosen = best if layer is None else self.layers[_index("layer", layer, self.layers)]
        return dose_response(self.to_frame(), chosen, outcome=outcome)

    def _rows(self, outcome: str, direction: str) -> Iterator[dict[str, Any]]:
        share = self.share(outcome, direction)
        for i, layer in enumerate(self.layers):
            for j, strength in enumerate(self.strengths):
                yield {
                    "direction": direction,
                    "layer": layer,
                    "strength": strength,
                    "outcome": outcome,
                    "value": share.value[i, j].item(),
                    "low": share.low[i, j].item(),
                    "high": share.high[i, j].item(),
                    "n": self.outcome.shape[-1],
                }


def _index(kind: str, name: Any, names: tuple[Any, ...]) -> int:
    if name not in names:
        raise SemanticHubError(
            "SteeringResult",
            got=f"the {kind} {name!r}",
            expected=f"one of {', '.join(map(repr, names))}",
            fix="Name one of these.",
        )
    return names.index(name)
