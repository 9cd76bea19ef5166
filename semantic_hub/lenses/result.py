"""What a lens found: log-probabilities, and their summaries over read-outs with intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class LensResult(Result):
    """Log-probabilities of candidate groups at every layer, one row for each read-out.

    Args:
        layers: The layers; 0 is the embedding, k the stream after block k.
        groups: Names of the candidate groups.
        kept: Index of each row's read-out in the list that was given.
        dropped: Number of read-outs that could not be scored, by reason.
        log_prob: Log-probability of each group's likeliest token, natural log; where words were
            scored whole, that of its likeliest word.
        rank: That token's rank in the vocabulary, 1 is the top; of a word of several tokens, the
            rank of the least expected one.
        first_token_only: True where some word of the group was scored by its first token.
        n_tokens: Tokens in the group's longest word, as scored: 1 unless words of several tokens
            were scored whole.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"readout": "kept", "layer": "layers", "group": "groups"}

    layers: tuple[int, ...]
    groups: tuple[str, ...]
    kept: tuple[int, ...]
    dropped: Mapping[str, int]
    log_prob: Float[Tensor, "readout layer group"] = field(metadata={"unit": "nat"})
    rank: Int[Tensor, "readout layer group"] = field(metadata={"unit": "1 = top"})
    first_token_only: Bool[Tensor, "readout group"]
    n_tokens: Int[Tensor, "readout group"]
    resampling: Resampling = Resampling()

    @property
    def scored_as(self) -> dict[str, dict[str, int]]:
        """How each group was scored, as numbers of read-outs.

        ``first token``: some word of the group by its first token alone; ``several tokens``: some
        word in full, over several tokens; ``one token``: all of them are one token.

        Example:
            >>> sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20]).scored_as["hub"]
            {'first token': 0, 'several tokens': 0, 'one token': 20}
        """
        several = (self.n_tokens > 1) & ~self.first_token_only
        one = (self.n_tokens == 1) & ~self.first_token_only
        kinds = {"first token": self.first_token_only, "several tokens": several, "one token": one}
        return {
            group: {kind: int(found[:, index].sum()) for kind, found in kinds.items()}
            for index, group in enumerate(self.groups)
        }

    @property
    def probability(self) -> Float[Tensor, "readout layer group"]:
        """Probability of each group's likeliest token or whole word, 0 to 1."""
        return self.log_prob.exp()

    def mean_probability(self, group: str) -> Summary:
        """Mean probability of a group over read-outs, 0 to 1: the paper's curves.

        Raises:
            SemanticHubError: No group of that name.
        """
        return self._summary(self.probability[..., self._index(group)])

    def mean_rank(self, group: str) -> Summary:
        """Geometric mean over read-outs of the group's rank in the vocabulary, 1 to d_vocab.

        Raises:
            SemanticHubError: No group of that name.
        """
        logs = self._summary(self.rank[..., self._index(group)].double().log())
        return Summary(value=logs.value.exp(), low=logs.low.exp(), high=logs.high.exp())

    def share(self, group: str, against: str) -> Summary:
        """Share of read-outs in which `group` is likelier than `against`, 0 to 1; a tie is no win.

        Args:
            group: The group that is counted when it wins.
            against: The group that it is compared with.

        Raises:
            SemanticHubError: No group of that name.

        Example:
            >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20])
            >>> lens.share("hub", "surface").value.shape
            torch.Size([9])
        """
        ahead = self.log_prob[..., self._index(group)] > self.log_prob[..., self._index(against)]
        return share_summary(ahead, self.resampling.confidence)

    def to_frame(self) -> "pd.DataFrame":
        """All summaries as a tidy frame.

        Returns:
            Columns ``measure layer group against value low high n``. ``measure`` is
            ``probability`` or ``rank`` (``against`` is empty), or ``share``, where ``group`` is
            likelier than ``against``, for every ordered pair. ``n`` is the number of read-outs.
        """
        import pandas as pd

        return pd.DataFrame([row for summary in self._summaries() for row in self._rows(*summary)])

    def figure(self, measure: str = "probability", *, group: str | None = None) -> "go.Figure":
        """One measure over layers; see `semantic_hub.plotting.curves.lens_curves`.

        Args:
            measure: ``"probability"``, ``"share"`` or ``"rank"``.
            group: Only this group's curves (as ``"hub"``: hub against every other); None for all.

        Raises:
            SemanticHubError: No such measure or group.
        """
        from semantic_hub.plotting.curves import lens_curves

        frame = self.to_frame()
        if group is not None:
            frame = frame.loc[frame["group"] == self.groups[self._index(group)]]
        return lens_curves(frame, measure)

    def _summary(self, values: Float[Tensor, "readout layer"]) -> Summary:
        return mean_summary(
            values,
            resampling=self.resampling,
        )

    def _summaries(self) -> Iterator[tuple[str, str, str, Summary]]:
        for group in self.groups:
            yield "probability", group, "", self.mean_probability(group)
        for group, against in permutations(self.groups, 2):
            yield "share", group, against, self.share(group, against)
        for group in self.groups:
            yield "rank", group, "", self.mean_rank(group)

    def _rows(
        self, measure: str, group: str, against: str, summary: Summary
    ) -> Iterator[dict[str, Any]]:
        columns = torch.stack([summary.value, summary.low, summary.high], dim=1).tolist()
        for layer, (value, low, high) in zip(self.layers, columns, strict=True):
            row = {"measure": measure, "layer": layer, "group": group, "against": against}
            yield row | {"value": value, "low": low, "high": high, "n": len(self.kept)}

    def _index(self, group: str) -> int:
        if group not in self.groups:
            raise SemanticHubError(
                "LensResult",
                got=f"the group {group!r}",
                expected=f"one of {', '.join(map(repr, self.groups))}",
                fix="Name one of these.",
            )
        return self.groups.index(group)
