"""Speech: real where espeak-ng is installed, a clear error where it is not."""

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.sounds.speech import can_speak, spoken_clip, spoken_clips

speaks = pytest.mark.skipif(not can_speak(), reason="espeak-ng is not installed")


@speaks
def test_seeds_give_other_voices_and_the_same_ones_again() -> None:
    one, again, other = (spoken_clip("seven", seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.waveform, again.waveform)
    assert one.waveform.shape != other.waveform.shape or (one.waveform != other.waveform).any()
    assert (one.label, one.rate) == ("seven", 16_000)
    assert 0.2 < one.seconds < 3
    assert np.abs(one.waveform).max() > 0.05


@speaks
def test_languages_and_labels() -> None:
    english, spanish = spoken_clip("dog"), spoken_clip("perro", "dog", language="es")
    assert english.label == spanish.label == "dog"
    assert [c.label for c in spoken_clips(["one", "two"], seeds=[0, 1])] == ["one", "two"] * 2


@speaks
def test_text_is_no_option() -> None:
    assert spoken_clip("--version").seconds > 0.5


@speaks
def test_refused() -> None:
    with pytest.raises(SemanticHubError, match="a language that espeak-ng speaks"):
        spoken_clip("dog", language="klingonese")


def test_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not can_speak()
    with pytest.raises(SemanticHubError, match="apt-get install espeak-ng"):
        spoken_clip("dog")
