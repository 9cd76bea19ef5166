"""Pictures with the word that each of their patches says, for the report."""

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import UInt8

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import layout
from semantic_hub.plotting.text import display_token, shortened
from semantic_hub.spokes.spelled_out import at_middle_layer
from semantic_hub.spokes.vision.inputs import Shown

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings


def patch_words(spelled: Mapping[str, Shown], found: "Findings") -> Mapping[str, "go.Figure"]:
    """Each picture with the top token of its patches at the middle layer.

    Args:
        spelled: Pictures, by the names that their patches have in the findings.
        found: What was found.
    """
    return {
        title: picture_words(shown.picture.pixels, top, layer, shown.grid, title=title)
        for name, shown, layer, top in at_middle_layer(spelled, found)
        for title in [f"{name}: {shown.picture.caption}"]
    }


_LONGEST = 256  # pixels of an inline image
_LARGEST_TEXT = 14
_LONGEST_WORD = 8  # letters on a patch; the hover text has all


def picture_words(
    pixels: UInt8[np.ndarray, "height width 3"],
    frame: pd.DataFrame,
    layer: int,
    grid: tuple[int, int],
    *,
    title: str = "",
) -> go.Figure:
    """A picture, and on each patch the likeliest token of one layer.

    The image is inline, at most 256 pixels wide and high, and the texts are escaped.

    Args:
        pixels: The picture.
        frame: ``TopTokens.to_frame()`` of one prompt for each patch, row by row, such as
            ``[shown.at(patch, wording) for patch in range(shown.n_patches)]``.
        layer: The layer.
        grid: Rows and columns of patches.
        title: Title of the figure; empty for one that names the layer.

    Returns:
        The figure; the hover text of a patch has the token's probability.

    Raises:
        SemanticHubError: A layer that the frame lacks, or not one prompt for each patch.

    Example:
        >>> frame = pd.DataFrame({"prompt": [0, 1], "layer": 3, "rank": 1,
        ...                       "text": [" red", "<b>"], "probability": [0.9, 0.2]})
        >>> figure = picture_words(np.zeros((8, 16, 3), np.uint8), frame, 3, (1, 2))
        >>> figure.data[0].text
        ('red', '&lt;b&gt;')
    """
    rows, columns = grid
    top = frame.loc[(frame["layer"] == layer) & (frame["rank"] == 1)].sort_values("prompt")
    if len(top) != rows * columns:
        raise SemanticHubError(
            "picture_words",
            got=f"{len(top)} top tokens of layer {layer} for {rows} × {columns} patches",
            expected="one for each patch",
            fix="Read one prompt for each patch, at this layer.",
        )
    said = [str(text) for text in top["text"]]
    figure = go.Figure(
        go.Scatter(
            x=np.tile(np.arange(columns) + 0.5, rows).tolist(),
            y=np.repeat(np.arange(rows) + 0.5, columns).tolist(),
            mode="text",
            text=[display_token(shortened(text.strip() or text, _LONGEST_WORD)) for text in said],
            textfont={
                "color": _inks(pixels, grid),
                "shadow": "auto",
                "size": _text_size(columns),
            },
            customdata=[
                [display_token(text), probability]
                for text, probability in zip(said, top["probability"], strict=True)
            ],
            hovertemplate="%{customdata[0]}: %{customdata[1]:.3g}<extra></extra>",
        ),
        layout=layout(title or f"layer {layer_name(layer)}", "", ""),
    )
    figure.add_layout_image(
        source=inline_image(pixels),
        xref="x",
        yref="y",
        x=0,
        y=0,
        sizex=columns,
        sizey=rows,
        sizing="stretch",
        layer="below",
    )
    figure.update_xaxes(range=[0, columns], visible=False, constrain="domain")
    return figure.update_yaxes(
        range=[rows, 0], visible=False, scaleanchor="x", scaleratio=_height_of(pixels, grid)
    )


def inline_image(pixels: UInt8[np.ndarray, "height width 3"]) -> str:
    """An image as the address of a PNG file that is in the address itself.

    Args:
        pixels: The picture; it is shrunk to at most 256 pixels on its longer side, and enlarged by
            a whole number, pixel by pixel, where it is smaller.

    Example:
        >>> inline_image(np.zeros((8, 8, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    require("PIL")
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((_LONGEST, _LONGEST))
    times = _LONGEST // max(image.size)
    image = image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)
    content = BytesIO()
    image.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def _inks(pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]) -> list[str]:
    """Black where the middle of a patch is light, else white."""
    places = [
        (np.arange(n) + 0.5) * length / n for length, n in zip(pixels.shape[:2], grid, strict=True)
    ]
    middles = pixels[np.ix_(*(place.astype(int) for place in places))]
    light = (middles @ [0.299, 0.587, 0.114]).ravel() > 150  # luma of Rec. 601
    return ["black" if bright else "white" for bright in light]


def _text_size(columns: int) -> int:
    """Small enough for words to stand beside each other."""
    return max(4, min(_LARGEST_TEXT, 100 // columns))


def _height_of(pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]) -> float:
    """How much higher than wide a patch is."""
    height, width = pixels.shape[:2]
    return (height / grid[0]) / (width / grid[1])
