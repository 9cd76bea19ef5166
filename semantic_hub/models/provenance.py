"""Where a model's weights come from, and whether they were processed on loading."""

import json
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor

from semantic_hub.errors import is_folder
from semantic_hub.models.checkpoints import LoadOptions, hooked_transformer_class
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


@dataclass(frozen=True)
class Source:
    """Where the weights of a model were read from.

    Args:
        commit: Commit of files from the Hugging Face hub.
        quantization: How a GGUF file's weights were quantized.
        adapter: Name of the adapter that was merged into them.
    """

    commit: str | None = None
    quantization: dict[str, Any] | None = None
    adapter: str | None = None


_sources: "weakref.WeakKeyDictionary[Any, Source]" = weakref.WeakKeyDictionary()
"""Model to what it was loaded from."""


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


def remember_source(
    model: HookedModel,
    name: str,
    options: LoadOptions,
    *,
    quantization: dict[str, Any] | None = None,
) -> None:
    """Store what a model was just loaded from: for a repository, the commit of its cached files.

    Args:
        model: The model.
        name: Its repository or folder.
        options: How it was loaded.
        quantization: That of a GGUF file.
    """
    adapter = None if options.adapter is None else Path(options.adapter)
    _sources[model] = Source(
        None if is_folder(name) else _cached_commit(name, options),
        quantization,
        adapter and (adapter.resolve().name if is_folder(adapter) else options.adapter),
    )


def commit(model: HookedModel) -> str | None:
    """Commit of the Hugging Face files that a model was loaded from; ``None`` if unknown."""
    return _sources.get(model, Source()).commit


def merged_adapter(model: HookedModel) -> str | None:
    """Name of the adapter that was merged into a model's weights; ``None`` if none was."""
    return _sources.get(model, Source()).adapter


def quantization(model: HookedModel) -> dict[str, Any] | None:
    """How a model's weights are quantized, or were in the file that they were read from.

    Returns:
        ``quant_method`` and the settings of that method, ready for JSON; ``None`` for no
        quantization.
    """
    config = getattr(getattr(model, "original_model", None), "config", None)
    active = getattr(config, "quantization_config", None)
    if active is None:
        return _sources.get(model, Source()).quantization
    settings = active if isinstance(active, dict) else active.to_dict()
    public = {name: value for name, value in settings.items() if not name.startswith("_")}
    return json.loads(json.dumps(public, default=str))


def _cached_commit(repository: str, options: LoadOptions) -> str | None:
    """Commit of the cached files of a repository; None if none is cached."""
    for name in (options.gguf_file, "config.json"):
        file = name and try_to_load_from_cache(repository, name, revision=options.revision)
        if isinstance(file, str):
            return Path(file).parent.name
    return None


def _is_centered(weight: Tensor) -> bool:
    """Whether the rows have mean 0 up to rounding; the second bound is for half precision."""
    rows = weight.detach()[:_SAMPLE]
    rounding = 4 * torch.finfo(rows.dtype).eps / rows.shape[-1] ** 0.5
    largest = rows.mean(dim=-1, dtype=torch.float32).abs().max()
    return bool(largest < max(1e-5, rounding) * rows.float().std())
