"""Which model is measured?

`loading` loads a model by name or from a folder; users add names through a `registry`. `protocol`
lists the methods that this package needs of a model. `layers` maps layer numbers to hooks, `output`
applies the final norm and the unembedding, `twins` makes a randomly initialized model of the same
shape, `provenance` reports where the weights come from. `checkpoints` and `conversion` read
folders, `networks` what only transformers can read: GGUF files, adapters, quantized weights.
"""

from semantic_hub.models.checkpoints import Backend
from semantic_hub.models.layers import check_layers, layer_hook, layer_name
from semantic_hub.models.loading import check_model, describe, load_model, register_model
from semantic_hub.models.output import final_norm, predicts_next_token, unembed, unembedding
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.registry import Registry
from semantic_hub.models.twins import random_twin

__all__ = [
    "Backend",
    "HookedModel",
    "Registry",
    "check_layers",
    "check_model",
    "describe",
    "final_norm",
    "layer_hook",
    "layer_name",
    "load_model",
    "predicts_next_token",
    "random_twin",
    "register_model",
    "unembed",
    "unembedding",
]
