"""Similarity of pairs of prompts in a model, with controls and other measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.auc import (
    AUC,
    CHANCE,
    Comparison,
    control_wins,
    lead_margins,
    match_wins,
    share_interval,
)
from semantic_hub.alignment.controls import MISMATCHED, Controls
from semantic_hub.alignment.cosine import mean_cosines, similarity_interval
from semantic_hub.alignment.measures import MEASURES, Change, Measure
from semantic_hub.alignment.result import MeasureResult, SimilarityResult
from semantic_hub.alignment.states import PairedStates, paired_states
from semantic_hub.errors import SemanticHubError, as_list, check_choice, check_kinds
from semantic_hub.models.layers import check_layers
from semantic_hub.models.output import normed_last
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import Positions
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.results.result import manifest
from semantic_hub.statistics.margins import Cell, no_margin, share_margins
from semantic_hub.statistics.resampling import Resampling

StatesRead = Literal["stream", "paper"]
"""What is compared; see `similarity`."""


def similarity(
    model: HookedModel,
    pairs: Pairs,
    *,
    positions: Positions = "last",
    layers: int | Sequence[int] | None = None,
    states: StatesRead = "stream",
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    controls: Mapping[str, HookedModel | Pairs] | None = None,
    measures: str | Sequence[str] = (),
) -> SimilarityResult:
    """Similarity of pairs in a model at each layer, with controls, intervals and p-values.

    Reads the `residual_stream` and takes two measures with their intervals over pairs and their
    permutation p-values over pairings: `paired_similarity` (Eq. 1, as the paper has it), and the
    `auc`, which means the same in every model: the share of mismatches that a match beats.

    With controls, also the margin of the AUC above the strongest of them: above chance, above the
    AUC of another model, and, for a control made of the pairs, by how much more than half of the
    time a match beats the control of its own pair (`control_wins`). All rows and measures read
    the same states: each prompt goes through a model once.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        pairs: At least 2 pairs of prompts.
        positions: Where to read, as in `residual_stream`.
        layers: Which layers, 0..n_layers; None for all.
        states: ``"stream"``: the residual stream. ``"paper"``: at the last layer what the final
            norm makes of it, as the paper's code reads states; other layers are the same.
        batch_size: Prompts in a forward pass, or ``"auto"``.
        resampling: Resamples, coverage and seed of the intervals.
        permutations: Number of pairings to compare with.
        controls: Rows to compare with, by name: another model (``random_twin(model)``) measures
            the same pairs, other pairs are measured in the same model. All are null controls, row i
            made from pair i, but for the checks of a `Controls`, such as `stacked_controls` gives.
        measures: Names in `semantic_hub.alignment.measures.MEASURES`; each is taken of every row.

    Returns:
        Similarity, matched and mismatched mean cosine, AUC, intervals, p-values and margin at each
        layer, the same of every other row, and the measures. What cannot be had of a row (a measure
        of too few pairs) is named in its ``left_out``, with the reason.

    Raises:
        SemanticHubError: Fewer than 2 pairs, a null control with another number of pairs, an
            unknown measure, other ``states``, or bad input to `residual_stream`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> pairs = sh.spokes.language.pairs("en", "es")
        >>> result = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)})
        >>> result.layers[0], result.measures["AUC"].value.argmax().item() > 0
        (0, True)

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
    check_kinds(
        "similarity",
        pairs=(pairs, Pairs),
        resampling=(resampling, Resampling),
        permutations=(permutations, int),
        controls=(controls, (Mapping, None)),
    )
    measures = as_list("similarity", "measures", measures, str)
    stack = controls if isinstance(controls, Controls) else Controls(controls or {})
    _check(pairs, stack, measures)
    check_choice("similarity", "states", states, get_args(StatesRead))
    settings = _Settings(resampling, permutations, tuple(measures))
    reader = _Reader(model, positions, layers, states, batch_size, {})
    effect = _measure_row(reader, pairs, settings, stack.left_out)
    rows = {
        name: _measure_row(reader, row, settings, dropped=stack.dropped.get(name))
        if isinstance(row, Pairs)
        else _measure_row(replace(reader, model=row, known={}), pairs, settings)
        for name, row in stack.items()
    }
    controls_of = {name: rows[name] for name in stack.nulls}
    wins = _wins(effect, controls_of)
    return replace(
        effect.result,
        **_margins(effect, controls_of, wins),
        wins={name: _wins_result(each, effect.result) for name, each in wins.items()},
        controls={name: row.result for name, row in controls_of.items()},
        checks={name: row.result for name, row in rows.items() if name in stack.checks},
    )


class _Settings(NamedTuple):
    """Settings that all rows share."""

    resampling: Resampling
    permutations: int
    measures: tuple[str, ...]


class _Row(NamedTuple):
    """Result of one row, with what margins need: its prompts, its states, its AUC pair by pair."""

    result: SimilarityResult
    model: HookedModel
    pairs: Pairs
    x: Float[Tensor, "pair layer d_model"]
    y: Float[Tensor, "pair layer d_model"]
    auc: Float[Tensor, "pair layer"]


@dataclass(frozen=True)
class _Reader:
    """Reads the states of prompts in one model, each prompt once."""

    model: HookedModel
    positions: Positions
    layers: int | Sequence[int] | None
    states: StatesRead
    batch_size: int | Literal["auto"]
    known: dict[Prompt, Float[Tensor, "layer d_model"]]

    def sides(self, pairs: Pairs) -> list[Float[Tensor, "pair layer d_model"]]:
        """States of both sides."""
        fresh = [p for p in dict.fromkeys(pairs.x + pairs.y) if p not in self.known]
        if fresh:
            states = residual_stream(
                self.model,
                fresh,
                positions=self.positions,
                layers=self.layers,
                batch_size=self.batch_size,
            )
            if self.states == "paper":
                for index, layer in enumerate(check_layers(self.model, self.layers)):
                    read = normed_last(self.model, states[:, index], layer)
                    states[:, index] = read.detach().float().cpu()
            self.known.update(zip(fresh, states, strict=True))
        return [torch.stack([self.known[prompt] for prompt in side]) for side in (pairs.x, pairs.y)]


def _measure_row(
    reader: _Reader,
    pairs: Pairs,
    settings: _Settings,
    left_out: Mapping[str, str] | None = None,
    dropped: Mapping[str, int] | None = None,
) -> _Row:
    """Measure one row of pairs, without controls and margin."""
    x, y = reader.sides(pairs)
    states = paired_states(x, y, "similarity")
    layers = tuple(check_layers(reader.model, reader.layers))
    cosines = mean_cosines(states)
    low, high = similarity_interval(states, resampling=settings.resampling)
    p_values = MEASURES["cosine"].state_p_values(
        states, settings.permutations, settings.resampling.seed
    )
    changed: dict[Change | None, PairedStates] = {None: states}
    area = MEASURES[AUC]
    changed[area.change] = area.states(x, y)
    measures, failed = _take_measures(x, y, changed, layers, settings)
    nothing = no_margin(len(layers))
    result = SimilarityResult(
        layers=layers,
        similarity=cosines.similarity,
        matched=cosines.matched,
        mismatched=cosines.mismatched,
        low=low,
        high=high,
        p=p_values.p,
        p_corrected=p_values.corrected,
        margin=nothing.value,
        margin_low=nothing.low,
        margin_high=nothing.high,
        margin_p_corrected=nothing.p_corrected,
        n_pairs=len(pairs),
        x_name=pairs.x_name,
        y_name=pairs.y_name,
        measures=measures,
        n_layers=reader.model.cfg.n_layers,
        resampling=settings.resampling,
        permutations=settings.permutations,
        dropped=dict(dropped or {}),
        left_out={**(left_out or {}), **failed},
        manifest=manifest(
            reader.model,
            measure="similarity",
            positions=getattr(reader.positions, "__name__", str(reader.positions)),
            states=reader.states,
            n_pairs=len(pairs),
            resampling=settings.resampling,
            permutations=settings.permutations,
            measures=settings.measures,
        ),
    )
    return _Row(result, reader.model, pairs, x, y, match_wins(changed[area.change]))


def _take_measures(
    x: Float[Tensor, "pair layer d_model"],
    y: Float[Tensor, "pair layer d_model"],
    changed: dict[Change | None, PairedStates],
    layers: tuple[int, ...],
    settings: _Settings,
) -> tuple[dict[str, MeasureResult], dict[str, str]]:
    """Take the AUC and the named measures; those that fail are returned with the reason.

    Measures that change the states in the same way share them.
    """
    taken, failed = {}, {}
    for name in dict.fromkeys((AUC, *settings.measures)):
        measure = MEASURES[name]
        try:
            if measure.change not in changed:
                changed[measure.change] = measure.states(x, y)
            taken[name] = _take_measure(measure, changed[measure.change], layers, settings)
        except SemanticHubError as error:
            failed[name] = str(error)
    return taken, failed


def _take_measure(
    measure: Measure, states: PairedStates, layers: tuple[int, ...], settings: _Settings
) -> MeasureResult:
    value, interval = measure.estimate(states, settings.resampling)
    p_values = measure.state_p_values(states, settings.permutations, settings.resampling.seed)
    return MeasureResult(
        layers=layers,
        value=value.double(),
        low=interval.low,
        high=interval.high,
        p=p_values.p,
        p_corrected=p_values.corrected,
        chance=float(measure.chance(len(states.x))),
        unit=measure.unit,
        manifest={},
    )


def _wins(effect: _Row, controls: Mapping[str, _Row]) -> dict[str, Float[Tensor, "pair layer"]]:
    """Whether each match beats its control, for the controls that have other prompts."""
    wins = {}
    for name, row in controls.items():
        changed = _changed(effect.pairs, row.pairs)
        if row.model is effect.model and changed.any():
            wins[name] = control_wins(effect.x, effect.y, row.x, row.y, changed)
    return wins


def _changed(pairs: Pairs, control: Pairs) -> Bool[Tensor, "pair side"]:
    """Which prompts of a control are others than those of its pair."""
    sides = zip((pairs.x, pairs.y), (control.x, control.y), strict=True)
    return torch.tensor([[a != b for a, b in zip(*side, strict=True)] for side in sides]).T


def _margins(
    effect: _Row,
    controls: Mapping[str, _Row],
    wins: Mapping[str, Float[Tensor, "pair layer"]],
) -> dict[str, Any]:
    """The margin of the AUC at each layer, as fields of the result; none without controls."""
    if not controls:
        return {}
    comparisons = {MISMATCHED: Comparison(effect.auc, CHANCE)}
    comparisons |= {
        name: Comparison(wins[name], CHANCE) if name in wins else Comparison(effect.auc, row.auc)
        for name, row in controls.items()
    }
    found = lead_margins(comparisons, effect.result.layers, effect.result.resampling)
    return {
        "margin": found.value,
        "margin_low": found.low,
        "margin_high": found.high,
        "margin_p_corrected": found.p,
        "strongest": found.strongest,
    }


def _wins_result(wins: Float[Tensor, "pair layer"], effect: SimilarityResult) -> MeasureResult:
    """Share of the pairs whose match beats the control, with interval and p-values above chance."""
    known, resampling = wins[~wins[:, 0].isnan()], effect.resampling
    alone = [_above_chance(known[:, [column]], resampling) for column in range(wins.shape[1])]
    interval = share_interval(known, resampling)
    return MeasureResult(
        layers=effect.layers,
        value=known.mean(dim=0),
        low=interval.low,
        high=interval.high,
        p=torch.cat(alone),
        p_corrected=_above_chance(known, resampling),
        chance=CHANCE,
        unit="share of pairs",
        manifest={},
    )


def _above_chance(
    wins: Float[Tensor, "pair layer"], resampling: Resampling
) -> Float[Tensor, " layer"]:
    cells = [Cell(layer) for layer in range(wins.shape[1])]
    chance = {"chance": torch.full_like(wins, CHANCE)}
    return share_margins(cells, wins, chance, "share of pairs", resampling).p


def _check(pairs: Pairs, controls: Controls, measures: Sequence[str]) -> None:
    if len(pairs) < 2:
        raise SemanticHubError(
            "similarity",
            got=f"{len(pairs)} pair",
            expected="at least 2 pairs, since one has no mismatch",
            fix="Pass more pairs.",
        )
    for name in controls.nulls:
        row = controls[name]
        if isinstance(row, Pairs) and len(row) != len(pairs):
            raise SemanticHubError(
                "similarity",
                got=f"control {name!r} of {len(row)} pairs",
                expected=f"{len(pairs)} pairs, row i made from pair i",
                fix="Make one row for each pair, or name it among the checks of Controls(...).",
            )
    for name in measures:
        check_choice("similarity", "measure", name, tuple(MEASURES))
