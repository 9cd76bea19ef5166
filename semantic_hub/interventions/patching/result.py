"""What patching found: how far the patched runs went from the recipient's to the reference's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, ratio_summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchResult(Result):
    """Target words after each patch, one row for each exchange; see `exchanges.Exchange`.

    Args:
        component: What was patched: ``"resid"``, ``"attn"``, ``"mlp"`` or ``"head"``.
        from_layer_on: Whether all layers from the one named on were patched, or it alone.
        layers: The layers; 0 is the embedding, k the stream after (or the component of) block k.
        places: Names of the alignments, with the head where heads were patched.
        targets: Names of the groups of target words.
        kept: Index of each row's exchange in the list that was given.
        dropped: Number of exchanges whose targets could not be scored, by reason.
        log_prob: Log-probability of each target's likeliest token in each patched run.
        rank: That token's rank in the vocabulary, 1 is the top.
        own: Log-probabilities of the targets in the recipient's own run.
        reference: The same in the run that counts as 1.
        resampling: Resamples, coverage and seed of the intervals.
        controls: The same exchanges with other activations moved, by name: ``"placebo"``, random
            ones of the donor's norm, and ``"another donor"``, those of another exchange's donor.
        manifest: Where the numbers come from.
    """

    coordinates = {"item": "kept", "layer": "layers", "place": "places", "target": "targets"}

    component: str
    from_layer_on: bool
    layers: tuple[int, ...]
    places: tuple[str, ...]
    targets: tuple[str, ...]
    kept: tuple[int, ...]
    dropped: Mapping[str, int]
    log_prob: Float[Tensor, "item layer place target"] = field(metadata={"unit": "nat"})
    rank: Int[Tensor, "item layer place target"] = field(metadata={"unit": "1 = top"})
    own: Float[Tensor, "item target"] = field(metadata={"unit": "nat"})
    reference: Float[Tensor, "item target"] = field(metadata={"unit": "nat"})
    resampling: Resampling = Resampling()
    controls: Mapping[str, "PatchResult"] = field(default_factory=dict)

    @property
    def item_effect(self) -> Float[Tensor, "item layer place"]:
        """Effect in each exchange by itself: infinite or NaN where reference and recipient agree.

        `effect` is their mean, weighted by how far reference and recipient are apart.
        """
        return self._moved / self._distance[:, None, None]

    def effect(self) -> Summary:
        """Normalised logit difference over all exchanges: 0 is the recipient's run, 1 a reference.

        ``mean_i (D_patched − D_recipient) / mean_i (D_reference − D_recipient)``, with D the logit
        of the first target minus that of the second.

        Returns:
            ``[layer place]``, with a bootstrap interval over exchanges.

        Raises:
            SemanticHubError: Reference and recipient do not differ.
        """
        distance = self._distance
        if distance.mean().abs() < _SAME:
            raise SemanticHubError(
                "PatchResult.effect",
                got="references whose logit difference is that of the recipients",
                expected="a reference that prefers the first target more than the recipient does",
                fix="Name as reference a run that says the first target.",
            )
        moved = self._moved
        return ratio_summary(
            moved,
            distance[:, None, None].expand_as(moved),
            resampling=self.resampling,
        )

    def says(self, target: str) -> Summary:
        """Share of exchanges whose likeliest next token is this target's, 0 to 1.

        Args:
            target: Name of a group of words.

        Returns:
            ``[layer place]``, with Wilson's interval.

        Raises:
            SemanticHubError: No target of that name.
        """
        if target not in self.targets:
            raise SemanticHubError(
                "PatchResult.says",
                got=f"the target {target!r}",
                expected=f"one of {', '.join(map(repr, self.targets))}",
                fix="Name one of these.",
            )
        return share_summary(
            self.rank[..., self.targets.index(target)] == 1, self.resampling.confidence
        )

    def to_frame(self) -> "pd.DataFrame":
        """Effect and shares as a tidy frame, the controls' too.

        Returns:
            Columns ``row measure layer place target value low high n``. ``row`` is ``patched`` or a
            control's name; ``measure`` is ``effect`` (``target`` is empty) or ``says``.
        """
        import pandas as pd

        rows = {"patched": self, **self.controls}
        return pd.DataFrame([cell for row, result in rows.items() for cell in result._cells(row)])

    def figure(self, measure: str = "effect", *, target: str | None = None) -> "go.Figure":
        """One measure over layers, or over layers and places; see `semantic_hub.interventions.patching.figures`.

        Args:
            measure: ``"effect"`` or ``"says"``.
            target: Whose share is shown, for ``"says"``; None for the first.

        Raises:
            SemanticHubError: No such measure or target.
        """
        from semantic_hub.interventions.patching.figures import patch_curves, patch_map

        self.says(target or self.targets[0])
        if measure not in ("effect", "says"):
            raise SemanticHubError(
                "PatchResult.figure",
                got=f"measure={measure!r}",
                expected='"effect" or "says"',
                fix='Leave it out for "effect".',
            )
        frame = self.to_frame()
        frame = frame.loc[frame["measure"] == measure]
        if measure == "says":
            frame = frame.loc[frame["target"] == (target or self.targets[0])]
        return (patch_curves if len(self.places) == 1 else patch_map)(frame)

    @property
    def _moved(self) -> Float[Tensor, "item layer place"]:
        """D_patched − D_recipient."""
        return _difference(self.log_prob) - _difference(self.own)[:, None, None]

    @property
    def _distance(self) -> Float[Tensor, " item"]:
        """D_reference − D_recipient."""
        return _difference(self.reference) - _difference(self.own)

    def _cells(self, row: str) -> Iterator[dict[str, Any]]:
        summaries = [("effect", "", self.effect())]
        summaries += [("says", target, self.says(target)) for target in self.targets]
        for measure, target, summary in summaries:
            for i, layer in enumerate(self.layers):
                for j, place in enumerate(self.places):
                    yield {
                        "row": row,
                        "measure": measure,
                        "layer": layer,
                        "place": place,
                        "target": target,
                        "value": summary.value[i, j].item(),
                        "low": summary.low[i, j].item(),
                        "high": summary.high[i, j].item(),
                        "n": len(self.kept),
                    }


_SAME = 1e-6


def _difference(log_prob: Float[Tensor, "... target"]) -> Float[Tensor, "..."]:
    """D: the first target's logit minus the second's, in double precision."""
    first, second = torch.unbind(log_prob[..., :2].double(), dim=-1)
    return first - second
