"""Pairs of pictures and captions, alone or before a question."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.vision.captions import changed_caption
from semantic_hub.spokes.vision.images.picture import COLORS, Region
from semantic_hub.spokes.vision.inputs import IMAGE, EncodedPicture, Wording


def pairs(
    pictures: Sequence[EncodedPicture], wording: Wording | None = None, *, ask: bool = False
) -> Pairs:
    """Pair pictures with their captions, each read at its end and labeled with the caption.

    Captions are read at their last word: their full stop, whose state is similar for all captions,
    is removed.

    Args:
        pictures: Encoded pictures.
        wording: Texts around both; None for the default, with which the picture is read at its
            last position.
        ask: Whether to put picture and caption before the same question, about the color of one
            region of each picture in turn, and read at its end; see `askable`.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.vision.images.drawn import halves
        >>> from semantic_hub.spokes.vision.inputs import encode_picture
        >>> pictures = [encode_picture(lambda image: torch.ones(16, 8), halves("red", "blue"))]
        >>> pairs(pictures).y[0].text, pairs(pictures, ask=True).y[0].text
        ('left red, right blue', 'left red, right blue. left:')
    """
    wording = wording or Wording()
    captions = [encoded.picture.caption for encoded in pictures]
    regions = _asked_regions(pictures) if ask else [None] * len(pictures)
    return Pairs(
        tuple(
            encoded.prompt(wording.question_about(region) if region else wording.image)
            for encoded, region in zip(pictures, regions, strict=True)
        ),
        tuple(
            _caption_prompt(c, region, wording) for c, region in zip(captions, regions, strict=True)
        ),
        x_name="picture",
        y_name="caption",
        labels=tuple(captions),
    )


def hard_negatives(
    pictures: Sequence[EncodedPicture],
    wording: Wording | None = None,
    *,
    ask: bool = False,
    seed: int = 0,
) -> Pairs:
    """Pair pictures with captions in which one color or shape is wrong.

    Args:
        pictures: Pictures whose captions contain a color or a shape.
        wording: Texts around both; None for the default.
        ask: As in `pairs`; the wrong word is the color that is asked for.
        seed: Seed of the changes.

    Raises:
        SemanticHubError: A caption without a color or shape.
    """
    wording, rng = wording or Wording(), np.random.default_rng(as_seed(seed))
    captions = [encoded.picture.caption for encoded in pictures]
    regions = _asked_regions(pictures) if ask else [None] * len(pictures)
    changed = [
        _recolored_caption(caption, region.color, rng) if region else changed_caption(caption, rng)
        for caption, region in zip(captions, regions, strict=True)
    ]
    if None in changed:
        raise SemanticHubError(
            "vision.hard_negatives",
            got=f"the caption {captions[changed.index(None)]!r}",
            expected="captions with a color or a shape, to change it",
            fix="Choose pictures whose captions have one.",
        )
    y = tuple(
        _caption_prompt(c, region, wording) for c, region in zip(changed, regions, strict=True) if c
    )
    return replace(pairs(pictures, wording, ask=ask), y=y)


def askable(pictures: Sequence[EncodedPicture]) -> tuple[EncodedPicture, ...]:
    """Keep the pictures that have a region whose color their caption contains."""
    return tuple(encoded for encoded in pictures if _regions_in_caption(encoded))


def changeable(pictures: Sequence[EncodedPicture]) -> tuple[EncodedPicture, ...]:
    """Keep the pictures whose caption contains a color or shape that can be replaced."""
    rng = np.random.default_rng(0)
    return tuple(e for e in pictures if changed_caption(e.picture.caption, rng) is not None)


def _asked_regions(pictures: Sequence[EncodedPicture]) -> list[Region | None]:
    """Region asked about: the first of the first picture, the second of the second, cyclically."""
    regions = [_regions_in_caption(encoded) for encoded in pictures]
    if not all(regions):
        raise SemanticHubError(
            "vision.pairs",
            got=f"the caption {pictures[regions.index([])].picture.caption!r}",
            expected="regions whose colors the captions contain",
            fix="Choose pictures with askable().",
        )
    return [each[index % len(each)] for index, each in enumerate(regions)]


def _regions_in_caption(encoded: EncodedPicture) -> list[Region]:
    """Regions whose colors the caption contains."""
    picture = encoded.picture
    return [
        r for r in picture.regions if r.color in COLORS and _word(r.color).search(picture.caption)
    ]


def _caption_prompt(caption: str, region: Region | None, wording: Wording) -> Prompt:
    """Prompt with a caption, alone or before the question about a region."""
    if region is None:
        return wording.caption_prompt(caption.rstrip().removesuffix("."))
    return Prompt(wording.question_about(region).replace(IMAGE, caption))


def _recolored_caption(caption: str, color: str, rng: np.random.Generator) -> str:
    """The caption with a color replaced by one that it does not contain."""
    others = [other for other in COLORS if not _word(other).search(caption)]
    return _word(color).sub(str(rng.choice(others)), caption, count=1)


def _word(text: str) -> re.Pattern[str]:
    """Pattern of a whole word, case aside."""
    return re.compile(rf"\b{text}\b", re.IGNORECASE)
