"""Read-outs at the positions of clips: words of the clip's own label against other labels'.

There is no surface word at a position of a sound. The groups are the words of three labels: ``hub``
of the clip's own, ``surface`` and ``control`` of two others, drawn at random for each clip. So
"hub above surface" says that the stream names the right label, and "control above surface" is what
chance gives, 1/2 where labels are equally common: a taste for some word shows in both alike.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import HUB, SURFACE, Readout
from semantic_hub.spokes.audio.inputs import CLIP, Heard, label_words


def readouts(
    heard: Sequence[Heard],
    *,
    template: str = CLIP,
    rows: Literal["one", "all"] = "one",
    seed: int = 0,
) -> list[Readout]:
    """Read-outs at positions of clips, with groups ``hub``, ``surface`` and ``control``.

    Args:
        heard: Clips with their features.
        template: A text with one ``{clip}``; what comes before the clip is read as well.
        rows: ``"one"``: one position of each clip, drawn at random, so that a mean over read-outs
            is one over positions and each item is another clip. ``"all"``: all positions, clip by
            clip; see `semantic_hub.lenses.result.LensResult.pooled`.
        seed: Of the positions and of the other labels.

    Raises:
        SemanticHubError: Fewer than three labels that have no word in common, or a label without
            words.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.inputs import hear
        >>> from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
        >>> clips = animal_clips(["dog", "owl", "bee"], seeds=[0])
        >>> found = readouts(hear(lambda wave, rate: torch.zeros(20, 8), clips), rows="all")
        >>> len(found), found[0].candidates["hub"]
        (60, ('dog',))
    """
    rng = np.random.default_rng(seed)
    labels = list(dict.fromkeys(clip.clip.label for clip in heard))
    found = []
    for clip in heard:
        candidates = _candidates(clip, labels, rng)
        drawn = [int(rng.integers(len(clip.span)))]
        found += [
            Readout(clip.prompt(template, row), candidates)
            for row in (drawn if rows == "one" else range(len(clip.span)))
        ]
    return found


def _candidates(
    clip: Heard, labels: Sequence[str], rng: np.random.Generator
) -> dict[str, tuple[str, ...]]:
    """The words of the clip's label, and of two others drawn at random."""
    groups = [clip.words]
    for label in rng.permutation(labels):
        words = label_words(label)
        if words and not any(set(words) & set(group) for group in groups):
            groups.append(words)
        if len(groups) == len(_GROUPS) and clip.words:
            return dict(zip(_GROUPS, groups, strict=True))
    raise SemanticHubError(
        "audio.readouts",
        got=f"{len(labels)} labels, of which {clip.clip.label!r} shares words with too many",
        expected="at least three labels with words, none in common",
        fix="Add clips of other labels.",
    )


_GROUPS = (HUB, SURFACE, "control")
