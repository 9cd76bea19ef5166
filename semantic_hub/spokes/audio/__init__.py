"""The audio spoke: sounds that enter a model as soft tokens, against their labels.

Similarity pairs a clip with its label; a hard negative has another label. The lens reads at the
clip's positions, and asks for the words of the label. There another animal is also written in:
does the answer to "is it a mammal" change? Source: Wu et al. 2025, arXiv 2411.04986, sections 4
and 5 (audio).
"""

from semantic_hub.spokes.audio.spoke import (
    ANIMALS,
    AudioSpoke,
    Clip,
    Encode,
    Flip,
    Heard,
    MelSettings,
    Question,
    animal_clips,
    balanced,
    can_speak,
    clips_from_folder,
    hard_negatives,
    hear,
    label_words,
    log_mel,
    pairs,
    read_clip,
    readouts,
    spoken_clip,
    spoken_clips,
    steering,
    synthesize,
)

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
