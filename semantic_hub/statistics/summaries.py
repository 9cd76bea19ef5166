"""Means, shares and ratios over items, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.intervals import bootstrap_interval, proportion_interval
from semantic_hub.statistics.resampling import Resampling, weighted_mean


@dataclass(frozen=True, eq=False, kw_only=True)
class Summary:
    """A mean, share or ratio over items, with its interval.

    Args:
        value: The mean, the share, or the ratio.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: Float[Tensor, "..."]
    low: Float[Tensor, "..."]
    high: Float[Tensor, "..."]
    __repr__ = short_repr

    def rows(self, **columns: Sequence[object] | str | float) -> list[dict[str, Any]]:
        """Rows for a tidy data frame, one dict for each entry of the arrays.

        Args:
            columns: The frame's first columns: for each axis of the arrays, in their order, its
                labels; a text or number is the same in every row.

        Returns:
            Rows of these columns, then ``value``, ``low`` and ``high``; the last axis runs
            fastest.

        Example:
            >>> summary = mean_summary(torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
            >>> [(row["measure"], row["layer"], row["value"])
            ...  for row in summary.rows(measure="share", layer=(0, 8))]
            [('share', 0, 0.5), ('share', 8, 1.0)]
        """
        axes = {
            name: labels
            for name, labels in columns.items()
            if isinstance(labels, Sequence) and not isinstance(labels, str)
        }
        shape = tuple(len(labels) for labels in axes.values())
        numbers = [
            end.reshape(shape).flatten().tolist() for end in (self.value, self.low, self.high)
        ]
        cells = product(*axes.values())
        return [
            {
                **columns,
                **dict(zip(axes, cell, strict=True)),
                "value": value,
                "low": low,
                "high": high,
            }
            for cell, value, low, high in zip(cells, *numbers, strict=True)
        ]


def mean_summary(
    values: Float[Tensor, "item ..."],
    *,
    resampling: Resampling = Resampling(),
) -> Summary:
    """Mean over items with a bootstrap interval, in the unit of the values.

    Args:
        values: One value, or one array of values, for each item.
        resampling: Resamples, coverage and seed of the intervals.

    Example:
        >>> mean_summary(torch.tensor([0.0, 1.0, 1.0, 1.0])).value.item()
        0.75
    """
    low, high = bootstrap_interval(
        values,
        resampling=resampling,
    )
    return Summary(value=values.double().mean(dim=0), low=low, high=high)


def share_summary(wins: Bool[Tensor, "item ..."], confidence: float = 0.95) -> Summary:
    """Share of items that are true, 0 to 1, with Wilson's interval.

    Args:
        wins: Which items do.
        confidence: Coverage of the interval.

    Example:
        >>> share_summary(torch.tensor([True, True, False, True])).value.item()
        0.75
    """
    count, n = wins.double().sum(dim=0), len(wins)
    low, high = proportion_interval(count, n, confidence)
    return Summary(value=count / n, low=low, high=high)


def ratio_summary(
    numerator: Float[Tensor, "item ..."],
    denominator: Float[Tensor, "item ..."],
    *,
    resampling: Resampling = Resampling(),
) -> Summary:
    """Mean numerator over mean denominator, with a bootstrap interval over items.

    A ratio of means, not a mean of ratios: an item whose denominator is about 0 has little weight
    in it instead of all.

    Args:
        numerator: One value, or one array of values, for each item.
        denominator: Likewise; means other than 0.
        resampling: Resamples, coverage and seed of the intervals.

    Example:
        >>> ratio_summary(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0])).low.item()
        0.5
    """
    low, high = bootstrap_interval(
        torch.stack([numerator, denominator], dim=1),
        _ratio,
        resampling=resampling,
    )
    value = numerator.double().mean(dim=0) / denominator.double().mean(dim=0)
    return Summary(value=value, low=low, high=high)


def _ratio(
    weights: Float[Tensor, "resample item"], values: Float[Tensor, "item two ..."]
) -> Float[Tensor, "resample ..."]:
    means = weighted_mean(weights, values)
    return means[:, 0] / means[:, 1]
