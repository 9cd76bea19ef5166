"""The audio spoke: sounds that enter a model as soft tokens, against their labels.

Similarity pairs a clip with its label; a hard negative has another label. The lens reads at the
clip's positions, and asks for the words of the label. There another animal is also written in:
does the answer to "is it a mammal" change? Source: Wu et al. 2025, arXiv 2411.04986, sections 4
and 5 (audio).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions import Steering
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Prompt, Readout
from semantic_hub.spokes.audio_clips import CLIP, Encode, Heard, balanced, hear, label_words
from semantic_hub.spokes.audio_questions import Flip, Question, steering
from semantic_hub.spokes.audio_readouts import over_positions, readouts
from semantic_hub.spokes.sounds import Clip, read_clip
from semantic_hub.spokes.sounds_files import clips_from_folder
from semantic_hub.spokes.sounds_mel import MelSettings, log_mel
from semantic_hub.spokes.sounds_speech import can_speak, spoken_clip, spoken_clips
from semantic_hub.spokes.sounds_synthesis import ANIMALS, animal_clips, synthesise

__all__ = [
    "ANIMALS",
    "AudioSpoke",
    "Clip",
    "Encode",
    "Flip",
    "Heard",
    "MelSettings",
    "Question",
    "animal_clips",
    "balanced",
    "can_speak",
    "clips_from_folder",
    "hard_negatives",
    "hear",
    "label_words",
    "log_mel",
    "over_positions",
    "pairs",
    "read_clip",
    "readouts",
    "spoken_clip",
    "spoken_clips",
    "steering",
    "synthesise",
]


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


@dataclass(frozen=True)
class AudioSpoke:
    """Sounds for `semantic_hub.run`: clips against their labels.

    Args:
        encode: From ``(waveform, rate)`` to features ``[pos, d_model]`` in the model's embedding
            space; see `semantic_hub.spokes.audio_clips.Encode`. Each clip is encoded once.
        clips: Sounds with labels; by default ten of each synthesised animal. Labels should be
            equally common: see `balanced`.
        question: What the interventions ask; by default whether it is a mammal. Sets whose animals
            are not among the clips are left out.
        naming: A text that asks for the label, with ``{clip}``.
        caption: What stands for a clip in a text, in the same place.
        at_most: Clips in each set of interventions, evenly spaced: each is run at every layer.
        seed: Of positions, other labels and new animals.

    Raises:
        SemanticHubError: Fewer than three labels.

    Example:
        >>> import torch
        >>> spoke = AudioSpoke(lambda wave, rate: torch.zeros(20, 8), animal_clips(seeds=[0, 1]))
        >>> list(spoke.pairs()), list(spoke.readouts()), list(spoke.interventions())
        (['label', 'asked'], ['label'], ['yes -> no', 'no -> yes'])
    """

    encode: Encode
    clips: Sequence[Clip] = field(default_factory=animal_clips)
    question: Question = field(default_factory=Question)
    naming: str = "{clip} animal:"
    caption: str = "{label}."
    at_most: int = 100
    seed: int = 0
    name: str = "audio"

    def __post_init__(self) -> None:
        labels = {clip.label for clip in self.clips}
        if len(labels) < 3:
            raise SemanticHubError(
                "AudioSpoke",
                got=f"{len(self.clips)} clips of {len(labels)} labels",
                expected="at least three labels: a clip's own, and two to compare it with",
                fix="Add clips of other labels.",
            )

    @cached_property
    def heard(self) -> tuple[Heard, ...]:
        """The clips with their features."""
        return hear(self.encode, self.clips)

    def pairs(self) -> Mapping[str, Pairs]:
        """A clip alone against its label alone, and both in a question for the label."""
        return {
            "label": pairs(self.heard),
            "asked": pairs(self.heard, self.naming, self.caption),
        }

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """For each set of `pairs` the same x, with the label of another animal of the same kind."""
        how = {"question": self.question, "seed": self.seed}
        return {
            "label": hard_negatives(self.heard, **how),
            "asked": hard_negatives(self.heard, self.naming, self.caption, **how),
        }

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """One position of each clip: its label's words against those of two other labels."""
        return {"label": readouts(self.heard, seed=self.seed)}

    def interventions(self) -> Mapping[str, Steering]:
        """Another animal written into the clip, towards either answer."""
        return {
            name: steering(
                self.heard,
                self.question,
                true_to_false=true_to_false,
                at_most=self.at_most,
                seed=self.seed,
            )
            for name, true_to_false in self._routes().items()
            if self._has_animals(true_to_false)
        }

    def _routes(self) -> Mapping[str, bool]:
        yes, no = self.question.yes, self.question.no
        return {f"{yes} -> {no}": True, f"{no} -> {yes}": False}

    def _has_animals(self, true_to_false: bool) -> bool:
        """Whether two animals of the one answer and one of the other are among the clips."""
        animals = {self.question.animal(clip.label) for clip in self.clips} - {None}
        true, false = animals & self.question.true_of, animals & self.question.false_of
        own, other = (true, false) if true_to_false else (false, true)
        return len(own) > 1 and len(other) > 0


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
