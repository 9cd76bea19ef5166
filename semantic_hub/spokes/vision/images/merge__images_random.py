"""Sets of drawn pictures, at random."""

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.vision.images.drawn import (
    BACKGROUND,
    HALVES,
    KINDS,
    ONE_COLOR,
    SHAPES_KIND,
    Canvas,
    halves,
    one_color,
    shapes,
)
from semantic_hub.spokes.vision.images.picture import COLORS, SHAPES, Picture


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
