"""The models that ship with the package: importing this registers them by name."""

from pathlib import Path

from semantic_hub.models.checkpoints import LoadOptions
from semantic_hub.models.loading import load_model, register_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.multimodal.encoder import EncodeInput
from semantic_hub.multimodal.loading import register_encoder

HUB_MINI = "hub-mini"
"""Name of the trained model for `semantic_hub.load_model`."""


def hub_mini_path() -> Path:
    """The folder of the trained model, in Hugging Face layout.

    Example:
        >>> (hub_mini_path() / "config.json").is_file()
        True
    """
    return Path(__file__).parent / "hub_mini"


def load_hub_mini(options: LoadOptions) -> HookedModel:
    """Load the trained model, under its short name."""
    model = load_model(
        hub_mini_path(), device=options.device, dtype=options.dtype, backend=options.backend
    )
    model.cfg.model_name = HUB_MINI
    return model


def load_planted_hub(options: LoadOptions) -> HookedModel:
    """Build the planted model whose languages share their codes."""
    from semantic_hub.zoo.planted.models import planted_hub

    return planted_hub(backend=options.backend, device=options.device, dtype=options.dtype)


def load_planted_separate(options: LoadOptions) -> HookedModel:
    """Build the planted model with separate codes for each language."""
    from semantic_hub.zoo.planted.models import planted_separate

    return planted_separate(backend=options.backend, device=options.device, dtype=options.dtype)


def name_has_encoders(name: str) -> bool:
    """Whether a name or folder is that of a zoo model with encoders of images and sounds."""
    from semantic_hub.zoo.senses import has_encoders

    return has_encoders(_folder(name))


def load_encoders(name: str) -> EncodeInput:
    """Load the encoders of a zoo model by its name or folder."""
    from semantic_hub.zoo.senses import Encoders

    return Encoders.load(_folder(name))


def _folder(name: str) -> Path:
    """The folder of the trained model for its name, else the name as a folder."""
    return hub_mini_path() if name == HUB_MINI else Path(name)


register_model(HUB_MINI, load_hub_mini)
register_model("planted-hub", load_planted_hub)
register_model("planted-separate", load_planted_separate)
register_encoder(HUB_MINI, matches=name_has_encoders, load=load_encoders)
