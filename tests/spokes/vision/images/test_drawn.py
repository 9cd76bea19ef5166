"""Drawn pictures: every pixel belongs to what a second rasteriser says, whatever the noise."""

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.vision.images.drawn import (
    BACKGROUND,
    KINDS,
    Canvas,
    drawn_pictures,
    halves,
    one_color,
    random_picture,
    random_pictures,
    shapes,
)
from semantic_hub.spokes.vision.images.picture import (
    COLORS,
    NOTHING,
    SHAPES,
    Picture,
    Region,
    caption_of,
    patch_features,
)
from semantic_hub.zoo.world.facts import World


def nearest_color(rgb: np.ndarray) -> str:
    distances = {name: np.linalg.norm(rgb - np.array(own)) for name, own in COLORS.items()}
    return min(distances, key=distances.__getitem__)


def inside(shape: str, box: tuple[float, float, float, float], y: float, x: float, margin: float):
    """Whether a pixel's centre is inside a shape that is larger by a margin: by its formula."""
    left, top, right, bottom = box  # edges, not pixels
    if not (left - margin < x < right + margin and top - margin < y < bottom + margin):
        return False
    middle, width = (left + right) / 2, right - left
    if shape == "circle":
        radius = width / 2 + margin
        return (x - middle) ** 2 + (y - (top + bottom) / 2) ** 2 < radius**2
    if shape == "triangle":
        half = (y - top) / (bottom - top) * width / 2
        return abs(x - middle) < half + margin * (1 + width / 2 / (bottom - top))
    if shape == "cross":
        arm = 0.45 * width / 2 + margin
        return abs(x - middle) < arm or abs(y - (top + bottom) / 2) < arm
    return True


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [32, 45, 128])
def test_segments_are_the_shape_that_its_formula_gives(shape: str, size: int) -> None:
    for seed in range(5):
        picture = shapes([("red", shape)], Canvas(size=size), seed=seed)
        assert picture.segments is not None
        own = picture.segments == 0
        ys, xs = np.nonzero(own)
        box = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        for y, x in np.ndindex(own.shape):
            if inside(shape, box, y + 0.5, x + 0.5, margin=-1.01):
                assert own[y, x], (shape, y, x)
            if own[y, x]:
                assert inside(shape, box, y + 0.5, x + 0.5, margin=1.01), (shape, y, x)


def test_every_pixel_has_the_colour_of_its_region_and_noise_moves_none() -> None:
    for index in range(40):
        clean, noisy = (
            random_picture(np.random.default_rng(index), Canvas(noise=noise)) for noise in (0, 10)
        )
        np.testing.assert_array_equal(clean.segments, noisy.segments)
        palette = {i: region.color for i, region in enumerate(clean.regions)} | {
            NOTHING: BACKGROUND
        }
        for region, color in palette.items():
            there = clean.pixels[clean.segments == region]
            assert (there == COLORS[color]).all()
            if len(there):
                mean = noisy.pixels[noisy.segments == region].mean(axis=0)
                assert nearest_color(mean) == color
        assert clean.caption == caption_of(clean.regions)


def test_shapes_are_apart_from_each_other_and_whole() -> None:
    """Alone in its cell, and as many pixels as the same shape drawn alone."""
    for seed in range(30):
        drawn = list(zip(("red", "blue", "pink", "grey"), SHAPES, strict=True))
        segments = shapes(drawn, seed=seed).segments
        assert segments is not None
        cells = set()
        for index in range(4):
            ys, xs = np.nonzero(segments == index)
            assert (ys.min() // 16, xs.min() // 16) == (ys.max() // 16, xs.max() // 16)
            cells.add((ys.min() // 16, xs.min() // 16))
        assert len(cells) == 4


def test_without_jitter_shapes_are_in_the_middle_and_halves_are_halves() -> None:
    still = Canvas(size=32, jitter=0, noise=0, cells=(1, 1))
    square = shapes([("red", "square")], still).segments
    two = halves("red", "blue", Canvas(jitter=0)).segments
    assert square is not None and two is not None
    assert (square == 0).all()
    assert (two == np.repeat([0, 1], 16)).all()


def test_the_border_between_halves_moves_by_a_sixteenth_at_most() -> None:
    borders = set()
    for seed in range(60):
        segments = halves("red", "blue", seed=seed).segments
        assert segments is not None
        borders.add(int((segments[0] == 0).sum()))
        assert (segments == segments[0]).all()
    assert borders == {14, 15, 16, 17, 18}


def test_a_seed_decides_everything() -> None:
    one, same, other = (random_pictures(20, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
    assert [a.caption for a in one] != [c.caption for c in other]
    np.testing.assert_array_equal(random_pictures(20, seed=1)[7].pixels, one[7].pixels)
    assert {picture.kind for picture in random_pictures(60)} == set(KINDS)


def test_the_default_pictures_hold_each_pair_of_colours_once() -> None:
    by_kind = {kind: [p for p in drawn_pictures() if p.kind == kind] for kind in KINDS}
    pairs = {tuple(r.color for r in p.regions) for p in by_kind["halves"]}
    assert len(pairs) == len(by_kind["halves"]) == 11 * 10
    colors = [p.regions[0].color for p in by_kind["one colour"]]
    assert {colors.count(color) for color in COLORS} == {10}
    assert all(BACKGROUND not in {r.color for r in p.regions} for p in by_kind["shapes"])


def test_colours_are_words_of_the_world_and_far_apart() -> None:
    world = {term.forms["en"] for term in World(seed=0).kind("color")}
    assert set(COLORS) == world
    values = np.array(list(COLORS.values()), float)
    distances = np.linalg.norm(values[:, None] - values, axis=-1)
    assert distances[~np.eye(len(values), dtype=bool)].min() > 60


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: one_color("mauve"), "mauve"),
        (lambda: halves("red", "red"), "each once"),
        (lambda: shapes([]), "no more than cells"),
        (lambda: shapes([("red", "star")]), "red star"),
        (lambda: shapes([("black", "circle")]), "black circle"),
        (lambda: shapes([("red", "circle"), ("red", "square")]), "different"),
        (lambda: shapes([("red", "circle")] * 2), "different"),
        (lambda: shapes([("red", "circle"), ("blue", "cross")], Canvas(cells=(1, 1))), "cells"),
        (lambda: Canvas(size=7), "size 7"),
        (lambda: Canvas(noise=float("nan")), "nan"),
        (lambda: Canvas(jitter=2), "jitter 2"),
        (lambda: random_picture(np.random.default_rng(0), kind="star"), "star"),
    ],
)
def test_what_cannot_be_drawn(make, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        make()


def test_patches_are_cut_row_by_row() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    cut = patch_features(pixels, patch=2)
    assert cut.shape == (6, 12) and cut.dtype == np.float32
    for index in range(6):
        row, column = 2 * (index // 3), 2 * (index % 3)
        np.testing.assert_array_equal(
            cut[index], pixels[row : row + 2, column : column + 2].ravel() / np.float32(255)
        )
    with pytest.raises(SemanticHubError, match="multiples of 4"):
        patch_features(pixels, patch=4)


def test_a_picture_checks_itself() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    segments = np.array([[0, 0, -1], [0, 1, 1]])
    regions = (Region("red", "circle"), Region("blue", "dog"))
    picture = Picture(pixels, "x", segments, regions)
    assert picture.image.size == (3, 2)
    assert [region.label for region in (*regions, Region("red", "left"), Region("red"))] == [
        "circle",
        "dog",
        "red",
        "red",
    ]
    with pytest.raises(SemanticHubError, match=r"\(2, 3\) of 1 regions"):
        Picture(pixels, "x", segments, regions[:1])
    assert Picture(pixels, "x", np.full((2, 3), -1)).regions == ()
    with pytest.raises(SemanticHubError, match=r"a\.png: .*caption ' '"):
        Picture(pixels, " ", name="a.png")


@pytest.mark.usefixtures("without_shape_checks")
def test_segments_are_as_large_as_the_picture() -> None:
    with pytest.raises(SemanticHubError, match=r"\(1, 3\) of 1 regions; expected \(2, 3\)"):
        Picture(np.zeros((2, 3, 3), np.uint8), "x", np.zeros((1, 3), int), (Region("red"),))


def test_the_middle_square_keeps_pixels_and_segments_together() -> None:
    pixels = np.arange(2 * 6 * 3, dtype=np.uint8).reshape(2, 6, 3)
    segments = np.array([[0, 0, 1, 2, 3, 3]] * 2)
    square = Picture(pixels, "x", segments, (Region("red"),) * 4).square()
    np.testing.assert_array_equal(square.pixels, pixels[:, 2:4])
    assert square.segments is not None and square.segments.tolist() == [[1, 2]] * 2
