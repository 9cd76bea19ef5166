"""Result of patching: how far patched runs moved from the base towards the reference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.interventions.doable import enough_doable, with_doable
from semantic_hub.results.result import Counts, EffectCurve, Result
from semantic_hub.statistics.margins import (
    NO_CONTROLS,
    NO_MIDDLE,
    CellMargins,
    middle_cells,
    share_margins,
)
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, ratio_summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LOGIT_DIFF, TOP1 = "normalized_logit_diff", "top1"
"""The two measures of a patch, as frames and figures name them."""

PATCHED = "patched"
"""Row of a frame that is no control."""

NOT_DOABLE = "not right without a patch"
"""Reason under which `PatchResult.of_doable` counts the pairs that it leaves out."""

_ITEM_ARRAYS = (
    "log_prob", "logit_diff", "rank",
    "base_log_prob", "base_rank", "reference_log_prob", "reference_rank",
)  # fmt: skip
_SMALLEST_DISTANCE = 1e-6
"""References that differ from their bases by less give no scale."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchResult(Result):
    """Log-probabilities and ranks of the answers after each patch, for every `PatchPair`.

    Args:
        component: What was patched: ``"resid"``, ``"attn"``, ``"mlp"`` or ``"head"``.
        all_later_layers: Whether all layers from each on were patched, or it alone.
        n_layers: Number of the model's blocks.
        layers: The layers; 0 is the embedding, k the stream after (or the component of) block k.
        places: Names of the position maps, with the head where heads were patched.
        answers: Names of the groups of answers.
        effect_answer: The answer that an effect makes the most likely one: the source's concept in
            the base's terms.
        kept: Index of each row's patch pair in the list that was given.
        dropped: Number of patch pairs whose answers could not be scored, by reason.
        log_prob: Log-probability of each answer's likeliest token in each patched run; NaN in
            controls, which are not scored over the whole vocabulary.
        logit_diff: Logit of the first answer minus that of the second.
        rank: The likeliest token's rank in the vocabulary, 1 is the top; in controls 1 where it is
            on top, else 0.
        base_answer: The answer that the base itself should get; empty if none of them is.
        base_log_prob: Log-probabilities of the answers in the unpatched base.
        base_rank: Their ranks there.
        reference_log_prob: Log-probabilities in the run that counts as 1.
        reference_rank: Ranks there.
        form: Name of the wording that was chosen; empty where there was one alone.
        form_accuracy: Share of held-out questions that the model answers, by form; empty where
            none were asked.
        n_held_out: Number of held-out questions in each form.
        resampling: Resamples, coverage and seed of the intervals.
        controls: The same bases with other activations patched in, by name: ``"placebo"``, random
            ones of the same norm, ``"placebo, states' covariance"``, random combinations of the
            other pairs' activations at that norm, and ``"another source"``, those of another pair's
            source.
        manifest: Where the numbers come from.
    """

    kind = "patching"
    family = "causal"
    coordinates = {"item": "kept", "layer": "layers", "place": "places", "answer": "answers"}

    component: str
    all_later_layers: bool
    n_layers: int
    layers: tuple[int, ...]
    places: tuple[str, ...]
    answers: tuple[str, ...]
    effect_answer: str
    kept: tuple[int, ...]
    dropped: Mapping[str, int]
    log_prob: Float[Tensor, "item layer place answer"] = field(metadata={"unit": "nat"})
    logit_diff: Float[Tensor, "item layer place"] = field(metadata={"unit": "nat"})
    rank: Int[Tensor, "item layer place answer"] = field(metadata={"unit": "1 = top"})
    base_answer: str
    base_log_prob: Float[Tensor, "item answer"] = field(metadata={"unit": "nat"})
    base_rank: Int[Tensor, "item answer"] = field(metadata={"unit": "1 = top"})
    reference_log_prob: Float[Tensor, "item answer"] = field(metadata={"unit": "nat"})
    reference_rank: Int[Tensor, "item answer"] = field(metadata={"unit": "1 = top"})
    form: str = ""
    form_accuracy: Mapping[str, float] = field(default_factory=dict)
    n_held_out: int = 0
    resampling: Resampling = Resampling()
    controls: Mapping[str, "PatchResult"] = field(default_factory=dict)

    def normalized_logit_diff(self) -> Summary:
        """Normalized logit difference over all patch pairs: 0 is the base, 1 the reference.

        ``mean_i (D_patched − D_base) / mean_i (D_reference − D_base)``, with D the logit of the
        first answer minus that of the second.

        Returns:
            ``[layer place]``, with a bootstrap interval over patch pairs.

        Raises:
            SemanticHubError: References and bases do not differ.
        """
        base = logit_difference(self.base_log_prob)
        distance = logit_difference(self.reference_log_prob) - base
        if distance.mean().abs() < _SMALLEST_DISTANCE:
            raise SemanticHubError(
                "PatchResult.normalized_logit_diff",
                got="references whose logit difference is that of the bases",
                expected="a reference that prefers the first answer more than the base does",
                fix="Name as reference a run that gives the first answer.",
            )
        moved = self.logit_diff - base[:, None, None]
        return ratio_summary(
            moved, distance[:, None, None].expand_as(moved), resampling=self.resampling
        )

    def top1_share(self, answer: str) -> Summary:
        """Share of patch pairs whose top next token belongs to the named answer, 0 to 1.

        Args:
            answer: Name of a group of answers.

        Returns:
            ``[layer place]``, with Wilson's interval.

        Raises:
            SemanticHubError: No answer of that name.
        """
        column = check_choice("PatchResult.top1_share", "answer", answer, self.answers)
        return share_summary(self.rank[..., column] == 1, self.resampling.confidence)

    def own_accuracy(self) -> dict[str, Summary]:
        """Share of patch pairs that the model gets right without a patch, 0 to 1, by run.

        Returns:
            ``"base"``: its top token belongs to `base_answer` (missing where no answer is the
            base's); ``"reference"``: its top token belongs to `effect_answer`. Each with Wilson's
            interval.
        """
        return {
            run: share_summary(right, self.resampling.confidence)
            for run, right in self._right().items()
        }

    def doable(self) -> Bool[Tensor, " item"]:
        """Which patch pairs the model gets right without a patch, in every run of `own_accuracy`.

        The base's run must have the base's answer on top, the reference's run the effect's. The
        yardstick is that of the effect, the top token: where a space or a line break is likelier
        than any answer, being ahead of the other answers would not say that the model knows.
        Sources are not asked: what answers them, in their own words, is not scored after the
        base. No patched run has a part in it.
        """
        return torch.stack([*self._right().values()]).all(dim=0)

    def of_doable(self) -> "PatchResult":
        """The same result for the `doable` patch pairs alone, its controls too.

        Raises:
            SemanticHubError: There is none.
        """
        kept = torch.nonzero(self.doable())[:, 0].tolist()
        if not kept:
            raise SemanticHubError(
                "PatchResult.of_doable",
                got=f"{len(self.kept)} patch pairs, none of them right without a patch",
                expected="one at least",
                fix="Ask what this model knows, in a form that it answers (own_accuracy()).",
            )
        return self._only(kept)

    def effect_curve(self) -> EffectCurve:
        """Share of patch pairs with `effect_answer` on top at each layer, for the first place."""
        doable = self.of_doable()._top1_curve() if self.doable().any() else None
        return self._top1_curve()._replace(doable=doable)

    def _top1_curve(self) -> EffectCurve:
        share = self.top1_share(self.effect_answer)
        summary = Summary(value=share.value[:, 0], low=share.low[:, 0], high=share.high[:, 0])
        unit = f"share of patch pairs: top token is {self.effect_answer}"
        return EffectCurve(self.layers, summary, len(self.kept), unit)

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        """Share with `effect_answer` on top minus the strongest control's, at middle layers.

        Of the `doable` patch pairs alone; fewer than
        `semantic_hub.interventions.doable.MIN_DOABLE` have no margins. A cell is a layer and a
        place.

        Args:
            resampling: Resamples over patch pairs, and coverage and seed of the intervals.
        """
        where = self.places if len(self.places) > 1 else ("",)
        cells, rows = middle_cells(self.layers, self.n_layers, where)
        unit, doable = "share of doable patch pairs", self.doable()
        if not self.controls or not cells:
            return CellMargins.none(unit, NO_CONTROLS if cells else NO_MIDDLE)
        controls = {name: one._is_top(rows)[doable] for name, one in self.controls.items()}
        return enough_doable(
            int(doable.sum()),
            len(doable),
            unit,
            lambda: share_margins(cells, self._is_top(rows)[doable], controls, unit, resampling),
        )

    def best_cell(self) -> tuple[int, int]:
        """Index of the layer where `effect_answer` is most often on top, and 0 (first place)."""
        return int(self.top1_share(self.effect_answer).value[:, 0].argmax()), 0

    def counts(self) -> Counts:
        """Number of patch pairs measured, and number dropped for each reason."""
        return Counts(len(self.kept), self.dropped)

    def to_frame(self) -> "pd.DataFrame":
        """Tidy frame of logit differences and top-1 shares, for the patch and its controls.

        Returns:
            Columns ``row measure layer place answer value low high n``, the last four also of the
            `doable` pairs alone (``value_doable`` …, NaN without any), then ``base_accuracy
            reference_accuracy`` (`own_accuracy`). ``row`` is ``patched`` or a control's name;
            ``measure`` is ``normalized_logit_diff`` (``answer`` is empty) or ``top1``.
        """
        import pandas as pd

        rows = {PATCHED: self, **self.controls}
        accuracy = self.own_accuracy()
        right = {
            f"{run}_accuracy": float(accuracy[run].value) if run in accuracy else nan
            for run in ("base", "reference")
        }
        cells = [cell | right for row, result in rows.items() for cell in result._cells(row)]
        return pd.DataFrame(cells)

    def figure(self, measure: str = LOGIT_DIFF, *, answer: str | None = None) -> "go.Figure":
        """Plot one measure over layers, or over layers and places if there are several.

        See `semantic_hub.interventions.patching.figures`.

        Args:
            measure: ``"normalized_logit_diff"`` or ``"top1"``.
            answer: Whose share is shown, for ``"top1"``; None for the effect's.

        Raises:
            SemanticHubError: No such measure or answer.
        """
        from semantic_hub.interventions.patching.figures import patch_curves, patch_map

        chosen = self.effect_answer if answer is None else answer
        check_choice("PatchResult.figure", "answer", chosen, self.answers)
        check_choice("PatchResult.figure", "measure", measure, (LOGIT_DIFF, TOP1))
        frame = self.to_frame()
        frame = frame.loc[frame["measure"] == measure]
        if measure == TOP1:
            frame = frame.loc[frame["answer"] == chosen]
        return (patch_curves if len(self.places) == 1 else patch_map)(frame)

    def _right(self) -> dict[str, Bool[Tensor, " item"]]:
        """Which pairs each unpatched run has the right answer on top for."""
        runs = {"base": (self.base_rank, self.base_answer)} if self.base_answer else {}
        runs["reference"] = (self.reference_rank, self.effect_answer)
        return {
            run: rank[:, self.answers.index(answer)] == 1 for run, (rank, answer) in runs.items()
        }

    def _only(self, items: Sequence[int]) -> "PatchResult":
        """The result of some of the patch pairs; the others are counted as not doable."""
        return replace(
            self,
            kept=tuple(self.kept[item] for item in items),
            dropped={**self.dropped, NOT_DOABLE: len(self.kept) - len(items)},
            controls={name: control._only(items) for name, control in self.controls.items()},
            **{name: getattr(self, name)[list(items)] for name in _ITEM_ARRAYS},
        )

    def _is_top(self, rows: Sequence[int]) -> Float[Tensor, "item cell"]:
        """1 where the effect answer is on top, at some of the layers."""
        rank = self.rank[:, list(rows), :, self.answers.index(self.effect_answer)]
        return rearrange((rank == 1).double(), "item layer place -> item (layer place)")

    def _cells(self, row: str) -> Iterator[dict[str, Any]]:
        """Rows of the frame, without the controls."""
        doable = [*self.of_doable()._summaries()] if self.doable().any() else None
        n_doable = int(self.doable().sum())
        for index, (measure, answer, summary) in enumerate(self._summaries()):
            axes = {"layer": self.layers, "place": self.places}
            columns = {"row": row, "measure": measure, **axes, "answer": answer}
            yield from with_doable(
                summary.rows(**columns),
                len(self.kept),
                doable[index][-1].rows(**axes) if doable else None,
                n_doable,
            )

    def _summaries(self) -> Iterator[tuple[str, str, Summary]]:
        """Each measure, its answer and its summary, in the frame's order."""
        yield LOGIT_DIFF, "", self.normalized_logit_diff()
        for answer in self.answers:
            yield TOP1, answer, self.top1_share(answer)


def logit_difference(scores: Float[Tensor, "... answer"]) -> Float[Tensor, "..."]:
    """Logit of the first answer minus that of the second, in double precision.

    Args:
        scores: Logits or log-probabilities.
    """
    first, second = torch.unbind(scores[..., :2].double(), dim=-1)
    return first - second
