"""Closed-form similarity and lens of a planted model, from its codes without running it.

All prompts have the same amplitudes at a layer (`semantic_hub.zoo.planted.codes.AMPLITUDES`), so
every norm divides by one known number, and the curves follow from inner products of the codes.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from semantic_hub.zoo.planted.codes import (
    AMPLITUDES,
    COMPONENTS,
    SQUARED_LENGTHS,
    root_mean_square,
)
from semantic_hub.zoo.planted.weights import unembedding
from semantic_hub.zoo.planted.world import PlantedWorld


def expected_stream(
    world: PlantedWorld, language: str
) -> Float[np.ndarray, "concept layer d_model"]:
    """Residual stream at the last position of ``world.prompts(language)``.

    ``h_k(l, c) = Σ_j a_jk v_j(l, c)``; see `semantic_hub.zoo.planted.codes`.

    Args:
        world: The world.
        language: Language of marker and words.

    Returns:
        The stream as `semantic_hub.residual_stream` returns it.
    """
    codes = world.codes.components[:, world.index(language)]
    return np.einsum("jk,jcd->ckd", AMPLITUDES, codes)


def expected_similarity(world: PlantedWorld, x: str, y: str) -> Float[np.ndarray, " layer"]:
    """Similarity (Eq. 1) of ``world.pairs(x, y)``.

    ``S_k = Σ_j a_jk² o_j / Σ_j a_jk²``, where o_j is the mean product of component j of matched
    pairs minus that of mismatched ones. Between two languages it is 0 for token, language and
    surface, 1 for a concept code that they share, else 0, and for the idiosyncratic parts a number
    around 0 that the world's seed decides. Over seeds, S is ``a_concept² / Σ_j a_j²`` with a hub
    (0, .24, .8, .8, .44, 0) and 0 with separate codes.

    Args:
        world: The world.
        x: A language.
        y: Another, or the same.
    """
    idiosyncratic = world.codes.own
    overlap = {
        "token": float(x == y),
        "concept": float(world.shared or x == y),
        "language": 0.0,
        "surface": float(x == y),
        "own": _matched_minus_mismatched(
            idiosyncratic[world.index(x)], idiosyncratic[world.index(y)]
        ),
    }
    return (
        np.array([overlap[name] for name in COMPONENTS]) @ np.square(AMPLITUDES) / SQUARED_LENGTHS
    )


def expected_lens(
    world: PlantedWorld, language: str, lens: Literal["logit", "raw"] = "logit"
) -> Float[np.ndarray, "readout layer group"]:
    """Log-probability of each candidate of ``world.readouts(language)``.

    ``log p = z_v − log Σ_w exp z_w`` with ``z_v = u_v · h_k / r_k``, where ``r_k² = Σ_j a_jk² /
    d_model + ε`` for ``lens="logit"``, and r = 1 for ``"raw"``.

    Args:
        world: The world.
        language: A non-dominant language.
        lens: As in `semantic_hub.logit_lens`.

    Returns:
        Log-probabilities in nats, groups in the order of `semantic_hub.zoo.planted.world.GROUPS`.
    """
    logits = expected_stream(world, language) @ unembedding(world).T
    if lens == "logit":
        logits /= root_mean_square(SQUARED_LENGTHS, world.codes.d_model)[:, None]
    log_prob = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    targets = [word_ids(world, language) for language in world.readout_languages(language)]
    rows = np.arange(len(world.concepts))
    return np.stack([log_prob[rows, :, ids] for ids in targets], axis=-1)


def word_ids(world: PlantedWorld, language: str) -> Int[np.ndarray, " concept"]:
    """Token ids of a language's words, in the order of the concepts."""
    n_concepts = len(world.concepts)
    return world.first_word + world.index(language) * n_concepts + np.arange(n_concepts)


def _matched_minus_mismatched(
    x: Float[np.ndarray, "concept d_model"], y: Float[np.ndarray, "concept d_model"]
) -> float:
    """Mean product of matched rows minus mean product of mismatched rows."""
    products = x @ y.T
    mismatched = ~np.eye(len(products), dtype=bool)
    return float(np.diag(products).mean() - products[mismatched].mean())
