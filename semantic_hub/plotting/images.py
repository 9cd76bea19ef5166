"""Write figures as image files, for papers and slides."""

from pathlib import Path
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError, check_choice, require, writing

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORMATS = (".png", ".jpg", ".webp", ".svg", ".pdf")
"""Ends of file names that plotly can write."""


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
    require("kaleido")
    with writing("write_image", path):
        try:
            figure.write_image(path, scale=scale)
        except RuntimeError as error:  # plotly's, of a missing browser or an old kaleido
            raise SemanticHubError(
                "write_image",
                got=f"a figure that kaleido does not draw ({error})",
                expected="kaleido and a Chrome browser on this machine",
                fix="Run plotly_get_chrome, or write the figure with write_html.",
            ) from error
    return path
