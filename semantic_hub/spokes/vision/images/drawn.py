"""Pictures drawn to be read: one colour, two halves, or coloured shapes, with exact segments.

The segments are drawn first, without smoothing, and the colours are filled in from them: so every
pixel belongs to exactly one region, and noise moves none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.vision.images.picture import (
    COLORS,
    SHAPES,
    SIDES,
    Picture,
    Region,
    caption_of,
)

ONE_COLOR, HALVES, SHAPES_KIND = "one colour", "halves", "shapes"
KINDS = (ONE_COLOR, HALVES, SHAPES_KIND)
"""The kinds of drawn pictures."""

BACKGROUND = "black"
"""What is behind shapes; no shape has this colour unless asked for."""


@dataclass(frozen=True)
class Canvas:
    """What pictures are drawn on.

    Args:
        size: Side of the square picture in pixels.
        noise: Standard deviation of the noise of each pixel's red, green and blue, of 255.
        jitter: How far places, sizes and borders vary: 0 for never, 1 as far as there is room. A
            border between halves moves by up to a sixteenth of the picture.
        cells: Rows and columns of the grid that shapes are put on.

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
    """All of one colour: ``red.``

    Args:
        color: One of `COLORS`.
        canvas: What it is drawn on; None for the default.
        seed: Of the noise.

    Raises:
        SemanticHubError: Another colour.

    Example:
        >>> one_color("red").caption
        'red.'
    """
    on = canvas or Canvas()
    segments = np.zeros((on.size, on.size), np.int16)
    return _painted(segments, (Region(color),), ONE_COLOR, on, np.random.default_rng(seed))


def halves(left: str, right: str, canvas: Canvas | None = None, *, seed: int = 0) -> Picture:
    """Two colours side by side: ``left red, right blue.``

    Args:
        left: One of `COLORS`.
        right: Another one.
        canvas: What it is drawn on; None for the default.
        seed: Of the noise and of where the border is.

    Raises:
        SemanticHubError: Another colour, or twice the same.

    Example:
        >>> picture = halves("red", "blue", Canvas(noise=0))
        >>> picture.caption, picture.pixels[0, 0].tolist()
        ('left red, right blue.', [220, 30, 30])
    """
    on, rng = canvas or Canvas(), np.random.default_rng(seed)
    reach = on.jitter * on.size / 16
    border = round(on.size / 2 + rng.uniform(-reach, reach))
    segments = np.zeros((on.size, on.size), np.int16)
    segments[:, border:] = 1
    sides = tuple(Region(color, side) for color, side in zip((left, right), SIDES, strict=True))
    return _painted(segments, sides, HALVES, on, rng)


def shapes(
    drawn: Sequence[tuple[str, str]],
    canvas: Canvas | None = None,
    *,
    background: str = BACKGROUND,
    seed: int = 0,
) -> Picture:
    """Coloured shapes, each in a cell of its own: ``red circle, blue square.``

    Args:
        drawn: Colour and shape of each, in the order of the caption; all colours differ, and so do
            all shapes.
        canvas: What they are drawn on; None for the default.
        background: The colour behind them; it belongs to no region.
        seed: Of the noise, of the cells, and of places and sizes within these.

    Raises:
        SemanticHubError: An unknown colour or shape, one that comes twice, no shapes, or more
            shapes than cells.

    Example:
        >>> picture = shapes([("red", "circle"), ("blue", "square")], seed=3)
        >>> picture.caption, sorted(set(picture.segments.ravel().tolist()))
        ('red circle, blue square.', [-1, 0, 1])
    """
    on, rng = canvas or Canvas(), np.random.default_rng(seed)
    regions = tuple(Region(color, shape) for color, shape in drawn)
    _check_shapes(regions, background, on)
    rows, columns = on.cells
    chosen = rng.permutation(rows * columns)[: len(regions)].tolist()
    boxes = [_box(cell // columns, cell % columns, on, rng) for cell in chosen]
    segments = _drawn([region.name for region in regions], boxes, on.size)
    return _painted(segments, regions, SHAPES_KIND, on, rng, background)


_SMALLEST_CELL = 4
_ARM = 0.45  # width of a cross' arms, of its side
_SMALLEST_SHAPE = 0.85  # side of a shape, of its cell

_Box = tuple[int, int, int, int]  # left, top, right, bottom, all inside


def _check_shapes(regions: tuple[Region, ...], background: str, on: Canvas) -> None:
    colors, names = ({getattr(region, what) for region in regions} for what in ("color", "name"))
    distinct = len(colors | {background}) == len(regions) + 1 and len(names) == len(regions)
    if not regions or not distinct or not names <= set(SHAPES) or len(regions) > np.prod(on.cells):
        raise SemanticHubError(
            "shapes",
            got=f"{caption_of(regions)} on {background}, {on.cells} cells",
            expected=f"different ones of {', '.join(SHAPES)} in different colours, other than the "
            "background's, and no more than cells",
            fix="Change a shape or a colour, or draw on more cells.",
        )


def _box(row: int, column: int, on: Canvas, rng: np.random.Generator) -> _Box:
    """Where in its cell a shape is, and how large."""
    left, right = (on.size * (column + step) // on.cells[1] for step in (0, 1))
    top, bottom = (on.size * (row + step) // on.cells[0] for step in (0, 1))
    room = min(right - left, bottom - top)
    side = max(3, round(room * (1 - on.jitter * rng.uniform(0, 1 - _SMALLEST_SHAPE))))
    x, y = (_within(slack - side, on.jitter, rng) for slack in (right - left, bottom - top))
    return left + x, top + y, left + x + side - 1, top + y + side - 1


def _within(slack: int, jitter: float | int, rng: np.random.Generator) -> int:
    """An offset: in the middle without jitter, anywhere with all of it."""
    return round(slack / 2 + jitter * rng.uniform(-slack / 2, slack / 2))


def _drawn(names: Sequence[str], boxes: Sequence[_Box], size: int) -> Int[np.ndarray, "size size"]:
    from PIL import Image, ImageDraw

    image = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(image)
    for index, (name, box) in enumerate(zip(names, boxes, strict=True), start=1):
        _draw(draw, name, box, index)
    return np.asarray(image).astype(np.int16) - 1


def _draw(draw: Any, name: str, box: _Box, fill: int) -> None:
    left, top, right, bottom = box
    if name == "circle":
        draw.ellipse(box, fill=fill)
    elif name == "square":
        draw.rectangle(box, fill=fill)
    elif name == "triangle":
        draw.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill=fill)
    else:
        inset = round((right - left + 1) * (1 - _ARM) / 2)
        draw.rectangle((left + inset, top, right - inset, bottom), fill=fill)
        draw.rectangle((left, top + inset, right, bottom - inset), fill=fill)


def _painted(
    segments: Int[np.ndarray, "height width"],
    regions: tuple[Region, ...],
    kind: str,
    on: Canvas,
    rng: np.random.Generator,
    background: str = BACKGROUND,
) -> Picture:
    """Colours filled in from the segments, with noise."""
    colors = [region.color for region in regions]
    unknown = [color for color in (*colors, background) if color not in COLORS]
    if unknown or len(set(colors)) < len(colors):
        raise SemanticHubError(
            "images",
            got=f"colours {', '.join((*colors, background))}",
            expected=f"different ones of {', '.join(COLORS)}",
            fix="Use these words, each once.",
        )
    palette = np.array([COLORS[color] for color in (*colors, background)], np.float64)
    clean = palette[segments]  # the background is last: NOTHING
    noisy = clean + on.noise * rng.standard_normal(clean.shape)
    pixels = noisy.round().clip(0, 255).astype(np.uint8)
    return Picture(pixels, caption_of(regions), segments, regions, kind)


def random_picture(
    rng: np.random.Generator, canvas: Canvas | None = None, *, kind: str | None = None
) -> Picture:
    """Something drawn at random: its kind, its colours, its shapes, and where they are.

    Args:
        rng: Where the draws come from.
        canvas: What it is drawn on; None for the default.
        kind: One of `KINDS`; None for any, shapes half of the time.

    Raises:
        SemanticHubError: Another kind.

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
    """Several of `random_picture`; the i-th depends on the seed and i alone.

    Args:
        count: How many.
        canvas: What they are drawn on; None for the default.
        kind: One of `KINDS`; None for any.
        seed: Of all draws.

    Example:
        >>> [picture.kind for picture in random_pictures(2, kind="halves")]
        ['halves', 'halves']
    """
    return tuple(
        random_picture(np.random.default_rng([seed, index]), canvas, kind=kind)
        for index in range(count)
    )


def drawn_pictures(
    canvas: Canvas | None = None, *, per_kind: int = 110, seed: int = 0
) -> tuple[Picture, ...]:
    """Pictures of each of `KINDS`, with as little repetition as there can be.

    Every colour by itself; the ordered pairs of different colours as halves, all 110 of them in a
    random order; and random shapes.

    Args:
        canvas: What they are drawn on; None for the default.
        per_kind: Pictures of each kind; colours, and pairs of them, come again as needed.
        seed: Of all draws.

    Example:
        >>> len({picture.caption for picture in drawn_pictures() if picture.kind == "halves"})
        110
    """
    rng = np.random.default_rng([seed, 1])
    every = [(left, right) for left in COLORS for right in COLORS if left != right]
    two = [every[place] for place in rng.permutation(len(every))]
    one = rng.permutation(list(COLORS)).tolist()
    seeds = [int(number) for number in rng.integers(2**32, size=2 * per_kind)]
    return (
        *(one_color(one[i % len(one)], canvas, seed=seeds[i]) for i in range(per_kind)),
        *(_two(two[i % len(two)], canvas, seeds[per_kind + i]) for i in range(per_kind)),
        *random_pictures(per_kind, canvas, kind=SHAPES_KIND, seed=seed),
    )


def _two(colors: tuple[str, str], canvas: Canvas | None, seed: int) -> Picture:
    return halves(colors[0], colors[1], canvas, seed=seed)
