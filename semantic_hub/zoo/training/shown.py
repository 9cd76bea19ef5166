"""What hub-mini's eye and ear are trained on: pictures and clips, and what is said of them.

Half of the time that is the caption, half of the time the answer to a question. Pictures and clips
are drawn from seeds that the spokes of `semantic_hub.zoo.world.spokes` do not draw from.
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
"""Clips of training are synthesized from this seed on."""


@dataclass(frozen=True, eq=False)
class Told:
    """The features of a picture or clip, and what is said of it.

    Args:
        features: What the projector reads.
        question: Text after them; not learned.
        answer: Text after the question, which is.
    """

    features: Float[Tensor, "pos feature"]
    question: str
    answer: str


def told_picture(rng: np.random.Generator) -> Told:
    """A picture drawn at random, and its caption or the colour of one of its regions.

    Example:
        >>> told_picture(np.random.default_rng(0)).features.shape
        torch.Size([16, 192])
    """
    picture = random_picture(rng, Canvas(noise=rng.uniform(0, 20)))
    features = picture_features(picture.pixels)
    if rng.random() < 0.5:
        return Told(features, "", f" {picture.caption}")
    region = picture.regions[rng.integers(len(picture.regions))]
    return Told(features, f" {region.name or 'colour'}:", f" {region.color}.")


def told_clip(rng: np.random.Generator) -> Told:
    """A synthesized animal, and its name, alone or asked for, or whether it is a mammal.

    Example:
        >>> told_clip(np.random.default_rng(0)).features.shape
        torch.Size([20, 40])
    """
    clip = synthesize(str(rng.choice(list(ANIMALS))), FIRST_SEED + int(rng.integers(2**31)))
    features = frame_features(clip.waveform, clip.rate)
    if rng.random() < 0.5:
        return Told(features, "", f" {clip.label}.")
    if rng.random() < 0.5:
        return Told(features, " animal:", f" {clip.label}.")
    return Told(features, " mammal:", f" {Question().answer(clip.label)}.")
