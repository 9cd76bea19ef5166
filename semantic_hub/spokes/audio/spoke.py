"""The audio spoke: sounds that enter a model as soft tokens, against their labels.

Similarity pairs a clip with its label; a hard negative has another label. The lens reads at the
clip's positions, and asks for the words of the label. There another animal is also written in:
does the answer to "is it a mammal" change? Source: Wu et al. 2025, arXiv 2411.04986, sections 4
and 5 (audio).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import AnswerSteering, Steering
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.spokes.audio.inputs import Encode, Heard, balanced, hear, label_words
from semantic_hub.spokes.audio.interventions import Flip, Question, steering
from semantic_hub.spokes.audio.pairs import hard_negatives, pairs
from semantic_hub.spokes.audio.readouts import readouts
from semantic_hub.spokes.audio.sounds.clip import Clip, read_clip
from semantic_hub.spokes.audio.sounds.files import clips_from_folder
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.audio.sounds.speech import can_speak, spoken_clip, spoken_clips
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, animal_clips, synthesize

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings

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
    "pairs",
    "read_clip",
    "readouts",
    "spoken_clip",
    "spoken_clips",
    "steering",
    "synthesize",
]


@dataclass(frozen=True)
class AudioSpoke(Spoke):
    """Sounds for `semantic_hub.run`: clips against their labels.

    Args:
        encode: From ``(waveform, rate)`` to features ``[pos, d_model]`` in the model's embedding
            space; see `semantic_hub.spokes.audio.inputs.Encode`. Each clip is encoded once.
        clips: Sounds with labels; by default ten of each synthesized animal. Labels should be
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
        >>> list(spoke.pairs()), list(spoke.readouts())
        (['label', 'asked'], ['label'])
        >>> list(spoke.interventions())
        ['yes -> no', 'no -> yes', 'P(yes), yes -> no', 'P(yes), no -> yes']
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

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """The first clip of each label that is one word, under that word."""
        found: dict[str, Prompt] = {}
        for heard in self.heard:
            if heard.words == (heard.clip.label,):
                found.setdefault(heard.clip.label, heard.prompt())
        return {"clips": found}

    def spelled_out(self) -> Mapping[str, tuple[Prompt, ...]]:
        """Every position of two clips."""
        return {
            name: tuple(heard.prompt(row=row) for row in range(len(heard.span)))
            for name, heard in self._spelled_out_clips().items()
        }

    def figures(self, found: "Findings") -> Mapping[str, "go.Figure"]:
        """These clips over time, with the top token of each position at the middle layer."""
        from semantic_hub.spokes.audio.figures import position_words

        return position_words(self._spelled_out_clips(), found)

    def interventions(self) -> Mapping[str, Steering | AnswerSteering]:
        """Another animal written into the clip, towards either answer: which answer is given then,
        and how the probability of both is shared."""
        flips = self._flips()
        words = self.question.yes, self.question.no
        shares = {
            f"P({words[0]}), {name}": AnswerSteering(
                prompts=flip.prompts,
                contrasts=flip.contrasts,
                answers=words,
                strengths=flip.strengths,
                positions=SoftPositions(),
            )
            for name, flip in flips.items()
        }
        return {**flips, **shares}

    def _spelled_out_clips(self) -> Mapping[str, Heard]:
        """First clip of each of the first two labels."""
        firsts: dict[str, Heard] = {}
        for heard in self.heard:
            firsts.setdefault(f"each position, {heard.clip.label}", heard)
        return dict(list(firsts.items())[:2])

    def _flips(self) -> Mapping[str, Steering]:
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
