"""Clips against their labels, for the similarity."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.audio.inputs import CLIP, Heard
from semantic_hub.spokes.audio.interventions import Question


def pairs(heard: Sequence[Heard], template: str = CLIP, caption: str = "{label}") -> Pairs:
    """Clips against their labels, each in the same text, read at the text's end.

    Many clips have the same label, so some of the mismatched pairs mean the same: the similarity is
    a little less than it could be, never more. The control ``"mismatched pairs"`` keeps such apart.

    Args:
        heard: Clips with their features.
        template: A text with one ``{clip}``, such as ``"{clip} animal:"``.
        caption: What stands in the clip's place on the other side; ``{label}`` is the label.

    Raises:
        SemanticHubError: No clips, or a template without ``{clip}``.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.spoke import animal_clips, hear
        >>> heard = hear(lambda wave, rate: torch.zeros(20, 8), animal_clips(["dog"], seeds=[0]))
        >>> pairs(heard, "{clip} animal:", "{label}.").y[0].text
        'dog. animal:'
    """
    labels = [clip.clip.label for clip in heard]
    return Pairs.from_prompts(
        [clip.prompt(template) for clip in heard],
        [_captioned(label, template, caption) for label in labels],
        x_name="clip",
        y_name="label",
        labels=labels,
    )


def hard_negatives(
    heard: Sequence[Heard],
    template: str = CLIP,
    caption: str = "{label}",
    *,
    question: Question | None = None,
    seed: int = 0,
) -> Pairs:
    """`pairs`, but with the label of another clip: where there is one, of the same answer.

    A dog is captioned as another mammal, so that what is lost is which animal it is.

    Args:
        heard: Clips with their features.
        template: As in `pairs`.
        caption: As in `pairs`.
        question: Which labels are alike: those with the same answer; by default mammals, and other
            animals.
        seed: Of the other labels.

    Raises:
        SemanticHubError: All clips have one label.

    Example:
        >>> import torch
        >>> from semantic_hub.spokes.audio.spoke import animal_clips, hear
        >>> clips = animal_clips(["dog", "owl", "cow"], seeds=[0])
        >>> near = hard_negatives(hear(lambda wave, rate: torch.zeros(20, 8), clips))
        >>> near.labels[0], near.y[0].text
        ('dog', 'cow')
    """
    rng = np.random.default_rng(seed)
    question = question or Question()
    labels = sorted({clip.clip.label for clip in heard})
    near = [_near(clip.clip.label, labels, question, rng) for clip in heard]
    y = tuple(_captioned(label, template, caption) for label in near)
    return replace(pairs(heard, template, caption), y=y)


def _captioned(label: str, template: str, caption: str) -> Prompt:
    return Prompt(template.replace(CLIP, caption.replace("{label}", label)))


def _near(label: str, labels: Sequence[str], question: Question, rng: np.random.Generator) -> str:
    """Another label, of the same answer if there is one."""
    others = [other for other in labels if other != label]
    if not others:
        raise SemanticHubError(
            "audio.hard_negatives",
            got=f"clips that are all labelled {label!r}",
            expected="at least two labels",
            fix="Add clips of another label.",
        )
    kind = _kind(label, question)
    alike = [other for other in others if _kind(other, question) == kind]
    return str(rng.choice(alike or others))


def _kind(label: str, question: Question) -> str | None:
    animal = question.animal(label)
    return None if animal is None else question.answer(animal)
