"""What hub-mini sees and hears with: a projector each, shipped beside its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import write_atomically
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.mel import HUB_MINI, log_mel
from semantic_hub.spokes.vision.images.picture import patch_features

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class Projector:
    """Features to soft tokens, ``x W + P``: the same map at every place, and a vector for each.

    Args:
        weight: W.
        place: P, one row for each place that there may be.

    Example:
        >>> import torch
        >>> projector = Projector(torch.eye(3), torch.zeros(4, 3))
        >>> projector(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    weight: Float[Tensor, "feature d_model"]
    place: Float[Tensor, "place d_model"]

    def __call__(self, features: Float[Tensor, "... pos feature"]) -> Float[Tensor, "..."]:
        """The soft tokens of one input, or of several of one length.

        Raises:
            SemanticHubError: Features of another width, or more of them than there are places.
        """
        n_pos, width = features.shape[-2:]
        if width != len(self.weight) or n_pos > len(self.place):
            raise SemanticHubError(
                "Projector",
                got=f"{n_pos} features of width {width}",
                expected=f"at most {len(self.place)} of width {len(self.weight)}",
                fix="Make the features as the projector's training did.",
            )
        return features @ self.weight + self.place[:n_pos]

    def save(self, path: Path) -> None:
        """Write it as safetensors, in place of what is there."""
        tensors = {"weight": self.weight, "place": self.place}
        write_atomically(path, save({name: t.detach().contiguous() for name, t in tensors.items()}))

    @classmethod
    def load(cls, path: Path) -> "Projector":
        """Read back what `save` wrote.

        Raises:
            SemanticHubError: No such file, or another one.
        """
        try:
            tensors = load_file(path)
            return cls(tensors["weight"], tensors["place"])
        except (OSError, SafetensorError, KeyError) as error:
            raise SemanticHubError(
                "Projector.load",
                got=f"{path}: {type(error).__name__}",
                expected="a file that Projector.save wrote",
                fix="Train one with python -m semantic_hub.zoo.training.train_senses.",
            ) from None


EYE, EAR = "eye.safetensors", "ear.safetensors"
"""The projectors' files in a model's folder."""

SIDE = 32
"""Pixels of a picture's side; others are resized."""


@dataclass(frozen=True, eq=False)
class Senses:
    """Both encoders of a model of a `World`, as the vision and the audio spoke take them.

    Args:
        eye: Projector of patches.
        ear: Projector of log-mel frames.

    Example:
        >>> senses = senses_of(model)
        >>> senses(sh.spokes.vision.one_color("red").image).shape
        torch.Size([16, 96])
        >>> owl = sh.spokes.audio.synthesize("owl")
        >>> senses(owl.waveform, owl.rate).shape
        torch.Size([20, 96])
    """

    eye: Projector
    ear: Projector

    def __call__(
        self, given: "Image | Float[np.ndarray, ' sample']", rate: int | None = None
    ) -> Float[Tensor, "pos d_model"]:
        """`see` an image, or `hear` a waveform: what `semantic_hub.load_multimodal` gives.

        Args:
            given: An image (``PIL.Image.Image``), or samples of one channel.
            rate: Of samples, in Hz.

        Raises:
            SemanticHubError: Samples without a rate, or no clip: see `semantic_hub.spokes.audio.sounds.clip`.
        """
        if not isinstance(given, np.ndarray):
            return self.see(given)
        if rate is None:
            raise SemanticHubError(
                "Senses",
                got="samples without a rate",
                expected="samples and their rate in Hz",
                fix="Pass clip.waveform and clip.rate.",
            )
        return self.hear(given, rate)

    @classmethod
    def load(cls, folder: Path) -> "Senses":
        """The eye and ear in a model's folder.

        Raises:
            SemanticHubError: Files that are missing or damaged.
        """
        return cls(Projector.load(folder / EYE), Projector.load(folder / EAR))

    def see(self, image: "Image") -> Float[Tensor, "patch d_model"]:
        """A picture as 16 soft tokens, row by row from the top left."""
        resized = image if image.size == (SIDE, SIDE) else image.resize((SIDE, SIDE))
        return self.eye(picture_features(np.asarray(resized.convert("RGB"))))

    def hear(
        self, waveform: Float[np.ndarray, " sample"], rate: int
    ) -> Float[Tensor, "frame d_model"]:
        """A clip's first second as 20 soft tokens."""
        return self.ear(frame_features(waveform, rate))


def senses_of(model: Any) -> Senses | None:
    """The eye and ear in the folder that a model was loaded from.

    Returns:
        None where there are none.

    Raises:
        SemanticHubError: Files that are damaged.
    """
    folder = Path(getattr(getattr(model, "tokenizer", None), "name_or_path", ""))
    return Senses.load(folder) if has_senses(folder) else None


def has_senses(folder: Path) -> bool:
    """Whether a model's folder holds an eye and an ear."""
    return all((folder / name).is_file() for name in (EYE, EAR))


def picture_features(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> Float[Tensor, "patch feature"]:
    """Patches of 8 × 8 pixels, each as 192 numbers."""
    return torch.from_numpy(patch_features(pixels))


def frame_features(
    waveform: Float[np.ndarray, " sample"], rate: int
) -> Float[Tensor, "frame feature"]:
    """20 log-mel frames of 40 mels."""
    return torch.from_numpy(log_mel(Clip(waveform, rate, "heard"), HUB_MINI))
