"""Randomly initialized models with the architecture of a trained one."""

import copy
from typing import Any

import torch

from semantic_hub.errors import as_seed, check_kinds
from semantic_hub.models.checkpoints import bridge_class, build_hooked_transformer
from semantic_hub.models.conventions import copy_conventions
from semantic_hub.models.protocol import HookedModel, LoadedModel, first_parameter


def random_twin(model: HookedModel, seed: int = 0) -> LoadedModel:
    """A randomly initialized model of the same class, architecture and tokenizer.

    A ``HookedTransformer`` is initialized by its own ``init_weights``, a ``TransformerBridge`` by
    the Hugging Face class that it wraps, each from its configuration. The model itself and the
    global random state are not changed.

    Args:
        model: The model to copy the architecture of.
        seed: The twin's weights depend only on the architecture and this number.

    Raises:
        SemanticHubError: Something that is no model, or a seed that is no whole number.

    Returns:
        The twin, on the model's device, in its dtype and in evaluation mode.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> sh.random_twin(model).cfg.n_layers == model.cfg.n_layers
        True
    """
    check_kinds("random_twin", model=(model, HookedModel))
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(as_seed(seed))
        is_bridge = isinstance(model, bridge_class())
        twin = _bridge_twin(model, seed) if is_bridge else _hooked_twin(model)
    copy_conventions(model, twin)
    twin.cfg.model_name = f"{model.cfg.model_name} (random twin {seed})"
    dtype = first_parameter(model).dtype
    return (twin if first_parameter(twin).dtype == dtype else twin.to(dtype)).eval()


def _hooked_twin(model: HookedModel) -> HookedModel:
    """Twin of a ``HookedTransformer``."""
    config = copy.deepcopy(model.cfg)
    config.seed, config.init_weights, config.tokenizer_name = None, True, None
    twin = build_hooked_transformer(config, None)
    twin.cfg.tokenizer_name, twin.cfg.init_weights = model.cfg.tokenizer_name, False
    twin.tokenizer = model.tokenizer
    return twin


def _bridge_twin(model: Any, seed: int) -> HookedModel:
    """Twin of a ``TransformerBridge``."""
    config = copy.deepcopy(getattr(model.original_model, "config", None))
    if config is None:
        return _native_twin(model, seed)
    fresh = type(model.original_model)._from_config(config, attn_implementation="eager")
    return bridge_class().boot_transformers(
        model.cfg.model_name,
        hf_model=fresh.to(model.cfg.device),
        tokenizer=model.tokenizer,
        dtype=first_parameter(model).dtype,
    )


def _native_twin(model: HookedModel, seed: int) -> HookedModel:
    """Twin of a ``TransformerBridge`` without a model of transformers inside."""
    config = copy.deepcopy(model.cfg)
    config.seed, config.init_weights = seed, True
    return bridge_class().boot_native(
        config,
        tokenizer=model.tokenizer,
        device=model.cfg.device,
        model_name=model.cfg.model_name,
    )
