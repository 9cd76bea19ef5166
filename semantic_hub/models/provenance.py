"""Commit of a model's weights, and whether they were processed on loading."""

import weakref
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor

from semantic_hub.models.checkpoints import hooked_transformer_class
from semantic_hub.models.protocol import HookedModel

FOLDED = "folded layer norms"
CENTERED_WRITING = "centered writing weights"
CENTERED_UNEMBEDDING = "centered unembedding"
REWRITTEN = "processed bridge weights"

_EFFECTS = {
    FOLDED: "norms have no separate gain",
    CENTERED_WRITING: "residual streams are centered",
    CENTERED_UNEMBEDDING: "logits are shifted by a constant",
    REWRITTEN: "norms may be folded and residual streams centered",
}
_SAMPLE = 256
"""Number of vectors whose means are tested; random vectors never all have mean 0."""

_commits: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()
"""Model to the commit that it was loaded from."""


def processed(model: HookedModel) -> list[str]:
    """List how the weights were changed on loading (folded norms, centering); empty if unchanged.

    TransformerLens marks folded norms (``LNPre``, ``RMSPre``) and a bridge's processed weights.
    Centering leaves no mark on a ``HookedTransformer`` but the zero means of its weights.
    """
    changes = (
        [FOLDED] if str(getattr(model.cfg, "normalization_type", None)).endswith("Pre") else []
    )
    hooked = hooked_transformer_class()
    if hooked is not None and isinstance(model, hooked):
        weights: Any = model
        changes += [CENTERED_WRITING] * _is_centered(weights.W_E)
        changes += [CENTERED_UNEMBEDDING] * _is_centered(weights.W_U)
    return changes + [REWRITTEN] * bool(getattr(model, "_weights_processed", False))


def effects(changes: list[str]) -> str:
    """Describe how the changes that `processed` lists affect measurements, for a warning."""
    return ", ".join(_EFFECTS[change] for change in changes)


def remember_commit(model: HookedModel, repository: str) -> None:
    """Store the commit of the cached Hugging Face files that a model was just loaded from."""
    file = try_to_load_from_cache(repository, "config.json")
    if isinstance(file, str):
        _commits[model] = Path(file).parent.name


def commit(model: HookedModel) -> str | None:
    """Commit of the Hugging Face files that a model was loaded from; ``None`` if unknown."""
    return _commits.get(model)


def _is_centered(weight: Tensor) -> bool:
    """Whether the rows have mean 0 up to rounding; the second bound is for half precision."""
    rows = weight.detach()[:_SAMPLE]
    rounding = 4 * torch.finfo(rows.dtype).eps / rows.shape[-1] ** 0.5
    largest = rows.mean(dim=-1, dtype=torch.float32).abs().max()
    return bool(largest < max(1e-5, rounding) * rows.float().std())
