"""Read-outs at the positions of clips: words of the clip's own label against other labels'.

There is no surface word at a position of a sound. The groups are the words of three labels: ``hub``
of the clip's own, ``surface`` and ``control`` of two others, drawn at random for each clip. So
"hub above surface" says that the stream names the right label, and "control above surface" is what
chance gives, 1/2 where labels are equally common: a taste for some word shows in both alike.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from einops import rearrange, reduce
from jaxtyping import Shaped
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.result import LensResult
from semantic_hub.prompts.prompt import Readout
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
            clip; see `over_positions`.
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


def over_positions(lens: LensResult, n_positions: int) -> LensResult:
    """One item for each clip: its log-probabilities averaged over positions, its median ranks.

    The mean over the positions of a clip is the paper's measure, and intervals are then over clips.

    Args:
        lens: Of ``readouts(..., rows="all")``, for clips of equally many positions.
        n_positions: How many.

    Raises:
        SemanticHubError: Some position of a clip was dropped, or clips of different lengths.

    Example:
        >>> lens = sh.logit_lens(model, [Readout(sh.Prompt(text), {"a": ("dog",), "b": ("cat",)})
        ...                              for text in ("the dog is", "the cat is")])
        >>> over_positions(lens, 2).log_prob.shape[0]
        1
    """
    whole = [
        lens.kept[start : start + n_positions] for start in range(0, len(lens.kept), n_positions)
    ]
    if any(
        kept[0] % n_positions or kept != tuple(range(kept[0], kept[0] + n_positions))
        for kept in whole
    ):
        raise SemanticHubError(
            "over_positions",
            got=f"{len(lens.kept)} read-outs, not {n_positions} to a clip",
            expected="all positions of each clip",
            fix='Read readouts(..., rows="all"), of clips that have as many positions each.',
        )
    return replace(
        lens,
        kept=tuple(kept[0] // n_positions for kept in whole),
        log_prob=reduce(lens.log_prob, _BY_CLIP, "mean", pos=n_positions),
        rank=_by_clip(lens.rank, n_positions).median(dim=1).values,
        first_token_only=_by_clip(lens.first_token_only, n_positions)[:, 0],
        n_tokens=_by_clip(lens.n_tokens, n_positions)[:, 0],
    )


_BY_CLIP = "(clip pos) layer group -> clip layer group"


def _by_clip(
    values: Shaped[Tensor, "readout ..."], n_positions: int
) -> Shaped[Tensor, "clip pos ..."]:
    return rearrange(values, "(clip pos) ... -> clip pos ...", pos=n_positions)


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


_GROUPS = ("hub", "surface", "control")
