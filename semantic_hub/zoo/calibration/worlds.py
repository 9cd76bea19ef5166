"""Worlds of two languages in which the null is known to be true or false."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.states import States
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.twins import random_twin
from semantic_hub.zoo.planted.codes import SQUARED_LENGTHS
from semantic_hub.zoo.planted.models import (
    N_CONCEPTS,
    expected_stream,
    planted_separate,
    planted_world,
)

LANGUAGES = ("en", "es")
"""The two sides of the pairs."""

StatesOf = Callable[[int], tuple[States, States]]
"""From a seed to the states of both sides."""


def planted_states(
    name: str, seed: int, *, noise: float = 0.0, n_concepts: int = N_CONCEPTS
) -> tuple[Float[np.ndarray, "pair layer d_model"], Float[np.ndarray, "pair layer d_model"]]:
    """Closed-form streams of a planted world's two languages, with independent noise.

    ``h_k + s |h_k| g / √d_model`` with g standard normal, drawn for each state and layer: the noise
    is s times as long as the stream and independent between layers, so that a correction over
    layers has different layers to correct for.

    Args:
        name: ``"planted-hub"`` or ``"planted-separate"``.
        seed: Seed of the codes and of the noise.
        noise: s, at least 0.
        n_concepts: Number of pairs.

    Returns:
        English and Spanish, ``[pair, layer, d_model]``, float32.

    Raises:
        SemanticHubError: As for `planted_world`.

    Example:
        >>> x, y = planted_states("planted-hub", seed=0, n_concepts=5)
        >>> x.shape
        (5, 6, 65)
    """
    world = planted_world(name, seed, languages=LANGUAGES, n_concepts=n_concepts)
    rng = np.random.default_rng((seed, 1))
    x, y = (with_noise(expected_stream(world, language), noise, rng) for language in LANGUAGES)
    return x, y


def with_noise(
    stream: Float[np.ndarray, "pair layer d_model"], noise: float, rng: np.random.Generator
) -> Float[np.ndarray, "pair layer d_model"]:
    """Add noise to a planted stream, drawn for each state and layer.

    Args:
        stream: As `semantic_hub.zoo.planted.expected.expected_stream` gives it.
        noise: Length of the noise over that of the stream.
        rng: What draws it.

    Returns:
        float32.
    """
    deviation = noise * np.sqrt(SQUARED_LENGTHS / stream.shape[-1])
    drawn = rng.standard_normal(stream.shape) * deviation[:, None]
    return (stream + drawn).astype(np.float32)


def anisotropic(
    x: Float[np.ndarray, "pair layer d_model"],
    y: Float[np.ndarray, "pair layer d_model"],
    *,
    common: float = 0.0,
    huge: int = 0,
    scale: float = 1000.0,
    own_noise: bool = True,
    seed: int = 0,
) -> tuple[
    Float[np.ndarray, "pair layer d_model"],
    Float[np.ndarray, "pair layer d_model"],
]:
    """Give states what the states of pretrained models have beside their meaning.

    A direction that all states have in common, ``common`` times as long as a state, and half as
    long one for each side, as for a language; ``huge`` dimensions ``scale`` times as large as they
    were, with as large noise of their own where ``own_noise``; and lengths that double with each
    layer. Whether the sides share their meaning stays as it was.

    Args:
        x: States of one side.
        y: States of the other side.
        common: Length of the common direction over that of the stream.
        huge: Number of huge dimensions.
        scale: Of the huge dimensions.
        own_noise: Whether the huge dimensions have noise of their own, as large as they are.
        seed: Seed of directions, dimensions and noise.

    Example:
        >>> x, y = anisotropic(*planted_states("planted-hub", seed=0, n_concepts=5), common=100.0)
        >>> x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        >>> float((x[0, 3] * x[1, 3]).sum()) > 0.99
        True
    """
    rng, d_model = np.random.default_rng((seed, 4)), x.shape[-1]
    lengths = np.sqrt(SQUARED_LENGTHS)[:, None]
    directions = rng.standard_normal((3, d_model))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    dimensions = rng.choice(d_model, huge, replace=False)
    sides = []
    for side, own in zip((x, y), directions[1:], strict=True):
        states = side + common * lengths * (directions[0] + own / 2)
        if own_noise:
            noise = rng.standard_normal(states[..., dimensions].shape)
            states[..., dimensions] += noise * lengths / np.sqrt(d_model)
        states[..., dimensions] *= scale
        states *= 2.0 ** np.arange(states.shape[1])[:, None]
        sides.append(states.astype(np.float32))
    return sides[0], sides[1]


def folded(
    x: Float[np.ndarray, "pair layer d_model"],
    y: Float[np.ndarray, "pair layer d_model"],
    dimensions: int = 16,
    seed: int = 0,
) -> tuple[
    Float[np.ndarray, "pair layer dimension"],
    Float[np.ndarray, "pair layer dimension"],
]:
    """Project the states of both languages to a few dimensions by the same random matrix.

    A planted world's concept codes are orthonormal: no two concepts are more alike than any two
    others. In few dimensions some come close to each other, on both sides alike if the codes are
    shared. So measures that compare the geometry of each side have something to detect.

    Args:
        x: States of one side.
        y: States of the other side.
        dimensions: Number of dimensions.
        seed: Seed of the projection.

    Example:
        >>> folded(*planted_states("planted-hub", seed=0, n_concepts=5))[0].shape
        (5, 6, 16)
    """
    rng = np.random.default_rng((seed, 2))
    projection = rng.standard_normal((x.shape[-1], dimensions), dtype=np.float32)
    return x @ projection, y @ projection


def twin_states(seed: int) -> tuple[States, States]:
    """States of both languages of ``planted-separate`` in a randomly initialized copy of its model.

    The prompts ``<en> en:dog`` and ``<es> es:dog`` share their first token and their positions, but
    no other token. The rows of the embedding are drawn independently, so no pairing of English and
    Spanish words is special. The null is true, and the permutation test must be exact.

    Args:
        seed: Seed of the twin's weights.

    Returns:
        English and Spanish, ``[pair, layer, d_model]``, float32.
    """
    world = planted_world("planted-separate", languages=LANGUAGES)
    twin = random_twin(_separate_model(), seed)
    x, y = (residual_stream(twin, world.prompts(language)) for language in LANGUAGES)
    return x, y


NULL_WORLDS: Mapping[str, StatesOf] = MappingProxyType(
    {
        "planted-separate": partial(planted_states, "planted-separate"),
        "planted-separate with noise": partial(planted_states, "planted-separate", noise=1.0),
        "random twin": twin_states,
    }
)
"""Worlds by name in which the pairing of the states is arbitrary."""


@cache
def _separate_model() -> HookedModel:
    """Model of ``planted-separate`` as a bridge, whose twins agree on all TransformerLens lines."""
    return planted_separate(languages=LANGUAGES, backend="bridge", device="cpu")
