"""The seam to TransformerLens: every version difference lives here and in the modules it imports.

Layers are counted 0..n_layers everywhere: 0 is the input of the first block (for Gemma after its
embedding scale, for GPT-2 with the positional embedding added), ``k`` the stream after block ``k``.
The last one is *before* the final norm.
"""

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from warnings import warn

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub import checkpoints
from semantic_hub.checkpoints import bridge_class, hooked_transformer_class
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.protocol import HookedModel
from semantic_hub.twins import random_twin

__all__ = [
    "Backend",
    "HookedModel",
    "check_layers",
    "check_model",
    "check_predicts_next_token",
    "describe",
    "final_norm",
    "layer_hook",
    "load_model",
    "predicts_next_token",
    "random_twin",
    "running_to_layer",
    "unembed",
    "unembedding",
]

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
    _check_backend(backend)
    place = None if device is None else str(device)
    name = str(name_or_path)
    if name in ("planted-hub", "planted-separate"):
        return _load_planted(name, place, dtype, backend)
    if name == "hub-mini":
        return _load_hub_mini(place, dtype, backend)
    folder = Path(name).expanduser()
    if checkpoints.is_checkpoint_folder(folder):
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
        >>> check_model(sh.load_model("hub-mini")).cfg.n_layers  # doctest: +SKIP
        8
    """
    if not isinstance(model, HookedModel):
        raise SemanticHubError(
            "check_model",
            got=f"a {type(model).__name__}",
            expected="a HookedTransformer or a TransformerBridge",
            fix="Load it with semantic_hub.load_model, or wrap it in a TransformerBridge.",
        )
    changes = _processed(model)
    if changes and model not in _warned:
        _warned.add(model)
        warn(
            f"The weights of this {type(model).__name__} were processed on loading "
            f"({', '.join(changes)}): residual streams are centred and norms have no gain of their "
            "own, so cosines and raw-stream lenses differ from those of the model as trained. "
            "semantic_hub.load_model loads it unprocessed.",
            SemanticHubWarning,
            stacklevel=3,
        )
    return model


def describe(model: HookedModel) -> dict[str, Any]:
    """What a manifest says about a model: plain values, ready for JSON.

    Returns:
        ``class name revision n_layers d_model d_vocab dtype device processed default_prepend_bos
        tokenizer``; ``processed`` lists what was done to the weights, and is empty for none.

    Example:
        >>> describe(sh.load_model("hub-mini"))["processed"]  # doctest: +SKIP
        []
    """
    source = getattr(getattr(model, "original_model", None), "config", None)
    return {
        "class": type(model).__name__,
        "name": _short_name(model.cfg.model_name),
        "revision": getattr(source, "_commit_hash", None),
        "n_layers": model.cfg.n_layers,
        "d_model": model.cfg.d_model,
        "d_vocab": model.cfg.d_vocab,
        "dtype": str(_parameter(model).dtype).removeprefix("torch."),
        "device": str(_parameter(model).device),
        "processed": _processed(model),
        "default_prepend_bos": bool(model.cfg.default_prepend_bos),
        "tokenizer": None if model.tokenizer is None else type(model.tokenizer).__name__,
    }


def check_layers(model: HookedModel, layers: Sequence[int] | None) -> list[int]:
    """The asked-for layers as a list; ``None`` means all of them, 0..n_layers.

    Raises:
        SemanticHubError: If a layer is out of range or none is asked for.
    """
    last = model.cfg.n_layers
    asked = list(range(last + 1)) if layers is None else [int(layer) for layer in layers]
    wrong = [layer for layer in asked if not 0 <= layer <= last]
    if wrong or not asked:
        raise SemanticHubError(
            "layers",
            got=f"layer {wrong[0]}" if wrong else "no layers",
            expected=f"layers 0 to {last} (0 is the embedding, {last} the last block's output)",
            fix="Leave layers out to read them all.",
        )
    return asked


def layer_hook(layer: int) -> str:
    """The hook that sees the residual stream at a layer (see the module's convention).

    Example:
        >>> layer_hook(0), layer_hook(3)
        ('blocks.0.hook_resid_pre', 'blocks.2.hook_resid_post')
    """
    return f"blocks.{layer - 1}.hook_resid_post" if layer else "blocks.0.hook_resid_pre"


@contextmanager
def running_to_layer(
    model: HookedModel,
    last_layer: int,
    hooks: Sequence[tuple[str, Callable[..., Any]]],
) -> Iterator[Callable[[Int[Tensor, "batch pos"], Int[Tensor, "batch pos"]], None]]:
    """Hooks stay in place over many forward passes, each of which stops at ``last_layer``.

    Args:
        model: The model.
        last_layer: The last layer that is computed.
        hooks: ``(hook name, function)``.

    Yields:
        ``run(tokens, attention_mask)``, a forward pass for the hooks' sake alone.
    """
    if not hasattr(model, "blocks"):
        raise SemanticHubError(
            "residual_stream",
            got=f"{_short_name(model.cfg.model_name)}, which has no single stack of blocks",
            expected="a decoder or an encoder",
            fix="Encoder-decoder models are not supported.",
        )
    is_bridge = isinstance(model, bridge_class())
    stop = [(layer_hook(last_layer), _stop_bridge)] if is_bridge else []
    options = {} if is_bridge else {"stop_at_layer": max(last_layer, 1)}

    def run(tokens: Int[Tensor, "batch pos"], attention_mask: Int[Tensor, "batch pos"]) -> None:
        device = model.cfg.device
        model(
            tokens.to(device),
            attention_mask=attention_mask.to(device),
            return_type=None,
            **options,
        )

    with model.hooks(fwd_hooks=[*hooks, *stop]):
        yield run


def predicts_next_token(model: HookedModel) -> bool:
    """Whether the last layer, normed and unembedded, is the model's next-token prediction.

    False for encoders (BERT family), which have no next-token lens.
    """
    adapter = getattr(model, "adapter", None)
    causal = adapter is None or adapter.supports_generation
    return causal and hasattr(model, "unembed")


def check_predicts_next_token(model: HookedModel, operation: str) -> None:
    """Refuse a model that :func:`predicts_next_token` denies.

    Raises:
        SemanticHubError: For such a model.
    """
    if not predicts_next_token(model):
        raise SemanticHubError(
            operation,
            got=f"{_short_name(model.cfg.model_name)}, which does not predict next tokens",
            expected="a decoder",
            fix="Use residual_stream and similarity, which work for encoders.",
        )


def final_norm(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"]
) -> Float[Tensor, "*axes d_model"]:
    """The model's own final norm, on its device and in its dtype; statistics are in float32.

    Args:
        model: A decoder.
        residual: States at any layer.

    Returns:
        Normed states in the model's dtype; the same states for a model without a final norm.
    """
    norm = getattr(model, "ln_final", None)
    states = residual.to(_parameter(model))
    return states if norm is None else _with_batch_and_pos(norm, states)


def unembed(
    model: HookedModel, residual: Float[Tensor, "*axes d_model"]
) -> Float[Tensor, "*axes d_vocab"]:
    """The model's own logits from normed states, its soft cap or logit scale included.

    ``unembed(model, final_norm(model, states))`` at the last layer are the model's logits.

    Args:
        model: A decoder.
        residual: States as :func:`final_norm` returns them.

    Returns:
        Logits in float32.

    Raises:
        SemanticHubError: If the model is no decoder.
    """
    check_predicts_next_token(model, "unembed")
    logits = _with_batch_and_pos(model.unembed, residual.to(_parameter(model)))
    return _output_transform(model)(logits).float()


def unembedding(
    model: HookedModel,
) -> tuple[Float[Tensor, "d_model d_vocab"], Float[Tensor, " d_vocab"] | None]:
    """The unembedding matrix, and its bias (``None`` if it is absent or zero).

    Raises:
        SemanticHubError: If the model is no decoder.
    """
    check_predicts_next_token(model, "unembedding")
    bias = model.b_U
    return model.W_U.detach(), (bias.detach() if bool(bias.any()) else None)


def _check_backend(backend: str) -> None:
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
    from semantic_hub.zoo import planted

    build = planted.planted_hub if name == "planted-hub" else planted.planted_separate
    chosen = "hooked" if backend == "auto" and hooked_transformer_class() else backend
    model = build(backend="bridge" if chosen == "auto" else chosen)
    return model.to(dtype) if device is None else model.to(dtype).to(device)


def _load_hub_mini(device: str | None, dtype: torch.dtype, backend: Backend) -> Any:
    from semantic_hub.zoo import hub_mini_path

    model = _load_folder(hub_mini_path(), device, dtype, backend, trust=False)
    model.cfg.model_name = "hub-mini"
    return model


def _load_folder(
    folder: Path, device: str | None, dtype: torch.dtype, backend: Backend, trust: bool
) -> Any:
    if backend != "bridge" and hooked_transformer_class() is not None:
        model = checkpoints.convert_folder(folder, device, dtype, trust)
        if model is not None:
            return model
    if backend == "hooked":
        raise SemanticHubError(
            "load_model",
            got=f"{folder}, which TransformerLens does not convert faithfully",
            expected="an architecture that HookedTransformer supports",
            fix='Use backend="bridge".',
        )
    return checkpoints.load_bridge(str(folder), device, dtype, trust)


def _load_name(
    name: str, device: str | None, dtype: torch.dtype, backend: Backend, trust: bool
) -> Any:
    hooked = backend == "hooked" or (
        backend == "auto"
        and hooked_transformer_class() is not None
        and checkpoints.hooked_knows_name(name, trust)
    )
    if hooked:
        return checkpoints.load_hooked_name(name, device, dtype, trust)
    return checkpoints.load_bridge(name, device, dtype, trust)


def _processed(model: Any) -> list[str]:
    """``LNPre`` and ``RMSPre`` mark folded norms; a bridge keeps a flag of its own."""
    folded = str(getattr(model.cfg, "normalization_type", None)).endswith("Pre")
    rewritten = getattr(model, "_weights_processed", False)
    return ["folded layer norms"] * folded + ["processed bridge weights"] * rewritten


def _short_name(name: str) -> str:
    """A folder's own name without the machine's path to it; other names as they are."""
    return Path(name).name if Path(name).is_absolute() else name


def _parameter(model: Any) -> Tensor:
    return next(model.parameters())


def _stop_bridge(value: Tensor, hook: Any) -> None:
    """A bridge's forward pass ends, and returns, wherever this exception comes up."""
    from transformer_lens.model_bridge.exceptions import StopAtLayerException

    raise StopAtLayerException(value)


def _with_batch_and_pos(
    module: Callable[[Tensor], Tensor], states: Float[Tensor, "*axes features"]
) -> Float[Tensor, "*axes out"]:
    """Apply a module that expects ``[batch, pos, features]`` to states of any shape."""
    flat = states.reshape(1, -1, states.shape[-1])
    return module(flat).reshape(*states.shape[:-1], -1)


def _output_transform(model: Any) -> Callable[[Tensor], Tensor]:
    if isinstance(model, bridge_class()):
        return model.adapter.apply_output_logits_transform
    cap = model.cfg.output_logits_soft_cap
    return (lambda logits: cap * torch.tanh(logits / cap)) if cap and cap > 0 else lambda x: x
