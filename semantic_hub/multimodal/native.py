"""Turn the native inputs of a multimodal ``TransformerBridge`` into a prompt with soft tokens.

Such a bridge (LLaVA, Qwen2-Audio and others that TransformerLens supports) computes the features
itself, from ``pixel_values`` or ``input_features``. One forward pass reads them off; from then on
the image or the sound is a span of a `Prompt`, for every lens, steer and patch of this package.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from semantic_hub.activations.features import injecting_features
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import bridge_class
from semantic_hub.models.conversion import same_logits
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.models.shared_state import measuring
from semantic_hub.multimodal.encoder import feature_span
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT_TOKEN, SoftTokens


@torch.inference_mode()
def native_prompt(model: HookedModel, inputs: Mapping[str, Tensor]) -> Prompt:
    """Turn a processor's output into a `Prompt` with features, for a multimodal bridge.

    The image or sound is where the token is that the model's configuration names; its features are
    the stream there at layer 0. The prompt must give the same logits as the native inputs.

    Args:
        model: A multimodal ``TransformerBridge``.
        inputs: The output of the checkpoint's processor for one text and one image or sound:
            ``input_ids`` and whatever else the model takes.

    Returns:
        A prompt with one span of features; `SoftPositions` names its positions.

    Raises:
        SemanticHubError: Another class of model; several prompts; no features, or features at
            several places; a model that treats features otherwise than tokens (positions in two
            dimensions, attention in both directions, features added to deeper layers).

    Example:
        With the bridge's own processor::

            inputs = processor(text=["<image> colour:"], images=[image], return_tensors="pt")
            prompt = native_prompt(bridge, inputs)
            states = residual_stream(bridge, [prompt], positions=SoftPositions())
    """
    if not isinstance(model, bridge_class()):
        raise SemanticHubError(
            "native_prompt",
            got=f"a {type(model).__name__}",
            expected="a multimodal TransformerBridge",
            fix="Make features with load_multimodal's encode for a HookedTransformer.",
        )
    network: Any = model.original_model  # type: ignore[attr-defined]
    span = feature_span(inputs, network.config)
    arguments = _moved(model, inputs)
    tokens, first = arguments.pop("input_ids"), layer_hook(0)
    with measuring(model):
        logits, cache = model.run_with_cache(tokens, names_filter=[first], **arguments)
    ids = tokens[0].tolist()
    prompt = Prompt(
        tokens=(*ids[: span.start], SOFT_TOKEN, *ids[span.stop :]),
        soft=(SoftTokens(cache[first][0, span.start : span.stop]),),
    )
    _check_same(model, prompt, logits)
    return prompt


def _moved(model: HookedModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs on the model's device, floating-point numbers in its dtype."""
    dtype = first_parameter(model).dtype
    return {
        name: value.to(model.cfg.device, dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
    }


def _check_same(model: HookedModel, prompt: Prompt, expected: Tensor) -> None:
    """Raise if the prompt does not give the expected logits."""
    with injecting_features(model, [prompt]) as batch:
        logits = model(batch.tokens.to(model.cfg.device))
    if not same_logits(logits, expected, first_parameter(model).dtype):
        raise SemanticHubError(
            "native_prompt",
            got="other logits from the features in place of embeddings than from the model's own "
            "inputs",
            expected="a model that reads features as tokens, one position after the other",
            fix="Read it with run_with_cache and its own inputs, at feature_span's positions.",
        )
