"""Pairs of clips and their labels, for the similarity."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.audio.inputs import CLIP, EncodedClip
from semantic_hub.spokes.audio.interventions import Question


def pairs(clips: Sequence[EncodedClip], template: str = CLIP, caption: str = "{label}") -> Pairs:
    """Pair clips with their labels, each in the same text, read at the text's end.

    Many clips have the same label, so some of the mismatched pairs mean the same; this makes the
    similarity slightly smaller, never larger.

    Args:
        clips: Encoded clips.
        template: Text with one ``{clip}``, such as ``"{clip} animal:"``.
        caption: Text in place of the clip on the other side; ``{label}`` is the label.

    Raises:
        SemanticHubError: No clips, or a template without ``{clip}``.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.inputs import encode_clips
        >>> from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
        >>> dog = animal_clips(["dog"], seeds=[0])
        >>> clips = encode_clips(lambda wave, rate: torch.zeros(20, 8), dog)
        >>> pairs(clips, "{clip} animal:", "{label}.").y[0].text
        'dog. animal:'
    """
    labels = [clip.clip.label for clip in clips]
    return Pairs.from_prompts(
        [clip.prompt(template) for clip in clips],
        [_captioned(label, template, caption) for label in labels],
        x_name="clip",
        y_name="label",
        labels=labels,
    )


def hard_negatives(
    clips: Sequence[EncodedClip],
    template: str = CLIP,
    caption: str = "{label}",
    *,
    question: Question | None = None,
    seed: int = 0,
) -> Pairs:
    """Pair clips with a wrong label, if possible one with the same answer to the question.

    A dog gets the label of another mammal, so that the pairs differ only in which animal it is.

    Args:
        clips: Encoded clips.
        template: As in `pairs`.
        caption: As in `pairs`.
        question: Question whose answer the other label shares; by default whether it is a mammal.
        seed: Seed of the other labels.

    Raises:
        SemanticHubError: All clips have one label.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.inputs import encode_clips
        >>> from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
        >>> clips = animal_clips(["dog", "owl", "cow"], seeds=[0])
        >>> near = hard_negatives(encode_clips(lambda wave, rate: torch.zeros(20, 8), clips))
        >>> near.labels[0], near.y[0].text
        ('dog', 'cow')
    """
    rng = np.random.default_rng(as_seed(seed))
    question = question or Question()
    labels = sorted({clip.clip.label for clip in clips})
    others = [_other_label(clip.clip.label, labels, question, rng) for clip in clips]
    y = tuple(_captioned(label, template, caption) for label in others)
    return replace(pairs(clips, template, caption), y=y)


def _captioned(label: str, template: str, caption: str) -> Prompt:
    """Prompt with a caption in place of the clip."""
    return Prompt(template.replace(CLIP, caption.replace("{label}", label)))


def _other_label(
    label: str, labels: Sequence[str], question: Question, rng: np.random.Generator
) -> str:
    """Draw another label, of the same answer if there is one."""
    others = [other for other in labels if other != label]
    if not others:
        raise SemanticHubError(
            "audio.hard_negatives",
            got=f"clips that are all labeled {label!r}",
            expected="at least two labels",
            fix="Add clips of another label.",
        )
    answer = _answer(label, question)
    alike = [other for other in others if _answer(other, question) == answer]
    return str(rng.choice(alike or others))


def _answer(label: str, question: Question) -> str | None:
    """Answer for the animal of a label; None if there is none."""
    animal = question.animal(label)
    return None if animal is None else question.answer(animal)
