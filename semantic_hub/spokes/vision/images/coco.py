"""Read pictures from COCO's layouts, with captions and panoptic segments.

Captions: one JSON file with ``images`` (id, file_name) and ``annotations`` (image_id, caption).
Panoptic: one JSON file with ``images``, ``categories`` (id, name) and ``annotations`` (image_id,
file_name, segments_info), and a folder of PNG files in which the id of a pixel's segment is red
+ 256 green + 65536 blue, 0 for none. Source: https://cocodataset.org/#format-data; Kirillov et al.
2019, Panoptic Segmentation, arXiv 1801.00868.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from semantic_hub.errors import SemanticHubError, check_text, reading
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.files import MAX_PIXELS, read_image
from semantic_hub.spokes.vision.images.picture import NOTHING, Picture, Region

SEGMENTS = "segments"
"""Kind of pictures with panoptic segments."""

_OPERATION = "images_coco"
_LAYOUT = "Give the JSON file as COCO has it."

_Fields = Mapping[str, type]
"""Mapping from the fields of a JSON object to their types."""


def coco_captions(
    annotations: str | Path,
    folder: str | Path,
    *,
    at_most: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Picture, ...]:
    """Read COCO images with their first caption, in the order of the file.

    Args:
        annotations: Captions file, such as ``captions_val2017.json``.
        folder: Folder of the images, such as ``val2017``.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: Largest image that is read.

    Returns:
        Pictures with pixels as stored, because COCO's annotations ignore the EXIF orientation.

    Raises:
        SemanticHubError: A file that is not in this layout, a caption of no image, an image without
            a caption or without a file, or as `semantic_hub.spokes.vision.images.files.read_image`.
    """
    content = _read(annotations)
    files = _files(annotations, content)
    captions = _captions(annotations, content)
    _check_same(annotations, files, captions)
    return tuple(
        Picture(
            _stored_pixels(Path(folder) / files[image], max_pixels),
            captions[image],
            name=files[image],
        )
        for image in _chosen_images(files, at_most)
    )


def coco_panoptic(
    annotations: str | Path,
    segments: str | Path,
    folder: str | Path,
    captions: str | Path | None = None,
    *,
    at_most: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Picture, ...]:
    """Read COCO images with panoptic regions and a caption.

    The name of a region is its category up to the first hyphen: ``wall`` for ``wall-brick``.

    Args:
        annotations: Panoptic file, such as ``panoptic_val2017.json``.
        segments: Folder of its PNG files, such as ``panoptic_val2017``.
        folder: Folder of the images, such as ``val2017``.
        captions: Captions file, such as ``captions_val2017.json``; None to use the distinct names
            of the categories as the caption.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: Largest image that is read.

    Raises:
        SemanticHubError: A file that is not in this layout, a PNG file with an id that its
            annotation lacks or of another size than its image, an image without a caption, or as
            `semantic_hub.spokes.vision.images.files.read_image`.
    """
    content = _read(annotations)
    files = _files(annotations, content)
    categories = _rows(annotations, content, "categories", {"id": int, "name": str})
    names = {row["id"]: row["name"].partition("-")[0] for row in categories}
    maps = _maps(annotations, content)
    _check_same(annotations, files, maps)
    texts = None if captions is None else _captions(captions, _read(captions))

    def picture(image: int) -> Picture:
        png, segments_info = maps[image]
        segment_names = _segment_names(png, segments_info, names)
        regions = tuple(Region(name=name) for name in segment_names.values())
        indices = _region_indices(Path(segments) / png, list(segment_names), max_pixels)
        pixels = _stored_pixels(Path(folder) / files[image], max_pixels)
        listed = ", ".join(dict.fromkeys(segment_names.values())) + "."
        caption = listed if texts is None else texts.get(image, "")
        return Picture(pixels, caption, indices, regions, SEGMENTS, files[image])

    return tuple(picture(image) for image in _chosen_images(files, at_most))


def _read(path: str | Path) -> Mapping[str, Any]:
    """Content of a JSON file, which must be an object."""
    with reading(_OPERATION, path, expected="a JSON file", fix="Check the path.") as file:
        content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise _error(f"{path}: a {type(content).__name__}", "a JSON object", _LAYOUT)
    return content


def _rows(
    path: str | Path, content: Mapping[str, Any], name: str, fields: _Fields
) -> list[Mapping[str, Any]]:
    """Objects of a list in the content, checked for their fields."""
    rows = content.get(name)
    if not isinstance(rows, list):
        raise _error(f"{path}: {', '.join(content)}", f"a list {name!r}", _LAYOUT)
    for number, row in enumerate(rows):
        _check_fields(f"{path}: {name}[{number}]", row, fields)
    return rows


def _check_fields(location: str, row: Any, fields: _Fields) -> None:
    """Raise unless a row is an object with these fields."""
    if not isinstance(row, dict) or not all(isinstance(row.get(f), k) for f, k in fields.items()):
        kinds = ", ".join(f"{field!r} ({kind.__name__})" for field, kind in fields.items())
        raise _error(f"{location}, which lacks one of them", kinds, _LAYOUT)
    for value in row.values():
        if isinstance(value, str):
            check_text(_OPERATION, location, value)


def _files(path: str | Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Mapping from image id to file name."""
    rows = _rows(path, content, "images", {"id": int, "file_name": str})
    return {row["id"]: row["file_name"] for row in rows}


def _captions(path: str | Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Mapping from image id to its first caption."""
    rows = _rows(path, content, "annotations", {"image_id": int, "caption": str})
    return {row["image_id"]: row["caption"].strip() for row in reversed(rows)}


def _maps(path: str | Path, content: Mapping[str, Any]) -> dict[int, tuple[str, list[Any]]]:
    """Mapping from image id to its PNG file and its ``segments_info``."""
    fields = {"image_id": int, "file_name": str, "segments_info": list}
    rows = _rows(path, content, "annotations", fields)
    return {row["image_id"]: (row["file_name"], row["segments_info"]) for row in rows}


def _segment_names(
    png: str, segments_info: Sequence[Any], names: Mapping[int, str]
) -> dict[int, str]:
    """Mapping from segment id to the name of its category."""
    for number, row in enumerate(segments_info):
        _check_fields(f"{png}: segments_info[{number}]", row, {"id": int, "category_id": int})
        if row["category_id"] not in names:
            raise _error(f"{png}: category {row['category_id']}", "one of those listed", _LAYOUT)
    return {row["id"]: names[row["category_id"]] for row in segments_info}


def _region_indices(
    path: Path, ids: Sequence[int], max_pixels: int
) -> Int[np.ndarray, "height width"]:
    """Index of each pixel's segment among the ids, `NOTHING` for id 0."""
    coded = _stored_pixels(path, max_pixels).astype(np.int64) @ np.array([1, 256, 65536])
    known, inverse = np.unique(coded, return_inverse=True)
    indices = {0: NOTHING} | {segment: index for index, segment in enumerate(ids)}
    unknown = [segment for segment in known.tolist() if segment not in indices]
    if unknown:
        raise _error(f"{path}: segment {unknown[0]}", "only those of its annotation", _LAYOUT)
    table = np.array([indices[segment] for segment in known.tolist()], np.int16)
    return table[inverse].reshape(coded.shape)


def _stored_pixels(path: Path, max_pixels: int) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels as stored, not turned by the EXIF orientation."""
    return read_image(path, max_pixels=max_pixels, upright=False)


def _check_same(path: str | Path, files: Mapping[int, str], others: Mapping[int, Any]) -> None:
    """Raise unless each image has an annotation, and each annotation an image."""
    unmatched = sorted(set(files) ^ set(others))
    if unmatched or not files:
        is_image = bool(unmatched) and unmatched[0] in files
        kind = "an image without an annotation" if is_image else "an annotation"
        raise _error(
            f"{path}: {len(unmatched)} ids on one side only"
            + (f", such as {kind} of id {unmatched[0]}" if unmatched else ", no images"),
            "an annotation for each image, and an image for each annotation",
            "Complete the file, or drop what has no counterpart.",
        )


def _chosen_images(files: Mapping[int, str], at_most: int | None) -> Sequence[int]:
    """Ids of the images to read."""
    return list(files) if at_most is None else evenly_spaced(list(files), at_most)


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    """Error of this module."""
    return SemanticHubError(_OPERATION, got=got, expected=expected, fix=fix)
