"""The vision spoke on a model that sees: its encoder gives a patch the embedding of its colour."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from seeing import encoded_pictures, encoder, plain_features

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions
from semantic_hub.spokes.vision.captions import caption_words, changed_caption
from semantic_hub.spokes.vision.figures import inline_image, picture_words
from semantic_hub.spokes.vision.images.drawn import Canvas, halves, random_pictures, shapes
from semantic_hub.spokes.vision.images.picture import (
    COLORS,
    NOTHING,
    SHAPES,
    Picture,
    Region,
    caption_of,
)
from semantic_hub.spokes.vision.inputs import (
    MIXED,
    PLAIN,
    EncodedPicture,
    Wording,
    encode_picture,
    patch_regions,
)
from semantic_hub.spokes.vision.pairing import hard_negatives, pairs
from semantic_hub.spokes.vision.reading import (
    BACKGROUND_PATCH,
    MIXED_PATCH,
    NO_CONTROLS,
    UNNAMED,
    caption_readouts,
    color_readouts,
    segment_readouts,
)
from semantic_hub.spokes.vision.spoke import VisionSpoke
from semantic_hub.statistics.resampling import Resampling

# patches


@pytest.mark.parametrize("grid", [(4, 4), (1, 1), (3, 5), (2, 7), (32, 32)])
def test_the_region_of_a_patch_is_what_most_of_its_pixels_are(grid: tuple[int, int]) -> None:
    for picture in random_pictures(25, Canvas(size=32)):
        assert picture.segments is not None
        found = patch_regions(picture, grid)
        for patch, (row, column) in enumerate(np.ndindex(*grid)):
            pixels = (
                [
                    int(picture.segments[y, x])
                    for y in range(32)
                    for x in range(32)
                    if (y * grid[0] // 32, x * grid[1] // 32) == (row, column)
                ]
                if grid != (32, 32)
                else [int(picture.segments[row, column])]
            )
            most = max(set(pixels), key=pixels.count)
            expected = most if 2 * pixels.count(most) > len(pixels) else MIXED
            assert found[patch] == expected


def test_a_patch_that_is_half_and_half_is_mixed() -> None:
    segments = np.array([[0, 1, 0, -1], [0, 1, 0, 0]])
    picture = Picture(np.zeros((2, 4, 3), np.uint8), "x", segments, (Region("red"), Region("blue")))
    assert patch_regions(picture, (1, 2)).tolist() == [MIXED, 0]
    assert patch_regions(picture, (1, 1)).tolist() == [0]
    assert patch_regions(replace(picture, segments=None), (1, 2)).tolist() == [NOTHING] * 2


def test_rows_of_a_region_count_from_behind_the_class_tokens() -> None:
    picture = halves("red", "blue", Canvas(jitter=0))
    encoded = encode_picture(lambda image: torch.ones(18, 3), picture, (4, 4))
    assert encoded.region_positions(0) == SoftPositions(rows=(2, 3, 6, 7, 10, 11, 14, 15))
    assert encoded.at_patch(0, Wording()).position == SoftPositions(rows=(2,))


@pytest.mark.parametrize(
    ("features", "grid", "message"),
    [
        (torch.ones(15, 3), None, "15 features of a picture, and no grid"),
        (torch.ones(15, 3), (4, 4), r"15 features of 32 × 32 pixels, grid \(4, 4\)"),
        (torch.ones(40, 3), (1, 40), "a pixel at least"),
        (torch.ones(4, 3), (0, 4), r"grid \(0, 4\)"),
        (torch.full((4, 3), torch.nan), None, "NaN"),
    ],
)
def test_features_that_do_not_fit(features: torch.Tensor, grid: Any, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        encode_picture(lambda image: features, halves("red", "blue"), grid)


# words


def test_prompts_of_both_wordings() -> None:
    one = encode_picture(plain_features, halves("red", "blue"))
    whole, left = Region("red"), Region("red", "left")
    assert one.prompt(Wording().question_about(whole)).text == f"{SOFT} colour:"
    assert one.prompt(Wording().question_about(left)).text == f"{SOFT} left:"
    asked = f"{SOFT} What colour is the left half? Answer:"
    assert one.prompt(PLAIN.question_about(left)).text == asked
    assert one.at_patch(3, PLAIN).text == f"The image shows {SOFT}"
    assert PLAIN.caption_prompt("A dog.").text == "The image shows A dog."
    behind = Wording(image="See {image}: a")
    assert one.at_patch(3, behind).text == f"See {SOFT}"
    assert pairs([one], behind).x[0].text == f"See {SOFT}: a"
    for wrong in ({"image": "x"}, {"question": "{image}"}, {"caption": "{caption}{caption}"}):
        with pytest.raises(SemanticHubError, match="Wording"):
            Wording(**wrong)


def test_a_changed_caption_differs_in_one_colour_or_shape() -> None:
    rng, kinds = np.random.default_rng(0), {*COLORS}
    changed_shapes = 0
    for picture in random_pictures(200):
        old, new = picture.caption, changed_caption(picture.caption, rng)
        assert new is not None
        before, after = (
            old.strip(".").replace(",", "").split(),
            new.strip(".").replace(",", "").split(),
        )
        (place,) = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert after[place] not in before
        assert (before[place] in kinds) == (after[place] in kinds)
        changed_shapes += before[place] in SHAPES
    assert changed_shapes > 20
    every = caption_of(tuple(Region(c, s) for c, s in zip(COLORS, SHAPES, strict=False)))
    assert all(w in (changed_caption(every, rng) or "") for w in SHAPES)
    assert changed_caption("A dog predicted rain.", rng) is None


def test_content_words() -> None:
    assert caption_words("The orange cat, and the Cat's own 3 trees!") == ("orange", "cat", "trees")
    assert caption_words("purple circle, grey cross.") == ("purple", "circle", "grey", "cross")


# read-outs


def word_at(encoded: EncodedPicture, patch: int, what: str) -> str | None:
    region = int(encoded.regions[patch])
    return None if region < 0 else getattr(encoded.picture.regions[region], what)


def test_colour_readouts_are_of_their_patch_and_controls_are_elsewhere() -> None:
    encoded = encoded_pictures(random_pictures(60))
    found = color_readouts(encoded, per_picture=100)
    for readout, picture, patch in zip(found.readouts, found.pictures, found.patches, strict=True):
        one = encoded[picture]
        hub, surface, control = (readout.candidates[g][0] for g in ("hub", "surface", "control"))
        assert hub == word_at(one, patch, "color")
        there = {region.color for region in one.picture.regions}
        assert surface != control and not {surface, control} & there
        assert readout.prompt == one.at_patch(patch, Wording())
    regions = np.concatenate([one.regions for one in encoded])
    assert len(found) == (regions >= 0).sum()
    assert len(set(zip(found.pictures, found.patches, strict=True))) == len(found)
    assert found.dropped == {
        BACKGROUND_PATCH: (regions == NOTHING).sum(),
        MIXED_PATCH: (regions == MIXED).sum(),
        UNNAMED: 0,
        NO_CONTROLS: 0,
    }


def test_control_words_are_as_frequent_as_they_are_true() -> None:
    """Seven pictures in eight are red or blue; at a green one that is what is drawn."""
    colors = ["red"] * 4 + ["blue"] * 3 + ["green"]
    encoded = encoded_pictures([shapes([(c, "square")], seed=i) for i, c in enumerate(colors * 3)])
    found = [color_readouts(encoded, seed=seed) for seed in range(40)]
    at_green = [
        readout.candidates["surface"][0]
        for some in found
        for readout in some.readouts
        if readout.candidates["hub"] == ("green",)
    ]
    patches = {
        c: sum(int((s.regions >= 0).sum()) for s in encoded if s.picture.regions[0].color == c)
        for c in colors
    }
    expected = patches["red"] / (patches["red"] + patches["blue"])
    assert len(at_green) == 120
    assert abs(at_green.count("red") / 120 - expected) < 0.15


def test_segment_readouts_compare_labels_of_one_picture() -> None:
    encoded = encoded_pictures(random_pictures(40, kind="shapes"))
    found = segment_readouts(encoded, per_picture=3)
    assert len(found) > 20
    for readout, picture, patch in zip(found.readouts, found.pictures, found.patches, strict=True):
        names = {region.name for region in encoded[picture].picture.regions}
        hub, surface, control = (readout.candidates[g][0] for g in ("hub", "surface", "control"))
        assert hub == word_at(encoded[picture], patch, "name")
        assert control in names - {hub} and surface not in names
    all_four = [i for i, one in enumerate(encoded) if len(one.picture.regions) == 4]
    assert not set(all_four) & set(found.pictures)
    assert found.dropped[NO_CONTROLS] == sum(int((encoded[i].regions >= 0).sum()) for i in all_four)


def test_caption_readouts_have_as_many_words_in_each_group_and_none_twice() -> None:
    encoded = encoded_pictures(random_pictures(40))
    found = caption_readouts(encoded)
    assert found.pictures == tuple(range(40))
    for readout, picture in zip(found.readouts, found.pictures, strict=True):
        words = list(readout.candidates.values())
        assert len(set(map(len, words))) == 1 and len(words[0]) > 0
        assert len({w for group in words for w in group}) == 3 * len(words[0])
        assert set(words[0]) <= set(caption_words(encoded[picture].picture.caption))
        assert not {*words[1], *words[2]} & set(caption_words(encoded[picture].picture.caption))


def test_things_without_colour_and_captions_without_words_are_counted() -> None:
    segments = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    regions = (Region(name="dog"), Region(name="tree"))
    picture = Picture(np.zeros((4, 4, 3), np.uint8), "the the", segments, regions)
    encoded = encoded_pictures([picture] * 3, (2, 2))
    assert color_readouts(encoded).dropped[UNNAMED] == 12
    assert caption_readouts(encoded).dropped[NO_CONTROLS] == 12
    assert len(segment_readouts(encoded)) == 0
    other = replace(picture, regions=(Region(name="cat"),) * 2)
    with_other = segment_readouts([*encoded, *encoded_pictures([other], (2, 2))])
    assert {r.candidates["surface"] for r in with_other.readouts} == {("cat",)}
    assert {frozenset(r.candidates["control"]) for r in with_other.readouts} <= {
        frozenset({"dog"}),
        frozenset({"tree"}),
    }


# a model that sees


@pytest.mark.parametrize("class_tokens", [0, 2])
def test_at_the_embedding_each_patch_says_its_colour(seeing: Any, class_tokens: int) -> None:
    spoke = VisionSpoke(
        encoder(seeing, class_tokens), random_pictures(16, kind="halves"), grid=(4, 4)
    )
    for wording in (Wording(), PLAIN):
        worded = replace(spoke, wording=wording)
        lens = sh.logit_lens(
            seeing, worded.readouts()["colour, halves"], resampling=Resampling(resamples=50)
        )
        assert len(lens.kept) == 16
        assert lens.top1_share("hub").value[0] == 1 and lens.top1_share("surface").value[0] == 0
        segments = sh.logit_lens(
            seeing, worded.readouts()["segment, halves"], resampling=Resampling(resamples=50)
        )
        assert segments.share("hub", "control").value[0] == 1
    with pytest.raises(SemanticHubError, match="LensResult: got the group 'x'"):
        lens.top1_share("x")


def test_the_figure_shows_the_colours(seeing: Any) -> None:
    picture = halves("red", "white", Canvas(jitter=0))
    encoded = encode_picture(encoder(seeing), picture)
    prompts = [encoded.at_patch(patch, Wording()) for patch in range(encoded.n_patches)]
    frame = top_tokens(seeing, prompts, k=2, layers=[0, 1]).to_frame()
    figure = picture_words(picture.pixels, frame, 0, encoded.grid)
    assert list(figure.data[0].text) == ["red", "red", "white", "white"] * 4
    assert list(figure.data[0].textfont.color) == ["white", "white", "black", "black"] * 4
    assert figure.layout.images[0].source == inline_image(picture.pixels)
    with pytest.raises(SemanticHubError, match=r"0 top tokens of layer 2 for 4 × 4"):
        picture_words(picture.pixels, frame, 2, encoded.grid)


def test_an_inline_image_is_small_and_the_same_picture(tmp_path: Path) -> None:
    import base64
    from io import BytesIO

    for size in (4, 32, 300, 700):
        picture = (
            random_pictures(1, Canvas(size=size), kind="one colour")[0]
            if size > 7
            else halves("red", "blue", Canvas(size=8, noise=0))
        )
        head, _, body = inline_image(picture.pixels).partition(",")
        image = Image.open(BytesIO(base64.b64decode(body)))
        assert head == "data:image/png;base64" and max(image.size) <= 256
        near = np.asarray(image).reshape(-1, 3).mean(axis=0)
        assert np.abs(near - picture.pixels.reshape(-1, 3).mean(axis=0)).max() < 2


# the spoke


def test_pairs_and_hard_negatives_differ_in_the_caption_alone() -> None:
    encoded = encoded_pictures(random_pictures(20))
    own, near = pairs(encoded), hard_negatives(encoded, seed=3)
    assert own.x == near.x and (own.x_name, own.y_name) == ("picture", "caption")
    assert all(a.text != b.text for a, b in zip(own.y, near.y, strict=True))
    assert [f"{p.text}." for p in own.y] == list(own.labels) == [s.picture.caption for s in encoded]
    bare = Picture(np.zeros((4, 4, 3), np.uint8), "A dog.")
    with pytest.raises(SemanticHubError, match="A dog"):
        hard_negatives(encoded_pictures([bare]))


def test_asked_pairs_put_the_same_question_behind_both_and_change_its_answer() -> None:
    encoded = encoded_pictures(random_pictures(30))
    own, near = pairs(encoded, ask=True), hard_negatives(encoded, ask=True)
    parts = set()
    for one, x, y, wrong in zip(encoded, own.x, own.y, near.y, strict=True):
        question = (x.text or "").removeprefix(SOFT)
        assert y.text == one.picture.caption + question
        caption, said = one.picture.caption, (wrong.text or "").removesuffix(question)
        (old,) = set(re.findall(r"\w+", caption)) - set(re.findall(r"\w+", said))
        (new,) = set(re.findall(r"\w+", said)) - set(re.findall(r"\w+", caption))
        asked = [r for r in one.picture.regions if question == f" {r.name or 'colour'}:"]
        assert [r.color for r in asked] == [old] and new in COLORS
        parts.add(question)
    assert {" left:", " right:", " colour:"} < parts
    bare = Picture(np.zeros((4, 4, 3), np.uint8), "A dog.")
    with pytest.raises(SemanticHubError, match="A dog"):
        pairs(encoded_pictures([bare]), ask=True)


def test_captions_of_which_some_say_a_colour_make_two_sets() -> None:
    said = ["A dog.", "A red dog.", "A tree.", "A square tree."]
    spoke = VisionSpoke(plain_features, [Picture(np.zeros((4, 4, 3), np.uint8), c) for c in said])
    assert {k: len(p) for k, p in spoke.pairs().items()} == {
        "captions": 4,
        "captions, with a colour or shape": 2,
    }
    assert list(spoke.hard_negatives()) == ["captions, with a colour or shape"]
    assert spoke.interventions() == {}
    assert list(spoke.readouts()) == ["caption, captions"]
    with pytest.raises(SemanticHubError, match="1 pictures"):
        VisionSpoke(plain_features, [Picture(np.zeros((4, 4, 3), np.uint8), "x")])


def test_each_picture_is_encoded_once() -> None:
    calls = []

    def encode(image: Image.Image) -> torch.Tensor:
        calls.append(image)
        return plain_features(image)

    spoke = VisionSpoke(encode, random_pictures(12, seed=1), at_most=5)
    spoke.pairs(), spoke.hard_negatives(), spoke.readouts(), spoke.interventions()
    assert len(calls) == sum(map(len, spoke.encoded_pictures.values())) <= 12
    assert max(map(len, spoke.encoded_pictures.values())) <= 5


def test_everything_runs(seeing: Any) -> None:
    spoke = VisionSpoke(encoder(seeing), random_pictures(14, seed=2))
    found = sh.run(seeing, spoke, resampling=Resampling(resamples=20), permutations=20)
    kinds = {"one colour", "halves", "shapes"}
    assert set(found.similarity) == kinds | {f"{kind}, asked" for kind in kinds}
    assert set(found.similarity) == set(spoke.hard_negatives())
    assert {"colour, halves", "segment, halves", "caption, shapes"} <= set(found.lens)
    assert list(found.steering) == ["half recoloured", "half recoloured, added"]
    assert "picture -> picture, halves" in found.patching
    assert all("hard negatives" in alike.controls for alike in found.similarity.values())
