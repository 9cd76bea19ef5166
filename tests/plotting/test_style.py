"""The look of all figures: colors that readers can tell apart, titles and ticks that fit."""

from itertools import combinations

import numpy as np
import pytest

from semantic_hub.plotting.style import (
    CELL_TEXT,
    MARKS,
    PALETTE,
    SEQUENTIAL,
    TEXT_COLOR,
    axis_ticks,
    layer_ticks,
    layout,
)

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip


def linear(color: str) -> np.ndarray:
    channels = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, D65."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    scaled = to_xyz @ rgb.clip(0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
def test_every_two_colors_can_be_told_apart(sight: str) -> None:
    seen = [lab(SIGHT[sight] @ linear(color)) for color in PALETTE]
    distances = [np.linalg.norm(one - other) for one, other in combinations(seen, 2)]
    assert min(distances) > 8  # 2 to 3 is just noticeable; curves also differ in their marks


def test_text_can_be_read_on_both_grounds_and_on_every_cell() -> None:
    assert min(contrast(TEXT_COLOR, ground) for ground in ("#FFFFFF", "#000000")) > 4.5
    assert min(contrast(CELL_TEXT, color) for _, color in SEQUENTIAL) > 7


def test_marks_stand_out_from_cells() -> None:
    pale, full = (color for _, color in SEQUENTIAL)
    for mark in MARKS:
        assert np.linalg.norm(lab(linear(mark)) - lab(linear(pale))) > 30
        assert np.linalg.norm(lab(linear(mark)) - lab(linear(full))) > 30


def test_titles_are_escaped_wrapped_and_given_room() -> None:
    import plotly.graph_objects as go

    short = go.Figure(layout=layout("short", "layer", "y")).layout
    name = "a name of a set that is much too long for a narrow page <b>"
    long = go.Figure(layout=layout(name, "layer", "y")).layout
    lines = long.title.text.split("<br>")
    assert len(lines) == 2 and lines[1].endswith("&lt;b&gt;") and max(map(len, lines)) < 50
    assert long.margin.t == short.margin.t + 20


@pytest.mark.parametrize("n", [1, 2, 9, 13, 14, 33, 81])
def test_ticks_name_first_and_last_layer_and_are_few(n: int) -> None:
    ticks = layer_ticks(range(n))
    assert ticks["ticktext"][0] == "emb" and ticks["tickvals"][-1] == n - 1
    assert len(ticks["tickvals"]) == len(set(ticks["tickvals"])) <= 13
    assert axis_ticks([]) == []
