"""Audio spoke: sounds as soft tokens against their labels.

Similarity pairs a clip with its label; a hard negative has another label. The lens scores the words
of the label at the clip's positions. Steering adds another animal at these positions: does the
answer to "is it a mammal" change? Source: Wu et al. 2025, arXiv 2411.04986, sections 4
and 5 (audio).
"""

from semantic_hub.spokes.audio.inputs import (
    Encode,
    EncodedClip,
    balanced,
    encode_clips,
    label_words,
)
from semantic_hub.spokes.audio.interventions import Question, other_answer, steering
from semantic_hub.spokes.audio.pairing import hard_negatives, pairs
from semantic_hub.spokes.audio.reading import readouts
from semantic_hub.spokes.audio.sounds.clip import Clip, read_clip
from semantic_hub.spokes.audio.sounds.files import clips_from_folder
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.audio.sounds.speech import can_speak, spoken_clip, spoken_clips
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, animal_clips, synthesize
from semantic_hub.spokes.audio.spoke import AudioSpoke

__all__ = [
    "ANIMALS",
    "AudioSpoke",
    "Clip",
    "Encode",
    "EncodedClip",
    "MelSettings",
    "Question",
    "animal_clips",
    "balanced",
    "can_speak",
    "clips_from_folder",
    "encode_clips",
    "hard_negatives",
    "label_words",
    "log_mel",
    "other_answer",
    "pairs",
    "read_clip",
    "readouts",
    "spoken_clip",
    "spoken_clips",
    "steering",
    "synthesize",
]
