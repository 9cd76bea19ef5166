"""Which measures can be trusted? Models whose answers are known.

``planted`` writes weights down by formula; ``world`` makes the text that ``hub_mini`` was trained
on; ``training`` trains it; ``senses`` are its encoders of images and sounds; ``calibration`` asks
how often intervals cover what they should. Importing this makes `load_model` and `load_multimodal`
know the bundled models.

The seed of a trained model's world is in its tokenizer's ``init_kwargs`` (``world_seed``), and its
projectors are beside its weights, in the folder that the tokenizer's ``name_or_path`` names.
"""

from semantic_hub.models.loading import register_model
from semantic_hub.multimodal.loading import register_encoder
from semantic_hub.zoo.bundled import (
    HUB_MINI,
    hub_mini_path,
    load_encoders,
    load_hub_mini,
    load_planted_hub,
    load_planted_separate,
    name_has_encoders,
)

__all__ = ["hub_mini_path"]

register_model(HUB_MINI, load_hub_mini)
register_model("planted-hub", load_planted_hub)
register_model("planted-separate", load_planted_separate)
register_encoder(HUB_MINI, matches=name_has_encoders, load=load_encoders)
