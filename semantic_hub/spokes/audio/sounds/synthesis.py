"""Synthesized animal calls, made from pitch, notes, resonances and breath, and varied by a seed.

They do not sound like recordings. Each animal has its own spectral signature, from which a label
can be learned, and no two clips of an animal are alike.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError, as_list, as_seed
from semantic_hub.spokes.audio.sounds.clip import Clip

RATE = 16_000
"""Samples per second."""


@dataclass(frozen=True)
class Call:
    """Parameters of an animal's call: notes of a gliding pitch, filtered by resonances.

    Args:
        pitch: Pitch along each note in Hz, at evenly spaced times.
        resonances: Frequencies that harmonics and breath are filtered by, in Hz.
        width: Standard deviation of each resonance, in Hz.
        notes: Number of notes.
        length: Length of each note, in seconds.
        gap: Silence between notes, in seconds.
        breath: Share of noise, 0 to 1; the rest is harmonics.
        vibrato: Rate in Hz, and depth as a share of the pitch.
        tremolo: Rate in Hz, and depth as a share of the loudness.
    """

    pitch: tuple[int, ...]
    resonances: tuple[int, ...]
    width: int
    notes: int = 1
    length: float = 0.7
    gap: float = 0.08
    breath: float = 0.0
    vibrato: tuple[float, float] = (0.0, 0.0)
    tremolo: tuple[float, float] = (0.0, 0.0)


ANIMALS: Mapping[str, Call] = {
    "dog": Call((420, 460, 260), (650, 1200), 250, notes=2, length=0.16, gap=0.14, breath=0.25),
    "cat": Call((520, 780, 700, 480), (1500, 2300), 350, length=0.65),
    "cow": Call((110, 135, 130, 105), (300, 600), 110, length=0.85),
    "horse": Call((1700, 1500, 1150, 750), (1500,), 900, length=0.8, vibrato=(13.0, 0.09)),
    "sheep": Call((300, 310, 290), (900, 3000), 260, length=0.6, tremolo=(9.0, 0.85)),
    "mouse": Call((5200, 6100, 5600), (5700,), 900, notes=4, length=0.07, gap=0.09),
    "duck": Call((230, 210), (1250, 2700), 180, notes=3, length=0.15, gap=0.1, breath=0.1),
    "owl": Call((380, 400, 370), (390,), 90, notes=2, length=0.3, gap=0.14),
    "bee": Call((215, 225, 210), (700, 2000, 3600), 800, length=0.95, tremolo=(27.0, 0.3)),
    "frog": Call((32, 32), (500, 1500), 120, notes=2, length=0.3, gap=0.16),
    "crow": Call((560, 600, 500), (1700, 2400), 300, notes=2, length=0.3, gap=0.12, breath=0.5),
    "snake": Call((200, 200), (6200,), 1000, length=0.9, breath=1.0),
}
"""Animals of hub-mini's world with their calls; the first six are mammals."""


def synthesize(animal: str, seed: int = 0, *, seconds: float = 1.0) -> Clip:
    """Synthesize one clip of an animal; the seed varies the call.

    The seed determines pitch (± 6 %), resonances (± 4 %), length (± 12 %), onset, loudness, and the
    level of white noise below the call (20 to 40 dB).

    Args:
        animal: One of `ANIMALS`.
        seed: Seed of all random factors; the same seed gives the same samples.
        seconds: Length of the clip; a longer call is cut.

    Raises:
        SemanticHubError: An unknown animal, or a length that is not above 0.

    Example:
        >>> clip = synthesize("owl", seed=3)
        >>> clip.label, clip.seconds, clip.rate
        ('owl', 1.0, 16000)
    """
    if animal not in ANIMALS or not seconds * RATE >= 1:
        raise SemanticHubError(
            "synthesize",
            got=f"animal {animal!r}, {seconds} seconds",
            expected=f"one of {', '.join(ANIMALS)}, and a length",
            fix="Read other sounds with read_clip or clips_from_folder.",
        )
    rng = np.random.default_rng([as_seed(seed), *animal.encode()])
    call = _render(_vary(ANIMALS[animal], rng), rng)
    size = round(seconds * RATE)
    onset = int(rng.uniform(0, max(0, size - len(call))))
    clip = np.zeros(size)
    clip[onset : onset + len(call)] = call[: size - onset]
    floor = np.sqrt(np.mean(call**2)) * 10 ** (-rng.uniform(20, 40) / 20)
    clip += floor * rng.standard_normal(size)
    waveform = rng.uniform(0.3, 0.9) * clip / np.abs(clip).max()
    return Clip(waveform, RATE, animal, f"synthesized, seed {seed}")


def animal_clips(
    animals: str | Iterable[str] = tuple(ANIMALS), seeds: int | Iterable[int] = range(10)
) -> tuple[Clip, ...]:
    """Synthesize one clip of each animal per seed, all animals of a seed before the next seed.

    Example:
        >>> [clip.label for clip in animal_clips(["dog", "owl"], seeds=range(2))]
        ['dog', 'owl', 'dog', 'owl']
    """
    chosen = as_list("animal_clips", "animals", animals, str)
    draws = as_list("animal_clips", "seeds", seeds, int)
    return tuple(synthesize(animal, seed) for seed in draws for animal in chosen)


@dataclass(frozen=True)
class _Individual:
    """A call with its random factors."""

    call: Call
    pitch: float
    resonance: float
    length: float


def _vary(call: Call, rng: np.random.Generator) -> _Individual:
    """Draw the factors of pitch, resonance and length."""
    return _Individual(
        call, rng.uniform(0.94, 1.06), rng.uniform(0.96, 1.04), rng.uniform(0.88, 1.12)
    )


def _render(voice: _Individual, rng: np.random.Generator) -> Float[np.ndarray, " sample"]:
    """Waveform of all notes, with silence between them."""
    gap = np.zeros(round(voice.call.gap * voice.length * RATE))
    notes = [_note(voice, rng) for _ in range(voice.call.notes)]
    parts = [part for note in notes for part in (gap, note)]
    return np.concatenate(parts[1:])


def _note(voice: _Individual, rng: np.random.Generator) -> Float[np.ndarray, " sample"]:
    """Waveform of one note."""
    call, size = voice.call, round(voice.call.length * voice.length * RATE)
    time = np.arange(size) / RATE
    voiced = (
        _normalize_loudness(_harmonics(voice, time, rng)) if call.breath < 1 else np.zeros(size)
    )
    breathed = _normalize_loudness(_breath(voice, size, rng)) if call.breath else np.zeros(size)
    rate, depth = call.tremolo
    tremolo = 1 - depth * (0.5 + 0.5 * np.cos(2 * np.pi * rate * time))
    return _envelope(size) * tremolo * ((1 - call.breath) * voiced + call.breath * breathed)


def _harmonics(
    voice: _Individual, time: Float[np.ndarray, " sample"], rng: np.random.Generator
) -> Float[np.ndarray, " sample"]:
    """Sum of all harmonics, each with the gain of the resonances at its current frequency."""
    pitch = _pitch(voice, time, rng)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    resonances = voice.resonance * np.array(voice.call.resonances)
    reach = 3 * voice.call.width
    first = max(1, int((resonances.min() - reach) / pitch.max()))
    last = int(min(resonances.max() + reach, RATE / 2 - 1) / pitch.min())
    harmonics = range(first, max(first, last) + 1)
    return sum(
        (_gain(voice, k * pitch) * np.sin(k * phase) for k in harmonics),
        start=np.zeros(len(time)),
    )


def _pitch(
    voice: _Individual, time: Float[np.ndarray, " sample"], rng: np.random.Generator
) -> Float[np.ndarray, " sample"]:
    """Pitch in Hz at each time, with glide and vibrato."""
    call = voice.call
    glide = np.interp(np.linspace(0, 1, len(time)), np.linspace(0, 1, len(call.pitch)), call.pitch)
    rate, depth = call.vibrato
    vibrato = 1 + depth * np.sin(2 * np.pi * (rate * time + rng.random()))
    return voice.pitch * glide * vibrato


def _breath(
    voice: _Individual, size: int, rng: np.random.Generator
) -> Float[np.ndarray, " sample"]:
    """White noise filtered by the resonances."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    return np.fft.irfft(spectrum * _gain(voice, np.fft.rfftfreq(size, 1 / RATE)), size)


def _gain(voice: _Individual, frequency: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Gain at a frequency: bells around the resonances, 0 from the Nyquist frequency on."""
    bells = [
        np.exp(-0.5 * ((frequency - voice.resonance * resonance) / voice.call.width) ** 2)
        for resonance in voice.call.resonances
    ]
    return np.sum(bells, axis=0) * (frequency < RATE / 2)


def _envelope(size: int) -> Float[np.ndarray, " sample"]:
    """Rise and fall, each over a tenth of the note."""
    time = np.arange(size) / max(1, size - 1)
    return np.sin(0.5 * np.pi * np.clip(10 * np.minimum(time, 1 - time), 0, 1)) ** 2


def _normalize_loudness(wave: Float[np.ndarray, " sample"]) -> Float[np.ndarray, " sample"]:
    """Waveform scaled to a mean square of 1."""
    return wave / max(np.sqrt(np.mean(wave**2)), 1e-9)
