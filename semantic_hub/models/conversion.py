"""Convert a Hugging Face decoder to a ``HookedTransformer``, with TransformerLens' converters.

TransformerLens 3.9 refuses a local folder in ``HookedTransformer.from_pretrained``. The three steps
that it takes inside accept one: the configuration, the converted weights, and the class itself.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semantic_hub.models.checkpoints import (
    UNPROCESSED,
    LoadOptions,
    build_hooked_transformer,
    file_errors,
    folder_tokenizer,
    is_decoder,
    read_config,
)
from semantic_hub.models.protocol import HookedModel


def convert_folder(folder: Path, options: LoadOptions) -> HookedModel | None:
    """Load a Hugging Face folder as a ``HookedTransformer``; ``None`` if that changes its logits.

    Args:
        folder: The folder.
        options: How the model is loaded; its backend is not looked at.

    Returns:
        A ``HookedTransformer``, or ``None`` where TransformerLens has no converter for the
        architecture, or one that does not reproduce the logits of this checkpoint (such as for an
        unusual rope scaling).

    Raises:
        SemanticHubError: If ``config.json``, the weights or the tokenizer cannot be read.
    """
    from transformers import AutoModelForCausalLM

    config = _converted_config(read_config(folder), options) if is_decoder(folder) else None
    if config is None:
        return None
    trust = options.trust_remote_code
    with file_errors(folder):
        source = AutoModelForCausalLM.from_pretrained(
            folder, dtype=options.dtype, trust_remote_code=trust, local_files_only=True
        ).eval()
        tokenizer = folder_tokenizer(folder, trust)
    return _converted(source, config, tokenizer, folder.resolve().name, options.dtype)


def convert_network(
    source: Any, tokenizer: Any | None, name: str, options: LoadOptions
) -> HookedModel | None:
    """Convert a loaded decoder to a ``HookedTransformer``; ``None`` if that changes its logits.

    Args:
        source: The decoder.
        tokenizer: Its tokenizer, if it has one.
        name: Name of the model.
        options: How the model is loaded; its backend is not looked at.

    Returns:
        The model, or ``None`` as `convert_folder`.
    """
    fields = json.loads(source.config.to_json_string(use_diff=False))
    config = _converted_config({**fields, "architectures": [type(source).__name__]}, options)
    return None if config is None else _converted(source, config, tokenizer, name, options.dtype)


def same_logits(logits: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether logits equal the expected ones within a dtype's tolerance, by relative norm."""
    tolerance = 1e-3 if dtype in (torch.float32, torch.float64) else 0.1
    difference = logits.cpu().float() - expected.cpu().float()
    return bool(difference.norm() <= tolerance * expected.float().norm())


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
                neutral, device=options.device, dtype=options.dtype
            )
        except (NotImplementedError, AttributeError):
            return None  # no rule for it, or one that asks for a field this file lacks
    config.tokenizer_name = None
    return config


def _converted(
    source: Any, config: Any, tokenizer: Any | None, name: str, dtype: torch.dtype
) -> HookedModel | None:
    """The model of a configuration with the source's weights; ``None`` where they do not fit."""
    config.model_name = name
    model = build_hooked_transformer(config, tokenizer, move_to_device=False)
    if not _take_weights(model, source, dtype):
        return None
    model.move_model_modules_to_device()
    return model.eval() if _agrees_with_source(model, source, dtype) else None


def _take_weights(model: Any, source: Any, dtype: torch.dtype) -> bool:
    """Put the source's converted weights into the model; False if their shapes do not match."""
    from transformer_lens import loading_from_pretrained as loading

    any_folder = str(Path.cwd())  # it asks for a name or a folder, though the weights are given
    weights = loading.get_pretrained_state_dict(any_folder, model.cfg, source, dtype=dtype)
    try:
        model.load_and_process_state_dict(weights, **UNPROCESSED)
    except RuntimeError:
        return False
    return True


@torch.inference_mode()
def _agrees_with_source(model: Any, source: Any, dtype: torch.dtype) -> bool:
    """Whether the converted model gives the logits of its source on a fixed probe."""
    probe = torch.arange(min(64, model.cfg.n_ctx))[None] * 7 % model.cfg.d_vocab
    expected = source(probe).logits.float()
    return same_logits(model(probe.to(model.cfg.device)), expected, dtype)
