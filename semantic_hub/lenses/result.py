"""Result of a lens: log-probabilities of candidate groups, and summaries over read-outs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING

from einops import rearrange, reduce
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.prompts.prompt import HUB, SURFACE
from semantic_hub.results.result import Counts, EffectCurve, Result
from semantic_hub.statistics.margins import (
    NO_CONTROLS,
    NO_MIDDLE,
    CellMargins,
    middle_cells,
    share_margins,
)
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class LensResult(Result):
    """Log-probabilities of candidate groups at every layer, one row for each read-out.

    Args:
        n_layers: The model's number of blocks.
        layers: The layers; 0 is the embedding, k the stream after block k.
        groups: Names of the candidate groups.
        kept: Index of each row's read-out in the list that was given.
        dropped: Number of read-outs that could not be scored, by reason.
        log_prob: Log-probability of each group's likeliest word in all its spellings, natural log.
        rank: Rank in the vocabulary of the least expected scored token of the group's likeliest
            spelling, 1 is the top.
        first_token_only: True where some word of the group was scored by its first token.
        n_tokens: Tokens in the group's longest word, as scored: 1 where words were scored by their
            first tokens.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"readout": "kept", "layer": "layers", "group": "groups"}
    kind = "lens"
    family = "lens"

    n_layers: int
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
        """Number of read-outs of each group by how it was scored: first, several or one token.

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
            group: {kind: int(scored[:, index].sum()) for kind, scored in kinds.items()}
            for index, group in enumerate(self.groups)
        }

    @property
    def probability(self) -> Float[Tensor, "readout layer group"]:
        """Probability of each group's likeliest word, by first tokens or whole, 0 to 1."""
        return self.log_prob.exp()

    def mean_probability(self, group: str) -> Summary:
        """Mean probability of a group over read-outs, 0 to 1, as the paper plots it.

        Raises:
            SemanticHubError: No group of that name.
        """
        return mean_summary(self.probability[..., self._index(group)], resampling=self.resampling)

    def mean_rank(self, group: str) -> Summary:
        """Geometric mean over read-outs of the group's rank in the vocabulary, 1 to d_vocab.

        Raises:
            SemanticHubError: No group of that name.
        """
        logs = mean_summary(
            self.rank[..., self._index(group)].double().log(), resampling=self.resampling
        )
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

    def top1_share(self, group: str) -> Summary:
        """Share of read-outs whose likeliest token, of the whole vocabulary, is one of a group.

        Args:
            group: Such as ``"hub"`` for the right word.

        Returns:
            ``[layer]``, 0 to 1, with Wilson's interval.

        Raises:
            SemanticHubError: No group of that name.

        Example:
            >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20])
            >>> lens.top1_share("hub").value.shape
            torch.Size([9])
        """
        top = self.rank[..., self._index(group)] == 1
        return share_summary(top, self.resampling.confidence)

    def pooled(self, n: int) -> "LensResult":
        """Merge every n consecutive read-outs into one row, such as all positions of one input.

        Log-probabilities are averaged, and ranks replaced by their median.

        Args:
            n: Number of consecutive read-outs that become one.

        Returns:
            The same lens with items in the place of read-outs; its intervals are over items.

        Raises:
            SemanticHubError: Some read-out of an item was dropped.

        Example:
            >>> words = {"a": ("dog",), "b": ("cat",)}
            >>> texts = ("the dog is", "the cat is")
            >>> lens = sh.logit_lens(model, [sh.Readout(sh.Prompt(t), words) for t in texts])
            >>> lens.pooled(2).log_prob.shape[0]
            1
        """
        items = [self.kept[start : start + n] for start in range(0, len(self.kept), n)]
        if any(rows[0] % n or rows != tuple(range(rows[0], rows[0] + n)) for rows in items):
            raise SemanticHubError(
                "LensResult.pooled",
                got=f"{len(self.kept)} read-outs, not {n} to an item",
                expected=f"all {n} read-outs of each item, one item after the other",
                fix="Read every position of every item, for items of equally many positions.",
            )

        def by_item(values: Shaped[Tensor, "readout ..."]) -> Shaped[Tensor, "item pos ..."]:
            return rearrange(values, "(item pos) ... -> item pos ...", pos=n)

        return replace(
            self,
            kept=tuple(rows[0] // n for rows in items),
            log_prob=reduce(self.log_prob, "(item pos) ... -> item ...", "mean", pos=n),
            rank=by_item(self.rank).median(dim=1).values,
            first_token_only=by_item(self.first_token_only)[:, 0],
            n_tokens=by_item(self.n_tokens)[:, 0],
        )

    def effect_curve(self) -> EffectCurve | None:
        """Share of read-outs where ``hub`` is likelier than ``surface``; None without both.

        Example:
            >>> curve = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20]).effect_curve()
            >>> curve.unit, len(curve.summary.value)
            ('share of read-outs: hub beats surface', 9)
        """
        if not {HUB, SURFACE} <= set(self.groups):
            return None
        unit = f"share of read-outs: {HUB} beats {SURFACE}"
        return EffectCurve(self.layers, self.share(HUB, SURFACE), len(self.kept), unit)

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """Share of read-outs where ``hub`` beats ``surface``, less the best other group's share.

        Args:
            resampling: Resamples over read-outs.

        Returns:
            A cell for each middle layer; none, with the reason, without another group as control.

        Example:
            >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:40])
            >>> [cell.layer for cell in lens.cell_margins(Resampling()).cells]
            [1, 2, 3, 4, 5, 6, 7]
        """
        unit = "share of read-outs"
        cells, rows = middle_cells(self.layers, self.n_layers)
        controls = [group for group in self.groups if group not in (HUB, SURFACE)]
        if not controls or not {HUB, SURFACE} <= set(self.groups):
            return CellMargins.none(unit, NO_CONTROLS)
        if not cells:
            return CellMargins.none(unit, NO_MIDDLE)
        log_prob = dict(zip(self.groups, self.log_prob[:, rows].unbind(dim=-1), strict=True))
        beats = {
            group: (log_prob[group] > log_prob[SURFACE]).double() for group in (HUB, *controls)
        }
        return share_margins(cells, beats.pop(HUB), beats, unit, resampling)

    def best_cell(self) -> tuple[int] | None:
        """Index of the layer where ``hub`` most often beats ``surface``; None without both."""
        if not {HUB, SURFACE} <= set(self.groups):
            return None
        return (int(self.share(HUB, SURFACE).value.argmax()),)

    def counts(self) -> Counts:
        """Number of read-outs that were scored, and dropped by reason."""
        return Counts(len(self.kept), self.dropped)

    def to_frame(self) -> "pd.DataFrame":
        """All summaries as a tidy frame.

        Returns:
            Columns ``measure layer group against value low high n``. ``measure`` is
            ``probability`` or ``rank`` (``against`` is empty), or ``share``, where ``group`` is
            likelier than ``against``, for every ordered pair. ``n`` is the number of read-outs.
        """
        import pandas as pd

        summaries = [
            *(("probability", group, "", self.mean_probability(group)) for group in self.groups),
            *(
                ("share", group, against, self.share(group, against))
                for group, against in permutations(self.groups, 2)
            ),
            *(("rank", group, "", self.mean_rank(group)) for group in self.groups),
        ]
        return pd.DataFrame(
            [
                row | {"n": len(self.kept)}
                for measure, group, against, summary in summaries
                for row in summary.rows(
                    measure=measure, layer=self.layers, group=group, against=against
                )
            ]
        )

    def figure(self, measure: str = "probability", *, group: str | None = None) -> "go.Figure":
        """One measure over layers; see `semantic_hub.lenses.figures.lens_curves`.

        Args:
            measure: ``"probability"``, ``"share"`` or ``"rank"``.
            group: Only this group's curves (as ``"hub"``: hub against every other); None for all.

        Raises:
            SemanticHubError: No such measure or group.
        """
        from semantic_hub.lenses.figures import lens_curves

        frame = self.to_frame()
        if group is not None:
            frame = frame.loc[frame["group"] == self.groups[self._index(group)]]
        return lens_curves(frame, measure)

    def _index(self, group: str) -> int:
        return check_choice("LensResult", "group", group, self.groups)
