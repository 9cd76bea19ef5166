"""Images from files: right pixels from every kind of file, and a clear word on the others."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.vision.images.files import read_image, read_pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


@pytest.fixture
def rgb(tmp_path: Path) -> Image.Image:
    return Image.fromarray(PIXELS)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_files_give_their_pixels(rgb: Image.Image, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    rgb.save(path, lossless=True)
    np.testing.assert_array_equal(read_image(path), PIXELS)


def test_greys_and_palettes(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(PIXELS // 64 * 64).quantize(256).save(tmp_path / "palette.png")
    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), PIXELS // 64 * 64)
    assert (read_image(tmp_path / "bits.png")[..., 0] == 255 * (grey > 127)).all()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_greys_keep_their_range(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    assert read_image(tmp_path / f"deep.{suffix}")[0, :, 0].tolist() == [0, 1, 127, 255]


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG file by hand."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colours(tmp_path: Path) -> None:
    values = struct.pack(">6H", 65535, 0, 32768, 257, 514, 65280)
    (tmp_path / "deep.png").write_bytes(png(2, 1, 16, 2, b"\0" + values))
    assert read_image(tmp_path / "deep.png").tolist() == [[[255, 0, 128], [1, 2, 255]]]


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    alpha = np.array([[0, 255, 128]], np.uint8)
    red = np.zeros((1, 3, 4), np.uint8)
    red[..., 0], red[..., 3] = 255, alpha
    Image.fromarray(red, "RGBA").save(tmp_path / "rgba.png")
    found = read_image(tmp_path / "rgba.png")[0].tolist()
    assert found[:2] == [[255, 255, 255], [255, 0, 0]]
    assert found[2][0] == 255 and abs(found[2][1] - 127) <= 1
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "index.png", transparency=0)
    assert read_image(tmp_path / "index.png")[0].tolist() == [[255, 255, 255], [0, 0, 255]]


def test_cmyk_becomes_the_colours_that_it_stands_for(tmp_path: Path) -> None:
    for name, (cmyk, expected) in {
        "red": ((0, 255, 255, 0), (255, 0, 0)),
        "black": ((0, 0, 0, 255), (0, 0, 0)),
    }.items():
        path = tmp_path / f"{name}.jpg"
        Image.new("CMYK", (16, 16), cmyk).save(path, quality=95)
        assert np.abs(read_image(path).reshape(-1, 3).mean(axis=0) - expected).max() < 4


def test_exif_turns_the_picture_unless_told_not_to(rgb: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    rgb.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(PIXELS, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png", upright=False), PIXELS)


def write_huge(path: Path) -> None:
    """Ten thousand times ten thousand pixels in the header, and none behind it."""
    path.write_bytes(png(10_000, 10_000, 8, 2, b""))


def write_monstrous(path: Path) -> None:
    path.write_bytes(png(100_000, 100_000, 8, 2, b""))


def write_animation(path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (0, 100, 200)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def write_floats(path: Path) -> None:
    Image.fromarray(np.ones((2, 2), np.float32)).save(path, "TIFF")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_bytes(b"no image at all"), "UnidentifiedImageError"),
        (lambda path: path.write_bytes(b""), "UnidentifiedImageError"),
        (lambda path: path.mkdir(), ": a folder;"),
        (write_huge, "10000 × 10000 pixels"),
        (write_monstrous, "at most 50000000 pixels"),
        (write_animation, "3 images in one"),
        (write_floats, "mode F"),
    ],
)
def test_what_is_refused(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "a.image"
    write(path)
    with pytest.raises(SemanticHubError, match=message):
        read_image(path)


def test_the_bound_is_on_pixels_and_may_be_moved(rgb: Image.Image, tmp_path: Path) -> None:
    rgb.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=54).shape == (6, 9, 3)
    with pytest.raises(SemanticHubError, match="9 × 6 pixels; expected at most 53"):
        read_image(tmp_path / "a.png", max_pixels=53)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damage_never_ends_in_another_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    Image.fromarray(np.kron(PIXELS, np.ones((4, 4, 1), np.uint8))).save(path, kind)
    sound, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(sound)
        for place in rng.integers(len(data), size=rng.integers(1, 6)):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(len(data) // 2, len(data) + 1)])
        try:
            assert read_image(path).dtype == np.uint8
        except SemanticHubError:
            refused += 1
    assert refused > 0


@pytest.fixture
def folder(rgb: Image.Image, tmp_path: Path) -> Path:
    (tmp_path / "images" / "more").mkdir(parents=True)
    for name in ("a.png", "b.PNG", "more/c.png"):
        rgb.save(tmp_path / "images" / name)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return tmp_path


def test_captions_from_each_kind_of_file(folder: Path) -> None:
    rows = [("b.PNG", "two, “blue”"), ("a.png", "one"), ("more/c.png", "three")]
    (folder / "c.tsv").write_text("\n".join(["file\tcaption", *map("\t".join, rows)]), "utf-8")
    quoted = "\n".join(f'{name},"{text}"' for name, text in rows)
    (folder / "c.csv").write_text(f"image,said\n{quoted}\n", "utf-8")
    lines = [f'{{"file": "{name}", "caption": " {text} ", "id": 3}}' for name, text in rows]
    (folder / "c.jsonl").write_text("\n".join(lines), "utf-8")
    for name, columns in (
        ("c.tsv", {}),
        ("c.csv", {"file": "image", "caption": "said"}),
        ("c.jsonl", {}),
    ):
        found = read_pictures(folder / "images", folder / name, **columns)
        assert [(p.name, p.caption) for p in found] == rows
        assert all((p.pixels == PIXELS).all() and p.segments is None for p in found)
        some = read_pictures(folder / "images", folder / name, at_most=2, **columns)
        assert [p.caption for p in some] == ["two, “blue”", "one"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png\tone\nb.PNG\ttwo\n", "1 images without a caption .*'c.png'"),
        ("a.png\tone\nb.PNG\ttwo\nmore/c.png\tx\nd.png\tfour\n", "1 captions without an .*'d.png'"),
        ("a.png\t\nb.PNG\ttwo\nmore/c.png\tx\n", "empty cell in column 'caption'"),
        ("", "3 images without a caption"),
    ],
)
def test_captions_and_images_must_match(folder: Path, text: str, message: str) -> None:
    (folder / "c.tsv").write_text("file\tcaption\n" + text)
    with pytest.raises(SemanticHubError, match=message):
        read_pictures(folder / "images", folder / "c.tsv")


def test_other_mistakes(folder: Path) -> None:
    (folder / "c.tsv").write_text("name\tcaption\na.png\tone\n")
    with pytest.raises(SemanticHubError, match="a column 'file'"):
        read_pictures(folder / "images", folder / "c.tsv")
    (folder / "c.jsonl").write_text('{"file": "a.png", "caption": 3}')
    with pytest.raises(SemanticHubError, match=r"c.jsonl:1: .*text under 'file' and 'caption'"):
        read_pictures(folder / "images", folder / "c.jsonl")
    with pytest.raises(SemanticHubError, match="no such folder"):
        read_pictures(folder / "image", folder / "c.tsv", file="name")
    (folder / "images" / "a.png").write_bytes(b"damaged")
    (folder / "c.tsv").write_text("file\tcaption\na.png\tone\nb.PNG\ttwo\nmore/c.png\tthree\n")
    with pytest.raises(SemanticHubError, match=r"a\.png: UnidentifiedImageError"):
        read_pictures(folder / "images", folder / "c.tsv")


def test_a_folder_and_a_link_to_itself_are_no_images(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("link.png")
    (tmp_path / "t.jsonl").write_text('{"file": "a.png", "caption": "red."}\n')
    assert [picture.name for picture in read_pictures(tmp_path, tmp_path / "t.jsonl")] == ["a.png"]
    (tmp_path / "t.jsonl").write_text('{"file": "a.png", "caption": "\\ud800"}\n')
    with pytest.raises(SemanticHubError, match=r"t\.jsonl:1 with '.ud800'"):
        read_pictures(tmp_path, tmp_path / "t.jsonl")
