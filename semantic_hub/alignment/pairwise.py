"""Similarity of pairs of prompts in a model, with controls and other measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.controls import Controls
from semantic_hub.alignment.cosine import mean_cosines, similarity_replicates
from semantic_hub.alignment.measures import MEASURES, Measure
from semantic_hub.alignment.result import MeasureResult, SimilarityResult
from semantic_hub.alignment.states import PairedStates, paired_states
from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.models.layers import check_layers
from semantic_hub.models.output import normed_last
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import Positions
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.results.result import manifest
from semantic_hub.statistics.intervals import percentile_interval
from semantic_hub.statistics.margins import Resampled, margin, no_margin
from semantic_hub.statistics.resampling import Resampling

StatesRead = Literal["stream", "paper"]
"""What is compared; see `similarity`."""


def similarity(
    model: HookedModel,
    pairs: Pairs,
    *,
    positions: Positions = "last",
    layers: Sequence[int] | None = None,
    states: StatesRead = "stream",
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    controls: Mapping[str, HookedModel | Pairs] | None = None,
    measures: Sequence[str] = (),
) -> SimilarityResult:
    """Similarity of pairs in a model at each layer, with controls, intervals and p-values.

    Reads the `residual_stream` and takes `paired_similarity` with its bootstrap interval over
    pairs and its permutation p-value over pairings.

    With controls, also the `margin` above the strongest of them. All rows and measures read the
    same states: each prompt goes through a model once.

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
        Similarity, matched and mismatched mean cosine, interval, p-values and margin at each layer,
        the same of every other row, and the measures. What cannot be had of a row (a measure
        of too few pairs) is named in its ``left_out``, with the reason.

    Raises:
        SemanticHubError: Fewer than 2 pairs, a null control with another number of pairs, an
            unknown measure, other ``states``, or bad input to `residual_stream`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> pairs = sh.spokes.language.pairs("en", "es")
        >>> result = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)})
        >>> result.layers[0], set(result.strongest)
        (0, {'random twin'})

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
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
    above = margin(
        effect.cosine, {name: rows[name].cosine for name in stack.nulls}, resampling.confidence
    )
    return replace(
        effect.result,
        margin=above.value,
        margin_low=above.low,
        margin_high=above.high,
        margin_p_corrected=above.p_corrected,
        strongest=above.strongest,
        controls={name: rows[name].result for name in stack.nulls},
        checks={name: row.result for name, row in rows.items() if name in stack.checks},
    )


class _Settings(NamedTuple):
    """Settings that all rows share."""

    resampling: Resampling
    permutations: int
    measures: tuple[str, ...]


class _Row(NamedTuple):
    """Result of one row, with the replicates that the margin needs."""

    result: SimilarityResult
    cosine: Resampled


class _Sides(NamedTuple):
    """States of both sides of one row, as read, and checked and scaled."""

    x: Float[Tensor, "pair layer d_model"]
    y: Float[Tensor, "pair layer d_model"]
    states: PairedStates


@dataclass(frozen=True)
class _Reader:
    """Reads the states of prompts in one model, each prompt once."""

    model: HookedModel
    positions: Positions
    layers: Sequence[int] | None
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
    sides = _Sides(x, y, paired_states(x, y, "similarity"))
    layers = tuple(check_layers(reader.model, reader.layers))
    cosines = mean_cosines(sides.states)
    replicates = similarity_replicates(sides.states, settings.resampling)
    low, high = percentile_interval(replicates, settings.resampling.confidence)
    p_values = MEASURES["cosine"].state_p_values(
        sides.states, settings.permutations, settings.resampling.seed
    )
    measures, failed = _take_measures(sides, layers, settings)
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
    return _Row(result, Resampled(cosines.similarity, replicates))


def _take_measures(
    sides: _Sides, layers: tuple[int, ...], settings: _Settings
) -> tuple[dict[str, MeasureResult], dict[str, str]]:
    """Take the named measures; those that fail are returned with the reason."""
    taken, failed = {}, {}
    for name in settings.measures:
        try:
            taken[name] = _take_measure(MEASURES[name], sides, layers, settings)
        except SemanticHubError as error:
            failed[name] = str(error)
    return taken, failed


def _take_measure(
    measure: Measure, sides: _Sides, layers: tuple[int, ...], settings: _Settings
) -> MeasureResult:
    states = measure.states(sides.x, sides.y) if measure.change else sides.states
    interval = measure.state_interval(states, settings.resampling)
    p_values = measure.state_p_values(states, settings.permutations, settings.resampling.seed)
    return MeasureResult(
        layers=layers,
        value=measure.value(states).double(),
        low=interval.low,
        high=interval.high,
        p=p_values.p,
        p_corrected=p_values.corrected,
        chance=float(measure.chance(len(sides.x))),
        unit=measure.unit,
        manifest={},
    )


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
