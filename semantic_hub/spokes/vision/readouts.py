"""What is asked inside a picture: the colour of a patch, what it is of, what the caption says.

There is no surface word inside a picture, and a model has a taste for some words. So ``surface`` is
a word drawn from the other pictures: of the same sort, and as often as it is true of them. ``hub``
above ``surface`` is then compared with a further word above ``surface``: whatever the model likes
in general cancels. Where several regions compete, ``control`` is the word of another region of the
*same* picture, so that knowing the picture without its places is not enough.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from semantic_hub.prompts.prompt import HUB, SURFACE, Readout
from semantic_hub.spokes.vision.captions import content_words
from semantic_hub.spokes.vision.images.picture import NOTHING, Region
from semantic_hub.spokes.vision.inputs import MIXED, Shown, Wording

BACKGROUND_PATCH = "background"
MIXED_PATCH = "mixed patch"
UNNAMED = "a region without this word"
NO_CONTROLS = "no control words"
DROPPED = (BACKGROUND_PATCH, MIXED_PATCH, UNNAMED, NO_CONTROLS)
"""Why a patch, or a picture, is not asked about."""


@dataclass(frozen=True)
class PatchReadouts:
    """Read-outs inside pictures, where they are, and what was left out.

    Args:
        readouts: The read-outs.
        pictures: The index of each one's picture.
        patches: Its patch, row by row.
        dropped: Number of patches, by reason, that could not be asked about.
    """

    readouts: tuple[Readout, ...]
    pictures: tuple[int, ...]
    patches: tuple[int, ...]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.readouts)


Groups = Mapping[str, tuple[str, ...]]

_GROUPS = (HUB, SURFACE, "control")


def color_readouts(
    shown: Sequence[Shown], wording: Wording | None = None, *, per_picture: int = 1, seed: int = 0
) -> PatchReadouts:
    """At patches of a region with a colour: that colour (``hub``) against two others.

    ``surface`` and ``control`` are colours that the picture's regions do not have, drawn as often
    as they are true of the patches of the other pictures.

    Args:
        shown: The pictures.
        wording: What is said before a picture; None for the default.
        per_picture: Patches of each picture, at random. Read-outs of one picture are not
            independent, and intervals take them to be.
        seed: Of the draws.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.vision.images.picture import patch_features
        >>> from semantic_hub.spokes.vision.images.drawn import random_pictures
        >>> from semantic_hub.spokes.vision.inputs import show
        >>> encode = lambda image: torch.from_numpy(patch_features(np.asarray(image)))
        >>> shown = [show(encode, picture) for picture in random_pictures(9, kind="halves")]
        >>> found = color_readouts(shown)
        >>> len(found), list(found.readouts[0].candidates)
        (9, ['hub', 'surface', 'control'])
    """

    def groups(own: str, words: Sequence[str], pool: _Pool) -> Groups | None:
        others = pool.draw(2, without=words)
        return None if others is None else _named((own, *others))

    return _asked(
        shown, wording or Wording(), lambda region: region.color, groups, per_picture, seed
    )


def segment_readouts(
    shown: Sequence[Shown], wording: Wording | None = None, *, per_picture: int = 1, seed: int = 0
) -> PatchReadouts:
    """At patches of a region with a label: that label (``hub``) against another region's.

    ``control`` is the label of another region of the same picture, ``surface`` a label of none of
    its regions. Labels are names of shapes and things, and colours of sides.

    Args:
        shown: The pictures; those with one label alone are left out.
        wording: What is said before a picture; None for the default.
        per_picture: Patches of each picture, at random.
        seed: Of the draws.
    """

    def groups(own: str, words: Sequence[str], pool: _Pool) -> Groups | None:
        outside, inside = pool.draw(1, without=words), sorted({*words} - {own, ""})
        if outside is None or not inside:
            return None
        return _named((own, *outside, str(pool.rng.choice(inside))))

    return _asked(
        shown, wording or Wording(), lambda region: region.label, groups, per_picture, seed
    )


def caption_readouts(
    shown: Sequence[Shown], wording: Wording | None = None, *, per_picture: int = 1, seed: int = 0
) -> PatchReadouts:
    """At any patch: the content words of the caption (``hub``) against those of two others.

    ``surface`` and ``control`` are words of two other captions that no earlier group has. A group
    counts as its likeliest word, so all three have equally many: the first ones of each caption.

    Args:
        shown: The pictures.
        wording: What is said before a picture; None for the default.
        per_picture: Patches of each picture, at random.
        seed: Of the draws.
    """
    rng, said = np.random.default_rng(seed), [content_words(s.picture.caption) for s in shown]
    found: list[tuple[Readout, int, int]] = []
    dropped: Counter[str] = Counter(dict.fromkeys(DROPPED, 0))
    for index, one in enumerate(shown):
        groups = _caption_groups(said, index, rng)
        if groups is None:
            dropped[NO_CONTROLS] += one.n_patches
            continue
        for patch in rng.permutation(one.n_patches)[:per_picture].tolist():
            found.append((Readout(one.at(patch, wording or Wording()), groups), index, patch))
    return _collected(found, dropped)


class _Pool:
    """Words to draw from, each as often as it is true of a patch."""

    def __init__(self, words: Sequence[str], rng: np.random.Generator) -> None:
        self.counts, self.rng = Counter(words), rng

    def draw(self, count: int, without: Sequence[str]) -> tuple[str, ...] | None:
        """Different words, none of some; None where there are too few."""
        left = {word: n for word, n in self.counts.items() if word not in without}
        if len(left) < count:
            return None
        weights = np.array(list(left.values()), np.float64)
        drawn = self.rng.choice(list(left), count, replace=False, p=weights / weights.sum())
        return tuple(map(str, drawn))


_Choose = Callable[[str, Sequence[str], _Pool], Groups | None]
"""From a patch's own word and the words of all regions to the groups."""


def _asked(
    shown: Sequence[Shown],
    wording: Wording,
    word: Callable[[Region], str],
    choose: _Choose,
    per_picture: int,
    seed: int,
) -> PatchReadouts:
    rng, found = np.random.default_rng(seed), []
    words = [[word(region) for region in one.picture.regions] for one in shown]
    usable = [_usable(one, own) for one, own in zip(shown, words, strict=True)]
    pool = _Pool([w[r] for w, of in zip(words, usable, strict=True) for r in of.values()], rng)
    dropped: Counter[str] = Counter(dict.fromkeys(DROPPED, 0))
    for index, (one, own, of) in enumerate(zip(shown, words, usable, strict=True)):
        dropped.update(_reasons(one, own))
        for patch in rng.permutation(list(of))[:per_picture].tolist():
            groups = choose(own[of[patch]], own, pool)
            if groups is None:
                dropped[NO_CONTROLS] += len(of)
                break
            found.append((Readout(one.at(patch, wording), groups), index, patch))
    return _collected(found, dropped)


def _usable(shown: Shown, words: Sequence[str]) -> dict[int, int]:
    """Patch to region, where the region has a word."""
    return {p: r for p, r in enumerate(shown.regions.tolist()) if r >= 0 and words[r]}


def _reasons(shown: Shown, words: Sequence[str]) -> Iterator[str]:
    """Why patches have no word."""
    for region in shown.regions.tolist():
        if region < 0:
            yield {NOTHING: BACKGROUND_PATCH, MIXED: MIXED_PATCH}[region]
        elif not words[region]:
            yield UNNAMED


def _caption_groups(
    said: Sequence[tuple[str, ...]], index: int, rng: np.random.Generator
) -> Groups | None:
    groups = [said[index]] if said[index] else []
    for other in rng.permutation(len(said)).tolist():
        words = tuple(w for w in said[other] if w not in chain(*groups))
        if words and other != index and groups:
            groups.append(words)
        if len(groups) == 3:
            least = min(map(len, groups))
            return dict(zip(_GROUPS, (group[:least] for group in groups), strict=True))
    return None


def _named(words: Sequence[str]) -> Groups:
    return {name: (word,) for name, word in zip(_GROUPS, words, strict=True)}


def _collected(
    found: Sequence[tuple[Readout, int, int]], dropped: Mapping[str, int]
) -> PatchReadouts:
    readouts, pictures, patches = zip(*found, strict=True) if found else ((), (), ())
    return PatchReadouts(readouts, pictures, patches, dict(dropped))
