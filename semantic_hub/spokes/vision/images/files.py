"""Read pictures from image files with a table of captions.

The header of an image tells its size and kind, so an image that is too large, or a file with
several images, is refused before it is decoded. Gray, palette, transparent (on white), CMYK and
16-bit gray images become 8-bit red, green and blue.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from semantic_hub.errors import SemanticHubError, check_text, is_file, is_folder, reading, require
from semantic_hub.prompts.tables import read_records, read_table
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000
"""Default size of the largest image that is read."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""Suffixes of image files in a folder."""

_OPERATION = "read_pictures"


def read_pictures(
    folder: str | Path,
    captions: str | Path,
    *,
    file: str = "file",
    caption: str = "caption",
    at_most: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Picture, ...]:
    """Read a folder of images with a file of their captions.

    Args:
        folder: Folder of the images; names in the captions file are relative to it.
        captions: UTF-8 file: a table with a header line, separated by commas in ``.csv`` files and
            else by tabs; or JSON objects, one per line, in ``.jsonl`` files.
        file: Column or field of the image's name.
        caption: Column or field of the caption.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: Largest image that is read.

    Returns:
        One picture for each row, with its file as the name.

    Raises:
        SemanticHubError: A caption without an image, an image without a caption, an image that
            cannot be read (`read_image`), or a captions file that cannot.

    Example:
        >>> from pathlib import Path
        >>> from semantic_hub.spokes.vision.images.drawn import one_color
        >>> Path("pictures").mkdir()
        >>> one_color("red").image.save("pictures/a.png")
        >>> _ = Path("captions.tsv").write_text("file\\tcaption\\na.png\\tred.\\n")
        >>> [picture.caption for picture in read_pictures("pictures", "captions.tsv")]
        ['red.']
    """
    rows = list(_rows(captions, file, caption))
    _check_folder(Path(folder), [name for name, _ in rows])
    chosen = rows if at_most is None else evenly_spaced(rows, at_most)
    return tuple(
        Picture(read_image(Path(folder) / name, max_pixels=max_pixels), text, name=name)
        for name, text in chosen
    )


def read_image(
    path: str | Path, *, max_pixels: int = MAX_PIXELS, upright: bool = True
) -> UInt8[np.ndarray, "height width 3"]:
    """Read the pixels of an image file.

    Args:
        path: PNG, JPEG, WebP, or another format that Pillow reads.
        max_pixels: Images with more pixels are refused before they are decoded.
        upright: Whether to turn the image by its EXIF orientation; False for annotations of the
            stored pixels.

    Raises:
        SemanticHubError: A file that is missing, damaged or not an image, too many pixels, several
            images in one file (animations, pages), or pixels without a fixed range (32-bit).

    Example:
        >>> from semantic_hub.spokes.vision.images.drawn import one_color
        >>> one_color("red").image.save("red.png")
        >>> read_image("red.png").shape
        (32, 32, 3)
    """
    require("PIL")
    from PIL import Image, ImageOps

    expected, fix = "an image that can be read", "Replace the file."
    with (
        reading(_OPERATION, path, expected=expected, fix=fix) as file,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # what matters in a header is checked below
        try:
            with Image.open(file) as image:
                _check_header(file, image, max_pixels)
                image.load()
                turned = ImageOps.exif_transpose(image) if upright else image
                return np.array(_as_rgb(turned))
        except Image.DecompressionBombError:
            raise _too_large(file, "an image", max_pixels) from None


def _rows(captions: str | Path, file: str, caption: str) -> Iterator[tuple[str, str]]:
    """File and caption of each row."""
    if Path(captions).suffix.lower() != ".jsonl":
        for row in read_table(captions, [file, caption], _OPERATION):
            yield row[file], row[caption]
        return
    for location, record in read_records(captions, _OPERATION):
        name, text = record.get(file), record.get(caption)
        if not isinstance(name, str) or not isinstance(text, str) or not text.strip():
            raise _error(
                f"{location}: {record}",
                f"text under {file!r} and {caption!r}",
                "Name the fields with file= and caption=, or fill them.",
            )
        check_text(_OPERATION, location, name + text)
        yield name, text.strip()


def _check_folder(folder: Path, named: Sequence[str]) -> None:
    """Raise unless each caption has an image, and each image a caption."""
    if not is_folder(folder):
        raise _error(f"{folder}: no such folder", "a folder of images", "Check the path.")
    missing = [name for name in dict.fromkeys(named) if not is_file(folder / name)]
    if missing:
        raise _error(
            f"{len(missing)} captions without an image in {folder}, such as that of {missing[0]!r}",
            "an image for each caption",
            "Add the images, or drop the rows.",
        )
    images = {p.resolve() for p in folder.rglob("*") if _is_image(p)}
    without_caption = sorted(images - {(folder / name).resolve() for name in named})
    if without_caption or not named:
        raise _error(
            f"{len(without_caption)} images without a caption in {folder}"
            + (f", such as {without_caption[0].name!r}" if without_caption else ", and no rows"),
            "a caption for each image",
            "Add rows for them, or move them elsewhere.",
        )


def _is_image(path: Path) -> bool:
    """Whether a path is a file with the suffix of an image."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _check_header(path: Path, image: "Image", max_pixels: int) -> None:
    """Raise if an image's header shows that it cannot be read."""
    if image.width * image.height > max_pixels:
        raise _too_large(path, f"{image.width} × {image.height} pixels", max_pixels)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG, with previews behind it
        raise _error(f"{path}: {frames} images in one", "one image", "Save one frame as a file.")
    if image.mode in ("I", "F"):
        raise _error(
            f"{path}: 32-bit pixels (mode {image.mode})",
            "8 or 16 bits, whose black and white are known",
            "Scale it to 8 bits.",
        )


def _as_rgb(image: "Image") -> "Image":
    """Image with 8-bit red, green and blue."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.uint32) * 255 // 65535
        return Image.fromarray(gray.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    background = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(background, image.convert("RGBA")).convert("RGB")


def _too_large(path: Path, what: str, max_pixels: int) -> SemanticHubError:
    """Error for an image with too many pixels."""
    return _error(
        f"{path}: {what}",
        f"at most {max_pixels} pixels",
        "Make it smaller, or raise max_pixels.",
    )


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    """Error of this module."""
    return SemanticHubError(_OPERATION, got=got, expected=expected, fix=fix)
