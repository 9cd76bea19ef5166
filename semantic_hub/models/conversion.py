"""Convert a Hugging Face decoder to a ``HookedTransformer``, with TransformerLens' converters.

TransformerLens 3.9 refuses a local folder in ``HookedTransformer.from_pretrained``. The three steps
that it takes inside accept one: the configuration, the converted weights, and the class itself.

A conversion is compared with its source in float32, whatever dtype is asked for, since half
precision hides what a converter ignores: a rope scaling moves logits by as much as bfloat16 does.
The converted model shares the source's weights until both are compared, so there is no second copy.
"""

import inspect
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semantic_hub.models.checkpoints import (
    LoadOptions,
    bridge_class,
    build_hooked_transformer,
    file_errors,
    folder_tokenizer,
    is_decoder,
    load_bridge,
    read_config,
)
from semantic_hub.models.conventions import follow_checkpoint
from semantic_hub.models.output import final_norm, unembed
from semantic_hub.models.protocol import HookedModel

_COMPARED = 64
"""Number of positions whose logits are compared: the last ones of a probe."""

_TOLERANCE = 1e-4
"""Largest difference of logits that are the same in float32, relative to their norm."""

_LENGTH_DEPENDENT_ROPE = ("dynamic", "longrope", "su")
"""Rope types whose frequencies change with the prompt's length, which no converter knows."""


def convert_folder(folder: Path, options: LoadOptions) -> HookedModel | None:
    """Load a Hugging Face folder as a ``HookedTransformer``; ``None`` if that changes its logits.

    Args:
        folder: The folder.
        options: How the model is loaded; its backend is not looked at.

    Returns:
        A ``HookedTransformer``, or ``None`` where TransformerLens has no converter for the
        architecture, or one that does not reproduce the logits of this checkpoint (such as for an
        unusual rope scaling), or where the weights are quantized.

    Raises:
        SemanticHubError: If ``config.json``, the weights or the tokenizer cannot be read.
    """
    from transformers import AutoModelForCausalLM

    fields = read_config(folder)
    if not is_decoder(folder) or fields.get("quantization_config"):
        return None
    config = _converted_config(fields, options)
    if config is None:
        return None
    trust = options.trust_remote_code
    with file_errors(folder):
        tokenizer = folder_tokenizer(folder, trust)
        return _converted(
            AutoModelForCausalLM.from_pretrained(
                folder, dtype=options.compared_dtype, trust_remote_code=trust, local_files_only=True
            ).eval(),
            config,
            tokenizer,
            folder.resolve().name,
            options.dtype,
        )


def convert_network(
    source: Any, tokenizer: Any | None, name: str, options: LoadOptions
) -> HookedModel | None:
    """Convert a loaded decoder to a ``HookedTransformer``; ``None`` if that changes its logits.

    Args:
        source: The decoder, in `LoadOptions.compared_dtype`.
        tokenizer: Its tokenizer, if it has one.
        name: Name of the model.
        options: How the model is loaded; its backend is not looked at.

    Returns:
        The model, or ``None`` as `convert_folder`.
    """
    fields = json.loads(source.config.to_json_string(use_diff=False))
    config = _converted_config({**fields, "architectures": [type(source).__name__]}, options)
    return None if config is None else _converted(source, config, tokenizer, name, options.dtype)


def host_network(
    source: Any, tokenizer: Any | None, name: str, options: LoadOptions
) -> HookedModel | None:
    """Make a loaded decoder the first of TransformerLens' classes that the options allow.

    Args:
        source: The decoder, in `LoadOptions.read_dtype`; a bridge keeps and changes it.
        tokenizer: Its tokenizer, if it has one.
        name: Name of the model.
        options: How the model is loaded.

    Returns:
        The model; ``None`` where ``backend="hooked"`` would change its logits.
    """
    from transformer_lens.utilities.devices import get_device

    if options.may_be_hooked:
        model = convert_network(source, tokenizer, name, options)
        if model is not None:
            return model
    if options.backend == "hooked":
        return None
    if not options.sources.keys() & {"device_map", "quantization_config", "hf_model"}:
        source.to(options.device or get_device())
        convert_parameters(source, options.dtype)
    untrusted = replace(options, trust_remote_code=False)  # the code has run already
    return load_bridge(name, untrusted, hf_model=source, tokenizer=tokenizer)


def same_logits(logits: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether logits that the same weights gave in the same dtype are equal up to its rounding."""
    difference = logits.cpu().float() - expected.cpu().float()
    tolerance = max(_TOLERANCE, 4 * torch.finfo(dtype).eps)
    return bool(difference.norm() <= tolerance * expected.float().norm())


def to_dtype(model: HookedModel, dtype: torch.dtype) -> None:
    """Convert a loaded model to a dtype, as if it had been loaded in it."""
    if isinstance(model, bridge_class()):
        convert_parameters(model, dtype)  # its buffers, as rope frequencies, stay in float32
    else:
        torch.nn.Module.to(model, dtype)  # type: ignore[arg-type]
    model.cfg.dtype = dtype


def convert_parameters(network: Any, dtype: torch.dtype) -> None:
    """Convert the parameters of a network to a dtype, and leave its buffers as they are."""
    for parameter in network.parameters():
        parameter.data = parameter.data.to(dtype)


def _converted_config(fields: Mapping[str, Any], options: LoadOptions) -> Any | None:
    """TransformerLens' configuration for the fields of a ``config.json``; ``None`` without a rule.

    TransformerLens takes the architecture from the *path* where that holds a word like "llama",
    so it gets the configuration in a temporary folder with a neutral name. GPT-2 files saved by
    transformers 5 lack the older name of the context length, which it asks for.
    """
    from transformer_lens import loading_from_pretrained as loading

    if "n_positions" in fields:
        fields = {"n_ctx": fields["n_positions"], **fields}
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as neutral:
        Path(neutral, "config.json").write_text(json.dumps(fields), encoding="utf-8")
        try:
            config = loading.get_pretrained_model_config(
                neutral, device=options.device, dtype=options.compared_dtype
            )
        except (NotImplementedError, AttributeError):
            return None  # no rule for it, or one that asks for a field this file lacks
    config.tokenizer_name = None
    return config


def _converted(
    source: Any, config: Any, tokenizer: Any | None, name: str, dtype: torch.dtype
) -> HookedModel | None:
    """The model of a configuration with the source's weights; ``None`` where it differs from it."""
    config.model_name = name
    if _rope_types(source.config.to_dict()) & {*_LENGTH_DEPENDENT_ROPE}:
        return None
    model = build_hooked_transformer(config, tokenizer, move_to_device=False)
    if not _take_weights(model, source):
        return None
    device, model.cfg.device = model.cfg.device, "cpu"
    if not _agrees_with_source(model.eval(), source):
        return None
    follow_checkpoint(model, tokenizer, source.generation_config)
    del source  # so that its weights are freed one by one as they are converted
    model.cfg.device = device
    to_dtype(model, dtype)
    _untie(model)
    model.move_model_modules_to_device()
    return model


def _take_weights(model: Any, source: Any) -> bool:
    """Give the source's converted weights to the model, not copied; False if they do not fit."""
    from transformer_lens import loading_from_pretrained as loading

    any_folder = str(Path.cwd())  # it asks for a name or a folder, though the weights are given
    weights = loading.get_pretrained_state_dict(
        any_folder, model.cfg, source, dtype=model.cfg.dtype
    )
    try:
        model.load_state_dict(loading.fill_missing_keys(model, weights), strict=False, assign=True)
    except RuntimeError:
        return False
    return True


def _untie(model: Any) -> None:
    """Copy each weight that lies in the memory of another, so that either may change alone."""
    taken = set[int]()
    for parameter in model.parameters():
        if parameter.data_ptr() in taken:
            parameter.data = parameter.data.clone()
        taken.add(parameter.data_ptr())


@torch.inference_mode()
def _agrees_with_source(model: Any, source: Any) -> bool:
    """Whether the converted model gives its source's logits, beyond every window of attention."""
    n_ctx = model.cfg.n_ctx
    reached = [window for window in _windows(source.config.to_dict()) if window < n_ctx]
    length = min(n_ctx, max(reached, default=0) + _COMPARED)
    probe = torch.arange(length)[None] * 7 % model.cfg.d_vocab
    accepted = inspect.signature(source.forward).parameters
    few = {"logits_to_keep": _COMPARED} if "logits_to_keep" in accepted else {}
    expected = source(probe, use_cache=False, **few).logits[:, -_COMPARED:]
    states = model(probe, stop_at_layer=model.cfg.n_layers)[:, -_COMPARED:]
    return same_logits(unembed(model, final_norm(model, states)), expected, model.cfg.dtype)


def _windows(fields: Mapping[Any, Any]) -> Iterator[int]:
    """Every number of positions that a configuration limits attention to, as ``sliding_window``."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _windows(value)
        elif isinstance(value, int) and ("window" in str(name) or "chunk" in str(name)):
            yield value


def _rope_types(fields: Mapping[Any, Any]) -> set[str]:
    """Every type of rotary embedding that a configuration names, for one kind of layer or all."""
    types = {str(fields[name]) for name in ("rope_type", "type") if name in fields}
    inner = [value for value in fields.values() if isinstance(value, Mapping)]
    return types.union(*map(_rope_types, inner))
