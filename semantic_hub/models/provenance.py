"""Where a model's weights come from, and what was done to them on loading."""

import weakref
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor

from semantic_hub.models.checkpoints import hooked_transformer_class

FOLDED = "folded layer norms"
CENTRED_WRITING = "centred writing weights"
CENTRED_UNEMBEDDING = "centred unembedding"
REWRITTEN = "processed bridge weights"

_EFFECTS = {
    FOLDED: "norms have no gain of their own",
    CENTRED_WRITING: "residual streams are centred",
    CENTRED_UNEMBEDDING: "logits are shifted by a constant",
    REWRITTEN: "norms may be folded and residual streams centred",
}
_SAMPLE = 256
"""Vectors that the centring tests look at; random ones never all have mean 0."""

_commits: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()


def processed(model: Any) -> list[str]:
    """What was done to the weights on loading, in words; empty for a model as it was trained.

    TransformerLens marks folded norms (``LNPre``, ``RMSPre``) and a bridge's processed weights.
    Centring leaves no mark on a ``HookedTransformer`` but the zero means of its weights.
    """
    found = [FOLDED] if str(getattr(model.cfg, "normalization_type", None)).endswith("Pre") else []
    hooked = hooked_transformer_class()
    if hooked is not None and isinstance(model, hooked):
        found += [CENTRED_WRITING] * _is_centred(model.W_E)
        found += [CENTRED_UNEMBEDDING] * _is_centred(model.W_U)
    return found + [REWRITTEN] * bool(getattr(model, "_weights_processed", False))


def effects(changes: list[str]) -> str:
    """What the changes that :func:`processed` found mean for a measurement."""
    return ", ".join(_EFFECTS[change] for change in changes)


def remember_commit(model: Any, repository: str) -> None:
    """Note the commit of the cached files from which a model by this name was just loaded."""
    file = try_to_load_from_cache(repository, "config.json")
    if isinstance(file, str):
        _commits[model] = Path(file).parent.name


def commit(model: Any) -> str | None:
    """The commit of the hub's files that the model was loaded from, or ``None``."""
    return _commits.get(model)


def _is_centred(weight: Tensor) -> bool:
    """Whether the rows have mean 0 but for rounding; the second bound is that of half precision."""
    rows = weight.detach()[:_SAMPLE]
    rounding = 4 * torch.finfo(rows.dtype).eps / rows.shape[-1] ** 0.5
    largest = rows.mean(dim=-1, dtype=torch.float32).abs().max()
    return bool(largest < max(1e-5, rounding) * rows.float().std())
