"""Image and audio encoders of hub-mini: a linear projector each, shipped beside its weights.

A picture is cut into patches, a clip into log-mel frames; the projector maps each of them to one
soft token. The projectors are two files in the model's folder, which `encoders_of` finds through
the ``name_or_path`` of the model's tokenizer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save
from torch import Tensor

from semantic_hub.errors import SemanticHubError, is_file, reading
from semantic_hub.results.files import write_atomically
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.mel import HUB_MINI, log_mel
from semantic_hub.spokes.vision.images.picture import patch_features

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_PROJECTOR, AUDIO_PROJECTOR = "eye.safetensors", "ear.safetensors"
"""Files of the projectors in a model's folder."""

SIDE = 32
"""Width and height in pixels; other pictures are resized."""


@dataclass(frozen=True, eq=False)
class Projector:
    """Map features to soft tokens, ``x W + P``: one linear map, and a vector for each position.

    Args:
        weight: W.
        position: P, one row for each position that an input may have.

    Example:
        >>> import torch
        >>> projector = Projector(torch.eye(3), torch.zeros(4, 3))
        >>> projector(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """

    weight: Float[Tensor, "feature d_model"]
    position: Float[Tensor, "position d_model"]

    def __call__(self, features: Float[Tensor, "... pos feature"]) -> Float[Tensor, "..."]:
        """Soft tokens of one input, or of several inputs of one length.

        Raises:
            SemanticHubError: Features of another width, or more of them than there are positions.
        """
        n_pos, width = features.shape[-2:]
        if width != len(self.weight) or n_pos > len(self.position):
            raise SemanticHubError(
                "Projector",
                got=f"{n_pos} features of width {width}",
                expected=f"at most {len(self.position)} of width {len(self.weight)}",
                fix="Make the features as the projector's training did.",
            )
        return features @ self.weight + self.position[:n_pos]

    def save(self, path: Path) -> None:
        """Write the projector as safetensors, replacing an existing file."""
        tensors = {"weight": self.weight, "place": self.position}  # names in the shipped files
        data = save({name: t.detach().contiguous() for name, t in tensors.items()})
        write_atomically(path, data, "Projector.save")

    @classmethod
    def load(cls, path: Path) -> "Projector":
        """Read a projector that `save` wrote.

        Raises:
            SemanticHubError: No such file, or another one.
        """
        with reading(
            "Projector.load",
            path,
            expected="a file that Projector.save wrote",
            fix="Train one with python -m semantic_hub.zoo.training.train_senses.",
        ):
            tensors = load_file(path)
            return cls(tensors["weight"], tensors["place"])


@dataclass(frozen=True, eq=False)
class Encoders:
    """Image and audio encoder of a model that was trained on a `World`.

    Args:
        image: Projector of patches.
        audio: Projector of log-mel frames.

    Example:
        >>> encode = encoders_of(model)
        >>> encode(sh.spokes.vision.one_color("red").image).shape
        torch.Size([16, 96])
        >>> owl = sh.spokes.audio.synthesize("owl")
        >>> encode(owl.waveform, owl.rate).shape
        torch.Size([20, 96])
    """

    image: Projector
    audio: Projector

    def __call__(
        self, image_or_waveform: "Image | Float[np.ndarray, ' sample']", rate: int | None = None
    ) -> Float[Tensor, "pos d_model"]:
        """Encode an image or a waveform, as encoders of `semantic_hub.load_multimodal` do.

        Args:
            image_or_waveform: An image (``PIL.Image.Image``), or samples of one channel.
            rate: Of samples, in Hz.

        Raises:
            SemanticHubError: Samples without a rate, or samples that are no clip; see
                `semantic_hub.spokes.audio.sounds.clip`.
        """
        if not isinstance(image_or_waveform, np.ndarray):
            return self.encode_image(image_or_waveform)
        if rate is None:
            raise SemanticHubError(
                "Encoders",
                got="samples without a rate",
                expected="samples and their rate in Hz",
                fix="Pass clip.waveform and clip.rate.",
            )
        return self.encode_audio(image_or_waveform, rate)

    @classmethod
    def load(cls, folder: Path) -> "Encoders":
        """Load both projectors from a model's folder.

        Raises:
            SemanticHubError: Files that are missing or damaged.
        """
        return cls(
            Projector.load(folder / IMAGE_PROJECTOR), Projector.load(folder / AUDIO_PROJECTOR)
        )

    def encode_image(self, image: "Image") -> Float[Tensor, "patch d_model"]:
        """Encode a picture as 16 soft tokens, row by row from the top left."""
        resized = image if image.size == (SIDE, SIDE) else image.resize((SIDE, SIDE))
        return self.image(picture_features(np.asarray(resized.convert("RGB"))))

    def encode_audio(
        self, waveform: Float[np.ndarray, " sample"], rate: int
    ) -> Float[Tensor, "frame d_model"]:
        """Encode the first second of a clip as 20 soft tokens."""
        return self.audio(frame_features(waveform, rate))


def encoders_of(model: object) -> Encoders | None:
    """Load the encoders from the folder that a model was loaded from.

    Returns:
        None where there are none.

    Raises:
        SemanticHubError: Files that are damaged.
    """
    folder = Path(getattr(getattr(model, "tokenizer", None), "name_or_path", ""))
    return Encoders.load(folder) if has_encoders(folder) else None


def has_encoders(folder: Path) -> bool:
    """Whether a model's folder has both projectors."""
    return all(is_file(folder / name) for name in (IMAGE_PROJECTOR, AUDIO_PROJECTOR))


def picture_features(
    pixels: UInt8[np.ndarray, "height width 3"],
) -> Float[Tensor, "patch feature"]:
    """Features of a picture: its patches of 8 × 8 pixels, each as 192 numbers."""
    return torch.from_numpy(patch_features(pixels))


def frame_features(
    waveform: Float[np.ndarray, " sample"], rate: int
) -> Float[Tensor, "frame feature"]:
    """Features of a clip: 20 log-mel frames of 40 mels."""
    return torch.from_numpy(log_mel(Clip(waveform, rate, "heard"), HUB_MINI))
