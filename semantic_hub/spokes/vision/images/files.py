"""Pictures from the user's own files, looked at before they are decoded.

An image's size and kind stand in its header, so one that is too large, or that holds several
images, is refused before its pixels are. Greys, palettes, transparency (laid on white), CMYK and
16-bit greys become 8-bit red, green and blue.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.tables import read_records, read_table
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000
"""The largest image that is read, unless asked otherwise."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""What in a folder of pictures counts as an image."""


def read_pictures(
    folder: str | Path,
    captions: str | Path,
    *,
    file: str = "file",
    caption: str = "caption",
    at_most: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Picture, ...]:
    """A folder of images, with a file that says what is on each.

    Args:
        folder: Where the images are; names in the captions file count from here.
        captions: A table with a header line, commas in ``.csv`` files, else tabs; or JSON objects,
            one a line, in ``.jsonl`` files. UTF-8.
        file: The column or field of the image's name.
        caption: That of its caption.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: The largest image that is read.

    Returns:
        One picture for each row, named after its file.

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
        Picture(read_image(Path(folder) / name, max_pixels=max_pixels), said, name=name)
        for name, said in chosen
    )


def read_image(
    path: str | Path, *, max_pixels: int = MAX_PIXELS, upright: bool = True
) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of one image file.

    Args:
        path: PNG, JPEG, WebP, or what else Pillow reads.
        max_pixels: More than these, and the image is refused before it is decoded.
        upright: Turn it as its EXIF orientation says. Annotations that were made of the pixels as
            they are stored need them so.

    Raises:
        SemanticHubError: No such file, one that is no image or damaged, too many pixels, several
            images in one (animations, pages), or numbers that have no fixed range (32-bit).

    Example:
        >>> from semantic_hub.spokes.vision.images.drawn import one_color
        >>> one_color("red").image.save("red.png")
        >>> read_image("red.png").shape
        (32, 32, 3)
    """
    from PIL import Image, ImageOps

    place = Path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters in a header is checked below
        try:
            with Image.open(place) as image:
                _check_header(place, image, max_pixels)
                image.load()
                turned = ImageOps.exif_transpose(image) if upright else image
                return np.array(_as_rgb(turned))
        except SemanticHubError:
            raise
        except Image.DecompressionBombError:
            raise _too_large(place, "an image", max_pixels) from None
        except FileNotFoundError:
            raise _error(f"{place}: no such file", "an image", "Check the path.") from None
        except _DAMAGED as error:
            raise _error(
                f"{place}: {type(error).__name__}", "an image that can be read", "Replace the file."
            ) from None


_DAMAGED = (
    OSError, SyntaxError, EOFError, struct.error, zlib.error,
    ArithmeticError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What Pillow's readers have been seen to raise for files that are no images, or damaged."""


def _rows(captions: str | Path, file: str, caption: str) -> Iterator[tuple[str, str]]:
    """The file and the caption of each row."""
    if Path(captions).suffix.lower() != ".jsonl":
        for row in read_table(captions, [file, caption], _OPERATION):
            yield row[file], row[caption]
        return
    for place, record in read_records(captions, _OPERATION):
        name, said = record.get(file), record.get(caption)
        if not isinstance(name, str) or not isinstance(said, str) or not said.strip():
            raise _error(
                f"{place}: {record}",
                f"text under {file!r} and {caption!r}",
                "Name the fields with file= and caption=, or fill them.",
            )
        yield name, said.strip()


def _check_folder(folder: Path, named: Sequence[str]) -> None:
    """Every caption has its image, and every image its caption."""
    if not folder.is_dir():
        raise _error(f"{folder}: no such folder", "a folder of images", "Check the path.")
    missing = [name for name in dict.fromkeys(named) if not (folder / name).is_file()]
    if missing:
        raise _error(
            f"{len(missing)} captions without an image in {folder}, such as that of {missing[0]!r}",
            "an image for each caption",
            "Add the images, or drop the rows.",
        )
    there = {p.resolve() for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES}
    silent = sorted(there - {(folder / name).resolve() for name in named})
    if silent or not named:
        raise _error(
            f"{len(silent)} images without a caption in {folder}"
            + (f", such as {silent[0].name!r}" if silent else ", and no rows"),
            "a caption for each image",
            "Add rows for them, or move them elsewhere.",
        )


def _check_header(place: Path, image: "Image", max_pixels: int) -> None:
    """What can be said before any pixel is decoded."""
    if image.width * image.height > max_pixels:
        raise _too_large(place, f"{image.width} × {image.height} pixels", max_pixels)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG, with previews behind it
        raise _error(f"{place}: {frames} images in one", "one image", "Save a frame of its own.")
    if image.mode in ("I", "F"):
        raise _error(
            f"{place}: 32-bit pixels (mode {image.mode})",
            "8 or 16 bits, whose black and white are known",
            "Scale it to 8 bits.",
        )


def _as_rgb(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint32) * 255 // 65535
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


_OPERATION = "read_pictures"


def _too_large(place: Path, what: str, max_pixels: int) -> SemanticHubError:
    return _error(
        f"{place}: {what}",
        f"at most {max_pixels} pixels",
        "Make it smaller, or raise max_pixels.",
    )


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError(_OPERATION, got=got, expected=expected, fix=fix)
