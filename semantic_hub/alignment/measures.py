"""Similarity measures by name: value, interval, p-values and chance level of each.

All read the same states, so one forward pass serves every measure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.alignment.auc import (
    AUC,
    CHANCE,
    auc_under_pairings,
    match_wins,
    share_interval,
)
from semantic_hub.alignment.cka import cka_influence, cka_under_pairings, cka_value
from semantic_hub.alignment.cosine import (
    mean_cosines,
    similarity_interval,
    similarity_under_pairings,
)
from semantic_hub.alignment.neighbors import (
    N_NEIGHBORS,
    neighbor_agreement,
    neighbor_influence,
    neighbors_under_pairings,
)
from semantic_hub.alignment.normalized import centered, standardized, without_components
from semantic_hub.alignment.retrieval import (
    mutual_hits,
    mutual_retrieval_under_pairings,
    retrieval_hits,
    retrieval_under_pairings,
)
from semantic_hub.alignment.states import (
    PairedStates,
    States,
    UnderPairings,
    paired_states,
)
from semantic_hub.errors import check_kinds
from semantic_hub.models.registry import Registry
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.intervals import Interval, bootstrap_interval, proportion_interval
from semantic_hub.statistics.p_values import PValues, pairings, permutation_p_values
from semantic_hub.statistics.resampling import Resampling, influence_values

Change = Callable[[States, States], tuple[States, States]]
"""From both sides of states to both sides; must not depend on which x belongs to which y."""

Value = Callable[[PairedStates], Float[Tensor, " layer"]]
"""From both sides of states to one number at each layer."""

Influence = Callable[[PairedStates], Float[Tensor, "pair layer"]]
"""From both sides of states to what each pair adds to the value; see `influence_values`."""

PerPair = Callable[[PairedStates], Float[Tensor, "pair layer"] | Bool[Tensor, "pair layer"]]
"""From both sides of states to what each pair adds to a measure that is a mean over pairs."""

IntervalOfMean = Callable[[Float[Tensor, "pair layer"], Resampling], Interval]
"""From what each pair adds to an interval of its mean at each layer."""

IntervalOf = Callable[[PairedStates, Resampling], Interval]
"""From both sides of states to an interval over pairs at each layer."""


class Estimate(NamedTuple):
    """A measure at each layer, with its interval over pairs."""

    value: Float[Tensor, " layer"]
    interval: Interval
    __repr__ = short_repr


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """One similarity measure: value, interval and p-values of two sides of states.

    Name, value and unit are enough for a measure of your own: `register_measure` makes it known.
    The interval is then a bootstrap over `influence_values`, which takes the value once without
    each pair; the p-values take it once under each pairing. Faster ways to the same are
    ``interval_of``, ``estimate_of`` and ``under_pairings``.

    Args:
        name: What it is called in ``similarity(..., measures=[name])`` and in frames.
        value: From `PairedStates`, which are checked and scaled, to the value at each layer.
        unit: What the value counts.
        chance: From the number of pairs to the mean value over all pairings of x with y.
        interval_of: ``(states, resampling)`` to an interval over pairs.
        estimate_of: ``(states, resampling)`` to value and interval, where both come from the same
            computation.
        under_pairings: ``(states, pairings)`` to the value under each pairing, less ``chance``.
        change: Applied to the states before they are checked and scaled, such as `centered`.
        least_pairs: Fewer pairs raise an error in the value or in the interval.
        in_run: Whether `semantic_hub.run` takes it of every set of pairs.

    Example:
        >>> x = torch.randn(30, 2, 8, generator=torch.Generator().manual_seed(0))
        >>> measure = MEASURES["retrieval@1 x to y"]
        >>> measure(x, x).tolist(), measure.interval(x, x).low.round(decimals=2).tolist()
        ([1.0, 1.0], [0.89, 0.89])
        >>> measure.p_values(x, x, permutations=99).p.tolist()
        [0.01, 0.01]
        >>> dot = Measure(name="covariance", unit="dot product of centered states", change=centered,
        ...               value=lambda states: (states.x * states.y).sum(dim=-1).mean(dim=0))
        >>> dot.p_values(x, x, permutations=99).p.tolist()
        [0.01, 0.01]
    """

    name: str
    value: Value
    unit: str
    chance: Callable[[int], float] = lambda n_pairs: 0.0
    interval_of: IntervalOf | None = None
    estimate_of: Callable[[PairedStates, Resampling], Estimate] | None = None
    under_pairings: UnderPairings | None = None
    change: Change | None = None
    least_pairs: int = 3
    in_run: bool = False
    __repr__ = short_repr

    def __call__(self, x: States, y: States) -> Float[Tensor, " layer"]:
        """Value at each layer, float64.

        Args:
            x: States of one side, torch or numpy.
            y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.
        """
        return self.value(self.states(x, y))

    def interval(self, x: States, y: States, *, resampling: Resampling = Resampling()) -> Interval:
        """Interval over pairs at each layer.

        Args:
            x: States of one side, torch or numpy.
            y: States of the other side.
            resampling: Resamples, coverage and seed; one in closed form needs the coverage alone.
        """
        return self.state_interval(self.states(x, y), resampling)

    def p_values(self, x: States, y: States, *, permutations: int = 1000, seed: int = 0) -> PValues:
        """Permutation p-values over pairings of x with y, by layer and corrected over layers.

        Args:
            x: States of one side, torch or numpy.
            y: States of the other side.
            permutations: Number of pairings besides the true one.
            seed: Seed of the pairings.
        """
        return self.state_p_values(self.states(x, y), permutations, seed)

    def states(self, x: States, y: States) -> PairedStates:
        """Apply ``change`` to both sides, check them, and make `PairedStates` of them.

        Args:
            x: States of one side, torch or numpy.
            y: States of the other side.
        """
        sides = self.change(x, y) if self.change else (x, y)
        return paired_states(*sides, self.name)

    def state_interval(self, states: PairedStates, resampling: Resampling) -> Interval:
        """`interval` of states that are already changed, checked and scaled.

        Args:
            states: Both sides.
            resampling: Resamples, coverage and seed.
        """
        if self.interval_of:
            return self.interval_of(states, resampling)
        if self.estimate_of:
            return self.estimate_of(states, resampling).interval
        return bootstrap_interval(self._jackknife(states), resampling=resampling)

    def estimate(self, states: PairedStates, resampling: Resampling) -> Estimate:
        """Value and interval of states that are already changed, checked and scaled.

        Args:
            states: Both sides.
            resampling: Resamples, coverage and seed.
        """
        if self.estimate_of:
            return self.estimate_of(states, resampling)
        return Estimate(self.value(states), self.state_interval(states, resampling))

    def state_p_values(self, states: PairedStates, permutations: int, seed: int) -> PValues:
        """`p_values` of states that are already changed, checked and scaled.

        Args:
            states: Both sides.
            permutations: Number of pairings besides the true one.
            seed: Seed of the pairings.
        """
        return permutation_p_values(self.pairing_statistics(states, permutations, seed))

    def pairing_statistics(
        self, states: PairedStates, permutations: int, seed: int
    ) -> Float[Tensor, "pairing layer"]:
        """Value under each pairing, less the mean over pairings; row 0 is the true pairing.

        Args:
            states: Both sides, as `states` gave them.
            permutations: Number of pairings besides the true one.
            seed: Seed of the pairings.
        """
        blocks = pairings(len(states.x), permutations, seed=seed)
        if self.under_pairings:
            return torch.cat([self.under_pairings(states, ways) for ways in blocks])
        ways = torch.cat(list(blocks)).long()
        values = [self.value(paired_states(states.x, states.y[way], self.name)) for way in ways]
        return torch.stack(values).double() - torch.stack(values).double().mean(dim=0)

    def _jackknife(self, states: PairedStates) -> Float[Tensor, "pair layer"]:
        """Influence values, from the value without each pair."""
        keep = ~torch.eye(len(states.x), dtype=torch.bool)
        left_out = [
            self.value(paired_states(states.x[rows], states.y[rows], self.name)) for rows in keep
        ]
        return influence_values(self.value(states), torch.stack(left_out))


MEASURES: Registry[Measure] = Registry("measure")
"""Every measure by name. The intervals, and what 95 % of them cover in simulated worlds:

- cosines: `paired_interval`, about 95 %, before or after a change that is held fixed;
- AUC: bootstrap of what each pair adds, about 95 %, never narrower than pairs that all agree allow;
- retrieval: Wilson's over queries with a fixed gallery, about 95 %, also where all or none hit;
- CKA: bootstrap of influence values, 95 to 98 %, and 98 to 100 % where nothing is shared;
- k-NN: likewise, 98 % and more: leaving out a pair moves the edge of many neighborhoods, the
  jackknife counts such common effects more than once (Efron and Stein 1981), and the interval is
  1.2 to 1.7 times as wide as it need be. Never too narrow, as the alternatives are that hold the
  neighborhoods fixed.
"""


def register_measure(measure: Measure, *, replace: bool = False) -> None:
    """Register a measure under its name, for ``similarity(..., measures=[name])``.

    Args:
        measure: With ``in_run``, `semantic_hub.run` takes it too.
        replace: Take the place of a measure of that name.

    Raises:
        SemanticHubError: The name is in use.

    Example:
        >>> register_measure(cosine_measure("opposite", lambda x, y: (x, -y)))
        >>> "opposite" in MEASURES
        True
        >>> MEASURES.unregister("opposite")
    """
    check_kinds("register_measure", measure=(measure, Measure))
    MEASURES.register(measure.name, measure, replace=replace)


def run_measures() -> tuple[str, ...]:
    """Names of the measures that `semantic_hub.run` computes for every set of pairs.

    Example:
        >>> run_measures()[:2]
        ('AUC', 'centered cosine')
    """
    return tuple(name for name, measure in MEASURES.items() if measure.in_run)


def cosine_measure(name: str, change: Change | None = None, *, in_run: bool = False) -> Measure:
    """Make a `Measure`: the paired cosine similarity of states transformed by ``change``.

    Its interval is `paired_interval` with the change held fixed; its p-values are
    `paired_p_values`, exact because the change knows no pairing.

    Args:
        name: Of the measure.
        change: Such as `centered`; None for the states as they are.
        in_run: Whether `semantic_hub.run` takes it.

    Example:
        >>> x = torch.eye(3)[:, None]
        >>> cosine_measure("opposite", lambda x, y: (x, -y))(x, x).item()
        -1.0
    """
    return Measure(
        name=name,
        value=lambda states: mean_cosines(states).similarity,
        interval_of=lambda states, resampling: similarity_interval(states, resampling=resampling),
        under_pairings=similarity_under_pairings,
        change=change,
        unit="difference of mean cosines",
        least_pairs=2,
        in_run=in_run,
    )


def influence_interval(influence: Influence, lowest: float) -> IntervalOf:
    """Make an interval from a bootstrap over influence values, clipped to the measure's range.

    Args:
        influence: What each pair adds to the value.
        lowest: The lowest value that the measure can have.
    """

    def interval(states: PairedStates, resampling: Resampling) -> Interval:
        low, high = bootstrap_interval(influence(states), resampling=resampling)
        return Interval(low.clamp(lowest, 1), high.clamp(lowest, 1))

    return interval


def _mean_measure(
    name: str, per_pair: PerPair, interval_of_mean: IntervalOfMean, **others: Any
) -> Measure:
    """Make a measure that is a mean over pairs, from what each of them adds."""

    def estimate(states: PairedStates, resampling: Resampling) -> Estimate:
        each = per_pair(states).double()
        return Estimate(each.mean(dim=0), interval_of_mean(each, resampling))

    return Measure(
        name=name,
        value=lambda states: per_pair(states).double().mean(dim=0),
        estimate_of=estimate,
        least_pairs=2,
        in_run=True,
        **others,
    )


def _retrieval_measure(
    name: str, hits: PerPair, under_pairings: UnderPairings, chance: Callable[[int], float]
) -> Measure:
    """Make a measure of retrieval from which pairs are found."""
    return _mean_measure(
        name,
        hits,
        lambda found, resampling: proportion_interval(
            found.sum(dim=0), len(found), resampling.confidence
        ),
        under_pairings=under_pairings,
        chance=chance,
        unit="share of pairs",
    )


register_measure(
    _mean_measure(
        AUC,
        match_wins,
        share_interval,
        under_pairings=auc_under_pairings,
        change=standardized,
        chance=lambda n_pairs: CHANCE,
        unit="share of mismatches beaten",
    )
)
register_measure(cosine_measure("cosine"))
register_measure(cosine_measure("centered cosine", centered, in_run=True))
register_measure(cosine_measure("standardized cosine", standardized, in_run=True))
register_measure(cosine_measure("cosine without top components", without_components))
register_measure(
    _retrieval_measure(
        "retrieval@1 x to y", retrieval_hits, retrieval_under_pairings, lambda n_pairs: 1 / n_pairs
    )
)
register_measure(
    _retrieval_measure(
        "retrieval@1 y to x",
        lambda states: retrieval_hits(states.swapped()),
        lambda states, ways: retrieval_under_pairings(states.swapped(), ways),
        lambda n_pairs: 1 / n_pairs,
    )
)
register_measure(
    _retrieval_measure(
        "mutual retrieval",
        mutual_hits,
        mutual_retrieval_under_pairings,
        lambda n_pairs: 1 / (2 * n_pairs - 1),
    )
)
register_measure(
    Measure(
        name="debiased CKA",
        value=cka_value,
        interval_of=influence_interval(cka_influence, lowest=-1.0),
        under_pairings=cka_under_pairings,
        unit="cosine of kernels",
        least_pairs=5,
    )
)
register_measure(
    Measure(
        name="mutual k-NN",
        value=neighbor_agreement,
        interval_of=influence_interval(neighbor_influence, lowest=0.0),
        under_pairings=neighbors_under_pairings,
        chance=lambda n_pairs: N_NEIGHBORS / (n_pairs - 1),
        unit="share of neighbors",
        least_pairs=N_NEIGHBORS + 2,
    )
)
