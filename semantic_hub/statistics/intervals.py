"""Confidence intervals: bootstrap over items, and Wilson's for a proportion."""

from collections.abc import Callable
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.resampling import (
    Resampling,
    WeightedStatistic,
    leave_one_out_weights,
    range_error,
    resample_weights,
    weighted_mean,
)


class Interval(NamedTuple):
    """Low and high ends of an interval, arrays of equal shape."""

    low: Float[Tensor, "..."]
    high: Float[Tensor, "..."]
    __repr__ = short_repr


def bootstrap_interval(
    values: Float[Tensor, "item ..."],
    statistic: WeightedStatistic = weighted_mean,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    resampling: Resampling = Resampling(),
) -> Interval:
    """Bootstrap interval of a statistic over items.

    Items are drawn with replacement, and the statistic is taken of each resample. The percentile
    interval holds the middle ``confidence`` of what comes out; the BCa interval moves both ends
    for bias and for a spread that changes with the value (`bca_interval`). With 0 and 1 as values,
    the mean is a proportion. All entries along the other axes see the same resamples.

    Args:
        values: One value, or one array of values, for each item; finite.
        statistic: From weights (how often each item was drawn) and values to one value for each
            resample.
        method: ``"percentile"`` or ``"bca"``; BCa also takes the statistic without each item.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        Low and high ends, float64, in the unit of the statistic, shape ``...``.

    Raises:
        SemanticHubError: No items (for BCa: fewer than 2), values that are not finite, a number
            out of range, or another method.

    Example:
        >>> low, high = bootstrap_interval(torch.tensor([0.0, 1.0, 1.0, 1.0]))
        >>> low.item(), high.item()
        (0.25, 1.0)

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 13.3 and 14.3.
    """
    _check_values(values)
    values = values.detach().cpu().double()
    return replicate_interval(
        lambda weights: statistic(weights, values),
        len(values),
        method=method,
        resampling=resampling,
    )


def replicate_interval(
    replicate: Callable[[Tensor], Tensor],
    n_items: int,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    resampling: Resampling = Resampling(),
    min_distinct: int = 1,
) -> Interval:
    """Bootstrap interval of a statistic, given as a function of weights ``[resample item]``.

    Args:
        replicate: From weights ``[resample item]`` to the statistic of each resample.
        n_items: Number of items.
        method: ``"percentile"`` or ``"bca"``.
        resampling: Resamples, coverage and seed of the intervals.
        min_distinct: A resample with fewer distinct items is drawn again.

    Raises:
        SemanticHubError: A number out of range, or another method.
    """
    if method not in ("percentile", "bca"):
        raise range_error("method", repr(method), '"percentile" or "bca"')
    drawn = resample_weights(
        n_items, resampling.resamples, seed=resampling.seed, min_distinct=min_distinct
    )
    replicates = torch.cat([replicate(weights) for weights in drawn])
    if method == "percentile":
        return percentile_interval(replicates, resampling.confidence)
    left_out = torch.cat([replicate(weights) for weights in leave_one_out_weights(n_items)])
    estimate = replicate(torch.ones(1, n_items, dtype=torch.float64))[0]
    return bca_interval(replicates, estimate, left_out, resampling.confidence)


def percentile_interval(
    replicates: Float[Tensor, "resample ..."], confidence: float = 0.95
) -> Interval:
    """Percentile bootstrap interval from the value of a statistic in each resample.

    Args:
        replicates: The statistic of each resample.
        confidence: Share of the replicates inside the interval.

    Raises:
        SemanticHubError: ``confidence`` is not between 0 and 1.
    """
    tail = (1 - _checked(confidence)) / 2
    low, high = np.quantile(replicates.double().numpy(), [tail, 1 - tail], axis=0)
    return Interval(torch.as_tensor(low), torch.as_tensor(high))


def bca_interval(
    replicates: Float[Tensor, "resample ..."],
    estimate: Float[Tensor, "..."],
    left_out: Float[Tensor, "item ..."],
    confidence: float = 0.95,
) -> Interval:
    """The bias-corrected and accelerated bootstrap interval.

    Its ends are the quantiles ``Φ(b + (b + z) / (1 − a (b + z)))`` of the replicates, with z the
    normal quantile of either tail. The bias ``b = Φ⁻¹(share of replicates below the estimate)``
    counts ties (up to rounding) half; the acceleration is ``a = Σ d_i³ / 6 (Σ d_i²)^{3/2}`` with
    ``d_i = θ_(·) − θ_(−i)``. The share is kept half a replicate away from 0 and 1, where b would be
    infinite. With a = b = 0 this is the percentile interval.

    Args:
        replicates: The statistic of each resample.
        estimate: The statistic of all items.
        left_out: The statistic without each item.
        confidence: Coverage that is aimed at.

    Raises:
        SemanticHubError: ``confidence`` is not between 0 and 1.

    Source:
        Efron 1987, Better bootstrap confidence intervals, doi 10.1080/01621459.1987.10478410;
        ties as in ``scipy.stats.bootstrap``.
    """
    z = NormalDist().inv_cdf((1 + _checked(confidence)) / 2)
    bias, acceleration = _bias(replicates, estimate), _acceleration(left_out)
    ends = []
    for tail in (bias - z, bias + z):
        share = torch.special.ndtr(bias + tail / (1 - acceleration * tail))
        ends.append(_quantile(replicates, share))
    return Interval(*ends)


def proportion_interval(wins: Float[Tensor, "..."], n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion, which has a width even at 0 and 1.

    With p = wins / n and z the normal quantile, the ends are
    ``(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)``.

    Args:
        wins: How many of the n items win, 0 to n.
        n: Number of items.
        confidence: Coverage.

    Example:
        >>> [round(end.item(), 3) for end in proportion_interval(torch.tensor([10.0]), 10)]
        [0.722, 1.0]

    Source:
        Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, scale = wins.double() / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / scale
    half = z * (p * (1 - p) / n + (z / (2 * n)) ** 2).sqrt() / scale
    return Interval((middle - half).clamp(min=0), (middle + half).clamp(max=1))


def _check_values(values: Tensor) -> None:
    if not len(values) or not values.isfinite().all():
        raise SemanticHubError(
            "bootstrap_interval",
            got=f"{len(values)} items, {int((~values.isfinite()).sum())} values not finite",
            expected="at least 1 item, all values finite",
            fix="Drop the items without a value first, and count them.",
        )


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise range_error("confidence", confidence, "a number between 0 and 1")
    return confidence


def _bias(
    replicates: Float[Tensor, "resample ..."], estimate: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    difference = replicates.double() - estimate
    rounding = 1e-6 * difference.std(dim=0, correction=0)
    ties = difference.abs() <= rounding
    below = ((difference < 0) & ~ties).double() + ties.double() / 2
    margin = 1 / (2 * len(replicates))
    return torch.special.ndtri(below.mean(dim=0).clamp(margin, 1 - margin))


def _acceleration(left_out: Float[Tensor, "item ..."]) -> Float[Tensor, "..."]:
    d = left_out.mean(dim=0) - left_out
    spread = d.square().sum(dim=0)
    return torch.where(spread > 0, d.pow(3).sum(dim=0) / (6 * spread.pow(1.5)), 0.0)


def _quantile(
    replicates: Float[Tensor, "resample ..."], share: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """As ``numpy.quantile``, with another share for each entry."""
    ordered = replicates.double().sort(dim=0).values
    place = share * (len(ordered) - 1)
    low, high = (ordered.gather(0, end.long()[None])[0] for end in (place.floor(), place.ceil()))
    return torch.lerp(low, high, place - place.floor())
