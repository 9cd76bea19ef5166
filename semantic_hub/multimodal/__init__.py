"""How do pictures and sounds get into a model?

`loading` loads a language model and its encoder from one checkpoint, `encoder` runs that image or
audio encoder, `native` makes prompts for bridges that compute the features themselves.
"""

from semantic_hub.multimodal.encoder import Encoder
from semantic_hub.multimodal.loading import load_multimodal, register_encoder
from semantic_hub.multimodal.native import native_prompt

__all__ = ["Encoder", "load_multimodal", "native_prompt", "register_encoder"]
