"""Power of each measure's test in worlds with a hub, by noise and number of pairs."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from semantic_hub.alignment.measures import MEASURES, Measure
from semantic_hub.alignment.states import States
from semantic_hub.zoo.calibration.nulls import ALPHA, PERMUTATIONS
from semantic_hub.zoo.calibration.worlds import folded, planted_states

NOISES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Length of the noise over that of the stream."""

N_PAIRS = (8, 16, 32, 48, 96)
"""Numbers of pairs."""


def power(
    seeds: Sequence[int], *, fold: bool = False, noises: Sequence[float] = NOISES
) -> dict[str, Float[np.ndarray, "noise number"]]:
    """Share of ``planted-hub`` worlds in which each measure's corrected p ≤ α at any layer.

    All numbers of pairs are the first concepts of one world, so that d_model stays the same.

    Args:
        seeds: Seeds of the worlds.
        fold: Whether to fold the states into few dimensions (`folded`).
        noises: Length of the noise over that of the stream.

    Returns:
        Power of each measure at each noise and each of `N_PAIRS`; NaN for too few pairs.
    """
    detections = np.array([[_detections(seed, noise, fold) for noise in noises] for seed in seeds])
    return dict(zip(MEASURES, np.moveaxis(detections.mean(axis=0), 1, 0), strict=True))


def _detections(seed: int, noise: float, fold: bool) -> list[list[float]]:
    """Whether each measure detects the hub with each number of pairs: 1, 0 or NaN."""
    x, y = planted_states("planted-hub", seed, noise=noise, n_concepts=max(N_PAIRS))
    x, y = folded(x, y, seed=seed) if fold else (x, y)
    return [
        [_detected(measure, x[:n], y[:n], seed) for n in N_PAIRS] for measure in MEASURES.values()
    ]


def _detected(measure: Measure, x: States, y: States, seed: int) -> float:
    """Whether a measure detects the hub; NaN for too few pairs."""
    if len(x) < measure.least_pairs:
        return np.nan
    p = measure.p_values(x, y, permutations=PERMUTATIONS, seed=seed)
    return float(p.corrected.min() <= ALPHA)
