"""False-positive rate and coverage of each measure in worlds in which the null is true.

A test with p ≤ α rejects a true null with probability α if its statistic is continuous. A statistic
that counts has ties, which make the test conservative: the probability that it can reach, the
*level*, is then below α, and is computed from the statistic under all pairings that were tried.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from math import comb

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.alignment.measures import MEASURES
from semantic_hub.alignment.states import States
from semantic_hub.statistics.p_values import RESOLUTION, permutation_p_values
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.worlds import StatesOf

ALPHA = 0.05
CONFIDENCE = 0.95
PERMUTATIONS = 199
RESAMPLES = 400

LAYER = 3
"""Layer whose rates are judged, chosen before anything was measured."""

HARMFUL = ("too often", "too narrow")
"""Ends of a `judgment` that is a failure; the others err on the safe side."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NullOutcome:
    """Outcome of a measure in a world in which the null is true, or the mean over worlds.

    Args:
        rejected: Whether p ≤ α at each layer; its mean is the false-positive rate.
        rejected_any: Whether the corrected p ≤ α at any layer.
        covered: Whether the interval contains the measure's chance level, at each layer.
        level: Rate that the test at each layer can reach.
        level_any: Rate that the corrected test can reach.
    """

    rejected: Float[np.ndarray, " layer"]
    rejected_any: float
    covered: Float[np.ndarray, " layer"]
    level: Float[np.ndarray, " layer"]
    level_any: float


def false_positives(
    states_of: StatesOf, seeds: Iterable[int], measures: Iterable[str] = tuple(MEASURES)
) -> dict[str, NullOutcome]:
    """Mean `NullOutcome` of each measure over worlds in which the null is true.

    Args:
        states_of: From a seed to the states of a world.
        seeds: Seeds of the worlds, also of their pairings and resamples.
        measures: Names of the measures.
    """
    outcomes: dict[str, list[NullOutcome]] = {name: [] for name in measures}
    for seed in seeds:
        x, y = states_of(seed)
        for name, of_measure in outcomes.items():
            of_measure.append(null_outcome(name, x, y, seed))
    return {name: _mean(of_measure) for name, of_measure in outcomes.items()}


def null_outcome(name: str, x: States, y: States, seed: int) -> NullOutcome:
    """Outcome of one measure in one world in which the null is true.

    Args:
        name: Name of the measure in `MEASURES`.
        x: States of one side.
        y: States of the other side; ``y[i]`` is unrelated to ``x[i]``.
        seed: Seed of pairings and resamples.

    Example:
        >>> from semantic_hub.zoo.calibration.worlds import planted_states
        >>> x, y = planted_states("planted-separate", seed=3)
        >>> null_outcome("cosine", x, y, seed=3).rejected.tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    measure = MEASURES[name]
    states = measure.states(x, y)
    statistics = measure.pairing_statistics(states, PERMUTATIONS, seed)
    p = permutation_p_values(statistics)
    low, high = measure.state_interval(states, Resampling(RESAMPLES, CONFIDENCE, seed))
    chance = measure.chance(len(x))
    level, level_any = attainable_levels(statistics)
    return NullOutcome(
        rejected=(p.p <= ALPHA).double().numpy(),
        rejected_any=float(p.corrected.min() <= ALPHA),
        covered=((low <= chance) & (chance <= high)).double().numpy(),
        level=level,
        level_any=level_any,
    )


def attainable_levels(
    statistics: Float[Tensor, "pairing layer"], alpha: float = ALPHA
) -> tuple[Float[np.ndarray, " layer"], float]:
    """Exact false-positive rates of the tests of `permutation_p_values`, which ties can lower.

    If the null is true, each row is equally likely to be the true pairing, so the probability of a
    rejection is the share of rows whose p-value would be ≤ α. It is at most α, and less if many
    pairings tie.

    Args:
        statistics: Statistic of each pairing and layer, with mean 0 over pairings.
        alpha: Nominal level.

    Returns:
        Level of the test at each layer, and of the test corrected over layers at any layer.

    Example:
        >>> counts = torch.tensor([[1.0], [1.0], [0.0], [-1.0], [-1.0]])
        >>> attainable_levels(counts, alpha=0.3), attainable_levels(counts, alpha=0.4)
        ((array([0.]), 0.0), (array([0.4]), 0.4))
    """
    spread = statistics.std(dim=0, correction=0)
    highest = torch.where(spread > RESOLUTION, statistics / spread, 0.0).amax(dim=1)
    levels = [_level(layer, alpha) for layer in statistics.T]
    return np.array(levels), _level(highest, alpha)


def accepted(n: int, probability: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Binomial acceptance interval for the rate of successes in n draws of known probability.

    From the smallest k with ``P(X ≤ k) ≥ (1 − confidence) / 2`` to the smallest with ``P(X ≤ k) ≥
    (1 + confidence) / 2``, over n.

    Args:
        n: Number of draws.
        probability: Probability of each.
        confidence: Least share of such rates inside the interval.

    Example:
        >>> accepted(200, 0.05)
        (0.02, 0.08)
    """
    at_most = np.cumsum(
        [comb(n, k) * probability**k * (1 - probability) ** (n - k) for k in range(n + 1)]
    )
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = (min(int(np.searchsorted(at_most, tail)), n) / n for tail in tails)
    return low, high


def judgment(outcome: NullOutcome, n_worlds: int) -> list[str]:
    """List the rates of a measure that are outside their binomial intervals, as short messages.

    Args:
        outcome: Mean outcome of the measure.
        n_worlds: Number of worlds that it is the mean of.

    Returns:
        Descriptions such as ``"corrected p too often"``; empty if all rates are inside.
    """
    checks = (
        ("p", outcome.rejected[LAYER], outcome.level[LAYER], ("too seldom", "too often")),
        ("corrected p", outcome.rejected_any, outcome.level_any, ("too seldom", "too often")),
        ("interval", outcome.covered[LAYER], CONFIDENCE, ("too narrow", "too wide")),
    )
    outside = []
    for name, rate, expected, (below, above) in checks:
        low, high = accepted(n_worlds, float(expected))
        if not low <= rate <= high:
            outside.append(f"{name} {below if rate < low else above}")
    return outside


def _mean(outcomes: Sequence[NullOutcome]) -> NullOutcome:
    """Mean outcome."""
    values = {
        field.name: [getattr(outcome, field.name) for outcome in outcomes]
        for field in fields(NullOutcome)
    }
    return NullOutcome(**{name: np.mean(each, axis=0) for name, each in values.items()})


def _level(values: Float[Tensor, " pairing"], alpha: float) -> float:
    """Share of the values with a p-value of at most alpha."""
    at_least: Bool[Tensor, "pairing other"] = values[None] >= values[:, None] - RESOLUTION
    return (at_least.double().mean(dim=1) <= alpha).double().mean().item()
