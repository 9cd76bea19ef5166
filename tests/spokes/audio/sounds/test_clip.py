"""Clips: what is accepted, WAV files in several formats, and resampling that keeps what sounds."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.sounds.clip import Clip, read_clip

RATE = 16_000


def sine(frequency: float, rate: int = RATE, seconds: float = 1.0) -> Float[np.ndarray, " sample"]:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def loudest(clip: Clip) -> float:
    """The frequency with the most power, in Hz."""
    window = np.hanning(len(clip.waveform))
    spectrum = np.abs(np.fft.rfft(clip.waveform * window))
    return float(np.fft.rfftfreq(len(clip.waveform), 1 / clip.rate)[spectrum.argmax()])


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("frequency", [220.0, 1000.0, 3000.0])
def test_resampling_keeps_a_sine_where_it_is(rate: int, frequency: float) -> None:
    clip = Clip(sine(frequency, rate), rate, "sine").at_rate(RATE)
    assert clip.rate == RATE
    assert clip.seconds == pytest.approx(1.0, abs=1e-3)
    assert loudest(clip) == pytest.approx(frequency, abs=1.5)
    middle = clip.waveform[2000:-2000]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.01)


def test_resampling_folds_nothing_back() -> None:
    """What is above half of the new rate is gone, not mirrored."""
    above = Clip(sine(6000, 44_100), 44_100, "sine").at_rate(8000)
    assert np.abs(above.waveform[500:-500]).max() < 1e-3


def test_the_same_rate_is_the_same_clip() -> None:
    clip = Clip(sine(440), RATE, "sine")
    assert clip.at_rate(RATE) is clip


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 1e-7), ("DOUBLE", 1e-7), ("PCM_U8", 2**-7)],
)
def test_wav_formats_come_back_as_written(tmp_path: Path, subtype: str, tolerance: float) -> None:
    wave = sine(440) * np.linspace(0, 1, RATE)
    soundfile.write(tmp_path / "one.wav", wave, RATE, subtype=subtype)
    clip = read_clip(tmp_path / "one.wav", "sine")
    assert (clip.rate, clip.label, clip.waveform.dtype) == (RATE, "sine", np.float32)
    np.testing.assert_allclose(clip.waveform, wave, atol=tolerance)


def test_channels_are_mixed_down_to_their_mean(tmp_path: Path) -> None:
    left, right = sine(440), sine(880)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    clip = read_clip(tmp_path / "two.wav", "chord")
    np.testing.assert_allclose(clip.waveform, (left + right) / 2, atol=1e-6)


def test_a_part_of_a_file(tmp_path: Path) -> None:
    wave = np.concatenate([sine(440), sine(880), sine(1760)])
    soundfile.write(tmp_path / "three.wav", wave, RATE)
    part = read_clip(tmp_path / "three.wav", "sine", start=1.0, seconds=1.0, rate=8000)
    assert (part.rate, part.seconds, loudest(part)) == (8000, 1.0, pytest.approx(880, abs=1))
    rest = read_clip(tmp_path / "three.wav", "sine", start=2.5, seconds=9.0)
    assert rest.seconds == 0.5


def test_clips_are_cut_and_filled_up() -> None:
    clip = Clip(sine(440), RATE, "sine")
    assert np.array_equal(clip.fitted(0.25).waveform, clip.waveform[:4000])
    longer = clip.fitted(1.5).waveform
    assert len(longer) == 24_000
    assert not longer[16_000:].any()


def test_a_clip_keeps_its_own_samples() -> None:
    wave = sine(440)
    clip = Clip(wave, RATE, "sine")
    wave[:] = 0
    assert clip.waveform.any()
    with pytest.raises(ValueError, match="read-only"):
        clip.waveform[0] = 1


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(0), "no samples"),
        (np.array([0.0, np.nan, np.inf]), "2 samples that are NaN or infinite"),
    ],
)
def test_waveforms_that_are_refused(waveform: np.ndarray, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        Clip(waveform, RATE, "dog")


@pytest.mark.usefixtures("without_shape_checks")
def test_channels_and_whole_numbers_are_refused() -> None:
    with pytest.raises(SemanticHubError, match=r"shape \(2, 800\).*Mix channels down"):
        Clip(np.zeros((2, 800)), RATE, "dog")
    with pytest.raises(SemanticHubError, match=r"samples of int16.*by 32768"):
        Clip(np.zeros(9, dtype=np.int16), RATE, "dog")


@pytest.mark.parametrize(("rate", "label"), [(0, "dog"), (-1, "dog"), (RATE, " ")])
def test_rates_and_labels_that_are_refused(rate: int, label: str) -> None:
    with pytest.raises(SemanticHubError, match="whole number of samples per second"):
        Clip(np.zeros(800), rate, label)


def test_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound at all")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan]), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "good.wav", np.zeros(800), RATE)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "good.wav").read_bytes()[:30])
    for name, message in {
        "missing.wav": "No such file",
        "text.wav": "Convert it to WAV",
        "cut.wav": "cut.wav",
        "empty.wav": "no samples",
        "nan.wav": "1 samples that are NaN",
    }.items():
        with pytest.raises(SemanticHubError, match=message):
            read_clip(tmp_path / name, "dog")
    with pytest.raises(SemanticHubError, match="no samples from second 3 on"):
        read_clip(tmp_path / "good.wav", "dog", start=3.0)
    with pytest.raises(SemanticHubError, match="start=-1"):
        read_clip(tmp_path / "good.wav", "dog", start=-1.0)
    with pytest.raises(SemanticHubError, match="rate 0"):
        read_clip(tmp_path / "good.wav", "dog", rate=0)


def test_a_header_is_not_believed_about_sizes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(80), 8000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F  # the upper bits of the number of samples
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(
        SemanticHubError, match=r"a\.flac: 64,\d+,\d+,\d+ samples; expected at most"
    ):
        read_clip(tmp_path / "a.flac", "silence")
    soundfile.write(tmp_path / "slow.wav", np.zeros(1_000_000), 1)
    with pytest.raises(SemanticHubError, match=r"16000 times: 16,000,000,000 samples"):
        read_clip(tmp_path / "slow.wav", "silence", rate=16_000)
