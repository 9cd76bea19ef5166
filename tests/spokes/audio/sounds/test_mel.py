"""Log-mel frames: against Whisper's own code, and against what must be where."""

import numpy as np
import pytest
from transformers import WhisperFeatureExtractor

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.audio.sounds.synthesis import synthesize


def tone(frequency: float, rate: int = 16_000) -> Clip:
    return Clip(0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate), rate, "tone")


def test_shape_and_range() -> None:
    mel = log_mel(synthesize("dog"))
    assert (mel.shape, mel.dtype) == ((20, 40), np.float32)
    assert mel.max() - mel.min() <= 2.0 + 1e-6


def test_a_tone_is_in_its_filter() -> None:
    """Centres of triangular HTK filters, computed here by their formula."""
    mel_of = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    centres = np.linspace(0, mel_of(8000), 42)[1:-1]
    for frequency in (300.0, 1000.0, 2500.0, 6000.0):
        nearest = np.abs(centres - mel_of(frequency)).argmin()
        assert abs(int(log_mel(tone(frequency)).mean(axis=0).argmax()) - int(nearest)) <= 1


def test_frames_follow_time() -> None:
    half = np.concatenate([tone(500).waveform[:8000], np.zeros(8000)])
    mel = log_mel(Clip(half, 16_000, "half"))
    assert mel[:9].max(axis=1).min() > mel[12:].max() + 1


def test_other_rates_and_lengths_come_out_alike() -> None:
    one, other = log_mel(tone(1000)), log_mel(tone(1000, 44_100))
    peak = one > one.max() - 0.5
    assert np.abs(one - other)[peak].max() < 0.02
    long = Clip(np.tile(tone(1000).waveform, 3), 16_000, "tone")
    assert np.allclose(log_mel(long)[:-1], one[:-1], atol=1e-4)
    assert log_mel(long.fitted(0.3)).shape == (20, 40)


def test_loudness_moves_the_frames_and_silence_is_even() -> None:
    quiet = Clip(tone(1000).waveform / 10, 16_000, "tone")
    peak = log_mel(tone(1000)).max() - log_mel(quiet).max()
    assert peak == pytest.approx(2 / 4, abs=1e-3)
    silent = log_mel(Clip(np.zeros(16_000), 16_000, "silence"))
    assert np.ptp(silent) == 0


def test_against_whisper() -> None:
    """With Whisper's numbers, Whisper's frames up to its own filters (Slaney's, not HTK's)."""
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=1)
    clip = synthesize("sheep", seed=5)
    theirs = extractor(clip.waveform, sampling_rate=16_000, return_tensors="np")["input_features"]
    ours = log_mel(clip, MelSettings(mels=80, window=400, hop=160))
    assert theirs[0].T.shape == ours.shape == (100, 80)
    overall = np.corrcoef(theirs[0].max(axis=0), ours.max(axis=1))[0, 1]
    assert overall > 0.99


@pytest.mark.parametrize(
    "wrong", [{"mels": 0}, {"hop": -1}, {"seconds": 0.0}, {"seconds": 0.01}, {"decades": 0.0}]
)
def test_settings_that_are_refused(wrong: dict) -> None:
    with pytest.raises(SemanticHubError, match="MelSettings: "):
        MelSettings(**wrong)
