"""Planted models: their weights follow a formula, so that every measure has a known value.

`planted_hub` shares its concepts between languages, `planted_separate` does not; their outputs are
the same. The world has their prompts, and the ``expected_*`` functions give the value of each
measure.
"""

from collections.abc import Sequence

import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import Backend
from semantic_hub.models.protocol import HookedModel
from semantic_hub.zoo.planted.expected import (
    expected_lens,
    expected_similarity,
    expected_stream,
)
from semantic_hub.zoo.planted.expected_interventions import (
    expected_component_patching,
    expected_patching,
    expected_steering,
)
from semantic_hub.zoo.planted.spoke import PlantedSpoke
from semantic_hub.zoo.planted.weights import planted_model
from semantic_hub.zoo.planted.world import PlantedWorld

__all__ = [
    "PlantedSpoke",
    "PlantedWorld",
    "expected_component_patching",
    "expected_lens",
    "expected_patching",
    "expected_similarity",
    "expected_steering",
    "expected_stream",
    "planted_hub",
    "planted_model",
    "planted_separate",
    "planted_world",
]

LANGUAGES = ("en", "es", "fr")
"""Default languages, the dominant one first."""

_NOUNS = (
    "dog", "cat", "horse", "bird", "fish", "tree", "river", "stone",
    "house", "door", "table", "chair", "bread", "apple", "water", "fire",
    "moon", "star", "sun", "cloud", "snow", "rain", "wind", "road",
    "bridge", "boat", "train", "book", "letter", "song", "hand", "heart",
    "bell", "knife", "cup", "lamp", "mirror", "coat", "shoe", "ring",
    "garden", "field", "forest", "island", "mountain", "lake", "city", "ship",
)  # fmt: skip
N_CONCEPTS = len(_NOUNS)
"""Default number of concepts: with 32, a 95 % percentile bootstrap over them covers .934."""


def planted_world(
    name: str,
    seed: int = 0,
    *,
    languages: Sequence[str] = LANGUAGES,
    n_concepts: int = N_CONCEPTS,
) -> PlantedWorld:
    """World of a planted model.

    Args:
        name: ``"planted-hub"`` or ``"planted-separate"``.
        seed: Seed of its codes.
        languages: Names of its languages, the dominant one first.
        n_concepts: Number of its concepts, at least 3.

    Returns:
        With the defaults, the world of ``semantic_hub.load_model(name)``.

    Raises:
        SemanticHubError: Another name, or as for `PlantedWorld`.

    Example:
        >>> planted_world("planted-separate", seed=3, n_concepts=50).words("fr")[-1]
        'fr:cat2'
    """
    if name not in ("planted-hub", "planted-separate"):
        raise SemanticHubError(
            "planted_world",
            got=repr(name),
            expected='"planted-hub" or "planted-separate"',
            fix="Choose one of the two.",
        )
    concepts = tuple(_concept(index) for index in range(n_concepts))
    return PlantedWorld(name == "planted-hub", tuple(languages), concepts, seed)


def planted_hub(
    seed: int = 0,
    *,
    languages: Sequence[str] = LANGUAGES,
    n_concepts: int = N_CONCEPTS,
    backend: Backend = "auto",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> HookedModel:
    """Build a model whose languages share the code of each concept.

    The lens reads the dominant language's word for it in the middle layers.

    Args:
        seed: Seed of its codes.
        languages: The dominant one first.
        n_concepts: Number of concepts, at least 3.
        backend: ``"hooked"`` for a ``HookedTransformer``, ``"bridge"`` for a native
            ``TransformerBridge``, ``"auto"`` for the first of them that is there.
        device: Where it goes; ``None`` leaves the choice to TransformerLens.
        dtype: Of the weights.

    Returns:
        The model of ``planted_world("planted-hub", seed, ...)``.

    Raises:
        SemanticHubError: As for `PlantedWorld`.

    Example:
        >>> model, world = planted_hub(), planted_world("planted-hub")
        >>> [round(x, 1) for x in sh.similarity(model, world.pairs("en", "es")).similarity.tolist()]
        [0.0, 0.2, 0.8, 0.8, 0.4, 0.0]
        >>> expected_similarity(world, "en", "es").round(1).tolist()
        [0.0, 0.2, 0.8, 0.8, 0.4, 0.0]
    """
    return _planted("planted-hub", seed, languages, n_concepts, backend, device, dtype)


def planted_separate(
    seed: int = 0,
    *,
    languages: Sequence[str] = LANGUAGES,
    n_concepts: int = N_CONCEPTS,
    backend: Backend = "auto",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> HookedModel:
    """Build a model with the answers of `planted_hub` and separate codes for each language.

    Args:
        seed: Seed of its codes.
        languages: The dominant one first.
        n_concepts: Number of concepts, at least 3.
        backend: As in `planted_hub`.
        device: As in `planted_hub`.
        dtype: Of the weights.

    Returns:
        The model of ``planted_world("planted-separate", seed, ...)``.

    Raises:
        SemanticHubError: As for `PlantedWorld`.

    Example:
        >>> model = planted_separate(seed=3)
        >>> model.to_string(model("<fr> fr:dog")[0, -1].argmax())
        'fr:dog'
    """
    return _planted("planted-separate", seed, languages, n_concepts, backend, device, dtype)


def _planted(
    name: str,
    seed: int,
    languages: Sequence[str],
    n_concepts: int,
    backend: Backend,
    device: str | torch.device | None,
    dtype: torch.dtype,
) -> HookedModel:
    """Model of the world with a name."""
    world = planted_world(name, seed, languages=languages, n_concepts=n_concepts)
    return planted_model(world, backend=backend, device=device, dtype=dtype)


def _concept(index: int) -> str:
    """Name of a concept: a noun, with a number after the first lap through the nouns."""
    lap, noun = divmod(index, len(_NOUNS))
    return _NOUNS[noun] + (str(lap + 1) if lap else "")
