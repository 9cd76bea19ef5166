"""Margins: how far an effect lies above the strongest of its null controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.intervals import percentile_interval
from semantic_hub.statistics.p_values import max_t_p_values
from semantic_hub.statistics.resampling import Resampling, resample_weights

NO_CONTROLS = "no null controls"
"""Reason for a set without margins: nothing to compare its effect with."""

NO_MIDDLE = "no middle layer was measured"
"""Reason for a set without margins: the embedding or the last layer alone was measured."""


class Resampled(NamedTuple):
    """A value at each layer, with its value in each bootstrap resample."""

    value: Float[Tensor, " layer"]
    replicates: Float[Tensor, "resample layer"]
    __repr__ = short_repr


class Margin(NamedTuple):
    """Effect less the strongest control at each layer, with interval and p-value.

    ``p_corrected`` is the p-value that it is above 0, corrected over layers. ``strongest`` names
    that control at each layer; without controls it is empty, the rest NaN.
    """

    value: Float[Tensor, " layer"]
    low: Float[Tensor, " layer"]
    high: Float[Tensor, " layer"]
    p_corrected: Float[Tensor, " layer"]
    strongest: tuple[str, ...]
    __repr__ = short_repr


def margin(
    effect: Resampled, controls: Mapping[str, Resampled], confidence: float = 0.95
) -> Margin:
    """Effect less the strongest null control at each layer: ``M = S − max_c S_c``.

    The interval is a percentile bootstrap of M over pairs. Row i of each control is made from pair
    i, so effect and controls see the same resamples, and what they have in common cancels. The
    strongest control is chosen anew in each resample: the largest of several is high by chance
    too, so the interval leans downwards, never towards the effect. The p-value is that of
    `max_t_p_values`, from the same resamples.

    Args:
        effect: Value and replicates of the pairs.
        controls: The same of each null control, from the same resamples.
        confidence: Share of the resamples inside the interval.

    Raises:
        SemanticHubError: ``confidence`` is not between 0 and 1.

    Example:
        >>> effect = Resampled(torch.tensor([0.5]), torch.tensor([[0.25], [0.75]]))
        >>> control = Resampled(torch.tensor([0.25]), torch.tensor([[0.0], [0.5]]))
        >>> above = margin(effect, {"random twin": control})
        >>> above.value, above.strongest
        (tensor([0.2500]), ('random twin',))

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    if not controls:
        return no_margin(len(effect.value))
    names, rows = list(controls), list(controls.values())
    highest = torch.stack([row.value for row in rows]).max(dim=0)
    above = effect.replicates - torch.stack([row.replicates for row in rows]).amax(dim=0)
    low, high = percentile_interval(above, confidence)
    strongest = tuple(names[index] for index in highest.indices.tolist())
    value = effect.value - highest.values
    return Margin(value, low, high, max_t_p_values(value, above), strongest)


def no_margin(n_layers: int) -> Margin:
    """Make a `Margin` of NaN at each layer, for an effect that has no null controls.

    Args:
        n_layers: Number of layers.
    """
    nothing = torch.full((n_layers,), torch.nan, dtype=torch.float64)
    return Margin(nothing, nothing, nothing, nothing, ())


class Cell(NamedTuple):
    """Where a margin was measured: a layer, and a place or strength if there are several."""

    layer: int
    where: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class CellMargins:
    """Effect less the strongest control at each `Cell`, for one set of items.

    Args:
        cells: Where; none, with a `reason`, if nothing could be measured.
        value: The margin, in `unit`.
        low: Lower end of its interval over items.
        high: Upper end.
        p: p-value that it is above 0, corrected over cells; NaN where it could not be had.
        strongest: The strongest control in each cell.
        n: Number of items.
        unit: What the margin counts.
        reason: Why there are no cells.
    """

    cells: tuple[Cell, ...]
    value: Float[Tensor, " cell"]
    low: Float[Tensor, " cell"]
    high: Float[Tensor, " cell"]
    p: Float[Tensor, " cell"]
    strongest: tuple[str, ...]
    n: int
    unit: str
    reason: str = ""
    __repr__ = short_repr

    @classmethod
    def none(cls, unit: str, reason: str) -> "CellMargins":
        """Make empty margins, with the reason why nothing could be measured.

        Args:
            unit: What the margin would have counted.
            reason: Why there is none.
        """
        empty = torch.empty(0, dtype=torch.float64)
        ends = {"value": empty, "low": empty, "high": empty, "p": empty}
        return cls(cells=(), strongest=(), n=0, unit=unit, reason=reason, **ends)


def middle_cells(
    layers: Sequence[int], n_layers: int, where: Sequence[str] = ("",)
) -> tuple[tuple[Cell, ...], list[int]]:
    """Cells at all measured layers but the embedding and the last, and these layers' indices.

    A middle layer is neither the embedding nor the last block's output.

    Args:
        layers: The layers that were measured.
        n_layers: The model's number of blocks.
        where: What else tells cells of one layer apart, such as strengths.

    Example:
        >>> middle_cells((0, 2, 4), 4)
        ((Cell(layer=2, where=''),), [1])
    """
    rows = [row for row, layer in enumerate(layers) if 0 < layer < n_layers]
    return tuple(Cell(layers[row], name) for row, name in product(rows, where)), rows


def item_margins(
    cells: Sequence[Cell],
    effect: Float[Tensor, "item cell"],
    controls: Mapping[str, Float[Tensor, "item cell"]],
    unit: str,
    resampling: Resampling,
) -> CellMargins:
    """Mean effect over items less the largest mean of the controls, at each cell.

    Args:
        cells: At least one.
        effect: A value for each item and cell; NaN where it has none.
        controls: The same of each control, item i made from item i; at least one.
        unit: What the values count.
        resampling: Resamples over items, seed, and coverage of the intervals.

    Returns:
        A cell with a resample in which no item has a value has NaN for interval and p.

    Example:
        >>> effect, control = torch.ones(8, 1).double(), torch.zeros(8, 1).double()
        >>> found = item_margins([Cell(3)], effect, {"placebo": control}, "share", Resampling())
        >>> found.value.item(), found.strongest
        (1.0, ('placebo',))
    """
    others = {name: _resampled(values, resampling) for name, values in controls.items()}
    above = margin(_resampled(effect, resampling), others, resampling.confidence)
    return CellMargins(
        cells=tuple(cells),
        value=above.value,
        low=above.low,
        high=above.high,
        p=above.p_corrected.clamp(min=least_p(len(effect), len(cells))),
        strongest=above.strongest,
        n=len(effect),
        unit=unit,
    )


def share_margins(
    cells: Sequence[Cell],
    effect: Float[Tensor, "item cell"],
    controls: Mapping[str, Float[Tensor, "item cell"]],
    unit: str,
    resampling: Resampling,
) -> CellMargins:
    """`item_margins` of 0/1 values; intervals keep a width even where all items agree.

    A bootstrap of items that are all alike has no width. With u the `unseen_share`, the interval of
    a margin M in [-1, 1] reaches at least from ``M − u (M + 1)`` to ``M + u (1 − M)``.

    Args:
        cells: At least one.
        effect: Which items succeed in each cell.
        controls: The same of each control; at least one.
        unit: What the share is of.
        resampling: Resamples over items, seed, and coverage of the intervals.

    Example:
        >>> effect, control = torch.ones(8, 1).double(), torch.zeros(8, 1).double()
        >>> found = share_margins([Cell(3)], effect, {"placebo": control}, "share", Resampling())
        >>> round(found.low.item(), 2), found.high.item()
        (0.26, 1.0)
    """
    found = item_margins(cells, effect, controls, unit, resampling)
    unseen = unseen_share(found.n, resampling.confidence)
    low = torch.minimum(found.low, found.value - unseen * (found.value + 1))
    high = torch.maximum(found.high, found.value + unseen * (1 - found.value))
    return replace(found, low=low, high=high)


def unseen_share(n: int, confidence: float = 0.95) -> float:
    """Upper confidence bound of the rate of an outcome seen in 0 of n: ``1 − tail^(1/n)``.

    The upper end of the exact interval of a share of which none in n was seen, with
    ``tail = (1 − confidence) / 2``.

    Args:
        n: Number of items.
        confidence: Coverage.

    Example:
        >>> round(unseen_share(10), 3), round(unseen_share(100), 3)
        (0.308, 0.036)

    Source:
        Clopper and Pearson 1934, The use of confidence or fiducial limits illustrated in the case
        of the binomial, doi 10.1093/biomet/26.4.404.
    """
    return 1 - ((1 - confidence) / 2) ** (1 / n)


def least_p(n: int, n_cells: int) -> float:
    """Smallest p-value to report for n items, corrected over cells: ``n_cells / 2^n``.

    Where a margin is as likely below 0 as above, n items all lie above it by chance in ``1 / 2^n``
    of cases, and a bootstrap of those items cannot know.

    Args:
        n: Number of items.
        n_cells: Number of cells.

    Example:
        >>> least_p(3, 2), least_p(1, 4)
        (0.25, 1.0)
    """
    return min(1.0, n_cells * 0.5**n)


def _resampled(values: Float[Tensor, "item cell"], resampling: Resampling) -> Resampled:
    drawn = resample_weights(len(values), resampling.resamples, seed=resampling.seed)
    everything = torch.ones(1, len(values), dtype=torch.float64)
    replicates = torch.cat([_known_mean(weights, values) for weights in drawn])
    return Resampled(_known_mean(everything, values)[0], replicates)


def _known_mean(
    weights: Float[Tensor, "resample item"], values: Float[Tensor, "item cell"]
) -> Float[Tensor, "resample cell"]:
    """Weighted mean over the items that have a value; NaN if none has."""
    known = (~values.isnan()).double()
    return weights @ values.nan_to_num() / (weights @ known)
