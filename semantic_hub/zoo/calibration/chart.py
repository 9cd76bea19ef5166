"""Chart of power as SVG text: small panels of lines for light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

from semantic_hub.plotting.style import PALETTE, TEXT_COLOR, nth

Panels = Mapping[str, Float[np.ndarray, "across line"]]
"""Mapping from title to power."""

_WIDTH, _HEIGHT = 150, 96
_PITCH_X, _PITCH_Y = 208, 152
_LEFT, _TOP, _RIGHT = 44, 60, 40
_COLUMNS = 4


def power_chart(
    panels: Panels,
    across: Sequence[float],
    lines: Sequence[int],
    *,
    across_name: str = "noise / stream",
    line_name: str = "pairs",
    alpha: float = 0.05,
) -> str:
    """Draw power, one panel for each title and one line for each number.

    Args:
        panels: Power in [0, 1] along the axis and for each line; a line with NaN is not drawn.
        across: The horizontal axis, evenly spaced.
        lines: The number that each line is of.
        across_name: What the horizontal axis is.
        line_name: What the lines count.
        alpha: Level of the test, drawn as a dashed line.

    Returns:
        A whole SVG document.

    Example:
        >>> chart = power_chart({"cosine": np.array([[1.0], [0.5]])}, [1.0, 2.0], [48])
        >>> chart.count("<polyline"), "48 pairs" in chart
        (1, True)
    """
    rows = -(-len(panels) // _COLUMNS)
    width, height = _LEFT + _COLUMNS * _PITCH_X + _RIGHT, _TOP + rows * _PITCH_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{TEXT_COLOR}">',
        f"<title>Power against {across_name}, by {line_name}</title>",
        *_legend(lines, across_name, line_name),
    ]
    for index, (title, power) in enumerate(panels.items()):
        x, y = index % _COLUMNS * _PITCH_X + _LEFT, index // _COLUMNS * _PITCH_Y + _TOP
        inside = [*_axes(title, across, alpha), *_lines(power)]
        parts += [f'<g transform="translate({x} {y})">', *inside, "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _legend(numbers: Sequence[int], across_name: str, line_name: str) -> list[str]:
    """Legend of the lines and axes."""
    pitch = 45 + 7 * len(line_name)
    x = _LEFT + len(numbers) * pitch
    parts = [f'<text x="{x}" y="22">across: {across_name}; up: power; dashed: α</text>']
    for index, number in enumerate(numbers):
        x, color = _LEFT + index * pitch, nth(PALETTE, index)
        parts.append(f'<path d="M{x} 18h20" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 25}" y="22">{number} {line_name}</text>')
    return parts


def _axes(title: str, across: Sequence[float], alpha: float) -> list[str]:
    """Title, grid and labels of one panel."""
    grid = f'stroke="{TEXT_COLOR}" stroke-opacity="0.35"'
    parts = [f'<text y="-10" font-size="12">{escape(title)}</text>']
    for level in (0.0, 0.5, 1.0):
        parts.append(f'<path d="M0 {_y(level):.1f}h{_WIDTH}" {grid}/>')
        parts.append(f'<text x="-6" y="{_y(level) + 4:.1f}" text-anchor="end">{level:g}</text>')
    parts.append(f'<path d="M0 {_y(alpha):.1f}h{_WIDTH}" {grid} stroke-dasharray="4 3"/>')
    for index, place in enumerate(across):
        x, y = _x(index, len(across)), _HEIGHT + 15
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{place:g}</text>')
    return parts


def _lines(power: Float[np.ndarray, "noise number"]) -> list[str]:
    """Lines of one panel."""
    parts = []
    for index, line in enumerate(power.T):
        if not np.isnan(line).any():
            points = [f"{_x(i, len(line)):.1f},{_y(value):.1f}" for i, value in enumerate(line)]
            color = nth(PALETTE, index)
            shape = f'fill="none" stroke="{color}" stroke-width="2"'
            parts.append(f'<polyline points="{" ".join(points)}" {shape}/>')
    return parts


def _x(index: int, number: int) -> float:
    """Horizontal position of a noise in a panel."""
    return _WIDTH * index / max(1, number - 1)


def _y(level: float) -> float:
    """Vertical position of a power in a panel."""
    return _HEIGHT * (1 - level)
