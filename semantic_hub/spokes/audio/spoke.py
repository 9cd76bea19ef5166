"""`AudioSpoke`: named sets of everything that the audio data offer."""

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
from semantic_hub.spokes.audio.inputs import (
    Encode,
    EncodedClip,
    encode_clips,
)
from semantic_hub.spokes.audio.interventions import Question, steering
from semantic_hub.spokes.audio.pairing import hard_negatives, pairs
from semantic_hub.spokes.audio.reading import readouts
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
from semantic_hub.spokes.spelled_out import middle_layer_figures

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings


@dataclass(frozen=True)
class AudioSpoke(Spoke):
    """Audio spoke: clips against their labels.

    Args:
        encode: From ``(waveform, rate)`` to features ``[pos, d_model]`` in the model's embedding
            space; see `semantic_hub.spokes.audio.inputs.Encode`. Each clip is encoded once.
        clips: Sounds with labels; by default ten of each synthesized animal. Labels should be
            equally common: see `balanced`.
        question: Question of the interventions; by default whether it is a mammal. Sets whose
            animals are not among the clips are left out.
        naming: Text that asks for the label, with ``{clip}``.
        caption: Text in place of a clip on the other side of a pair.
        at_most: Clips in each set of interventions, evenly spaced: each is run at every layer.
        seed: Seed of positions, other labels and new animals.
        name: Name of the spoke in results.

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
    def encoded_clips(self) -> tuple[EncodedClip, ...]:
        """The clips with their features."""
        return encode_clips(self.encode, self.clips)

    def pairs(self) -> Mapping[str, Pairs]:
        """Clips against labels, alone and in a question for the label."""
        return {
            "label": pairs(self.encoded_clips),
            "asked": pairs(self.encoded_clips, self.naming, self.caption),
        }

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Clips against the labels of other animals of the same kind, for each set of pairs."""
        options = {"question": self.question, "seed": self.seed}
        return {
            "label": hard_negatives(self.encoded_clips, **options),
            "asked": hard_negatives(self.encoded_clips, self.naming, self.caption, **options),
        }

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs at one position of each clip: its label against two other labels."""
        return {"label": readouts(self.encoded_clips, seed=self.seed)}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """One clip of each single-word label as a prompt, by label, to compare across spokes."""
        clips: dict[str, Prompt] = {}
        for encoded in self.encoded_clips:
            if encoded.words == (encoded.clip.label,):
                clips.setdefault(encoded.clip.label, encoded.prompt())
        return {"clips": clips}

    def spelled_out(self) -> Mapping[str, tuple[Prompt, ...]]:
        """Prompts at every position of one clip of each of the first two labels, for figures."""
        return {
            name: tuple(clip.prompt(row=row) for row in range(len(clip.span)))
            for name, clip in self._spelled_out_clips.items()
        }

    def figures(self, findings: "Findings") -> Mapping[str, "go.Figure"]:
        """One clip of each of two labels over time, with the top tokens at the middle layer."""
        return middle_layer_figures(self._spelled_out_clips, findings, _draw_clip)

    def interventions(self) -> Mapping[str, Steering | AnswerSteering]:
        """Steering of clips towards an animal with the other answer, from yes to no and back.

        One set reads which answer is generated, the other how the two share the probability.
        """
        flips, routes = self._flips(), self._routes()
        words = self.question.yes, self.question.no
        shares = {
            f"P({words[0]}), {name}": AnswerSteering(
                prompts=flip.prompts,
                contrasts=flip.contrasts,
                answers=words,
                strengths=flip.strengths,
                positions=SoftPositions(),
                right=(words[0] if routes[name] else words[1],) * len(flip.prompts),
            )
            for name, flip in flips.items()
        }
        return {**flips, **shares}

    @property
    def _spelled_out_clips(self) -> Mapping[str, EncodedClip]:
        """The first clip of each of the first two labels."""
        firsts: dict[str, EncodedClip] = {}
        for encoded in self.encoded_clips:
            firsts.setdefault(f"each position, {encoded.clip.label}", encoded)
        return dict(list(firsts.items())[:2])

    def _flips(self) -> Mapping[str, Steering]:
        """Steering from each answer to the other, if there are animals of both."""
        return {
            name: steering(
                self.encoded_clips,
                self.question,
                true_to_false=true_to_false,
                at_most=self.at_most,
                seed=self.seed,
            )
            for name, true_to_false in self._routes().items()
            if self._has_animals(true_to_false)
        }

    def _routes(self) -> Mapping[str, bool]:
        """Names of both directions between the answers, and whether they start at yes."""
        yes, no = self.question.yes, self.question.no
        return {f"{yes} -> {no}": True, f"{no} -> {yes}": False}

    def _has_animals(self, true_to_false: bool) -> bool:
        """Whether the clips have two animals of the old answer and one of the new."""
        animals = {self.question.animal(clip.label) for clip in self.clips} - {None}
        true, false = animals & self.question.true_of, animals & self.question.false_of
        old, new = (true, false) if true_to_false else (false, true)
        return len(old) > 1 and len(new) > 0


def _draw_clip(
    title: str, encoded: EncodedClip, layer: int, frame: "pd.DataFrame"
) -> tuple[str, "go.Figure"]:
    """Figure of a clip with its top tokens."""
    from semantic_hub.spokes.audio.figures import clip_timeline

    settings = MelSettings(seconds=max(encoded.clip.seconds, MelSettings().seconds))
    figure = clip_timeline(
        log_mel(encoded.clip, settings),
        list(frame["text"]),
        seconds=settings.seconds,
        probabilities=list(frame["probability"]),
        title=title,
    )
    return title, figure
