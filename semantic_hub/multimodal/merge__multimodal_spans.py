"""Which positions of a multimodal model's input are an image's or a sound's.

They hold a token that the model's configuration names (``image_token_id``, ``audio_token_id``), as
often as the processor says that there are features.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError

MODALITIES = {"image_token_id": "images", "audio_token_id": "audio"}
"""Names in a configuration, and what their inputs are called by a processor."""


def feature_token(config: Any) -> tuple[str, int]:
    """The token that stands for features.

    Args:
        config: A configuration of transformers.

    Returns:
        ``"images"`` or ``"audio"``, as a processor calls them, and the token's id.

    Raises:
        SemanticHubError: A configuration that names no such token, or both.

    Example:
        >>> from types import SimpleNamespace
        >>> feature_token(SimpleNamespace(image_token_id=32000))
        ('images', 32000)
    """
    named = {name: getattr(config, name, None) for name in MODALITIES}
    found = [(MODALITIES[name], token) for name, token in named.items() if token is not None]
    if len(found) != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"a {type(config).__name__} with {len(found)} of {', '.join(MODALITIES)}",
            expected="the configuration of a model that reads images, or sounds, among tokens",
            fix="Pass such a checkpoint; load_model loads the models of text alone.",
        )
    return found[0]


def feature_span(inputs: Mapping[str, Any], config: Any) -> range:
    """The positions of the one image or sound in what a processor made of a prompt.

    Args:
        inputs: A processor's output for one prompt; its ``input_ids`` are read.
        config: The model's configuration, which names the token of features.

    Returns:
        Indices into the prompt's tokens.

    Raises:
        SemanticHubError: More than one prompt; no features, or features at several places; a
            configuration that names no token for them.

    Example:
        >>> import torch
        >>> from types import SimpleNamespace
        >>> feature_span({"input_ids": torch.tensor([[1, 9, 9, 9, 4]])},
        ...              SimpleNamespace(image_token_id=9))
        range(1, 4)
    """
    _, wanted = feature_token(config)
    tokens = _one_row(inputs["input_ids"])
    places = [place for place, token in enumerate(tokens) if token == wanted]
    n_spans = sum(place - 1 not in places for place in places)
    if n_spans != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"a prompt with features at {n_spans} places",
            expected="one image or one sound, whose positions are next to each other",
            fix="Give the processor one image or sound, and a text with one placeholder for it.",
        )
    return range(places[0], places[-1] + 1)


def _one_row(tokens: Int[Tensor, "batch pos"]) -> list[int]:
    if len(tokens) != 1:
        raise SemanticHubError(
            "multimodal",
            got=f"{len(tokens)} prompts",
            expected="the processor's output for one prompt, with a batch axis of 1",
            fix="Call the processor once for each prompt.",
        )
    return tokens[0].tolist()
