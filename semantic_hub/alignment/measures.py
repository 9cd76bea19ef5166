"""The measures of similarity by name: each with its value, interval, p-values and chance level.

All read the same states, so one forward pass serves every measure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.alignment.cka import cka_influence, cka_under_pairings, debiased_cka
from semantic_hub.alignment.cosine import paired_interval, paired_p_values, paired_similarity
from semantic_hub.alignment.neighbours import (
    N_NEIGHBOURS,
    mutual_neighbours,
    neighbour_influence,
    neighbours_under_pairings,
)
from semantic_hub.alignment.normalised import centred, standardised, without_components
from semantic_hub.alignment.retrieval import retrieval, retrieval_hits, retrieval_under_pairings
from semantic_hub.alignment.states import States
from semantic_hub.statistics.intervals import Interval, bootstrap_interval, proportion_interval
from semantic_hub.statistics.p_values import PValues, pairings, permutation_p_values
from semantic_hub.statistics.resampling import Resampling

Change = Callable[[States, States], tuple[States, States]]
"""From both sides of states to both sides; must not depend on which x belongs to which y."""

Value = Callable[[States, States], Float[Tensor, " layer"]]
"""From both sides of states to one number at each layer."""

Influence = Callable[[States, States], Float[Tensor, "pair layer"]]
"""From both sides of states to what each pair adds to the value; see `influence_values`."""

UnderPairings = Callable[
    [States, States, Int[Tensor, "pairing pair"]], Float[Tensor, "pairing layer"]
]
"""From both sides and pairings to the value under each of them, less its mean over all."""


@runtime_checkable
class IntervalOf(Protocol):
    """From both sides of states to an interval over pairs at each layer."""

    def __call__(self, x: States, y: States, *, resampling: Resampling = Resampling()) -> Interval:
        """The interval; one in closed form needs neither resamples nor seed."""
        ...


@runtime_checkable
class PValuesOf(Protocol):
    """From both sides of states to permutation p-values over pairings at each layer."""

    def __call__(self, x: States, y: States, *, permutations: int = 1000, seed: int = 0) -> PValues:
        """The p-values, by layer and corrected over layers."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """A measure of similarity of two sides of states, at each layer; large speaks for sharing.

    Args:
        value: ``(x, y)`` to the value at each layer; calling the measure calls it.
        interval: ``(x, y, resampling=)`` to an interval over pairs.
        p_values: ``(x, y, permutations=, seed=)`` to p-values over pairings.
        chance: From the number of pairs to what states that say nothing of their pair read.
        unit: What the value counts.
        least_pairs: Fewer pairs raise an error in the value or in the interval.

    Example:
        >>> x = torch.randn(30, 2, 8, generator=torch.Generator().manual_seed(0))
        >>> measure = MEASURES["retrieval@1 x to y"]
        >>> measure(x, x).tolist(), measure.interval(x, x).low.round(decimals=2).tolist()
        ([1.0, 1.0], [0.89, 0.89])
        >>> measure.p_values(x, x, permutations=99).p.tolist()
        [0.01, 0.01]
    """

    value: Value
    interval: IntervalOf
    p_values: PValuesOf
    chance: Callable[[int], float]
    unit: str
    least_pairs: int

    def __call__(self, x: States, y: States) -> Float[Tensor, " layer"]:
        """The value at each layer, float64.

        Args:
            x: States of one side, torch or numpy.
            y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.
        """
        return self.value(x, y)


def cosine_measure(change: Change) -> Measure:
    """`paired_similarity` after a change of the states.

    Its interval is `paired_interval` with the change held fixed; its p-values are
    `paired_p_values`, exact because the change knows no pairing.

    Args:
        change: Such as `centred`.

    Example:
        >>> x = torch.eye(3)[:, None]
        >>> cosine_measure(lambda x, y: (x, -y))(x, x).item()
        -1.0
    """

    def interval(x: States, y: States, *, resampling: Resampling = Resampling()) -> Interval:
        return paired_interval(*change(x, y), resampling=resampling)

    def p_values(x: States, y: States, **settings: Any) -> PValues:
        return paired_p_values(*change(x, y), **settings)

    return Measure(
        value=lambda x, y: paired_similarity(*change(x, y)),
        interval=interval,
        p_values=p_values,
        chance=lambda n_pairs: 0.0,
        unit="difference of mean cosines",
        least_pairs=2,
    )


def _retrieval_measure(sides: Change) -> Measure:
    """`retrieval` of the sides in the order that ``sides`` puts them."""

    def interval(x: States, y: States, *, resampling: Resampling = Resampling()) -> Interval:
        hits = retrieval_hits(*sides(x, y)).double()
        return proportion_interval(hits.sum(dim=0), len(hits), resampling.confidence)

    return Measure(
        value=lambda x, y: retrieval(*sides(x, y)),
        interval=interval,
        p_values=_pairing_test(lambda x, y, ways: retrieval_under_pairings(*sides(x, y), ways)),
        chance=lambda n_pairs: 1 / n_pairs,
        unit="share of pairs",
        least_pairs=2,
    )


def _influence_interval(influence: Influence, lowest: float) -> IntervalOf:
    """A bootstrap over influence values, between the measure's lowest value and 1."""

    def interval(x: States, y: States, *, resampling: Resampling = Resampling()) -> Interval:
        low, high = bootstrap_interval(influence(x, y), resampling=resampling)
        return Interval(low.clamp(lowest, 1), high.clamp(lowest, 1))

    return interval


def _pairing_test(under_pairings: UnderPairings) -> PValuesOf:
    def p_values(x: States, y: States, *, permutations: int = 1000, seed: int = 0) -> PValues:
        blocks = pairings(len(x), permutations, seed=seed)
        return permutation_p_values(torch.cat([under_pairings(x, y, ways) for ways in blocks]))

    return p_values


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "cosine": cosine_measure(lambda x, y: (x, y)),
        "centred cosine": cosine_measure(centred),
        "standardised cosine": cosine_measure(standardised),
        "cosine without top components": cosine_measure(without_components),
        "retrieval@1 x to y": _retrieval_measure(lambda x, y: (x, y)),
        "retrieval@1 y to x": _retrieval_measure(lambda x, y: (y, x)),
        "debiased CKA": Measure(
            value=debiased_cka,
            interval=_influence_interval(cka_influence, lowest=-1.0),
            p_values=_pairing_test(cka_under_pairings),
            chance=lambda n_pairs: 0.0,
            unit="cosine of kernels",
            least_pairs=5,
        ),
        "mutual k-NN": Measure(
            value=mutual_neighbours,
            interval=_influence_interval(neighbour_influence, lowest=0.0),
            p_values=_pairing_test(neighbours_under_pairings),
            chance=lambda n_pairs: N_NEIGHBOURS / (n_pairs - 1),
            unit="share of neighbours",
            least_pairs=N_NEIGHBOURS + 2,
        ),
    }
)
"""Every measure by name. The intervals, and what 95 % of them cover in simulated worlds:

- cosines: `paired_interval`, about 95 %, before or after a change that is held fixed;
- retrieval: Wilson's over queries with a fixed gallery, about 95 %, also where all or none hit;
- CKA: bootstrap of influence values, 95 to 98 %, and 98 to 100 % where nothing is shared;
- k-NN: likewise, 98 % and more: leaving out a pair moves the edge of many neighbourhoods, the
  jackknife counts such common effects more than once (Efron and Stein 1981), and the interval is
  1.2 to 1.7 times as wide as it need be. Never too narrow, as the alternatives are that hold the
  neighbourhoods fixed.
"""
