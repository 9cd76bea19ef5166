"""Evidence 1: do prompts with the same meaning share a state, layer by layer?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from semantic_hub.cosine import (
    paired_cosines,
    paired_interval,
    paired_p_values,
    paired_similarity,
)
from semantic_hub.errors import SemanticHubError
from semantic_hub.models import HookedModel, check_layers
from semantic_hub.pairs import Pairs
from semantic_hub.positions import Positions
from semantic_hub.residuals import residual_stream
from semantic_hub.results import manifest
from semantic_hub.similarity_result import SimilarityResult

__all__ = ["SimilarityResult", "paired_similarity", "similarity"]


def similarity(
    model: HookedModel,
    pairs: Pairs,
    *,
    positions: Positions = "last",
    layers: Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resamples: int = 1000,
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    controls: Mapping[str, HookedModel | Pairs] | None = None,
) -> SimilarityResult:
    """Similarity of pairs in a model at each layer: `residual_stream`, then `paired_similarity`
    with its bootstrap interval over pairs and its permutation p-value over pairings.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        pairs: At least 2 pairs of prompts.
        positions: Where to read, as in `residual_stream`.
        layers: Which layers, 0..n_layers; None for all.
        batch_size: Prompts in a forward pass, or ``"auto"``.
        resamples: Number of bootstrap resamples.
        permutations: Number of pairings to compare with.
        confidence: Share of the resamples inside the interval.
        seed: Seed of resamples and pairings; the controls use the same.
        controls: Rows to compare with, by name: another model (``random_twin(model)``) measures
            the same pairs, other pairs are measured in the same model.

    Returns:
        Similarity, matched and mismatched mean cosine, interval and p-values at each layer.

    Raises:
        SemanticHubError: Fewer than 2 pairs, or bad input to `residual_stream`.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> pairs = sh.spokes.language.pairs("en", "es")
        >>> result = sh.similarity(model, pairs, controls={"random twin": sh.random_twin(model)})
        >>> result.layers[0]
        0

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
    measure = partial(
        _measure,
        positions=positions,
        layers=layers,
        batch_size=batch_size,
        resamples=resamples,
        permutations=permutations,
        confidence=confidence,
        seed=seed,
    )
    rows = {
        name: measure(model, row) if isinstance(row, Pairs) else measure(row, pairs)
        for name, row in (controls or {}).items()
    }
    return replace(measure(model, pairs), controls=rows)


def _measure(
    model: HookedModel,
    pairs: Pairs,
    *,
    positions: Positions,
    layers: Sequence[int] | None,
    batch_size: int | Literal["auto"],
    resamples: int,
    permutations: int,
    confidence: float,
    seed: int,
) -> SimilarityResult:
    """One row: the pairs in the model, without controls."""
    _check_number(pairs)
    states = residual_stream(model, pairs.x + pairs.y, positions, layers, batch_size)
    x, y = states[: len(pairs)], states[len(pairs) :]
    cosines = paired_cosines(x, y)
    interval = paired_interval(x, y, resamples=resamples, confidence=confidence, seed=seed)
    p_values = paired_p_values(x, y, permutations=permutations, seed=seed)
    return SimilarityResult(
        layers=tuple(check_layers(model, layers)),
        similarity=cosines.similarity,
        matched=cosines.matched,
        mismatched=cosines.mismatched,
        low=interval.low,
        high=interval.high,
        p=p_values.p,
        p_corrected=p_values.corrected,
        n_pairs=len(pairs),
        x_name=pairs.x_name,
        y_name=pairs.y_name,
        manifest=manifest(
            model,
            measure="similarity",
            positions=getattr(positions, "__name__", str(positions)),
            n_pairs=len(pairs),
            dropped={},
            resamples=resamples,
            permutations=permutations,
            confidence=confidence,
            seed=seed,
        ),
    )


def _check_number(pairs: Pairs) -> None:
    if len(pairs) < 2:
        raise SemanticHubError(
            "similarity",
            got=f"{len(pairs)} pair",
            expected="at least 2 pairs, since one has no mismatch",
            fix="Pass more pairs.",
        )
