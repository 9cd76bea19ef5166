"""Load a model, check that this package can read it, and describe it for manifests.

The differences between the versions of TransformerLens are dealt with here and in the other modules
of this folder.
"""

import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from warnings import warn

import torch

from semantic_hub.errors import (
    SemanticHubError,
    SemanticHubWarning,
    check_kinds,
    expanded,
    is_folder,
)
from semantic_hub.models.bars import without_bars_in_logs
from semantic_hub.models.checkpoints import (
    MODELS,
    Backend,
    DeviceMap,
    DType,
    LoadOptions,
    hooked_knows_name,
    is_checkpoint_folder,
    load_bridge,
    load_hooked_name,
    load_options,
    official_name,
    own_tokenizer,
)
from semantic_hub.models.conventions import end_tokens as tokens_that_end
from semantic_hub.models.conventions import set_conventions
from semantic_hub.models.conversion import convert_folder, host_network
from semantic_hub.models.networks import find_place, read_network
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel, LoadedModel, first_parameter
from semantic_hub.models.provenance import (
    commit,
    effects,
    merged_adapter,
    processed,
    quantization,
    remember_source,
)
from semantic_hub.models.shared_state import hooks_on

_warned: "weakref.WeakSet[Any]" = weakref.WeakSet()
"""Models whose processed weights were warned about."""

_warned_hooks: "weakref.WeakKeyDictionary[Any, set[str]]" = weakref.WeakKeyDictionary()
"""Model to the hooks on it that were warned about."""


@without_bars_in_logs()
def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: DType = "auto",
    backend: Backend = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    device_map: DeviceMap | None = None,
    quantization_config: Any | None = None,
    adapter: str | os.PathLike[str] | None = None,
    gguf_file: str | None = None,
    hf_model: Any | None = None,
    prepend_bos: bool | None = None,
    end_tokens: int | Sequence[int] | None = None,
) -> LoadedModel:
    """Load a model with its weights as they were trained: no folded norms, no centering.

    Args:
        name_or_path: A bundled model (``"hub-mini"``, ``"planted-hub"``, ``"planted-separate"``)
            or another one that `register_model` added; a local Hugging Face folder; a ``.gguf``
            file or a folder with one (``[gguf]``); the folder of a PEFT adapter that names its
            base model (``[peft]``); or a TransformerLens model name.
        device: Where it goes; ``None`` leaves the choice to TransformerLens.
        dtype: Of the weights, or its name, such as ``"float16"``; ``"auto"`` is bfloat16 on CUDA
            and float32 elsewhere, and float32 for the bundled models.
        backend: ``"hooked"`` for a ``HookedTransformer`` (TransformerLens 3.9), ``"bridge"`` for a
            ``TransformerBridge``, ``"auto"`` for the first of them that supports the model.
        trust_remote_code: Whether code that comes with the model may run.
        revision: Branch, tag or commit of a repository, such as a training checkpoint.
        device_map: Devices of a model that spans several, as accelerate takes it; always a bridge.
        quantization_config: As transformers takes it, for 8 or 4 bits; always a bridge.
        adapter: Folder or repository of a PEFT adapter, which is merged into the weights.
        gguf_file: Name of a GGUF file in the folder or repository. Its weights are dequantized in
            memory; the manifest names their quantization.
        hf_model: The model itself, if transformers has loaded it already; a bridge is put around
            it, and it stays where it is. `name_or_path` is then its name, and where its tokenizer
            is.
        prepend_bos: Whether texts get a BOS token; ``None`` does what the checkpoint's own
            tokenizer does.
        end_tokens: Token ids that end a generated text, beside the tokenizer's end token; ``None``
            for those that the checkpoint's ``generation_config.json`` names.

    Returns:
        The model in evaluation mode.

    Raises:
        SemanticHubError: Unknown name, no network, an unsupported architecture, files that cannot
            be read, a device that is not here, a dtype that is none of these, options that exclude
            each other, an extra that is not installed, or ``backend="hooked"`` where
            TransformerLens has no ``HookedTransformer``.

    Example:
        >>> import semantic_hub as sh
        >>> sh.load_model("hub-mini").cfg.n_layers >= 6
        True
    """
    if hf_model is not None and dtype != "auto":
        raise SemanticHubError(
            "load_model",
            got=f"hf_model with dtype={dtype}",
            expected="one of them",
            fix="The model stays in its own dtype; load it in another one.",
        )
    options = load_options(
        "load_model",
        name_or_path,
        device,
        dtype,
        backend,
        trust_remote_code,
        revision=revision,
        device_map=device_map,
        quantization_config=quantization_config,
        adapter=adapter,
        gguf_file=gguf_file,
        hf_model=hf_model,
    )
    model = cast(LoadedModel, _load(str(name_or_path), options))
    set_conventions(model, prepend_bos, end_tokens)
    return model


def register_model(
    name: str, load: Callable[[LoadOptions], HookedModel], *, replace: bool = False
) -> None:
    """Make `load_model` find a model of your own by name.

    Args:
        name: The name. It is looked up before folders and TransformerLens' names.
        load: Builds or loads the model, from the options that `load_model` was given.
        replace: Whether a model that has the name already is replaced.

    Raises:
        SemanticHubError: The name is empty or in use.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.models.twins import random_twin
        >>> def untrained(options: LoadOptions) -> HookedModel:
        ...     return random_twin(load_model("planted-hub", device=options.device))
        >>> register_model("untrained", untrained)
        >>> sh.load_model("untrained").cfg.model_name
        'planted-hub (random twin 0)'
        >>> MODELS.unregister("untrained")
    """
    check_kinds("register_model", load=(load, Callable))
    MODELS.register(name, load, replace=replace)


def check_model(model: object) -> HookedModel:
    """Raise unless this package can read the model; warn once of what changes its numbers.

    That is processing of its weights on loading, and each hook that a user left on it.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.

    Returns:
        The model itself.

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
    known = _warned_hooks.setdefault(model, set())
    if hooks := [name for name in hooks_on(model) if name not in known]:
        known.update(hooks)
        warn(
            f"Hooks that are not of this package are on the model: {', '.join(hooks)}. They change "
            "what is measured, and manifests name them; model.reset_hooks() removes those of "
            "TransformerLens.",
            SemanticHubWarning,
            stacklevel=3,
        )
    return model


def check_decoder(model: object, operation: str) -> HookedModel:
    """Return the model if it is a decoder with a tokenizer, else raise.

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
    """Describe a model for a manifest: plain values, ready for JSON.

    Returns:
        ``class name revision quantization adapter n_layers d_model d_vocab dtype device processed
        default_prepend_bos end_tokens tokenizer hooks``; ``processed`` lists what was done to the
        weights, and is empty for none; ``revision`` is the commit of files from the Hugging Face
        hub, where it is known; ``quantization`` says how the weights are, or were in a GGUF file;
        ``hooks`` lists those that users left on the model, and steers that are in place.

    Example:
        >>> import semantic_hub as sh
        >>> describe(sh.load_model("hub-mini"))["processed"]
        []
    """
    return {
        "class": type(model).__name__,
        "name": _without_folder(model.cfg.model_name),
        "revision": commit(model),
        "quantization": quantization(model),
        "adapter": merged_adapter(model),
        "n_layers": model.cfg.n_layers,
        "d_model": model.cfg.d_model,
        "d_vocab": model.cfg.d_vocab,
        "dtype": str(first_parameter(model).dtype).removeprefix("torch."),
        "device": str(first_parameter(model).device),
        "processed": processed(model),
        "default_prepend_bos": bool(model.cfg.default_prepend_bos),
        "end_tokens": list(tokens_that_end(model)),
        "tokenizer": None if model.tokenizer is None else type(model.tokenizer).__name__,
        "hooks": hooks_on(model, steering=True),
    }


def _load(name: str, options: LoadOptions) -> HookedModel:
    """Load a registered model, a network that transformers reads, a folder, or a name."""
    if name in MODELS:
        if options.sources:
            raise SemanticHubError(
                "load_model",
                got=f"{next(iter(options.sources))} with {name!r}",
                expected="a folder or a repository",
                fix="Leave it out: a bundled or registered model has its own weights.",
            )
        return MODELS[name](options)
    if options.hf_model is not None:
        return _wrap(name, options)
    name, options = find_place(name, options)
    if options.sources.keys() & {"adapter", "gguf_file", "quantization_config"}:
        return _load_network(name, options)
    folder = expanded(name)
    if is_checkpoint_folder(folder):
        return _load_folder(folder, options)
    if folder.is_absolute() or name.startswith((".", "~")) or is_folder(folder):
        raise SemanticHubError(
            "load_model",
            got=f"{name!r}, which is not a folder with a config.json or a .gguf file",
            expected="a folder in Hugging Face layout, a GGUF file, or an adapter's folder",
            fix="Save the model with save_pretrained and pass that folder.",
        )
    return _load_name(name, options)


def _load_network(name: str, options: LoadOptions) -> HookedModel:
    """Load what only transformers reads, as the first class that the options allow."""
    with read_network(name, options) as network:
        model = host_network(network.decoder, network.tokenizer, network.name, options)
    if model is None:
        raise _unfaithful(network.name)
    remember_source(model, name, options, quantization=network.quantization)
    return model


def _wrap(name: str, options: LoadOptions) -> HookedModel:
    """Put a bridge around a model that transformers has loaded."""
    network: Any = options.hf_model
    if not hasattr(network, "config") or hasattr(network, "merge_and_unload"):
        raise SemanticHubError(
            "load_model",
            got=f"hf_model of type {type(network).__name__}",
            expected="a model of transformers, an adapter merged into it",
            fix="Load it with from_pretrained; of PEFT's, pass model.merge_and_unload().",
        )
    if hasattr(network, "set_attn_implementation"):
        network.set_attn_implementation("eager")  # as for any bridge: others keep no patterns
    return load_bridge(name, options, hf_model=network, tokenizer=own_tokenizer(name))


def _load_folder(folder: Path, options: LoadOptions) -> HookedModel:
    """Load a Hugging Face folder as the first class that the options allow."""
    if options.may_be_hooked:
        model = convert_folder(folder, options)
        if model is not None:
            return model
    if options.backend == "hooked":
        raise _unfaithful(str(folder))
    return load_bridge(str(folder), options)


def _load_name(name: str, options: LoadOptions) -> HookedModel:
    """Load a TransformerLens model name, and remember the commit of its files."""
    hooked = options.backend == "hooked" or (
        options.may_be_hooked and hooked_knows_name(name, options.trust_remote_code)
    )
    if hooked and options.revision is not None:
        return _load_network(official_name(name) or name, options)
    model = load_hooked_name(name, options) if hooked else load_bridge(name, options)
    remember_source(model, official_name(name) or name if hooked else model.cfg.model_name, options)
    return model


def _unfaithful(name: str) -> SemanticHubError:
    """The error for a checkpoint that only a bridge reproduces."""
    return SemanticHubError(
        "load_model",
        got=f"{name}, which TransformerLens does not convert faithfully",
        expected="an architecture that HookedTransformer supports",
        fix='Use backend="bridge".',
    )


def _without_folder(name: str) -> str:
    """The last part of an absolute path, so that no manifest names the machine's folders."""
    return Path(name).name if Path(name).is_absolute() else name
