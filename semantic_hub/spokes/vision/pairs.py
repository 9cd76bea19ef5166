"""Pictures against what is said of them, alone or in front of a question."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.vision.captions import changed_caption
from semantic_hub.spokes.vision.images.picture import COLORS, Region
from semantic_hub.spokes.vision.inputs import IMAGE, Shown, Wording


def pairs(shown: Sequence[Shown], wording: Wording | None = None, *, ask: bool = False) -> Pairs:
    """Pictures against their captions, each read at its end, and labelled with the caption.

    Captions lose their full stop, whose state is much the same behind all of them; they are read at
    their last word.

    Args:
        shown: The pictures.
        wording: What is said around both; None for the default, where the picture is read at its
            last position.
        ask: Put picture and caption in front of the same question, about the colour of one region
            of each picture in turn, and read at its end. See `askable`.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.vision.images.drawn import halves
        >>> from semantic_hub.spokes.vision.inputs import show
        >>> shown = [show(lambda image: torch.ones(16, 8), halves("red", "blue"))]
        >>> pairs(shown).y[0].text, pairs(shown, ask=True).y[0].text
        ('left red, right blue', 'left red, right blue. left:')
    """
    said = wording or Wording()
    captions = [one.picture.caption for one in shown]
    regions = _asked(shown) if ask else [None] * len(shown)
    return Pairs(
        tuple(
            one.prompt(said.asked(region) if region else said.image)
            for one, region in zip(shown, regions, strict=True)
        ),
        tuple(_told(c, region, said) for c, region in zip(captions, regions, strict=True)),
        x_name="picture",
        y_name="caption",
        labels=tuple(captions),
    )


def hard_negatives(
    shown: Sequence[Shown], wording: Wording | None = None, *, ask: bool = False, seed: int = 0
) -> Pairs:
    """`pairs`, but each caption says one colour or shape wrong; nothing else differs.

    Args:
        shown: Pictures whose captions say a colour or a shape.
        wording: What is said around both; None for the default.
        ask: As in `pairs`; what is wrong is the colour that is asked about.
        seed: Of what is changed, into what.

    Raises:
        SemanticHubError: A caption without a colour or shape.
    """
    said, rng = wording or Wording(), np.random.default_rng(seed)
    captions = [one.picture.caption for one in shown]
    regions = _asked(shown) if ask else [None] * len(shown)
    changed = [
        _recolored(caption, region.color, rng) if region else changed_caption(caption, rng)
        for caption, region in zip(captions, regions, strict=True)
    ]
    if None in changed:
        raise SemanticHubError(
            "vision.hard_negatives",
            got=f"the caption {captions[changed.index(None)]!r}",
            expected="captions with a colour or a shape, to change it",
            fix="Choose pictures whose captions have one.",
        )
    y = tuple(_told(c, region, said) for c, region in zip(changed, regions, strict=True) if c)
    return replace(pairs(shown, wording, ask=ask), y=y)


def askable(shown: Sequence[Shown]) -> tuple[Shown, ...]:
    """The pictures with regions whose colours their captions say."""
    return tuple(one for one in shown if _said_regions(one))


def sayable(shown: Sequence[Shown]) -> tuple[Shown, ...]:
    """The pictures whose captions say a colour or shape that can be changed."""
    rng = np.random.default_rng(0)
    return tuple(one for one in shown if changed_caption(one.picture.caption, rng) is not None)


def _asked(shown: Sequence[Shown]) -> list[Region | None]:
    """The first region of the first picture, the second of the second, and so on in a circle."""
    regions = [_said_regions(one) for one in shown]
    if not all(regions):
        raise SemanticHubError(
            "vision.pairs",
            got=f"the caption {shown[regions.index([])].picture.caption!r}",
            expected="regions whose colours the captions say",
            fix="Choose pictures with askable().",
        )
    return [of[index % len(of)] for index, of in enumerate(regions)]


def _said_regions(shown: Shown) -> list[Region]:
    picture = shown.picture
    return [
        r for r in picture.regions if r.color in COLORS and _word(r.color).search(picture.caption)
    ]


def _told(caption: str, region: Region | None, wording: Wording) -> Prompt:
    if region is None:
        return wording.said(caption.rstrip().removesuffix("."))
    return Prompt(wording.asked(region).replace(IMAGE, caption))


def _recolored(caption: str, color: str, rng: np.random.Generator) -> str:
    """The caption with another colour, which it does not say, in the place of one that it does."""
    others = [other for other in COLORS if not _word(other).search(caption)]
    return _word(color).sub(str(rng.choice(others)), caption, count=1)


def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b{text}\b", re.IGNORECASE)
