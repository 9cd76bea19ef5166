"""Clips encoded as soft tokens, and the content words of their labels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.lexicon.content_words import content_words

Encode = Callable[[Float[np.ndarray, " sample"], int], Float[Tensor, "pos d_model"]]
"""From a waveform and its rate to features of the model's width, one row for each position."""

CLIP = "{clip}"
"""Placeholder of a clip in a template."""

_FUNCTION_WORDS = frozenset(
    ["a", "an", "the", "and", "or", "of", "on", "in", "at", "with", "from", "by", "to"]
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """Clip with its encoder features, which a model reads as soft tokens.

    Args:
        clip: The sound.
        span: Its features, from an `Encode` function.

    Example:
        >>> import torch
        >>> clip = Clip(np.zeros(800), 16000, "dog barking")
        >>> encoded = EncodedClip(clip, SoftTokens(torch.zeros(20, 8)))
        >>> encoded.words, encoded.prompt("{clip} mammal:").text.replace(SOFT, "~")
        (('dog', 'barking'), '~ mammal:')
    """

    clip: Clip
    span: SoftTokens
    __repr__ = short_repr

    @property
    def words(self) -> tuple[str, ...]:
        """Content words of the label."""
        return label_words(self.clip.label)

    def prompt(self, template: str = CLIP, row: int | None = None) -> Prompt:
        """Make a prompt from a template, with the clip's soft tokens in place of ``{clip}``.

        Args:
            template: Text with one ``{clip}``.
            row: Row of the clip's features to read at; None for the end of the text.

        Raises:
            SemanticHubError: A template without ``{clip}``, or with several.
        """
        if template.count(CLIP) != 1:
            raise SemanticHubError(
                "audio",
                got=f"the template {template!r}",
                expected=f"one {CLIP} in it",
                fix=f"Write {CLIP} where the sound goes.",
            )
        position = None if row is None else SoftPositions(rows=(row,))
        return Prompt(template.replace(CLIP, SOFT), position=position, soft=(self.span,))


def encode_clips(encode: Encode, clips: Sequence[Clip]) -> tuple[EncodedClip, ...]:
    """Encode each clip once.

    Args:
        encode: Encoder with its projector.
        clips: The clips.

    Raises:
        SemanticHubError: Features that are not a finite matrix ``[pos, d_model]``.
    """
    return tuple(EncodedClip(clip, SoftTokens(encode(clip.waveform, clip.rate))) for clip in clips)


def label_words(label: str) -> tuple[str, ...]:
    """Content words of a label, in lower case and in order of appearance.

    Example:
        >>> label_words("Playing the drum kit"), label_words("people giggling, laughing")
        (('playing', 'drum', 'kit'), ('people', 'giggling', 'laughing'))
    """
    return content_words(label, _WORD, _FUNCTION_WORDS)


def balanced(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Balance the labels: keep the first n clips of each, where n is the count of the rarest label.

    If one label is more common than others, a model that always names it is right more often than
    by chance.

    Example:
        >>> from semantic_hub.spokes.audio.sounds.synthesis import synthesize
        >>> clips = [synthesize("dog"), synthesize("owl"), synthesize("dog", seed=1)]
        >>> [clip.label for clip in balanced(clips)]
        ['dog', 'owl']
    """
    labels = [clip.label for clip in clips]
    least = min(map(labels.count, set(labels)), default=0)
    return tuple(
        clip for index, clip in enumerate(clips) if labels[:index].count(clip.label) < least
    )
