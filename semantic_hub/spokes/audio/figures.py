"""A clip over time with the word that each of its positions says, for the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.audio.inputs import Heard
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.spelled_out import at_middle_layer

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings

_SHOWN = 2


def position_prompts(heard: Heard) -> tuple[Prompt, ...]:
    """A prompt for each position of a clip, that is read there."""
    return tuple(heard.prompt(row=row) for row in range(len(heard.span)))


def first_of_two_labels(heard: Sequence[Heard]) -> Mapping[str, Heard]:
    """The clips that are spelled out: the first of each of the first two labels."""
    firsts: dict[str, Heard] = {}
    for one in heard:
        firsts.setdefault(f"each position, {one.clip.label}", one)
    return dict(list(firsts.items())[:_SHOWN])


def position_words(spelled: Mapping[str, Heard], found: "Findings") -> Mapping[str, "go.Figure"]:
    """Each clip's log-mel frames, and above them its positions' top tokens at the middle layer.

    Args:
        spelled: Clips, by the names that their positions have in the findings.
        found: What was found.
    """
    from semantic_hub.spokes.audio.merge__clip_plots import clip_timeline

    return {
        title: clip_timeline(
            log_mel(heard.clip, settings),
            list(top["text"]),
            seconds=settings.seconds,
            probabilities=list(top["probability"]),
            title=title,
        )
        for title, heard, _, top in at_middle_layer(spelled, found)
        for settings in [MelSettings(seconds=max(heard.clip.seconds, MelSettings().seconds))]
    }
