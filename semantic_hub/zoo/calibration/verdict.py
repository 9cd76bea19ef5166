"""Rates of the verdicts on similarity in worlds without and with a hub."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from semantic_hub.alignment.cosine import mean_cosines, paired_p_values, similarity_replicates
from semantic_hub.alignment.states import States, paired_states
from semantic_hub.experiment.verdict.rule import adjusted_p_values, decide
from semantic_hub.statistics.margins import Cell, CellMargins, Resampled, least_p, margin
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.calibration.nulls import ALPHA, CONFIDENCE, PERMUTATIONS, RESAMPLES
from semantic_hub.zoo.calibration.worlds import planted_states

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
    counts = Counter(
        similarity_verdict(*planted_states(name, seed, noise=noise, n_concepts=n_pairs), seed)
        for seed in seeds
    )
    return {verdict: number / counts.total() for verdict, number in sorted(counts.items())}


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

    The null controls are each x with the y of the pair before it ("mismatched pairs"), and Gaussian
    states of the same shape ("random states").

    Args:
        x: States of one side, at all layers of a model.
        y: States of the other side.
        seed: Seed of resamples, pairings and random states.
    """
    found = _cell_margins(x, y, seed)
    (adjusted,) = adjusted_p_values([found])
    return decide(found, adjusted, alpha=ALPHA, smallest=SMALLEST).verdict


def _cell_margins(x: States, y: States, seed: int) -> CellMargins:
    """Margins by cell of a similarity with these controls, as a `SimilarityResult` has them."""
    drawn = np.random.default_rng((seed, 3)).standard_normal((2, *x.shape), dtype=np.float32)
    controls = {
        "mismatched pairs": _resampled(x, np.roll(np.asarray(y), 1, axis=0), seed),
        "random states": _resampled(drawn[0], drawn[1], seed),
    }
    above = margin(_resampled(x, y, seed), controls, CONFIDENCE)
    p_values = paired_p_values(x, y, permutations=PERMUTATIONS, seed=seed)
    middle = range(1, x.shape[1] - 1)
    p = torch.maximum(p_values.corrected, above.p_corrected)[1:-1]
    return CellMargins(
        cells=tuple(map(Cell, middle)),
        value=above.value[1:-1].double(),
        low=above.low[1:-1],
        high=above.high[1:-1],
        p=p.clamp(min=least_p(len(x), len(middle))),
        strongest=above.strongest[1:-1],
        n=len(x),
        unit="difference of mean cosines",
    )


def _resampled(x: States, y: States, seed: int) -> Resampled:
    """Similarity with its bootstrap replicates."""
    states = paired_states(x, y, "similarity_verdict")
    replicates = similarity_replicates(states, Resampling(RESAMPLES, seed=seed))
    return Resampled(mean_cosines(states).similarity, replicates)
