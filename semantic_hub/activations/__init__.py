"""What comes out of a model for a prompt?

`residuals` gives the residual stream at every layer, `captures` any hook's values in one pass over
prompts grouped by `batches`, with values overwritten where asked. `features` feeds features of
pictures and sounds in, `columns` says where in a batch, `forward_passes` follows a model's calls.
"""

from semantic_hub.activations.batches import Progress
from semantic_hub.activations.captures import Captured, Overwrite, capture, capture_layers
from semantic_hub.activations.features import injecting_features
from semantic_hub.activations.residuals import residual_stream

__all__ = [
    "Captured",
    "Overwrite",
    "Progress",
    "capture",
    "capture_layers",
    "injecting_features",
    "residual_stream",
]
