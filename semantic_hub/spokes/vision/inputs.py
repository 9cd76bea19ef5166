"""A picture as a model is shown it: its features, its prompts, and what each patch is of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.spokes.vision.images.picture import NOTHING, Picture, Region

if TYPE_CHECKING:
    from PIL.Image import Image

Encode = Callable[["Image"], Float[Tensor, "pos d_model"]]
"""From an image, mode RGB, to what the model reads in its place. The last features are those of
the patches, row by row from the top left; any before them, such as a class token, are of none."""

Grid = tuple[int, int]
"""Rows and columns of patches."""

MIXED = -2
"""The region of a patch that no region, nor the background, has more than half of."""

IMAGE, PART, CAPTION = "{image}", "{part}", "{caption}"


@dataclass(frozen=True)
class Wording:
    """What is said around a picture; the defaults are what hub-mini knows.

    Args:
        image: What stands for a picture where it is compared with a caption; read at its end. The
            lens reads inside the picture, and leaves out what comes after it.
        caption: What stands for a caption.
        question: What the colour of a part answers.
        parts: What a part is called in a question, by the name of its region; others keep theirs.

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

    def __post_init__(self) -> None:
        texts = {self.image: (IMAGE,), self.caption: (CAPTION,), self.question: (IMAGE, PART)}
        for text, holes in texts.items():
            if any(text.count(hole) != 1 for hole in holes) or SOFT in text:
                raise SemanticHubError(
                    "Wording",
                    got=repr(text),
                    expected=f"a text with {' and '.join(holes)} in it, once",
                    fix="Write it where the picture, its part or its caption belongs.",
                )

    @property
    def up_to_image(self) -> str:
        """What stands for a picture, without what comes after it."""
        return self.image.partition(IMAGE)[0] + IMAGE

    def asked(self, region: Region) -> str:
        """The question about a region, with ``{image}`` in it."""
        return self.question.replace(PART, self.parts.get(region.name, region.name))

    def said(self, caption: str) -> Prompt:
        """A caption as a prompt."""
        return Prompt(self.caption.replace(CAPTION, caption))


PLAIN = Wording(
    image="The image shows {image}",
    caption="The image shows {caption}",
    question="{image} What colour is the {part}? Answer:",
    parts={"": "image", "left": "left half", "right": "right half"},
)
"""Questions in whole sentences, for models that were trained on such."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture with the features that a model reads.

    Args:
        picture: The picture.
        features: One row for each position; the last rows × columns are patches.
        grid: Rows and columns of patches, which cover the whole picture.

    Raises:
        SemanticHubError: Fewer features than patches, or more patches than pixels.
    """

    picture: Picture
    features: SoftTokens
    grid: Grid

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
        """The region of each patch, `NOTHING` or `MIXED`; see `patch_regions`."""
        return patch_regions(self.picture, self.grid)

    def prompt(self, text: str) -> Prompt:
        """A prompt with the picture in the place of ``{image}``."""
        return Prompt(text.replace(IMAGE, SOFT), soft=(self.features,))

    def at(self, patch: int, wording: Wording) -> Prompt:
        """A prompt that ends with the picture and is read at one of its patches."""
        text = wording.up_to_image.replace(IMAGE, SOFT)
        return Prompt(text, soft=(self.features,), position=self._rows([patch]))

    def of_region(self, region: int) -> SoftPositions:
        """The positions of the patches that are of a region."""
        return self._rows(np.flatnonzero(self.regions == region).tolist())

    def _rows(self, patches: list[int]) -> SoftPositions:
        before = len(self.features) - self.n_patches
        return SoftPositions(rows=tuple(before + patch for patch in patches))


def show(encode: Encode, picture: Picture, grid: Grid | None = None) -> Shown:
    """Encode a picture.

    Args:
        encode: From an image to features.
        picture: The picture.
        grid: Rows and columns of patches; None for a square of as many as there are features.

    Raises:
        SemanticHubError: Features that are no finite matrix, or are not a square of patches and no
            grid was given.

    Example:
        >>> from semantic_hub.spokes.vision.images.picture import patch_features
        >>> from semantic_hub.spokes.vision.images.drawn import one_color
        >>> import torch
        >>> encode = lambda image: torch.from_numpy(patch_features(np.asarray(image)))
        >>> show(encode, one_color("red")).grid
        (4, 4)
    """
    features = SoftTokens(encode(picture.image))
    side = isqrt(len(features))
    if grid is None and side**2 != len(features):
        raise SemanticHubError(
            "vision",
            got=f"{len(features)} features of a picture, and no grid",
            expected="as many as a square has patches",
            fix="Give the grid as (rows, columns) of the encoder's patches; features in front of "
            "them are of none.",
        )
    return Shown(picture, features, grid or (side, side))


def patch_regions(picture: Picture, grid: Grid) -> Int[np.ndarray, " patch"]:
    """What each patch is of: the region that has more than half of its pixels.

    Args:
        picture: The picture; without segments every patch is of `NOTHING`.
        grid: Rows and columns of patches, which divide the picture as evenly as pixels allow.

    Returns:
        Index of the region, `NOTHING` where more than half is background, `MIXED` where nothing has
        more than half; row by row.

    Example:
        >>> from semantic_hub.spokes.vision.images.drawn import Canvas, halves
        >>> patch_regions(halves("red", "blue", Canvas(jitter=0)), (1, 4)).tolist()
        [0, 0, 1, 1]
    """
    n_patches, n_regions = grid[0] * grid[1], len(picture.regions)
    if picture.segments is None:
        return np.full(n_patches, NOTHING)
    places: list[Any] = [
        np.arange(length) * n // length
        for length, n in zip(picture.segments.shape, grid, strict=True)
    ]
    patch = places[0][:, None] * grid[1] + places[1]
    both = patch * (n_regions + 1) + (picture.segments - NOTHING)
    counts = np.bincount(both.ravel(), minlength=n_patches * (n_regions + 1))
    table = counts.reshape(n_patches, n_regions + 1)
    most = table.argmax(axis=1)
    has_half = 2 * table.max(axis=1) > table.sum(axis=1)
    return np.where(has_half, most + NOTHING, MIXED)
