"""Small pictures as SVG, for tables and notebooks: they need no script."""

import html
from collections.abc import Collection, Sequence
from math import isnan

from semantic_hub.models.layers import layer_name

_BLUE, _VERMILION, _GRAY = "#0072B2", "#D55E00", "#767676"
"""The first colors and that of texts in `semantic_hub.plotting.style`, which imports plotly."""

_DOT = 3


def curve_svg(
    layers: Sequence[int],
    value: Sequence[float | int],
    low: Sequence[float | int],
    high: Sequence[float | int],
    label: str,
    *,
    span: tuple[float | int, float | int] | None = None,
    marked: Collection[int] = (),
    size: tuple[int, int] = (280, 90),
    axes: bool = True,
) -> str:
    """A curve over layers with its interval and a line at 0, as SVG.

    Args:
        layers: Where the points are, ascending.
        value: Heights; NaN leaves a point out.
        low: Lower ends of the interval.
        high: Upper ends.
        label: What it shows, for those who do not see it; the height's unit is enough beside a
            table.
        span: Heights at the bottom and the top; None for those of the interval.
        marked: Layers whose points get a dot.
        size: Width and height in pixels, without the axes.
        axes: Whether the first and last layer and the ends of the height are written beside it.

    Returns:
        The picture; empty for less than two layers, or without a height.

    Example:
        >>> curve_svg([0, 1], [0.1, 0.4], [0.0, 0.3], [0.2, 0.5], "cosine").count("<poly")
        2
    """
    (width, height), left = size, 44 if axes else 4
    ends = [end for end in (*value, *low, *high) if not isnan(end)]
    if len(layers) < 2 or not ends:
        return ""
    bottom, top = span or (min(ends), max(ends))
    across, up = layers[-1] - layers[0], (top - bottom) or 1.0

    def place(layer: int, y: float | int) -> tuple[float, float]:
        inside = min(max(y, bottom), top)
        return (
            left + (layer - layers[0]) / across * width,
            height - (inside - bottom) / up * (height - (12 if axes else 4)),
        )

    def points(heights: Sequence[float | int]) -> list[str]:
        places = [place(layer, y) for layer, y in zip(layers, heights, strict=True) if not isnan(y)]
        return [f"{x:.1f},{y:.1f}" for x, y in places]

    band = " ".join([*points(low), *reversed(points(high))])
    shapes = [
        f'<polygon points="{band}" fill="{_BLUE}" opacity="0.25"/>',
        f'<polyline points="{" ".join(points(value))}" fill="none" stroke="{_BLUE}" '
        'stroke-width="2"/>',
    ]
    if bottom <= 0 <= top:
        (x, zero), (end, _) = place(layers[0], 0), place(layers[-1], 0)
        shapes.insert(
            0,
            f'<line x1="{x:.1f}" x2="{end:.1f}" y1="{zero:.1f}" y2="{zero:.1f}" '
            f'stroke="{_GRAY}" stroke-dasharray="2 3"/>',
        )
    for layer, y in zip(layers, value, strict=True):
        if layer in marked and not isnan(y):
            right, down = place(layer, y)
            shapes.append(
                f'<circle cx="{right:.1f}" cy="{down:.1f}" r="{_DOT}" fill="{_VERMILION}"/>'
            )
    if axes:
        shapes += [
            f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
            for x, y, anchor, text in (
                (left - 4, 16, "end", f"{top:.3g}"),
                (left - 4, height, "end", f"{bottom:.3g}"),
                (left, height + 16, "start", f"layer {layer_name(layers[0])}"),
                (left + width, height + 16, "end", layer_name(layers[-1])),
            )
        ]
    full = left + width + (8 if axes else 4), height + (24 if axes else 4)
    return (
        f'<svg viewBox="0 0 {full[0]} {full[1]}" width="{full[0]}" height="{full[1]}" role="img" '
        f'fill="{_GRAY}" font-family="system-ui, sans-serif" font-size="11">'
        f"<title>{html.escape(label)}</title>{''.join(shapes)}</svg>"
    )
