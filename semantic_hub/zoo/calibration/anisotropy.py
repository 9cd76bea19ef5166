"""What the candidates for the effect of a similarity read as states become anisotropic.

Each candidate is a change of the states and a statistic of them. It must not reject more often than
its level where nothing is shared, and where a hub is there it must see it as well among huge
dimensions and a common direction as without them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from semantic_hub.alignment.auc import AUC
from semantic_hub.alignment.measures import MEASURES, Measure
from semantic_hub.alignment.normalized import centered
from semantic_hub.experiment.verdict.rule import SUPPORTED
from semantic_hub.zoo.calibration.nulls import ALPHA, PERMUTATIONS
from semantic_hub.zoo.calibration.verdict import similarity_verdict
from semantic_hub.zoo.calibration.worlds import anisotropic, planted_states

COMMON = (0.0, 1.0, 10.0, 100.0)
"""Length of the direction that all states have in common, over that of the stream."""

HUGE = (0, 1, 4)
"""Numbers of dimensions that are 1,000 times as large, with noise of their own."""

HUB_NOISE = 2.0
"""Length of the noise over that of the stream in the worlds with a hub."""

CANDIDATES: Mapping[str, Measure] = {
    "Eq. 1": MEASURES["cosine"],
    "Eq. 1, centered": MEASURES["centered cosine"],
    "Eq. 1, standardized": MEASURES["standardized cosine"],
    "Eq. 1, without top components": MEASURES["cosine without top components"],
    "mutual retrieval": MEASURES["mutual retrieval"],
    "AUC of raw states": replace(MEASURES[AUC], change=None),
    "AUC of centered states": replace(MEASURES[AUC], change=centered),
    "AUC of standardized states": MEASURES[AUC],
}
"""What could be the effect; the last one is."""

Grid = Mapping[str, Float[np.ndarray, "common huge"]]
"""Candidate to a number for each length of the common direction and number of huge dimensions."""


class Anisotropy(NamedTuple):
    """What candidates and verdict make of each anisotropy.

    ``rejected`` and ``value`` are of worlds with a hub: the share in which a candidate's corrected
    p ≤ α at any middle layer, and the mean of its highest value there. ``hub`` and ``separate`` are
    the shares of worlds with and without a hub whose verdict is "supported".
    """

    rejected: Grid
    value: Grid
    hub: Float[np.ndarray, "common huge"]
    separate: Float[np.ndarray, "common huge"]


def measure_anisotropy(hubs: Sequence[int], separates: Sequence[int]) -> Anisotropy:
    """Measure candidates and verdict at each anisotropy.

    Args:
        hubs: Seeds of the worlds with a hub.
        separates: Seeds of those without.
    """
    rejected, value = (
        {name: np.zeros((len(COMMON), len(HUGE))) for name in CANDIDATES} for _ in range(2)
    )
    for i, j, x, y, seed in _worlds("planted-hub", HUB_NOISE, hubs):
        for name, measure in CANDIDATES.items():
            states = measure.states(x, y)
            p = measure.state_p_values(states, PERMUTATIONS, seed).corrected[1:-1]
            rejected[name][i, j] += float(p.min() <= ALPHA) / len(hubs)
            value[name][i, j] += float(measure.value(states)[1:-1].max()) / len(hubs)
    hub = _supported("planted-hub", HUB_NOISE, hubs)
    return Anisotropy(rejected, value, hub, _supported("planted-separate", 1.0, separates))


def _supported(name: str, noise: float, seeds: Sequence[int]) -> Float[np.ndarray, "common huge"]:
    """Share of worlds whose verdict is "supported"."""
    share = np.zeros((len(COMMON), len(HUGE)))
    for i, j, x, y, seed in _worlds(name, noise, seeds):
        share[i, j] += (similarity_verdict(x, y, seed) == SUPPORTED) / len(seeds)
    return share


def _worlds(
    name: str, noise: float, seeds: Sequence[int]
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, int]]:
    for seed in seeds:
        x, y = planted_states(name, seed, noise=noise)
        for (i, common), (j, huge) in product(enumerate(COMMON), enumerate(HUGE)):
            yield (i, j, *anisotropic(x, y, common=common, huge=huge, seed=seed), seed)
