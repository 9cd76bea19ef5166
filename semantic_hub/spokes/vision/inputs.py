"""Pictures encoded as soft tokens, with their prompts and the region of each patch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.spokes.vision.images.picture import NOTHING, Picture, Region

if TYPE_CHECKING:
    from PIL.Image import Image

Encode = Callable[["Image"], Float[Tensor, "pos d_model"]]
"""From an image, mode RGB, to the features that the model reads in its place. The last features are
those of the patches, row by row from the top left; earlier ones, such as a class token, belong to
no patch."""

Grid = tuple[int, int]
"""Rows and columns of patches."""

MIXED = -2
"""Region of a patch in which no region, nor the background, has more than half of the pixels."""

IMAGE, PART, CAPTION = "{image}", "{part}", "{caption}"
"""Placeholders in the texts of a `Wording`."""


@dataclass(frozen=True)
class Wording:
    """Templates of prompts with pictures and captions; the defaults are those hub-mini learned.

    Args:
        image: Text with a picture that is compared with a caption, read at its end. The lens reads
            inside the picture and leaves out the text after it.
        caption: Text with a caption.
        question: Question that the color of a part answers.
        parts: Mapping from the name of a region to its name in a question; others keep theirs.

    Raises:
        SemanticHubError: A text that lacks its ``{image}``, ``{caption}`` or ``{part}``, or has
            one of them twice.

    Example:
        >>> PLAIN.question
        '{image} What colour is the {part}? Answer:'
    """

    image: str = IMAGE
    caption: str = CAPTION
    question: str = "{image} {part}:"
    parts: Mapping[str, str] = field(default_factory=lambda: {"": "colour"})
    __repr__ = short_repr

    def __post_init__(self) -> None:
        texts = {self.image: (IMAGE,), self.caption: (CAPTION,), self.question: (IMAGE, PART)}
        for text, placeholders in texts.items():
            if any(text.count(each) != 1 for each in placeholders) or SOFT in text:
                raise SemanticHubError(
                    "Wording",
                    got=repr(text),
                    expected=f"a text with {' and '.join(placeholders)} in it, once",
                    fix="Write it where the picture, its part or its caption belongs.",
                )

    @property
    def up_to_image(self) -> str:
        """Template `image` up to and including ``{image}``."""
        return self.image.partition(IMAGE)[0] + IMAGE

    def question_about(self, region: Region) -> str:
        """Question about a region, with ``{image}`` in it."""
        return self.question.replace(PART, self.parts.get(region.name, region.name))

    def caption_prompt(self, caption: str) -> Prompt:
        """Prompt with a caption."""
        return Prompt(self.caption.replace(CAPTION, caption))


PLAIN = Wording(
    image="The image shows {image}",
    caption="The image shows {caption}",
    question="{image} What colour is the {part}? Answer:",
    parts={"": "image", "left": "left half", "right": "right half"},
)
"""Wording with questions in whole sentences, for models trained on such text."""


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """Picture with its encoder features, which a model reads as soft tokens.

    Args:
        picture: The picture.
        features: One row for each position; the last rows × columns belong to patches.
        grid: Rows and columns of patches, which cover the whole picture.

    Raises:
        SemanticHubError: Fewer features than patches, or more patches than pixels.
    """

    picture: Picture
    features: SoftTokens
    grid: Grid
    __repr__ = short_repr

    def __post_init__(self) -> None:
        rows, columns = self.grid
        height, width = self.picture.pixels.shape[:2]
        if not 1 <= rows * columns <= len(self.features) or rows > height or columns > width:
            raise SemanticHubError(
                "vision",
                got=f"{len(self.features)} features of {width} × {height} pixels, grid {self.grid}",
                expected="a feature for each patch, and a pixel at least",
                fix="Give the grid as (rows, columns) of the encoder's patches.",
            )

    @property
    def n_patches(self) -> int:
        """Number of patches."""
        return self.grid[0] * self.grid[1]

    @cached_property
    def regions(self) -> Int[np.ndarray, " patch"]:
        """Index of the region of each patch, `NOTHING` or `MIXED`; see `patch_regions`."""
        return patch_regions(self.picture, self.grid)

    def prompt(self, text: str) -> Prompt:
        """Prompt with the picture in place of ``{image}``."""
        return Prompt(text.replace(IMAGE, SOFT), soft=(self.features,))

    def at_patch(self, patch: int, wording: Wording) -> Prompt:
        """Prompt that ends with the picture and is read at one of its patches."""
        text = wording.up_to_image.replace(IMAGE, SOFT)
        return Prompt(text, soft=(self.features,), position=self._rows([patch]))

    def region_positions(self, region: int) -> SoftPositions:
        """Positions of the patches of a region."""
        return self._rows(np.flatnonzero(self.regions == region).tolist())

    def _rows(self, patches: list[int]) -> SoftPositions:
        """Positions of patches."""
        before = len(self.features) - self.n_patches
        return SoftPositions(rows=tuple(before + patch for patch in patches))


def encode_picture(encode: Encode, picture: Picture, grid: Grid | None = None) -> EncodedPicture:
    """Encode a picture.

    Args:
        encode: From an image to features.
        picture: The picture.
        grid: Rows and columns of patches; None for a square with one patch for each feature.

    Raises:
        SemanticHubError: Features that are not a finite matrix, or no grid although the number of
            features is not a square.

    Example:
        >>> from semantic_hub.spokes.vision.images.picture import patch_features
        >>> from semantic_hub.spokes.vision.images.drawn import one_color
        >>> import torch
        >>> encode = lambda image: torch.from_numpy(patch_features(np.asarray(image)))
        >>> encode_picture(encode, one_color("red")).grid
        (4, 4)
    """
    features = SoftTokens(encode(picture.image))
    side = isqrt(len(features))
    if grid is None and side**2 != len(features):
        raise SemanticHubError(
            "vision",
            got=f"{len(features)} features of a picture, and no grid",
            expected="as many as a square has patches",
            fix="Give the grid as (rows, columns) of the encoder's patches; features before "
            "them belong to no patch.",
        )
    return EncodedPicture(picture, features, grid or (side, side))


def patch_regions(picture: Picture, grid: Grid) -> Int[np.ndarray, " patch"]:
    """Region of each patch: the one that has more than half of its pixels.

    Args:
        picture: The picture; without segments every patch is `NOTHING`.
        grid: Rows and columns of patches, which divide the picture as evenly as pixels allow.

    Returns:
        Index of the region, row by row; `NOTHING` if more than half is background, `MIXED` if
        neither a region nor the background has more than half.

    Example:
        >>> from semantic_hub.spokes.vision.images.drawn import Canvas, halves
        >>> patch_regions(halves("red", "blue", Canvas(jitter=0)), (1, 4)).tolist()
        [0, 0, 1, 1]
    """
    n_patches, n_regions = grid[0] * grid[1], len(picture.regions)
    if picture.segments is None:
        return np.full(n_patches, NOTHING)
    rows, columns = (
        np.arange(length) * n // length
        for length, n in zip(picture.segments.shape, grid, strict=True)
    )
    patch = rows[:, None] * grid[1] + columns
    both = patch * (n_regions + 1) + (picture.segments - NOTHING)
    counts = np.bincount(both.ravel(), minlength=n_patches * (n_regions + 1))
    table = counts.reshape(n_patches, n_regions + 1)
    largest = table.argmax(axis=1)
    has_half = 2 * table.max(axis=1) > table.sum(axis=1)
    return np.where(has_half, largest + NOTHING, MIXED)
