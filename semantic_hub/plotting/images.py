"""Write figures as image files, for papers and slides."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import SemanticHubError, check_choice, require, writing

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORMATS = (".png", ".jpg", ".webp", ".svg", ".pdf")
"""Ends of file names that plotly can write."""

_PIXELS = 96
"""Of an inch, as browsers and plotly count."""

_POINTS = 8
_SCREEN_WIDTH, _SCREEN_HEIGHT = 648, 330
"""Pixels: a figure of 6.75 inches keeps its height, a narrower one is lower."""

_SIGN, _LETTER, _LOOSE, _TITLE = 50, 0.55, 1.3, 1.2
"""Of a legend: pixels of a sign, a letter's width as a part of its height, and how much of its
lines stays empty; of an axis: letters of its title in a line, as a part of those that would fit."""


def write_image(figure: "go.Figure", path: str | Path, *, scale: float | int = 2) -> Path:
    """Write a figure as an image, in the format that the file's name ends in.

    It needs the extra ``images``: plotly draws images with kaleido, which runs a Chrome browser.

    Args:
        figure: Of any result.
        path: The file, ending in one of `FORMATS`.
        scale: Pixels for each of the figure's own, for ``.png``, ``.jpg`` and ``.webp``.

    Returns:
        The file.

    Raises:
        SemanticHubError: Another ending, no kaleido, no Chrome, or a place that cannot be written.
    """
    path = Path(path)
    check_choice("write_image", "format", path.suffix.lower(), FORMATS)
    with writing("write_image", path), _drawing("write_image"):
        figure.write_image(path, scale=scale)
    return path


def write_images(figures: "Sequence[go.Figure]", paths: Sequence[Path]) -> None:
    """Write many figures, in one run of the browser.

    Args:
        figures: Each has the width and the height of its layout.
        paths: A file for each.

    Raises:
        SemanticHubError: As `write_image`.
    """
    if figures:
        with writing("write_images", paths[0]), _drawing("write_images"):
            from plotly.io import write_images as write

            sizes = {
                side: [figure.layout[side] for figure in figures] for side in ("width", "height")
            }
            write([*figures], [*paths], **sizes)


def for_print(figure: "go.Figure", width: float | int) -> "go.Figure":
    """A copy of a figure as a paper prints it: on white, black letters of 8 points, no title.

    Args:
        figure: Of any result; its own height, if it has one, stays in proportion.
        width: In inches.

    Example:
        >>> import plotly.graph_objects as go
        >>> printed = for_print(go.Figure(go.Scatter(y=[1, 2])), 3.25)
        >>> printed.layout.width, printed.layout.font.size
        (312, 10.666666666666666)
    """
    import plotly.graph_objects as go

    copy = go.Figure(figure)
    letters, pixels = _POINTS / 72 * _PIXELS, round(width * _PIXELS)
    left, right = 5 * letters, letters
    traces: Any = copy.select_traces()
    names = [trace.name or "" for trace in traces if trace.showlegend is not False]
    entries = sum(_SIGN + _LETTER * letters * len(name) for name in names) / (pixels - left - right)
    legend = 1.8 * letters * ceil(_LOOSE * entries) if len(names) > 1 else 0
    drawn = (copy.layout.height or _SCREEN_HEIGHT) * min(1, (pixels / _SCREEN_WIDTH) ** 0.5)
    copy.update_layout(
        title=None,
        width=pixels,
        height=round(drawn + legend),
        margin={"t": 2 * letters, "l": left, "r": right, "b": 4 * letters + legend},
        legend={"x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"size": letters, "color": "black"},
    )
    copy.update_annotations(font={"size": letters, "color": "black"})
    for axis in (*copy.select_xaxes(), *copy.select_yaxes()):
        lines = wrap(axis.title.text or "", int(_TITLE * drawn / letters))
        axis.title = {
            "text": "<br>".join(lines),
            "font": {"size": letters},
            "standoff": letters / 2,
        }
    return copy


@contextmanager
def _drawing(operation: str) -> Iterator[None]:
    """Context in which kaleido draws; a missing browser is the package's error."""
    require("kaleido")
    try:
        yield
    except RuntimeError as error:  # plotly's, of a missing browser or an old kaleido
        raise SemanticHubError(
            operation,
            got=f"a figure that kaleido does not draw ({error})",
            expected="kaleido and a Chrome browser on this machine",
            fix="Run plotly_get_chrome, or write the figure with write_html.",
        ) from error
