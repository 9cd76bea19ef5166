"""Read-outs at patches of a picture: the patch's color, its region's label, the caption's words.

There is no surface word inside a picture, and a model prefers some words in general. So ``surface``
is a word of the same kind from the other pictures, drawn as often as it is true of them. ``hub``
above ``surface`` is then compared with a further such word above ``surface``, so that general
preferences cancel. If a picture has several regions, ``control`` is the word of another region of
the *same* picture, so that knowing the picture without its layout is not enough.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from semantic_hub.errors import as_seed
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import HUB, SURFACE, Readout
from semantic_hub.spokes.vision.captions import caption_words
from semantic_hub.spokes.vision.images.picture import NOTHING, Region
from semantic_hub.spokes.vision.inputs import MIXED, EncodedPicture, Wording

BACKGROUND_PATCH = "background"
MIXED_PATCH = "mixed patch"
UNNAMED = "a region without this word"
NO_CONTROLS = "no control words"
DROPPED = (BACKGROUND_PATCH, MIXED_PATCH, UNNAMED, NO_CONTROLS)
"""Reasons why a patch, or a picture, has no read-out."""


@dataclass(frozen=True)
class PatchReadouts:
    """Read-outs at patches of pictures, with their positions and the number of dropped patches.

    Args:
        readouts: The read-outs.
        pictures: Index of the picture of each read-out.
        patches: Index of its patch, row by row.
        dropped: Number of patches without a read-out, by reason.
    """

    readouts: tuple[Readout, ...]
    pictures: tuple[int, ...]
    patches: tuple[int, ...]
    dropped: Mapping[str, int]
    __repr__ = short_repr

    def __len__(self) -> int:
        return len(self.readouts)


Groups = Mapping[str, tuple[str, ...]]
"""Mapping from group to candidate words."""

_GROUPS = (HUB, SURFACE, "control")


def color_readouts(
    pictures: Sequence[EncodedPicture],
    wording: Wording | None = None,
    *,
    per_picture: int = 1,
    seed: int = 0,
) -> PatchReadouts:
    """Make read-outs at patches of colored regions: the color (``hub``) against two others.

    ``surface`` and ``control`` are colors that the picture's regions do not have, drawn as often as
    they are true of the patches of all pictures.

    Args:
        pictures: Encoded pictures.
        wording: Text before a picture; None for the default.
        per_picture: Number of random patches of each picture. Read-outs of one picture are not
            independent, but intervals treat them as if they were.
        seed: Seed of the draws.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.vision.images.picture import patch_features
        >>> from semantic_hub.spokes.vision.images.drawn import random_pictures
        >>> from semantic_hub.spokes.vision.inputs import encode_picture
        >>> encode = lambda image: torch.from_numpy(patch_features(np.asarray(image)))
        >>> drawn = random_pictures(9, kind="halves")
        >>> read = color_readouts([encode_picture(encode, picture) for picture in drawn])
        >>> len(read), list(read.readouts[0].candidates)
        (9, ['hub', 'surface', 'control'])
    """

    def groups(word: str, words: Sequence[str], pool: _Pool) -> Groups | None:
        others = pool.draw(2, without=words)
        return None if others is None else _named((word, *others))

    return _region_readouts(
        pictures, wording or Wording(), lambda region: region.color, groups, per_picture, seed
    )


def segment_readouts(
    pictures: Sequence[EncodedPicture],
    wording: Wording | None = None,
    *,
    per_picture: int = 1,
    seed: int = 0,
) -> PatchReadouts:
    """Make read-outs at patches of labeled regions: the label (``hub``) against another region's.

    ``control`` is the label of another region of the same picture, ``surface`` a label of none of
    its regions. Labels are names of shapes and things, and colors of sides.

    Args:
        pictures: Encoded pictures; those with only one label are left out.
        wording: Text before a picture; None for the default.
        per_picture: Number of random patches of each picture.
        seed: Seed of the draws.
    """

    def groups(word: str, words: Sequence[str], pool: _Pool) -> Groups | None:
        outside, inside = pool.draw(1, without=words), sorted({*words} - {word, ""})
        if outside is None or not inside:
            return None
        return _named((word, *outside, str(pool.rng.choice(inside))))

    return _region_readouts(
        pictures, wording or Wording(), lambda region: region.label, groups, per_picture, seed
    )


def caption_readouts(
    pictures: Sequence[EncodedPicture],
    wording: Wording | None = None,
    *,
    per_picture: int = 1,
    seed: int = 0,
) -> PatchReadouts:
    """Make read-outs at any patch: the caption's content words (``hub``) against two others'.

    ``surface`` and ``control`` are words of two other captions that no earlier group has. A group
    is scored by its likeliest word, so all three have equally many: the first ones of each caption.

    Args:
        pictures: Encoded pictures.
        wording: Text before a picture; None for the default.
        per_picture: Number of random patches of each picture.
        seed: Seed of the draws.
    """
    rng = np.random.default_rng(as_seed(seed))
    words = [caption_words(encoded.picture.caption) for encoded in pictures]
    made: list[tuple[Readout, int, int]] = []
    dropped: Counter[str] = Counter(dict.fromkeys(DROPPED, 0))
    for index, encoded in enumerate(pictures):
        groups = _caption_groups(words, index, rng)
        if groups is None:
            dropped[NO_CONTROLS] += encoded.n_patches
            continue
        for patch in rng.permutation(encoded.n_patches)[:per_picture].tolist():
            readout = Readout(encoded.at_patch(patch, wording or Wording()), groups)
            made.append((readout, index, patch))
    return _collected(made, dropped)


class _Pool:
    """Words to draw from, each as often as it is true of a patch."""

    def __init__(self, words: Sequence[str], rng: np.random.Generator) -> None:
        self.counts, self.rng = Counter(words), rng

    def draw(self, count: int, without: Sequence[str]) -> tuple[str, ...] | None:
        """Draw different words, without some; None if there are too few."""
        available = {word: n for word, n in self.counts.items() if word not in without}
        if len(available) < count:
            return None
        weights = np.array(list(available.values()), np.float64)
        drawn = self.rng.choice(list(available), count, replace=False, p=weights / weights.sum())
        return tuple(map(str, drawn))


_Choose = Callable[[str, Sequence[str], _Pool], Groups | None]
"""From a patch's word and the words of all regions to the groups."""


def _region_readouts(
    pictures: Sequence[EncodedPicture],
    wording: Wording,
    word: Callable[[Region], str],
    choose: _Choose,
    per_picture: int,
    seed: int,
) -> PatchReadouts:
    """Read-outs at random patches whose region has a word, with chosen groups."""
    rng, made = np.random.default_rng(as_seed(seed)), []
    words = [[word(region) for region in encoded.picture.regions] for encoded in pictures]
    usable = [_usable_patches(e, of_regions) for e, of_regions in zip(pictures, words, strict=True)]
    true_words = [
        of_regions[region]
        for of_regions, patches in zip(words, usable, strict=True)
        for region in patches.values()
    ]
    pool = _Pool(true_words, rng)
    dropped: Counter[str] = Counter(dict.fromkeys(DROPPED, 0))
    for index, (encoded, of_regions, patches) in enumerate(
        zip(pictures, words, usable, strict=True)
    ):
        dropped.update(_reasons(encoded, of_regions))
        for patch in rng.permutation(list(patches))[:per_picture].tolist():
            groups = choose(of_regions[patches[patch]], of_regions, pool)
            if groups is None:
                dropped[NO_CONTROLS] += len(patches)
                break
            made.append((Readout(encoded.at_patch(patch, wording), groups), index, patch))
    return _collected(made, dropped)


def _usable_patches(encoded: EncodedPicture, words: Sequence[str]) -> dict[int, int]:
    """Mapping from patch to region, for regions with a word."""
    return {p: r for p, r in enumerate(encoded.regions.tolist()) if r >= 0 and words[r]}


def _reasons(encoded: EncodedPicture, words: Sequence[str]) -> Iterator[str]:
    """Reason of each patch without a word."""
    for region in encoded.regions.tolist():
        if region < 0:
            yield {NOTHING: BACKGROUND_PATCH, MIXED: MIXED_PATCH}[region]
        elif not words[region]:
            yield UNNAMED


def _caption_groups(
    captions: Sequence[tuple[str, ...]], index: int, rng: np.random.Generator
) -> Groups | None:
    """Words of a caption and of two others, equally many; None if there are too few."""
    groups = [captions[index]] if captions[index] else []
    for other in rng.permutation(len(captions)).tolist():
        words = tuple(w for w in captions[other] if w not in chain(*groups))
        if words and other != index and groups:
            groups.append(words)
        if len(groups) == 3:
            least = min(map(len, groups))
            return dict(zip(_GROUPS, (group[:least] for group in groups), strict=True))
    return None


def _named(words: Sequence[str]) -> Groups:
    """Groups of one word each."""
    return {name: (word,) for name, word in zip(_GROUPS, words, strict=True)}


def _collected(
    made: Sequence[tuple[Readout, int, int]], dropped: Mapping[str, int]
) -> PatchReadouts:
    """Read-outs with their pictures and patches."""
    readouts, pictures, patches = zip(*made, strict=True) if made else ((), (), ())
    return PatchReadouts(readouts, pictures, patches, dict(dropped))
