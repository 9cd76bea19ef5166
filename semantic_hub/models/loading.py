"""The seam to TransformerLens: what a model is, loading one, and saying what it is.

Every version difference lives here and in the modules that this one imports.
"""

import os
import weakref
from pathlib import Path
from typing import Any, Literal
from warnings import warn

import torch

from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.models.checkpoints import (
    hooked_knows_name,
    hooked_transformer_class,
    is_checkpoint_folder,
    load_bridge,
    load_hooked_name,
    official_name,
)
from semantic_hub.models.conversion import convert_folder
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.models.provenance import commit, effects, processed, remember_commit

Backend = Literal["auto", "hooked", "bridge"]
"""``HookedTransformer``, ``TransformerBridge``, or the first of them that can do it."""

_warned: "weakref.WeakSet[Any]" = weakref.WeakSet()


def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    backend: Backend = "auto",
    trust_remote_code: bool = False,
) -> HookedModel:
    """Load a model with its weights as they were trained: no folded norms, no centring.

    Args:
        name_or_path: A bundled model (``"hub-mini"``, ``"planted-hub"``, ``"planted-separate"``),
            a local Hugging Face folder, or a TransformerLens model name.
        device: Where it goes; ``None`` leaves the choice to TransformerLens.
        dtype: Of the weights.
        backend: ``"hooked"`` for a ``HookedTransformer`` (TransformerLens 3.9), ``"bridge"`` for a
            ``TransformerBridge``, ``"auto"`` for the first of them that supports the model.
        trust_remote_code: Whether code that comes with the model may run.

    Returns:
        The model in evaluation mode.

    Raises:
        SemanticHubError: Unknown name, no network, an unsupported architecture, or
            ``backend="hooked"`` where TransformerLens has no ``HookedTransformer``.

    Example:
        >>> import semantic_hub as sh
        >>> sh.load_model("hub-mini").cfg.n_layers >= 6
        True
    """
    check_backend(backend)
    place = None if device is None else str(device)
    name = str(name_or_path)
    if name in ("planted-hub", "planted-separate"):
        return _load_planted(name, place, dtype, backend)
    if name == "hub-mini":
        return _load_hub_mini(place, dtype, backend)
    folder = Path(name).expanduser()
    if is_checkpoint_folder(folder):
        return _load_folder(folder, place, dtype, backend, trust_remote_code)
    if folder.is_absolute() or name.startswith((".", "~")) or folder.is_dir():
        raise SemanticHubError(
            "load_model",
            got=f"{name!r}, which is not a folder with a config.json",
            expected="a folder in Hugging Face layout",
            fix="Save the model with save_pretrained and pass that folder.",
        )
    return _load_name(name, place, dtype, backend, trust_remote_code)


def check_model(model: object) -> HookedModel:
    """The model itself, if this package can read it; one warning if its weights were processed.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.

    Raises:
        SemanticHubError: If it is neither.

    Example:
        >>> import semantic_hub as sh
        >>> check_model(sh.load_model("hub-mini")).cfg.n_layers
        8
    """
    if not isinstance(model, HookedModel):
        raise SemanticHubError(
            "check_model",
            got=f"a {type(model).__name__}",
            expected="a HookedTransformer or a TransformerBridge",
            fix="Load it with semantic_hub.load_model, or wrap it in a TransformerBridge.",
        )
    changes = processed(model)
    if changes and model not in _warned:
        _warned.add(model)
        warn(
            f"The weights of this {type(model).__name__} were processed on loading "
            f"({', '.join(changes)}): {effects(changes)}, so measures such as cosines "
            "and raw-stream lenses may differ from those of the model as trained. "
            "semantic_hub.load_model loads it unprocessed.",
            SemanticHubWarning,
            stacklevel=3,
        )
    return model


def check_decoder(model: object, operation: str) -> HookedModel:
    """The model itself, if its states can be read as words: a decoder with a tokenizer.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        operation: The user's call, for the error.

    Raises:
        SemanticHubError: No model, no unembedding (an encoder), or no tokenizer.
    """
    decoder = check_model(model)
    check_predicts_next_token(decoder, operation)
    if decoder.tokenizer is None:
        raise SemanticHubError(
            operation,
            got=f"{type(decoder).__name__} without a tokenizer",
            expected="a model with the tokenizer that its vocabulary belongs to",
            fix="Set it with model.set_tokenizer(tokenizer).",
        )
    return decoder


def describe(model: HookedModel) -> dict[str, Any]:
    """What a manifest says about a model: plain values, ready for JSON.

    Returns:
        ``class name revision n_layers d_model d_vocab dtype device processed default_prepend_bos
        tokenizer``; ``processed`` lists what was done to the weights, and is empty for none;
        ``revision`` is the commit of files from the Hugging Face hub, where it is known.

    Example:
        >>> import semantic_hub as sh
        >>> describe(sh.load_model("hub-mini"))["processed"]
        []
    """
    return {
        "class": type(model).__name__,
        "name": _short_name(model.cfg.model_name),
        "revision": commit(model),
        "n_layers": model.cfg.n_layers,
        "d_model": model.cfg.d_model,
        "d_vocab": model.cfg.d_vocab,
        "dtype": str(first_parameter(model).dtype).removeprefix("torch."),
        "device": str(first_parameter(model).device),
        "processed": processed(model),
        "default_prepend_bos": bool(model.cfg.default_prepend_bos),
        "tokenizer": None if model.tokenizer is None else type(model.tokenizer).__name__,
    }


def check_backend(backend: str) -> None:
    """Refuse a backend that there is not.

    Raises:
        SemanticHubError: An unknown one, or ``"hooked"`` on TransformerLens 4.
    """
    if backend not in ("auto", "hooked", "bridge"):
        raise SemanticHubError(
            "load_model",
            got=f"backend={backend!r}",
            expected='"auto", "hooked" or "bridge"',
            fix='Leave it at "auto".',
        )
    if backend == "hooked" and hooked_transformer_class() is None:
        raise SemanticHubError(
            "load_model",
            got='backend="hooked" with a TransformerLens that has no HookedTransformer',
            expected="TransformerLens 3.9, the last line with that class",
            fix='Use backend="bridge", or install "transformer-lens>=3.9,<4".',
        )


def _load_planted(name: str, device: str | None, dtype: torch.dtype, backend: Backend) -> Any:
    from semantic_hub.zoo.planted import models as planted

    build = planted.planted_hub if name == "planted-hub" else planted.planted_separate
    return build(backend=backend, device=device, dtype=dtype)


def _load_hub_mini(device: str | None, dtype: torch.dtype, backend: Backend) -> Any:
    from semantic_hub.zoo import hub_mini_path

    model = _load_folder(hub_mini_path(), device, dtype, backend, trust=False)
    model.cfg.model_name = "hub-mini"
    return model


def _load_folder(
    folder: Path, device: str | None, dtype: torch.dtype, backend: Backend, trust: bool
) -> Any:
    if backend != "bridge" and hooked_transformer_class() is not None:
        model = convert_folder(folder, device, dtype, trust)
        if model is not None:
            return model
    if backend == "hooked":
        raise SemanticHubError(
            "load_model",
            got=f"{folder}, which TransformerLens does not convert faithfully",
            expected="an architecture that HookedTransformer supports",
            fix='Use backend="bridge".',
        )
    return load_bridge(str(folder), device, dtype, trust)


def _load_name(
    name: str, device: str | None, dtype: torch.dtype, backend: Backend, trust: bool
) -> Any:
    hooked = backend == "hooked" or (
        backend == "auto"
        and hooked_transformer_class() is not None
        and hooked_knows_name(name, trust)
    )
    if hooked:
        model = load_hooked_name(name, device, dtype, trust)
        repository = official_name(name)
    else:
        model = load_bridge(name, device, dtype, trust)
        repository = model.cfg.model_name
    remember_commit(model, str(repository))
    return model


def _short_name(name: str) -> str:
    """A folder's own name without the machine's path to it; other names as they are."""
    return Path(name).name if Path(name).is_absolute() else name
