"""Log-mel frames of a clip: the input of a small audio encoder."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.values import short_repr
from semantic_hub.spokes.audio.sounds.clip import Clip


@dataclass(frozen=True)
class MelSettings:
    """Settings of `log_mel`; the defaults are hub-mini's: 20 frames of 40 mels for 1 second.

    Args:
        rate: Samples per second; clips of another rate are resampled.
        seconds: Length; longer clips are cut, shorter ones padded with silence.
        mels: Triangular filters on the HTK mel scale, from 0 Hz to half the rate.
        window: Samples in a frame (Hann).
        hop: Samples from one frame to the next.
        decades: Range in powers of ten below the clip's loudest entry; less is set to this floor.

    Raises:
        SemanticHubError: A number that is not above 0, or a clip shorter than one frame.
    """

    rate: int = 16_000
    seconds: float = 1.0
    mels: int = 40
    window: int = 1024
    hop: int = 800
    decades: float = 8.0
    __repr__ = short_repr

    def __post_init__(self) -> None:
        smallest = min(self.rate, self.seconds, self.mels, self.window, self.hop, self.decades)
        if not smallest > 0 or self.frames < 1 or self.window > self.seconds * self.rate:
            raise SemanticHubError(
                "MelSettings",
                got=f"{self}",
                expected="numbers above 0, and at least one hop and one window in a clip",
                fix="Leave them at their defaults, or take longer clips.",
            )

    @property
    def frames(self) -> int:
        """Number of frames in a clip: one at each whole hop."""
        return round(self.seconds * self.rate) // self.hop


HUB_MINI = MelSettings()
"""Settings of hub-mini's audio projector."""


def log_mel(clip: Clip, settings: MelSettings = MelSettings()) -> Float[np.ndarray, "frame mel"]:
    """Log-mel frames of a clip.

    With P the power in a mel filter (Hann-windowed frame centered on each hop, edges mirrored) and
    M the clip's largest P,

        (max(log10 P, log10 M − decades) + 4) / 4

    as in Whisper. Filters and transform are those of `transformers.audio_utils`.

    Args:
        clip: The sound, at any rate and of any length.
        settings: Rate, length, window and filters.

    Returns:
        float32, ``[frame, mel]``, first frame and lowest filter first.

    Example:
        >>> from semantic_hub.spokes.audio.sounds.synthesis import synthesize
        >>> log_mel(synthesize("cow")).shape
        (20, 40)

    Source:
        Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision,
        arXiv 2212.04356.
    """
    from transformers.audio_utils import spectrogram

    fitted = clip.at_rate(settings.rate).fitted(settings.seconds)
    log_power = spectrogram(
        fitted.waveform,
        _hann(settings.window),
        frame_length=settings.window,
        hop_length=settings.hop,
        power=2.0,
        mel_filters=_filters(settings),
        log_mel="log10",
    )
    log_power = log_power[:, : settings.frames]
    floored = np.maximum(log_power, log_power.max() - settings.decades)
    return ((floored + 4) / 4).T.astype(np.float32)


@lru_cache(maxsize=8)
def _hann(size: int) -> Float[np.ndarray, " sample"]:
    """Hann window."""
    from transformers.audio_utils import window_function

    return window_function(size, "hann")


@lru_cache(maxsize=8)
def _filters(settings: MelSettings) -> Float[np.ndarray, "bin mel"]:
    """Triangular mel filters."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        num_frequency_bins=settings.window // 2 + 1,
        num_mel_filters=settings.mels,
        min_frequency=0.0,
        max_frequency=settings.rate / 2,
        sampling_rate=settings.rate,
    )
