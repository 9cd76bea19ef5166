"""Clips as a model hears them, and the words of their labels."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.spokes.audio.sounds.clip import Clip

Encode = Callable[[Float[np.ndarray, " sample"], int], Float[Tensor, "pos d_model"]]
"""From a waveform and its rate to features of the model's width, any number of positions."""

CLIP = "{clip}"
"""Where a clip goes in a template."""

_FUNCTION_WORDS = "a an the and or of on in at with from by to"


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip with the features that a model hears it by.

    Args:
        clip: The sound.
        span: What `Encode` made of it.

    Example:
        >>> import torch
        >>> heard = Heard(Clip(np.zeros(800), 16000, "dog barking"), SoftTokens(torch.zeros(20, 8)))
        >>> heard.words, heard.prompt("{clip} mammal:").text.replace(SOFT, "~")
        (('dog', 'barking'), '~ mammal:')
    """

    clip: Clip
    span: SoftTokens

    @property
    def words(self) -> tuple[str, ...]:
        """The content words of the label."""
        return label_words(self.clip.label)

    def prompt(self, template: str = CLIP, row: int | None = None) -> Prompt:
        """The clip in a text.

        Args:
            template: A text with one ``{clip}``.
            row: Read at this row of the clip's features; None for the end of the text.

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


def hear(encode: Encode, clips: Sequence[Clip]) -> tuple[Heard, ...]:
    """Each clip with its features; each is encoded once.

    Args:
        encode: The encoder with its projector.
        clips: What it is given, one after the other.

    Raises:
        SemanticHubError: Features that are no finite matrix ``[pos, d_model]``.
    """
    return tuple(Heard(clip, SoftTokens(encode(clip.waveform, clip.rate))) for clip in clips)


def label_words(label: str) -> tuple[str, ...]:
    """A label's words in lower case and in their order, without those that carry no content.

    Example:
        >>> label_words("Playing the drum kit"), label_words("people giggling, laughing")
        (('playing', 'drum', 'kit'), ('people', 'giggling', 'laughing'))
    """
    words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", label.lower())
    return tuple(dict.fromkeys(word for word in words if word not in _FUNCTION_WORDS.split()))


def balanced(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """As many clips of each label as of the rarest one: the first of each, in their order.

    Where one label is commoner than others, a model that always hears it is right more often than
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
        clip for place, clip in enumerate(clips) if labels[:place].count(clip.label) < least
    )
