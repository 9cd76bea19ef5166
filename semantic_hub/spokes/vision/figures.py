"""Figure of a picture with the top token of each of its patches."""

import base64
from io import BytesIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import UInt8

from semantic_hub.errors import SemanticHubError, require
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.style import layout
from semantic_hub.plotting.text import display_token, shortened

_LONGEST = 256
"""Longest side of an inline image in pixels."""

_LARGEST_TEXT = 14
"""Largest size of a token on a patch."""

_LONGEST_WORD = 8
"""Most letters of a token on a patch; the hover text has all of them."""


def picture_words(
    pixels: UInt8[np.ndarray, "height width 3"],
    frame: pd.DataFrame,
    layer: int,
    grid: tuple[int, int],
    *,
    title: str = "",
) -> go.Figure:
    """Draw a picture with the top token of each patch at one layer.

    The image is inline, at most 256 pixels wide and high, and the texts are escape.

    Args:
        pixels: The picture.
        frame: ``TopTokens.to_frame()`` of one prompt for each patch, row by row, such as
            ``[encoded.at_patch(p, wording) for p in range(encoded.n_patches)]``.
        layer: The layer.
        grid: Rows and columns of patches.
        title: Title of the figure; empty for one that names the layer.

    Returns:
        Figure whose hover texts have the tokens' probabilities.

    Raises:
        SemanticHubError: The frame lacks the layer, or has not one prompt for each patch.

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
    texts = [str(text) for text in top["text"]]
    figure = go.Figure(
        go.Scatter(
            x=np.tile(np.arange(columns) + 0.5, rows).tolist(),
            y=np.repeat(np.arange(rows) + 0.5, columns).tolist(),
            mode="text",
            text=[display_token(shortened(text.strip() or text, _LONGEST_WORD)) for text in texts],
            textfont={
                "color": _text_colors(pixels, grid),
                "shadow": "auto",
                "size": _text_size(columns),
            },
            customdata=[
                [display_token(text), probability]
                for text, probability in zip(texts, top["probability"], strict=True)
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
        range=[rows, 0], visible=False, scaleanchor="x", scaleratio=_patch_aspect(pixels, grid)
    )


def inline_image(pixels: UInt8[np.ndarray, "height width 3"]) -> str:
    """Data URL of a picture as a PNG file.

    Args:
        pixels: The picture; it is shrunk to at most 256 pixels on its longer side, or enlarged by
            a whole number, pixel by pixel, if it is smaller.

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


def _text_colors(pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]) -> list[str]:
    """Color of each patch's token: black if the middle of the patch is light, else white."""
    coordinates = [
        (np.arange(n) + 0.5) * length / n for length, n in zip(pixels.shape[:2], grid, strict=True)
    ]
    middles = pixels[np.ix_(*(values.astype(int) for values in coordinates))]
    light = (middles @ [0.299, 0.587, 0.114]).ravel() > 150  # luma of Rec. 601
    return ["black" if bright else "white" for bright in light]


def _text_size(columns: int) -> int:
    """Text size at which words fit beside each other."""
    return max(4, min(_LARGEST_TEXT, 100 // columns))


def _patch_aspect(pixels: UInt8[np.ndarray, "height width 3"], grid: tuple[int, int]) -> float:
    """Height of a patch divided by its width."""
    height, width = pixels.shape[:2]
    return (height / grid[0]) / (width / grid[1])
