"""Rates of the verdicts on similarity in worlds without and with a hub."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from semantic_hub.alignment.auc import AUC, CHANCE, Comparison, lead_margins, match_wins
from semantic_hub.alignment.measures import MEASURES
from semantic_hub.alignment.states import States
from semantic_hub.experiment.verdict.rule import adjusted_p_values, decide
from semantic_hub.statistics.margins import CellMargins, least_p
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.nulls import ALPHA, PERMUTATIONS, RESAMPLES
from semantic_hub.zoo.calibration.worlds import planted_states

World = TypeVar("World", bound=Hashable)

VERDICT_WORLDS: Sequence[tuple[str, float]] = (
    ("planted-separate", 0.0),
    ("planted-separate", 1.0),
    ("planted-hub", 0.5),
    ("planted-hub", 1.0),
    ("planted-hub", 2.0),
    ("planted-hub", 4.0),
)
"""Worlds, and the length of the noise over that of the stream."""

VERDICT_PAIRS = (8, 48)
"""Numbers of pairs."""

VerdictWorld = tuple[str, float, int]
"""A world's name, its noise, and the number of pairs."""

SMALLEST = 0.1
"""Smallest effect of interest, as in `semantic_hub.experiment.verdict.judging.verdicts`."""


def verdict_shares(name: str, noise: float, n_pairs: int, seeds: Iterable[int]) -> dict[str, float]:
    """Share of worlds with each verdict on the similarity of their set of pairs.

    Args:
        name: ``"planted-hub"`` or ``"planted-separate"``.
        noise: Length of the noise over that of the stream.
        n_pairs: Number of pairs.
        seeds: Seeds of the worlds.

    Returns:
        Mapping from verdict to share; verdicts of no world are left out.

    Example:
        >>> verdict_shares("planted-hub", 0.5, 48, range(3))
        {'supported': 1.0}
    """

    def verdict_of(world: VerdictWorld, seed: int) -> str:
        name, noise, n_pairs = world
        states = planted_states(name, seed, noise=noise, n_concepts=n_pairs)
        return similarity_verdict(*states, seed)

    world = name, noise, n_pairs
    return shares_by_world([world], seeds, verdict_of)[world]


def all_verdict_shares(seeds: Sequence[int]) -> dict[VerdictWorld, dict[str, float]]:
    """Shares of the verdicts for every world, noise and number of pairs.

    Args:
        seeds: Seeds of the worlds.
    """
    return {
        (name, noise, n_pairs): verdict_shares(name, noise, n_pairs, seeds)
        for name, noise in VERDICT_WORLDS
        for n_pairs in VERDICT_PAIRS
    }


def similarity_verdict(x: States, y: States, seed: int) -> str:
    """Verdict on the similarity of one set of pairs, from their states.

    The controls are chance, and Gaussian states of the same shape in the place of another model's.

    Args:
        x: States of one side, at all layers of a model.
        y: States of the other side.
        seed: Seed of resamples, pairings and random states.
    """
    return set_verdict(_cell_margins(x, y, seed))


def set_verdict(margins: CellMargins) -> str:
    """Verdict on a set that is the only one of its kind.

    Args:
        margins: Its margins.
    """
    (adjusted,) = adjusted_p_values([margins])
    return decide(margins, adjusted, alpha=ALPHA, smallest=SMALLEST).verdict


def shares_by_world(
    worlds: Sequence[World], seeds: Iterable[int], verdict_of: Callable[[World, int], str]
) -> dict[World, dict[str, float]]:
    """Share of seeds with each verdict, for every world; verdicts of no seed are left out.

    Args:
        worlds: All are measured with one seed before the next.
        seeds: Seeds of the worlds.
        verdict_of: From a world and a seed to its verdict.
    """
    counts: dict[World, Counter[str]] = {world: Counter() for world in worlds}
    for seed in seeds:
        for world, count in counts.items():
            count[verdict_of(world, seed)] += 1
    return {
        world: {verdict: number / count.total() for verdict, number in sorted(count.items())}
        for world, count in counts.items()
    }


def _cell_margins(x: States, y: States, seed: int) -> CellMargins:
    """Margins by cell of a similarity with these controls, as a `SimilarityResult` has them."""
    measure, middle = MEASURES[AUC], slice(1, x.shape[1] - 1)
    drawn = np.random.default_rng((seed, 3)).standard_normal((2, *x.shape), dtype=np.float32)
    states = measure.states(x, y)
    wins = match_wins(states)
    random = match_wins(measure.states(drawn[0], drawn[1]))
    above = lead_margins(
        {
            "mismatched pairs": Comparison(wins[:, middle], CHANCE),
            "random states": Comparison(wins[:, middle], random[:, middle]),
        },
        range(1, x.shape[1] - 1),
        Resampling(RESAMPLES, seed=seed),
    )
    p_values = measure.state_p_values(states, PERMUTATIONS, seed)
    p = torch.maximum(p_values.corrected[middle], above.p)
    return replace(above, p=p.clamp(min=least_p(len(x), len(above.cells))))
