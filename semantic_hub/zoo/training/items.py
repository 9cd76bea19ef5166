"""Training items of hub-mini's projectors: pictures and clips with text about them.

The text is the caption in half of the cases, and the answer to a question in the others. Pictures
and clips are drawn from seeds that the spokes of `semantic_hub.zoo.world.spokes` do not use.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from semantic_hub.spokes.audio.interventions import Question
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, synthesize
from semantic_hub.spokes.vision.images.drawn import Canvas, random_picture
from semantic_hub.zoo.senses import frame_features, picture_features

FIRST_SEED = 1_000_000
"""First seed of the clips for training."""


@dataclass(frozen=True, eq=False)
class TrainingItem:
    """Features of a picture or clip with a question and its answer.

    Args:
        features: Input of the projector.
        question: Text after the features, which is not learned.
        answer: Text after the question, which is learned.
    """

    features: Float[Tensor, "pos feature"]
    question: str
    answer: str


def picture_item(rng: np.random.Generator) -> TrainingItem:
    """Draw a random picture with its caption, or with the color of one of its regions.

    Example:
        >>> picture_item(np.random.default_rng(0)).features.shape
        torch.Size([16, 192])
    """
    picture = random_picture(rng, Canvas(noise=rng.uniform(0, 20)))
    features = picture_features(picture.pixels)
    if rng.random() < 0.5:
        return TrainingItem(features, "", f" {picture.caption}")
    region = picture.regions[rng.integers(len(picture.regions))]
    return TrainingItem(features, f" {region.name or 'colour'}:", f" {region.color}.")


def clip_item(rng: np.random.Generator) -> TrainingItem:
    """Draw a synthesized animal with its name, or with the answer to a question about it.

    Example:
        >>> clip_item(np.random.default_rng(0)).features.shape
        torch.Size([20, 40])
    """
    clip = synthesize(str(rng.choice(list(ANIMALS))), FIRST_SEED + int(rng.integers(2**31)))
    features = frame_features(clip.waveform, clip.rate)
    if rng.random() < 0.5:
        return TrainingItem(features, "", f" {clip.label}.")
    if rng.random() < 0.5:
        return TrainingItem(features, " animal:", f" {clip.label}.")
    return TrainingItem(features, " mammal:", f" {Question().answer(clip.label)}.")
