"""Interventions on pictures: recoloring a half inside the model, and patching whole pictures.

Steering replaces the states of a region's patches by ``U[new color] − U[old color]`` from a layer
on, or adds it at a layer. If the model represents the picture in words, it then names the new
color. Source: Wu et al. 2025, arXiv 2411.04986, section 5 (images of two colors).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.interventions.patching.pairs import PatchPair, PositionMap
from semantic_hub.interventions.spec import Steering, UnembeddingContrast
from semantic_hub.interventions.steering.hook import Mode
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.spokes.routes import partners
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.picture import COLORS, Region
from semantic_hub.spokes.vision.inputs import EncodedPicture, Wording

COMBINATIONS = 48
"""Number of color combinations that are steered, as in the paper."""

_STRENGTHS = (0.0, 0.5, 1.0, 2.0, 4.0)

WHOLE_PICTURE = PositionMap(SoftPositions(), SoftPositions(), mode="one-to-one")
"""Maps every position of a picture to the same position of another."""


@dataclass(frozen=True, eq=False)
class RecolorItem:
    """Region of a picture with the color that it is steered to.

    Args:
        encoded: The picture.
        region: Index of the region.
        new: Color that no region of the picture has.
    """

    encoded: EncodedPicture
    region: int
    new: str
    __repr__ = short_repr

    @property
    def old_region(self) -> Region:
        """The region with its old color."""
        return self.encoded.picture.regions[self.region]


def recolor_items(
    pictures: Sequence[EncodedPicture], *, at_most: int = COMBINATIONS, seed: int = 0
) -> tuple[RecolorItem, ...]:
    """Choose a region to recolor in each picture, left and right in turn, and its new color.

    Each of the 48 combinations is an ordered pair of colors, left and right, and a random third
    color. Pictures with fewer than two regions with color and patches are left out.

    Args:
        pictures: Encoded pictures.
        at_most: Pictures to keep, evenly spaced.
        seed: Seed of the new colors.
    """
    rng = np.random.default_rng(as_seed(seed))
    with_two = [encoded for encoded in pictures if len(_colored_regions(encoded)) > 1]
    return tuple(
        RecolorItem(encoded, _colored_regions(encoded)[index % 2], _other_color(encoded, rng))
        for index, encoded in enumerate(evenly_spaced(with_two, at_most) if with_two else ())
    )


def new_color(old: tuple[str, ...], new: tuple[str, ...]) -> ExpectedAnswer:
    """Make an outcome rule: success if the first word is the new color, unchanged if the old one.

    Args:
        old: Color of each prompt's region.
        new: Color that it is steered to.

    Example:
        >>> outcome = new_color(("red", "blue"), ("green", "pink"))
        >>> outcome(0, " green."), outcome(1, "Blue"), outcome(1, " a pink one")
        ('success', 'unchanged', 'other')
    """
    return ExpectedAnswer(new=new, old=old, parse=_first_word)


def steering(
    items: Sequence[RecolorItem],
    wording: Wording | None = None,
    *,
    mode: Mode = "replace",
    max_new_tokens: int = 3,
) -> Steering:
    """Steering at the patches of regions by ``U[new] − U[old]``, with a question about each.

    - ``"replace"``: from each layer on, these patches have the direction as their state, with
      strength 1. Its length matters little if blocks begin with a norm.
    - ``"add"``: the direction is added at one layer at a time, with several strengths. Strength
      1 is the mean length of the prompts' states at their ends.

    Args:
        items: Regions and their new colors.
        wording: Wording of the question; None for the default.
        mode: ``"replace"`` or ``"add"``.
        max_new_tokens: Number of tokens to generate, enough for a color.

    Raises:
        SemanticHubError: No items.
    """
    wording = wording or Wording()
    if not items:
        raise SemanticHubError(
            "vision.steering",
            got="no pictures",
            expected="one with two regions of different color",
            fix="Draw some with halves().",
        )
    old = tuple(item.old_region.color for item in items)
    new = tuple(item.new for item in items)
    return Steering(
        prompts=tuple(
            item.encoded.prompt(wording.question_about(item.old_region)) for item in items
        ),
        contrasts={"new - old colour": UnembeddingContrast(new, old)},
        outcome=new_color(old, new),
        strengths=(1.0,) if mode == "replace" else _STRENGTHS,
        positions=tuple(item.encoded.region_positions(item.region) for item in items),
        mode=mode,
        max_new_tokens=max_new_tokens,
        all_later_layers=mode == "replace",
    )


def patch_pairs(
    pictures: Sequence[EncodedPicture],
    wording: Wording | None = None,
    *,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[PatchPair, ...]:
    """Patch pairs of two pictures in which the same part has different colors.

    The question is about that part; the answers are its color in the source and in the base. The
    positions are those of `WHOLE_PICTURE`.

    Args:
        pictures: Pictures with a colored region and equally many features.
        wording: Wording of the question; None for the default.
        seed: Seed of the pairing and of the parts.
        at_most: Patch pairs to keep, evenly spaced.
    """
    wording, rng = wording or Wording(), np.random.default_rng(as_seed(seed))
    asked = [
        (encoded, encoded.picture.regions[int(rng.choice(_colored_regions(encoded)))])
        for encoded in pictures
        if _colored_regions(encoded)
    ]
    kinds = [f"{region.name} {len(encoded.features)}" for encoded, region in asked]
    colors = [region.color for _, region in asked]
    prompts = [encoded.prompt(wording.question_about(region)) for encoded, region in asked]
    pairs = [
        PatchPair(
            sources=(prompts[source],),
            base=prompts[base],
            answers={"source": (colors[source],), "base": (colors[base],)},
        )
        for source, base in partners(kinds, colors, seed)
    ]
    return evenly_spaced(pairs, at_most) if pairs else ()


def _first_word(text: str) -> str | None:
    """First word of a text, case-folded."""
    match = re.match(r"\W*([^\W\d_]+)", text)
    return match[1].casefold() if match else None


def _colored_regions(encoded: EncodedPicture) -> list[int]:
    """Indices of the regions that have a color of `COLORS` and a patch."""
    with_patch = set(encoded.regions.tolist())
    regions = enumerate(encoded.picture.regions)
    return [index for index, region in regions if region.color in COLORS and index in with_patch]


def _other_color(encoded: EncodedPicture, rng: np.random.Generator) -> str:
    """Draw a color that no region of the picture has."""
    present = {region.color for region in encoded.picture.regions}
    return str(rng.choice([color for color in COLORS if color not in present]))
