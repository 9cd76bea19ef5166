"""Models with weights written down by formula, whose every curve is known: the zoo's planted pair.

`planted_hub` shares its concepts between languages, `planted_separate` does not; what they say is
the same. The world gives their prompts, and the ``expected_*`` functions what each measure reads.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch

from semantic_hub.zoo.planted_curves import (
    expected_lens,
    expected_patching,
    expected_similarity,
    expected_stream,
)
from semantic_hub.zoo.planted_weights import planted_model
from semantic_hub.zoo.planted_world import (
    LANGUAGES,
    N_CONCEPTS,
    Exchange,
    PlantedWorld,
    planted_world,
)

__all__ = [
    "Exchange",
    "PlantedWorld",
    "expected_lens",
    "expected_patching",
    "expected_similarity",
    "expected_stream",
    "planted_hub",
    "planted_model",
    "planted_separate",
    "planted_world",
]


def planted_hub(
    seed: int = 0,
    *,
    languages: Sequence[str] = LANGUAGES,
    n_concepts: int = N_CONCEPTS,
    backend: Literal["auto", "hooked", "bridge"] = "auto",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """A model whose languages share one code for each concept, read in the dominant language.

    Args:
        seed: Of its codes.
        languages: The dominant one first.
        n_concepts: Number of concepts, at least 3.
        backend: ``"hooked"`` for a ``HookedTransformer``, ``"bridge"`` for a native
            ``TransformerBridge``, ``"auto"`` for the first of them that is there.
        device: Where it goes; ``None`` leaves the choice to TransformerLens.
        dtype: Of the weights.

    Returns:
        The model of ``planted_world("planted-hub", seed, ...)``.

    Raises:
        SemanticHubError: As `PlantedWorld`.

    Example:
        >>> model, world = planted_hub(), planted_world("planted-hub")
        >>> sh.similarity(model, world.pairs("es", "fr")).similarity  # doctest: +SKIP
        >>> expected_similarity(world, "es", "fr").round(1).tolist()
        [0.0, 0.2, 0.8, 0.8, 0.4, 0.0]
    """
    world = planted_world("planted-hub", seed, languages=languages, n_concepts=n_concepts)
    return planted_model(world, backend=backend, device=device, dtype=dtype)


def planted_separate(
    seed: int = 0,
    *,
    languages: Sequence[str] = LANGUAGES,
    n_concepts: int = N_CONCEPTS,
    backend: Literal["auto", "hooked", "bridge"] = "auto",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """A model that answers like `planted_hub`, through codes of its own for each language.

    Args:
        seed: Of its codes.
        languages: The dominant one first.
        n_concepts: Number of concepts, at least 3.
        backend: As in `planted_hub`.
        device: As in `planted_hub`.
        dtype: Of the weights.

    Returns:
        The model of ``planted_world("planted-separate", seed, ...)``.

    Raises:
        SemanticHubError: As `PlantedWorld`.

    Example:
        >>> model = planted_separate(seed=3)
        >>> model.to_string(model("<fr> fr:dog")[0, -1].argmax())
        'fr:dog'
    """
    world = planted_world("planted-separate", seed, languages=languages, n_concepts=n_concepts)
    return planted_model(world, backend=backend, device=device, dtype=dtype)
