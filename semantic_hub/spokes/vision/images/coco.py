"""Pictures from COCO's own layouts: captions, and panoptic segments.

Captions: one JSON file with ``images`` (id, file_name) and ``annotations`` (image_id, caption).
Panoptic: one JSON file with ``images``, ``categories`` (id, name) and ``annotations`` (image_id,
file_name, segments_info), and a folder of PNG files in which a pixel's red + 256 green + 65536 blue
is the id of its segment, 0 for none. Source: https://cocodataset.org/#format-data; Kirillov et al.
2019, Panoptic Segmentation, arXiv 1801.00868.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.vision.images.files import MAX_PIXELS, read_image
from semantic_hub.spokes.vision.images.picture import NOTHING, Picture, Region

__all__ = ["SEGMENTS", "coco_captions", "coco_panoptic"]


def coco_captions(
    annotations: str | Path,
    folder: str | Path,
    *,
    at_most: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Picture, ...]:
    """COCO images with their first caption, in the order of the file.

    Args:
        annotations: Such as ``captions_val2017.json``.
        folder: Where the images are, such as ``val2017``.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: The largest image that is read.

    Returns:
        Pixels as they are stored: COCO's annotations know no EXIF orientation.

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
            _stored(Path(folder) / files[image], max_pixels), captions[image], name=files[image]
        )
        for image in _chosen(files, at_most)
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
    """COCO images with what is where, and a caption.

    A region is called by its category, up to the first hyphen: ``wall`` for ``wall-brick``.

    Args:
        annotations: Such as ``panoptic_val2017.json``.
        segments: The folder of its PNG files, such as ``panoptic_val2017``.
        folder: Where the images are, such as ``val2017``.
        captions: Such as ``captions_val2017.json``. None to let the names of the categories, each
            once, be the caption.
        at_most: Pictures to read, evenly spaced; None for all.
        max_pixels: The largest image that is read.

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
    said = None if captions is None else _captions(captions, _read(captions))

    def picture(image: int) -> Picture:
        png, about = maps[image]
        regions = {one: Region(name=name) for one, name in _named(png, about, names).items()}
        found = _indices(Path(segments) / png, list(regions), max_pixels)
        pixels = _stored(Path(folder) / files[image], max_pixels)
        caption = _listed(regions.values()) if said is None else said.get(image, "")
        return Picture(pixels, caption, found, tuple(regions.values()), SEGMENTS, files[image])

    return tuple(picture(image) for image in _chosen(files, at_most))


SEGMENTS = "segments"
"""The kind of pictures with panoptic segments."""

_OPERATION = "images_coco"
_LAYOUT = "Give the JSON file as COCO has it."

_Fields = Mapping[str, type]


def _read(path: str | Path) -> Mapping[str, Any]:
    place = Path(path)
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _error(f"{place}: {type(error).__name__}", "a JSON file", "Check the path.") from None
    if not isinstance(content, dict):
        raise _error(f"{place}: a {type(content).__name__}", "a JSON object", _LAYOUT)
    return content


def _rows(
    path: str | Path, content: Mapping[str, Any], name: str, fields: _Fields
) -> list[Mapping[str, Any]]:
    """The objects of a list, each with the named fields."""
    rows = content.get(name)
    if not isinstance(rows, list):
        raise _error(f"{path}: {', '.join(content)}", f"a list {name!r}", _LAYOUT)
    for number, row in enumerate(rows):
        _check_fields(f"{path}: {name}[{number}]", row, fields)
    return rows


def _check_fields(place: str, row: Any, fields: _Fields) -> None:
    if not isinstance(row, dict) or not all(isinstance(row.get(f), k) for f, k in fields.items()):
        kinds = ", ".join(f"{field!r} ({kind.__name__})" for field, kind in fields.items())
        raise _error(f"{place}, which lacks one of them", kinds, _LAYOUT)


def _files(path: str | Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Image id to file name."""
    rows = _rows(path, content, "images", {"id": int, "file_name": str})
    return {row["id"]: row["file_name"] for row in rows}


def _captions(path: str | Path, content: Mapping[str, Any]) -> dict[int, str]:
    """Image id to its first caption."""
    rows = _rows(path, content, "annotations", {"image_id": int, "caption": str})
    return {row["image_id"]: row["caption"].strip() for row in reversed(rows)}


def _maps(path: str | Path, content: Mapping[str, Any]) -> dict[int, tuple[str, list[Any]]]:
    """Image id to its PNG file and what is in it."""
    fields = {"image_id": int, "file_name": str, "segments_info": list}
    rows = _rows(path, content, "annotations", fields)
    return {row["image_id"]: (row["file_name"], row["segments_info"]) for row in rows}


def _named(png: str, about: Sequence[Any], names: Mapping[int, str]) -> dict[int, str]:
    """Segment id to the name of its category."""
    for number, row in enumerate(about):
        _check_fields(f"{png}: segments_info[{number}]", row, {"id": int, "category_id": int})
        if row["category_id"] not in names:
            raise _error(f"{png}: category {row['category_id']}", "one of those listed", _LAYOUT)
    return {row["id"]: names[row["category_id"]] for row in about}


def _indices(path: Path, ids: Sequence[int], max_pixels: int) -> Int[np.ndarray, "height width"]:
    """For each pixel the place of its segment among the ids, `NOTHING` for id 0."""
    coded = _stored(path, max_pixels).astype(np.int64) @ np.array([1, 256, 65536])
    known, inverse = np.unique(coded, return_inverse=True)
    places = {0: NOTHING} | {one: place for place, one in enumerate(ids)}
    unknown = [one for one in known.tolist() if one not in places]
    if unknown:
        raise _error(f"{path}: segment {unknown[0]}", "only those of its annotation", _LAYOUT)
    table = np.array([places[one] for one in known.tolist()], np.int16)
    return table[inverse].reshape(coded.shape)


def _stored(path: Path, max_pixels: int) -> UInt8[np.ndarray, "height width 3"]:
    return read_image(path, max_pixels=max_pixels, upright=False)


def _check_same(path: str | Path, files: Mapping[int, str], others: Mapping[int, Any]) -> None:
    """Every image has its annotation, and the other way round."""
    alone = sorted(set(files) ^ set(others))
    if alone or not files:
        kind = "an image without an annotation" if alone and alone[0] in files else "an annotation"
        raise _error(
            f"{path}: {len(alone)} ids on one side alone"
            + (f", such as {kind} of id {alone[0]}" if alone else ", no images"),
            "an annotation for each image, and an image for each annotation",
            "Complete the file, or drop what is alone.",
        )


def _chosen(files: Mapping[int, str], at_most: int | None) -> Sequence[int]:
    return list(files) if at_most is None else evenly_spaced(list(files), at_most)


def _listed(regions: Iterable[Region]) -> str:
    """Each name once, in the order of the annotation."""
    return ", ".join(dict.fromkeys(region.name for region in regions)) + "."


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError(_OPERATION, got=got, expected=expected, fix=fix)
