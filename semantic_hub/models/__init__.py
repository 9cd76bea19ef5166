"""Which model is measured?

`loading` gets one by name or folder and `registry` adds names; `protocol` is what every function
asks of a model. `layers` says where the residual stream is read, `output` holds the final norm and
the unembedding, `twins` makes a randomly initialized model of the same shape, `provenance` tells
what was done to the weights. `checkpoints` and `conversion` read folders.
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
