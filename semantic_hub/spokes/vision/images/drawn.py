"""Draw pictures of one color, two halves, or colored shapes, with exact segments.

The segments are drawn first, without smoothing, and then filled with colors, so that every pixel
belongs to exactly one region and noise does not change it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from semantic_hub.errors import SemanticHubError, as_seed, require
from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.vision.images.picture import (
    COLORS,
    SHAPES,
    SIDES,
    Picture,
    Region,
    caption_of,
)

if TYPE_CHECKING:
    from PIL import ImageDraw

ONE_COLOR, HALVES, SHAPES_KIND = "one colour", "halves", "shapes"
KINDS = (ONE_COLOR, HALVES, SHAPES_KIND)
"""Kinds of drawn pictures."""

BACKGROUND = "black"
"""Default color behind shapes, which random shapes do not have."""

_SMALLEST_CELL = 4
"""Smallest side of a cell in pixels."""

_ARM_WIDTH = 0.45
"""Width of a cross's arms, as a share of its side."""

_SMALLEST_SHAPE = 0.85
"""Smallest side of a shape, as a share of its cell."""

_Box = tuple[int, int, int, int]
"""Left, top, right and bottom, all inside."""


@dataclass(frozen=True)
class Canvas:
    """Settings of drawn pictures: size, noise, jitter and grid.

    Args:
        size: Side of the square picture in pixels.
        noise: Standard deviation of the noise of each pixel's red, green and blue (0 to 255).
        jitter: How much positions, sizes and borders vary, from 0 (not at all) to 1 (as far as
            there is room). A border between halves moves by up to a sixteenth of the picture.
        cells: Rows and columns of the grid for shapes.

    Raises:
        SemanticHubError: A number out of range, or cells of fewer than 4 pixels.

    Example:
        >>> Canvas(size=224).cells
        (2, 2)
    """

    size: int = 32
    noise: float | int = 10
    jitter: float | int = 1
    cells: tuple[int, int] = (2, 2)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        room = min(self.cells) > 0 and self.size // max(self.cells) >= _SMALLEST_CELL
        if not room or not 0 <= self.jitter <= 1 or not 0 <= self.noise < np.inf:
            raise SemanticHubError(
                "Canvas",
                got=f"size {self.size}, cells {self.cells}, noise {self.noise}, "
                f"jitter {self.jitter}",
                expected=f"cells of at least {_SMALLEST_CELL} pixels, noise from 0, jitter 0 to 1",
                fix="Draw larger, or on fewer cells.",
            )


def one_color(color: str, canvas: Canvas | None = None, *, seed: int = 0) -> Picture:
    """Draw a picture of one color: ``red.``

    Args:
        color: One of `COLORS`.
        canvas: Drawing settings; None for the default.
        seed: Seed of the noise.

    Raises:
        SemanticHubError: An unknown color.

    Example:
        >>> one_color("red").caption
        'red.'
    """
    canvas = canvas or Canvas()
    segments = np.zeros((canvas.size, canvas.size), np.int16)
    return _painted(
        segments, (Region(color),), ONE_COLOR, canvas, np.random.default_rng(as_seed(seed))
    )


def halves(left: str, right: str, canvas: Canvas | None = None, *, seed: int = 0) -> Picture:
    """Draw two colors side by side: ``left red, right blue.``

    Args:
        left: One of `COLORS`.
        right: Another one.
        canvas: Drawing settings; None for the default.
        seed: Seed of the noise and of the border.

    Raises:
        SemanticHubError: An unknown color, or the same color twice.

    Example:
        >>> picture = halves("red", "blue", Canvas(noise=0))
        >>> picture.caption, picture.pixels[0, 0].tolist()
        ('left red, right blue.', [220, 30, 30])
    """
    canvas, rng = canvas or Canvas(), np.random.default_rng(as_seed(seed))
    reach = canvas.jitter * canvas.size / 16
    border = round(canvas.size / 2 + rng.uniform(-reach, reach))
    segments = np.zeros((canvas.size, canvas.size), np.int16)
    segments[:, border:] = 1
    sides = tuple(Region(color, side) for color, side in zip((left, right), SIDES, strict=True))
    return _painted(segments, sides, HALVES, canvas, rng)


def shapes(
    drawn: Sequence[tuple[str, str]],
    canvas: Canvas | None = None,
    *,
    background: str = BACKGROUND,
    seed: int = 0,
) -> Picture:
    """Draw colored shapes, each in its own cell: ``red circle, blue square.``

    Args:
        drawn: Color and shape of each, in the order of the caption; all colors and all shapes
            must differ.
        canvas: Drawing settings; None for the default.
        background: Color behind them, which belongs to no region.
        seed: Seed of the noise, of the cells, and of positions and sizes within them.

    Raises:
        SemanticHubError: An unknown or repeated color or shape, no shapes, or more shapes than
            cells.

    Example:
        >>> picture = shapes([("red", "circle"), ("blue", "square")], seed=3)
        >>> picture.caption, sorted(set(picture.segments.ravel().tolist()))
        ('red circle, blue square.', [-1, 0, 1])
    """
    canvas, rng = canvas or Canvas(), np.random.default_rng(as_seed(seed))
    regions = tuple(Region(color, shape) for color, shape in drawn)
    _check_shapes(regions, background, canvas)
    rows, columns = canvas.cells
    chosen = rng.permutation(rows * columns)[: len(regions)].tolist()
    boxes = [_box(cell // columns, cell % columns, canvas, rng) for cell in chosen]
    segments = _draw_segments([region.name for region in regions], boxes, canvas.size)
    return _painted(segments, regions, SHAPES_KIND, canvas, rng, background)


def random_picture(
    rng: np.random.Generator, canvas: Canvas | None = None, *, kind: str | None = None
) -> Picture:
    """Draw a random picture: its kind, its colors, its shapes and their positions.

    Args:
        rng: Random generator.
        canvas: Drawing settings; None for the default.
        kind: One of `KINDS`; None for any, shapes half of the time.

    Raises:
        SemanticHubError: An unknown kind.

    Example:
        >>> random_picture(np.random.default_rng(0)).kind in KINDS
        True
    """
    chosen = kind or str(rng.choice(KINDS, p=[0.25, 0.25, 0.5]))
    seed = int(rng.integers(2**32))
    colors: list[str] = rng.permutation(list(COLORS)).tolist()
    if chosen == ONE_COLOR:
        return one_color(colors[0], canvas, seed=seed)
    if chosen == HALVES:
        return halves(colors[0], colors[1], canvas, seed=seed)
    if chosen != SHAPES_KIND:
        raise SemanticHubError(
            "random_picture", got=repr(chosen), expected=f"one of {KINDS}", fix="Name one of these."
        )
    named = rng.permutation(SHAPES)[: rng.integers(2, len(SHAPES) + 1)].tolist()
    bright = [color for color in colors if color != BACKGROUND]
    return shapes(list(zip(bright, named, strict=False)), canvas, seed=seed)


def random_pictures(
    count: int, canvas: Canvas | None = None, *, kind: str | None = None, seed: int = 0
) -> tuple[Picture, ...]:
    """Draw several random pictures; the i-th depends on the seed and i only.

    Args:
        count: Number of pictures.
        canvas: Drawing settings; None for the default.
        kind: One of `KINDS`; None for any.
        seed: Seed of all draws.

    Example:
        >>> [picture.kind for picture in random_pictures(2, kind="halves")]
        ['halves', 'halves']
    """
    return tuple(
        random_picture(np.random.default_rng([as_seed(seed), index]), canvas, kind=kind)
        for index in range(count)
    )


def drawn_pictures(
    canvas: Canvas | None = None, *, per_kind: int = 110, seed: int = 0
) -> tuple[Picture, ...]:
    """Draw `per_kind` pictures of each of `KINDS`, repeating colors and pairs only as needed.

    Every color by itself, the 110 ordered pairs of different colors as halves in random order, and
    random shapes.

    Args:
        canvas: Drawing settings; None for the default.
        per_kind: Pictures of each kind; colors and pairs of colors are repeated as needed.
        seed: Seed of all draws.

    Example:
        >>> len({picture.caption for picture in drawn_pictures() if picture.kind == "halves"})
        110
    """
    rng = np.random.default_rng([as_seed(seed), 1])
    ordered = [(left, right) for left in COLORS for right in COLORS if left != right]
    two = [ordered[int(index)] for index in rng.permutation(len(ordered))]
    one = rng.permutation(list(COLORS)).tolist()
    seeds = [int(number) for number in rng.integers(2**32, size=2 * per_kind)]
    return (
        *(one_color(one[i % len(one)], canvas, seed=seeds[i]) for i in range(per_kind)),
        *(halves(*two[i % len(two)], canvas, seed=seeds[per_kind + i]) for i in range(per_kind)),
        *random_pictures(per_kind, canvas, kind=SHAPES_KIND, seed=seed),
    )


def _check_shapes(regions: tuple[Region, ...], background: str, canvas: Canvas) -> None:
    """Raise unless all shapes are known and differ, and fit on the canvas."""
    colors, names = ({getattr(region, what) for region in regions} for what in ("color", "name"))
    distinct = len(colors | {background}) == len(regions) + 1 and len(names) == len(regions)
    if (
        not regions
        or not distinct
        or not names <= set(SHAPES)
        or len(regions) > np.prod(canvas.cells)
    ):
        raise SemanticHubError(
            "shapes",
            got=f"{caption_of(regions)} on {background}, {canvas.cells} cells",
            expected=f"different ones of {', '.join(SHAPES)} in different colors, other than the "
            "background's, and no more than cells",
            fix="Change a shape or a color, or draw on more cells.",
        )


def _box(row: int, column: int, canvas: Canvas, rng: np.random.Generator) -> _Box:
    """Position and size of a shape in its cell."""
    left, right = (canvas.size * (column + step) // canvas.cells[1] for step in (0, 1))
    top, bottom = (canvas.size * (row + step) // canvas.cells[0] for step in (0, 1))
    room = min(right - left, bottom - top)
    side = max(3, round(room * (1 - canvas.jitter * rng.uniform(0, 1 - _SMALLEST_SHAPE))))
    x, y = (_offset(slack - side, canvas.jitter, rng) for slack in (right - left, bottom - top))
    return left + x, top + y, left + x + side - 1, top + y + side - 1


def _offset(slack: int, jitter: float | int, rng: np.random.Generator) -> int:
    """Offset of a shape in its cell: centered without jitter, anywhere with full jitter."""
    return round(slack / 2 + jitter * rng.uniform(-slack / 2, slack / 2))


def _draw_segments(
    names: Sequence[str], boxes: Sequence[_Box], size: int
) -> Int[np.ndarray, "size size"]:
    """Index of the shape of each pixel, −1 for the background."""
    require("PIL")
    from PIL import Image, ImageDraw

    image = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(image)
    for index, (name, box) in enumerate(zip(names, boxes, strict=True), start=1):
        _draw_shape(draw, name, box, index)
    return np.asarray(image).astype(np.int16) - 1


def _draw_shape(draw: "ImageDraw.ImageDraw", name: str, box: _Box, fill: int) -> None:
    """Draw one shape into a box."""
    left, top, right, bottom = box
    if name == "circle":
        draw.ellipse(box, fill=fill)
    elif name == "square":
        draw.rectangle(box, fill=fill)
    elif name == "triangle":
        draw.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill=fill)
    else:
        inset = round((right - left + 1) * (1 - _ARM_WIDTH) / 2)
        draw.rectangle((left + inset, top, right - inset, bottom), fill=fill)
        draw.rectangle((left, top + inset, right, bottom - inset), fill=fill)


def _painted(
    segments: Int[np.ndarray, "height width"],
    regions: tuple[Region, ...],
    kind: str,
    canvas: Canvas,
    rng: np.random.Generator,
    background: str = BACKGROUND,
) -> Picture:
    """Fill the segments with colors and add noise."""
    colors = [region.color for region in regions]
    unknown = [color for color in (*colors, background) if color not in COLORS]
    if unknown or len(set(colors)) < len(colors):
        raise SemanticHubError(
            "images",
            got=f"colors {', '.join((*colors, background))}",
            expected=f"different ones of {', '.join(COLORS)}",
            fix="Use these words, each once.",
        )
    palette = np.array([COLORS[color] for color in (*colors, background)], np.float64)
    clean = palette[segments]  # the background is last: NOTHING
    noisy = clean + canvas.noise * rng.standard_normal(clean.shape)
    pixels = noisy.round().clip(0, 255).astype(np.uint8)
    return Picture(pixels, caption_of(regions), segments, regions, kind)
