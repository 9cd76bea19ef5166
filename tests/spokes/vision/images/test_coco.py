"""COCO's layouts, in small files of the true form."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.vision.images.coco import coco_captions, coco_panoptic

IDS = (139, 285, 632)
SIZES = {139: (6, 8), 285: (5, 4), 632: (3, 3)}
CATEGORIES = [
    {"supercategory": "person", "isthing": 1, "id": 1, "name": "person", "color": [220, 20, 60]},
    {"supercategory": "animal", "isthing": 1, "id": 18, "name": "dog", "color": [0, 82, 0]},
    {"supercategory": "wall", "isthing": 0, "id": 171, "name": "wall-brick", "color": [1, 2, 3]},
]
PERSON, DOG, WALL = 8345037, 256 * 256 * 3 + 7, 511
"""Segment ids, which use one, two and three of the colours."""


def image_row(image: int) -> dict[str, Any]:
    height, width = SIZES[image]
    return {
        "license": 3,
        "file_name": f"{image:012}.jpg",
        "coco_url": f"http://images.cocodataset.org/val2017/{image:012}.jpg",
        "height": height,
        "width": width,
        "date_captured": "2013-11-21 01:34:01",
        "id": image,
    }


def segment_ids(image: int) -> np.ndarray:
    height, width = SIZES[image]
    ids = np.full((height, width), WALL)
    ids[0] = 0
    ids[1:3, :2] = PERSON
    ids[-1, -1] = DOG if image != 632 else WALL
    return ids


def save_segments(folder: Path, image: int, ids: np.ndarray) -> None:
    coded = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    Image.fromarray(coded).save(folder / f"{image:012}.png")


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A folder with images, captions_val2017.json, panoptic_val2017.json and its PNG files."""
    images, maps = tmp_path / "val2017", tmp_path / "panoptic_val2017"
    images.mkdir()
    maps.mkdir()
    info = {"description": "COCO 2017 Dataset", "year": 2017}
    rows = [image_row(image) for image in IDS]
    for image in IDS:
        pixels = np.full((*SIZES[image], 3), image % 256, np.uint8)
        Image.fromarray(pixels).save(images / f"{image:012}.jpg", quality=95)
        save_segments(maps, image, segment_ids(image))
    captions = [
        {"image_id": 285, "id": 27, "caption": "A big burly grizzly bear. \n"},
        {"image_id": 139, "id": 9, "caption": "A woman stands in the dining area."},
        {"image_id": 285, "id": 30, "caption": "A second caption of the bear."},
        {"image_id": 632, "id": 40, "caption": "A bedroom with a book."},
    ]
    content = {"info": info, "licenses": [], "images": rows, "annotations": captions}
    (tmp_path / "captions.json").write_text(json.dumps(content))
    panoptic = {
        "info": info,
        "images": rows,
        "annotations": [annotation(image) for image in reversed(IDS)],
        "categories": CATEGORIES,
    }
    (tmp_path / "panoptic.json").write_text(json.dumps(panoptic))
    return tmp_path


def annotation(image: int) -> dict[str, Any]:
    ids, of = segment_ids(image), {PERSON: 1, DOG: 18, WALL: 171}
    info = [
        {
            "id": i,
            "category_id": of[i],
            "area": int((ids == i).sum()),
            "bbox": [0, 0, 1, 1],
            "iscrowd": 0,
        }
        for i in (PERSON, DOG, WALL)
        if (ids == i).any()
    ]
    return {"segments_info": info, "file_name": f"{image:012}.png", "image_id": image}


def change(coco: Path, file: str, edit: Any) -> None:
    content = json.loads((coco / file).read_text())
    edit(content)
    (coco / file).write_text(json.dumps(content))


def panoptic(coco: Path, **options: Any) -> tuple[Any, ...]:
    return coco_panoptic(
        coco / "panoptic.json", coco / "panoptic_val2017", coco / "val2017", **options
    )


def test_the_first_caption_of_each_image(coco: Path) -> None:
    found = coco_captions(coco / "captions.json", coco / "val2017")
    assert [(p.name, p.caption) for p in found] == [
        ("000000000139.jpg", "A woman stands in the dining area."),
        ("000000000285.jpg", "A big burly grizzly bear."),
        ("000000000632.jpg", "A bedroom with a book."),
    ]
    for picture, image in zip(found, IDS, strict=True):
        assert picture.pixels.shape == (*SIZES[image], 3)
        assert abs(int(picture.pixels.mean()) - image % 256) <= 2
    some = coco_captions(coco / "captions.json", coco / "val2017", at_most=1)
    assert [p.name for p in some] == ["000000000139.jpg"]


def test_every_pixel_gets_the_segment_that_its_colour_codes(coco: Path) -> None:
    names = {0: None, PERSON: "person", DOG: "dog", WALL: "wall"}
    for picture, image in zip(panoptic(coco), IDS, strict=True):
        ids = segment_ids(image)
        for place in np.ndindex(ids.shape):
            index = picture.segments[place]
            name = picture.regions[index].name if index >= 0 else None
            assert name == names[int(ids[place])]
        assert (picture.kind, {r.color for r in picture.regions}) == ("segments", {""})


def test_captions_of_panoptic_pictures(coco: Path) -> None:
    assert [p.caption for p in panoptic(coco)] == [
        "person, dog, wall.",
        "person, dog, wall.",
        "person, wall.",
    ]
    said = panoptic(coco, captions=coco / "captions.json", at_most=2)
    assert [p.caption[:7] for p in said] == ["A woman", "A big b"]


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("captions", lambda c: c["annotations"].pop(1), "an image without an annotation of id 139"),
        ("captions", lambda c: c["images"].pop(0), "an annotation of id 139"),
        ("captions", lambda c: c["images"][2].pop("file_name"), r"images\[2\], which lacks"),
        ("captions", lambda c: c["annotations"][3].pop("caption"), r"annotations\[3\], which"),
        ("captions", lambda c: c.pop("images"), "a list 'images'"),
        ("captions", lambda c: c["images"][0].update(file_name="x.jpg"), r"x\.jpg: No such file"),
        ("panoptic", lambda c: c["annotations"].pop(), "an image without an annotation of id 139"),
        ("panoptic", lambda c: c["categories"].pop(1), "category 18"),
        ("panoptic", lambda c: c["annotations"][1]["segments_info"].pop(1), f"segment {DOG}"),
        ("panoptic", lambda c: c["annotations"][0]["segments_info"][0].pop("id"), "segments_info"),
        ("panoptic", lambda c: c["annotations"][0].update(file_name="no.png"), r"no\.png: No such"),
    ],
)
def test_files_that_are_not_complete(coco: Path, file: str, edit: Any, message: str) -> None:
    change(coco, f"{file}.json", edit)
    with pytest.raises(SemanticHubError, match=message):
        if file == "panoptic":
            panoptic(coco)
        else:
            coco_captions(coco / "captions.json", coco / "val2017")


def test_other_mistakes(coco: Path) -> None:
    with pytest.raises(SemanticHubError, match="No such file"):
        coco_captions(coco / "none.json", coco / "val2017")
    for text, message in (("[]", "a list"), ("{", "JSONDecodeError"), ("\xff", "UnicodeDecode")):
        (coco / "bad.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(SemanticHubError, match=message):
            coco_captions(coco / "bad.json", coco / "val2017")
    change(coco, "captions.json", lambda c: c["images"].pop(0))
    change(coco, "captions.json", lambda c: c["annotations"].pop(1))
    with pytest.raises(SemanticHubError, match=r"000000000139.jpg: .*caption ''"):
        panoptic(coco, captions=coco / "captions.json")


@pytest.mark.usefixtures("without_shape_checks")
def test_a_map_of_another_size(coco: Path) -> None:
    save_segments(coco / "panoptic_val2017", 285, segment_ids(139))
    with pytest.raises(SemanticHubError, match=r"000000000285.jpg: segments \(6, 8\)"):
        panoptic(coco)
