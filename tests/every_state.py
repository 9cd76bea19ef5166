"""Every residual state of a few prompts."""

from typing import Any

import torch

from semantic_hub.activations.captures import Captured, capture
from semantic_hub.models.layers import layer_hook
from semantic_hub.prompts.prompt import encode


def every_state(model: Any, prompts: list[Any], **options: Any) -> list[torch.Tensor]:
    """``[pos, layer, d_model]`` of each prompt."""
    encodings = encode(model, prompts)
    hooks = [layer_hook(layer) for layer in range(model.cfg.n_layers + 1)]
    found: dict[int, torch.Tensor] = {}

    def keep(captured: Captured) -> None:
        values = torch.stack([captured.values[name] for name in hooks], dim=1)
        for row, prompt in enumerate(captured.prompts):
            found[prompt] = values[captured.rows == row]

    places = [range(len(encoding)) for encoding in encodings]
    capture(model, encodings, places, hooks, keep, last_layer=model.cfg.n_layers, **options)
    return [found[index] for index in range(len(prompts))]
