"""What every measure reads on a planted model, from the codes alone: no model is run.

All prompts have the same amplitudes at a layer (`planted_codes.AMPLITUDES`), so every norm divides
by one known number, and the curves follow from inner products of the codes.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from semantic_hub.zoo.planted_codes import (
    AMPLITUDES,
    COMPONENTS,
    LANGUAGE_LAYER,
    N_LAYERS,
    SQUARED_LENGTHS,
    root_mean_square,
)
from semantic_hub.zoo.planted_weights import unembedding
from semantic_hub.zoo.planted_world import PlantedWorld


def expected_stream(
    world: PlantedWorld, language: str
) -> Float[np.ndarray, "concept layer d_model"]:
    """The residual stream at the last position of ``world.prompts(language)``.

    ``h_k(l, c) = Σ_j a_jk v_j(l, c)``; see `planted_codes`.

    Args:
        world: The world.
        language: Of marker and words.

    Returns:
        As `semantic_hub.residual_stream` reads it.
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
    own = world.codes.own
    overlap = {
        "token": float(x == y),
        "concept": float(world.shared or x == y),
        "language": 0.0,
        "surface": float(x == y),
        "own": _matched_minus_mismatched(own[world.index(x)], own[world.index(y)]),
    }
    return (
        np.array([overlap[name] for name in COMPONENTS]) @ np.square(AMPLITUDES) / SQUARED_LENGTHS
    )


def expected_lens(
    world: PlantedWorld, language: str, norm: Literal["final", "none"] = "final"
) -> Float[np.ndarray, "readout layer group"]:
    """Log-probability of the candidates of ``world.readouts(language)``.

    ``log p = z_v − log Σ_w exp z_w`` with ``z_v = u_v · h_k / r_k``, where ``r_k² = Σ_j a_jk² /
    d_model + ε`` for ``norm="final"``, and r = 1 for ``"none"``.

    Args:
        world: The world.
        language: A non-dominant language.
        norm: As in `semantic_hub.logit_lens`.

    Returns:
        In nats, groups in the order of `planted_world.GROUPS`.
    """
    logits = expected_stream(world, language) @ unembedding(world).T
    if norm == "final":
        logits /= root_mean_square(SQUARED_LENGTHS, world.codes.d_model)[:, None]
    log_prob = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    targets = [_word_ids(world, language) for language in world.readout_languages(language)]
    rows = np.arange(len(world.concepts))
    return np.stack([log_prob[rows, :, ids] for ids in targets], axis=-1)


def expected_patching(
    world: PlantedWorld, donor: str, recipient: str
) -> Float[np.ndarray, "item layer"]:
    """Effect of patching the last position's stream, as `planted_world.Exchange` defines it.

    A patch before the language has arrived is answered in the recipient's language, a later one in
    the donor's. The answer needs the concept's code in that language: without it, the concept stays
    unsaid, and the targets differ by their idiosyncratic parts alone. So within a language the
    effect is 1; between two it is 1 before layer 4 and 0 from there on with a hub, and 0 everywhere
    with separate codes, each up to the idiosyncratic parts, whose mean over seeds is 0.

    Args:
        world: The world.
        donor: Language of the donors.
        recipient: Language of the recipients.

    Returns:
        One row for each item of ``world.exchange(donor, recipient)``.
    """
    layers = range(N_LAYERS + 1)
    patched = [_difference(world, recipient, _patched(world, donor, recipient, k)) for k in layers]
    own_runs = expected_stream(world, recipient)[:, -1]
    reference = _difference(world, recipient, own_runs)
    before = _difference(world, recipient, np.roll(own_runs, 1, axis=0))
    return (np.stack(patched, axis=1) - before[:, None]) / (reference - before)[:, None]


def _patched(
    world: PlantedWorld, donor: str, recipient: str, layer: int
) -> Float[np.ndarray, "item d_model"]:
    """The last layer of a recipient whose last position was overwritten at a layer."""
    said_in = recipient if layer < LANGUAGE_LAYER else donor
    amplitudes = dict(zip(COMPONENTS, AMPLITUDES.T[-1], strict=True))
    if not (world.shared or said_in == donor):
        amplitudes = dict(zip(COMPONENTS, AMPLITUDES.T[LANGUAGE_LAYER], strict=True))
    heard, said = world.index(donor), world.index(said_in)
    source = {"token": heard, "concept": heard, "language": said, "surface": said, "own": heard}
    codes = dict(zip(COMPONENTS, world.codes.components, strict=True))
    return np.sum([amplitudes[name] * codes[name][source[name]] for name in COMPONENTS], axis=0)


def _difference(
    world: PlantedWorld, recipient: str, states: Float[np.ndarray, "item d_model"]
) -> Float[np.ndarray, " item"]:
    """Logit of the donor's concept minus that of the next one, in the recipient's language."""
    words = unembedding(world)[_word_ids(world, recipient)]
    contrast = words - np.roll(words, -1, axis=0)
    lengths = root_mean_square(np.square(states).sum(axis=-1), world.codes.d_model)
    return (contrast * states).sum(axis=-1) / lengths


def _matched_minus_mismatched(
    x: Float[np.ndarray, "concept d_model"], y: Float[np.ndarray, "concept d_model"]
) -> float:
    products = x @ y.T
    mismatched = ~np.eye(len(products), dtype=bool)
    return float(np.diag(products).mean() - products[mismatched].mean())


def _word_ids(world: PlantedWorld, language: str) -> np.ndarray:
    """Token ids of a language's words, in the order of the concepts."""
    n_concepts = len(world.concepts)
    return world.first_word + world.index(language) * n_concepts + np.arange(n_concepts)
