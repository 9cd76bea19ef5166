"""Pictures with a caption and, if known, a segmentation into regions.

A drawn picture (`semantic_hub.spokes.vision.images.drawn`) and one that was read from a file
(`semantic_hub.spokes.vision.images.files`, `semantic_hub.spokes.vision.images.coco`) are the same
kind of value.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8

from semantic_hub.errors import SemanticHubError, check_text, require
from semantic_hub.plotting.values import short_repr

if TYPE_CHECKING:
    from PIL.Image import Image

COLORS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (220, 30, 30),
    "green": (30, 150, 50),
    "blue": (30, 60, 220),
    "yellow": (245, 225, 40),
    "brown": (115, 65, 25),
    "grey": (128, 128, 128),
    "pink": (250, 160, 200),
    "orange": (245, 130, 20),
    "purple": (125, 40, 165),
}
"""English color words with the red, green and blue that they are drawn with."""

SIDES = ("left", "right")
"""Names of the regions of halved pictures."""

SHAPES = ("circle", "square", "triangle", "cross")
"""Names of the shapes that can be drawn."""

NOTHING = -1
"""Segment of pixels that belong to no region: background, or void."""


@dataclass(frozen=True)
class Region:
    """Part of a picture: a shape, a side, a thing, or all of it.

    Args:
        color: Its color, one English word; empty if not known.
        name: Its name, such as ``"circle"``, ``"left"`` or ``"dog"``; empty for the whole
            picture.

    Example:
        >>> Region("red", "left").described, Region("red", "circle").described
        ('left red', 'red circle')
    """

    color: str = ""
    name: str = ""
    __repr__ = short_repr

    @property
    def described(self) -> str:
        """Description in captions: ``left red`` for a side, ``red circle`` for any other region."""
        words = (self.name, self.color) if self.name in SIDES else (self.color, self.name)
        return " ".join(filter(None, words))

    @property
    def label(self) -> str:
        """Word for what is seen there: the name of a thing or shape, else the color."""
        return self.color if self.name in ("", *SIDES) else self.name


@dataclass(frozen=True, eq=False)
class Picture:
    """Image with a caption and, if known, its regions.

    Args:
        pixels: Red, green and blue, 0 to 255.
        caption: Text that describes it.
        segments: Index of the region of each pixel, or `NOTHING`; None if not known.
        regions: The regions that the segments refer to.
        kind: Set that it belongs to, such as ``"halves"``.
        name: Where it comes from, such as a file name.

    Raises:
        SemanticHubError: No pixels, no caption, or segments of another size or of unknown regions.

    Example:
        >>> picture = Picture(np.zeros((2, 2, 3), np.uint8), "black.")
        >>> picture.image.size, picture.segments is None
        ((2, 2), True)
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    caption: str
    segments: Int[np.ndarray, "height width"] | None = None
    regions: tuple[Region, ...] = ()
    kind: str = "captions"
    name: str = ""
    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.pixels.size or not self.caption.strip():
            raise self._error(
                f"{self.pixels.shape[0]} × {self.pixels.shape[1]} pixels, caption {self.caption!r}",
                "at least one pixel, and a caption",
                "Leave this picture out, or complete it.",
            )
        check_text("Picture", "a caption", self.caption)
        if self.segments is not None and not self._fits(self.segments):
            raise self._error(
                f"segments {self.segments.shape} of {len(self.regions)} regions",
                f"{self.pixels.shape[:2]}, each an index of a region or {NOTHING}",
                "Give every pixel the index of its region.",
            )

    @property
    def image(self) -> "Image":
        """The picture as a Pillow image, mode RGB."""
        require("PIL")
        from PIL import Image

        return Image.fromarray(self.pixels)

    def square(self) -> "Picture":
        """Crop the picture to its central square, as encoders that crop images do.

        Example:
            >>> Picture(np.zeros((2, 6, 3), np.uint8), "black.").square().pixels.shape
            (2, 2, 3)
        """
        side = min(self.pixels.shape[:2])
        rows, columns = (
            slice((length - side) // 2, (length - side) // 2 + side)
            for length in self.pixels.shape[:2]
        )
        segments = None if self.segments is None else self.segments[rows, columns]
        return replace(self, pixels=self.pixels[rows, columns], segments=segments)

    def _fits(self, segments: Int[np.ndarray, "rows columns"]) -> bool:
        """Whether segments have the picture's size and refer to its regions."""
        inside = (
            NOTHING <= segments.min(initial=0) <= segments.max(initial=NOTHING) < len(self.regions)
        )
        return segments.shape == self.pixels.shape[:2] and bool(inside)

    def _error(self, got: str, expected: str, fix: str) -> SemanticHubError:
        """Error that names the picture."""
        prefix = f"{self.name}: " if self.name else ""
        return SemanticHubError("Picture", got=prefix + got, expected=expected, fix=fix)


def caption_of(regions: tuple[Region, ...]) -> str:
    """Caption of drawn regions: ``red.``, ``left red, right blue.`` or ``red circle, blue square.``

    Example:
        >>> caption_of((Region("red", "circle"), Region("blue", "square")))
        'red circle, blue square.'
    """
    return ", ".join(region.described for region in regions) + "."


def patch_features(
    pixels: UInt8[np.ndarray, "height width 3"], patch: int = 8
) -> Float[np.ndarray, "patch feature"]:
    """Cut a picture into square patches, each as one row of numbers from 0 (black) to 1.

    Args:
        pixels: The picture.
        patch: Side of a patch in pixels.

    Returns:
        Patches row by row, from the top left; in each the pixels row by row, red, green and blue.

    Raises:
        SemanticHubError: A side of the picture is not a multiple of the patch size.

    Example:
        >>> patch_features(np.full((32, 32, 3), 255, np.uint8)).shape
        (16, 192)
    """
    from einops import rearrange

    height, width = pixels.shape[:2]
    if height % patch or width % patch:
        raise SemanticHubError(
            "patch_features",
            got=f"{width} × {height} pixels",
            expected=f"multiples of {patch}",
            fix="Draw or resize the picture to such a size.",
        )
    cut = rearrange(pixels, "(row y) (column x) rgb -> (row column) (y x rgb)", y=patch, x=patch)
    return cut.astype(np.float32) / 255
