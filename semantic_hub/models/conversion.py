"""A ``HookedTransformer`` from a network of transformers, through TransformerLens' own converters.

TransformerLens 3.9 refuses a local folder in ``HookedTransformer.from_pretrained``, but the three
steps it is made of take one: the configuration, the converted weights, and the class itself.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from semantic_hub.models.checkpoints import (
    UNPROCESSED,
    build_hooked_transformer,
    folder_tokenizer,
    is_decoder,
    read_config,
    unreadable,
)


def convert_folder(
    folder: Path, device: str | None, dtype: torch.dtype, trust_remote_code: bool
) -> Any | None:
    """A ``HookedTransformer`` from a local Hugging Face folder, checked against transformers.

    Returns:
        The model, or ``None`` where TransformerLens has no converter for the architecture, or one
        that does not reproduce the logits of this checkpoint (such as for an unusual rope scaling).

    Raises:
        SemanticHubError: If ``config.json``, the weights or the tokenizer cannot be read.
    """
    from transformers import AutoModelForCausalLM

    config = _converted_config(read_config(folder), device, dtype) if is_decoder(folder) else None
    if config is None:
        return None
    try:
        source = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=trust_remote_code, local_files_only=True
        ).eval()
        tokenizer = folder_tokenizer(folder, trust_remote_code)
    except (OSError, SafetensorError) as error:
        raise unreadable(folder) from error
    return _converted(source, config, tokenizer, folder.resolve().name, dtype)


def convert_network(
    source: Any, tokenizer: Any | None, name: str, device: str | None, dtype: torch.dtype
) -> Any | None:
    """A ``HookedTransformer`` from a decoder of transformers, checked against it.

    Args:
        source: The decoder.
        tokenizer: Its tokenizer, if it has one.
        name: What the model is called.
        device: Where it goes.
        dtype: Of the weights.

    Returns:
        The model, or ``None`` as `convert_folder`.
    """
    fields = json.loads(source.config.to_json_string(use_diff=False))
    config = _converted_config({**fields, "architectures": [type(source).__name__]}, device, dtype)
    return None if config is None else _converted(source, config, tokenizer, name, dtype)


def _converted(
    source: Any, config: Any, tokenizer: Any | None, name: str, dtype: torch.dtype
) -> Any | None:
    config.model_name = name
    model = build_hooked_transformer(config, tokenizer, move_to_device=False)
    if not _take_weights(model, source, dtype):
        return None
    model.move_model_modules_to_device()
    return model.eval() if _same_logits(model, source, dtype) else None


def _converted_config(
    fields: Mapping[str, Any], device: str | None, dtype: torch.dtype
) -> Any | None:
    """TransformerLens' configuration for the fields of a ``config.json``; ``None`` without a rule.

    TransformerLens takes the architecture from the *path* where that holds a word like "llama",
    so it is shown the configuration in a folder whose name says nothing. GPT-2 files saved by
    transformers 5 lack the older name of the context length, which it asks for.
    """
    from transformer_lens import loading_from_pretrained as loading

    if "n_positions" in fields:
        fields = {"n_ctx": fields["n_positions"], **fields}
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as neutral:
        Path(neutral, "config.json").write_text(json.dumps(fields), encoding="utf-8")
        try:
            config = loading.get_pretrained_model_config(neutral, device=device, dtype=dtype)
        except (NotImplementedError, AttributeError):
            return None  # no rule for it, or one that asks for a field this file lacks
    config.tokenizer_name = None
    return config


def _take_weights(model: Any, source: Any, dtype: torch.dtype) -> bool:
    """Put the source's converted weights into the model; False if their shapes do not match."""
    from transformer_lens import loading_from_pretrained as loading

    anywhere = str(Path.cwd())  # it asks for a name or a place, though the weights are given
    weights = loading.get_pretrained_state_dict(anywhere, model.cfg, source, dtype=dtype)
    try:
        model.load_and_process_state_dict(weights, **UNPROCESSED)
    except RuntimeError:
        return False
    return True


@torch.inference_mode()
def _same_logits(model: Any, source: Any, dtype: torch.dtype) -> bool:
    """Whether the converted model's logits on a fixed probe are those of its source."""
    probe = torch.arange(min(64, model.cfg.n_ctx))[None] * 7 % model.cfg.d_vocab
    expected = source(probe).logits.float()
    return same_logits(model(probe.to(model.cfg.device)), expected, dtype)


def same_logits(found: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether logits agree as far as a dtype allows, relative to the norm of the expected ones."""
    tolerance = 1e-3 if dtype in (torch.float32, torch.float64) else 0.1
    difference = found.cpu().float() - expected.cpu().float()
    return bool(difference.norm() <= tolerance * expected.float().norm())
