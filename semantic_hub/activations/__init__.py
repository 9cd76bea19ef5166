"""What comes out of a model for a prompt?

`residuals` reads the residual stream at every layer, `kept` so that each prompt runs once for all
that read it. `captures` reads, and can overwrite, values of any hook, in `batches` of prompts of
similar length. `features` writes the features of images and sounds over token embeddings, `columns`
finds a prompt's tokens in a batch, and `forward_passes` records which prompts a model's passes
read.
"""

from semantic_hub.activations.captures import Captured, Overwrite, capture, capture_layers
from semantic_hub.activations.features import injecting_features
from semantic_hub.activations.residuals import residual_stream

__all__ = [
    "Captured",
    "Overwrite",
    "capture",
    "capture_layers",
    "injecting_features",
    "residual_stream",
]
