"""Which measures can be trusted? Models whose answers are known.

``planted`` writes weights down by formula; ``world`` makes the text that ``hub_mini`` was trained
on; ``training`` trains it; ``senses`` are its encoders of images and sounds; ``calibration`` asks
how often intervals cover what they should. Importing this makes `load_model` and `load_multimodal`
know the models of ``bundled``.

The seed of a trained model's world is in its tokenizer's ``init_kwargs`` (``world_seed``), and its
projectors are beside its weights, in the folder that the tokenizer's ``name_or_path`` names.
"""

from semantic_hub.zoo.bundled import hub_mini_path

__all__ = ["hub_mini_path"]
