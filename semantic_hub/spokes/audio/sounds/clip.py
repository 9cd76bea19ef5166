"""Sound clips with one channel, a sampling rate and a label, from arrays or from WAV files."""

from dataclasses import dataclass, replace
from math import isfinite
from numbers import Integral
from pathlib import Path

import numpy as np
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError, check_text, reading, require
from semantic_hub.plotting.values import short_repr

MAX_SAMPLES = 2**28
"""Largest number of samples that is read or resampled to: over four hours at 16 kHz, 1 GiB."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Sound with one channel and a label of what is heard in it.

    Args:
        waveform: Samples, about −1 to 1; stored as read-only float32.
        rate: Samples per second.
        label: What is heard: ``"dog"``, or several words.
        source: Where the clip comes from, such as a file or a seed.

    Raises:
        SemanticHubError: No samples, or samples that are not finite, not floating point or in
            several channels; a rate that is not a positive whole number; an empty label.

    Example:
        >>> clip = Clip(np.zeros(8000), 16000, "silence")
        >>> clip.seconds, clip.waveform.dtype
        (0.5, dtype('float32'))
    """

    waveform: Float[np.ndarray, " sample"]
    rate: int
    label: str
    source: str = ""
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_waveform(np.asarray(self.waveform))
        if not isinstance(self.rate, Integral) or self.rate < 1 or not self.label.strip():
            raise SemanticHubError(
                "Clip",
                got=f"rate {self.rate!r} and label {self.label!r}",
                expected="a whole number of samples per second, and a label",
                fix="Pass both as they are in the file.",
            )
        check_text("Clip", "a label", self.label)
        waveform = np.array(self.waveform, dtype=np.float32)
        waveform.setflags(write=False)
        object.__setattr__(self, "waveform", waveform)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.waveform) / self.rate

    def at_rate(self, rate: int) -> "Clip":
        """Resample the clip to another rate with `soxr` at high quality.

        Args:
            rate: Samples per second.

        Raises:
            SemanticHubError: A rate below 1, or so low that no sample is left, or so high that
                there are more than `MAX_SAMPLES`.

        Example:
            >>> Clip(np.zeros(8000), 16000, "silence").at_rate(8000).seconds
            0.5
        """
        if rate == self.rate:
            return self
        require("soxr")
        import soxr

        if rate < 1:
            raise SemanticHubError(
                "Clip.at_rate",
                got=f"rate {rate}",
                expected="1 or more",
                fix="Give samples per second.",
            )
        _check_size("Clip.at_rate", f"{rate / self.rate:g} times", round(self.seconds * rate))
        waveform = soxr.resample(self.waveform, self.rate, rate, quality="HQ")
        return replace(self, waveform=waveform, rate=rate)

    def fitted(self, seconds: float) -> "Clip":
        """Cut the clip to a length, or pad a shorter one with silence at its end.

        Example:
            >>> Clip(np.zeros(8000), 16000, "silence").fitted(1.0).seconds
            1.0
        """
        size = round(seconds * self.rate)
        waveform = self.waveform[:size]
        return replace(self, waveform=np.pad(waveform, (0, size - len(waveform))))


def read_clip(
    path: str | Path,
    label: str,
    *,
    rate: int | None = None,
    start: float = 0.0,
    seconds: float | None = None,
) -> Clip:
    """Read a clip from a WAV file, or from another format that `soundfile` reads.

    Several channels are averaged. Only the requested part is decoded.

    Args:
        path: The file.
        label: What is heard in it.
        rate: Rate to resample to; None for the file's own.
        start: Where to begin, in seconds.
        seconds: How much to read, at most; None for all.

    Raises:
        SemanticHubError: A file that is missing or not a sound file, that has no sample after
            `start` or more than `MAX_SAMPLES`, or that has samples that are not finite.

    Example:
        >>> import soundfile
        >>> soundfile.write("two.wav", np.zeros((800, 2)), 8000)
        >>> read_clip("two.wav", "silence", rate=16000).waveform.shape
        (1600,)
    """
    _check_part(start, seconds)
    require("soundfile")
    with reading(
        "read_clip",
        path,
        expected="a sound file that soundfile reads (WAV, FLAC, …)",
        fix="Convert it to WAV, or leave it out.",
    ):
        channels, own_rate = _decode(Path(path), start, seconds)
    if not len(channels) or not np.isfinite(channels).all():
        raise SemanticHubError(
            "read_clip",
            got=f"{path}: {_defect(channels)} from second {start:g} on",
            expected="at least one sample, all finite",
            fix="Leave the file out, or read another part of it.",
        )
    clip = Clip(channels.mean(axis=1, dtype=np.float32), own_rate, label, str(path))
    return clip if rate is None else clip.at_rate(rate)


def _decode(
    path: Path, start: float, seconds: float | None
) -> tuple[Float[np.ndarray, "sample channel"], int]:
    """Samples of a part of a file, and its rate."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        first = file.seek(min(round(start * file.samplerate), file.frames))
        frames = file.frames - first
        if seconds is not None:
            frames = min(frames, round(seconds * file.samplerate))
        _check_size("read_clip", str(path), frames * file.channels)  # as its header has it
        return file.read(frames, dtype="float32", always_2d=True), file.samplerate


def _check_part(start: float, seconds: float | None) -> None:
    """Raise unless start and length are finite and in range."""
    length = 1.0 if seconds is None else seconds
    if start < 0 or length <= 0 or not isfinite(start) or not isfinite(length):
        raise SemanticHubError(
            "read_clip",
            got=f"start={start}, seconds={seconds}",
            expected="a start from 0, and a length above 0",
            fix="Leave both out for the whole file.",
        )


def _check_size(operation: str, what: str, samples: int) -> None:
    """Raise if there would be too many samples, before there is memory for them."""
    if samples > MAX_SAMPLES:
        raise SemanticHubError(
            operation,
            got=f"{what}: {samples:,.0f} samples",
            expected=f"at most {MAX_SAMPLES:,}",
            fix="Read a part of it, with start= and seconds=.",
        )


def _check_waveform(waveform: np.ndarray) -> None:
    """Raise unless the samples are one channel of finite floating-point numbers."""
    if waveform.ndim != 1:
        raise _waveform_error(
            f"an array of shape {waveform.shape}",
            "one channel, shape [sample]",
            "Mix channels down first, such as with waveform.mean(axis=0).",
        )
    if not np.issubdtype(waveform.dtype, np.floating):
        raise _waveform_error(
            f"samples of {waveform.dtype}",
            "floating-point samples, about −1 to 1",
            "Divide whole numbers by their largest value: int16 by 32768.",
        )
    if not len(waveform) or not np.isfinite(waveform).all():
        raise _waveform_error(
            _defect(waveform), "at least one sample, all finite", "Leave this clip out."
        )


def _defect(waveform: np.ndarray) -> str:
    """What is wrong with samples that are empty or not finite, for an error."""
    if not len(waveform):
        return "no samples"
    return f"{int((~np.isfinite(waveform)).sum())} samples that are NaN or infinite"


def _waveform_error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("Clip", got=got, expected=expected, fix=fix)
