"""Read-outs at the positions of clips: words of the clip's label against those of other labels.

There is no surface word at a position of a sound. The groups are the words of three labels: ``hub``
the clip's own, ``surface`` and ``control`` two others, drawn at random for each clip. So "hub above
surface" means that the stream names the right label, and "control above surface" is the chance
level, 1/2 if labels are equally common; a general preference for a word affects both alike.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.prompts.prompt import HUB, SURFACE, Readout
from semantic_hub.spokes.audio.inputs import CLIP, EncodedClip, label_words

_GROUPS = (HUB, SURFACE, "control")


def readouts(
    clips: Sequence[EncodedClip],
    *,
    template: str = CLIP,
    rows: Literal["one", "all"] = "one",
    seed: int = 0,
) -> list[Readout]:
    """Make read-outs at positions of clips: words of the label (``hub``) against two other labels'.

    Args:
        clips: Encoded clips.
        template: Text with one ``{clip}``; text before the clip is read as well.
        rows: ``"one"`` for one random position of each clip, so that a mean over read-outs
            estimates the mean over positions and each item is another clip; ``"all"`` for all
            positions, clip by clip; see `semantic_hub.lenses.result.LensResult.pooled`.
        seed: Seed of the positions and of the other labels.

    Raises:
        SemanticHubError: Fewer than three labels that have no word in common, or a label without
            words.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.inputs import encode_clips
        >>> from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
        >>> clips = animal_clips(["dog", "owl", "bee"], seeds=[0])
        >>> encoded = encode_clips(lambda wave, rate: torch.zeros(20, 8), clips)
        >>> read = readouts(encoded, rows="all")
        >>> len(read), read[0].candidates["hub"]
        (60, ('dog',))
    """
    rng = np.random.default_rng(as_seed(seed))
    labels = list(dict.fromkeys(clip.clip.label for clip in clips))
    made = []
    for clip in clips:
        candidates = _candidates(clip, labels, rng)
        drawn = [int(rng.integers(len(clip.span)))]
        made += [
            Readout(clip.prompt(template, row), candidates)
            for row in (drawn if rows == "one" else range(len(clip.span)))
        ]
    return made


def _candidates(
    clip: EncodedClip, labels: Sequence[str], rng: np.random.Generator
) -> dict[str, tuple[str, ...]]:
    """Content words of the clip's label, and of two others drawn at random."""
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
