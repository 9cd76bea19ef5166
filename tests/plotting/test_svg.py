"""Small pictures: their points, and nothing that a name could break."""

import re
from math import nan
from xml.etree import ElementTree

import pytest

from semantic_hub.plotting.svg import curve_svg


def coordinates(svg: str, tag: str) -> list[tuple[float, float]]:
    shape = ElementTree.fromstring(svg).find(tag)
    assert shape is not None
    return [tuple(map(float, point.split(","))) for point in shape.attrib["points"].split()]


def test_points_lie_where_layers_and_heights_are() -> None:
    svg = curve_svg(
        [2, 3, 6],
        [0, 1, 0.5],
        [0, 0.5, 0],
        [1, 1, 1],
        "share",
        span=(0, 1),
        size=(80, 44),
        axes=False,
    )
    left, top, bottom = 4, 4, 44
    assert coordinates(svg, "polyline") == [
        (left, bottom),
        (left + 20, top),
        (left + 80, (top + bottom) / 2),
    ]
    assert len(coordinates(svg, "polygon")) == 6


def test_what_is_outside_the_span_stands_at_its_end_and_nan_is_left_out() -> None:
    svg = curve_svg(
        [0, 1, 2], [2, nan, -2], [nan] * 3, [nan] * 3, "", span=(-1, 1), size=(10, 44), axes=False
    )
    assert [y for _, y in coordinates(svg, "polyline")] == [4, 44]


@pytest.mark.parametrize(("span", "lines"), [((-1, 1), 1), ((0, 1), 1), ((0.5, 1), 0)])
def test_zero_has_a_line_where_it_is_inside(span: tuple[float, float], lines: int) -> None:
    svg = curve_svg([0, 1], [1, 1], [1, 1], [1, 1], "", span=span)
    assert svg.count("<line") == lines


def test_marked_layers_have_dots() -> None:
    svg = curve_svg([0, 1, 2], [0, nan, 1], [0] * 3, [1] * 3, "", marked=(1, 2, 9))
    assert svg.count("<circle") == 1


def test_labels_are_escaped() -> None:
    svg = curve_svg([0, 1], [0, 1], [0, 1], [0, 1], "</title><script>")
    assert ElementTree.fromstring(svg).findtext("title") == "</title><script>"
    assert not re.search("<script", svg)


def test_one_layer_is_no_curve() -> None:
    assert (
        curve_svg([3], [1], [1], [1], "")
        == curve_svg([1, 2], [nan] * 2, [nan] * 2, [nan] * 2, "")
        == ""
    )
