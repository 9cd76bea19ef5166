"""Clips of words spoken by ``espeak-ng``, if that program is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from semantic_hub.errors import SemanticHubError, as_list, as_seed
from semantic_hub.spokes.audio.sounds.clip import Clip, read_clip

_PROGRAM = "espeak-ng"
_SECONDS = 60


def can_speak() -> bool:
    """Whether ``espeak-ng`` is installed."""
    return shutil.which(_PROGRAM) is not None


def spoken_clip(
    text: str, label: str | None = None, *, language: str = "en", seed: int = 0, rate: int = 16_000
) -> Clip:
    """Synthesize a text as speech; the seed varies speed, pitch and speaker.

    Args:
        text: Text to speak, such as a number word, an animal's name or a sentence.
        label: Label of the clip; None for the text itself.
        language: A voice of ``espeak-ng``: ``"en"``, ``"es"``, ``"de"``, …
        seed: Seed of speed (130 to 200 words a minute), pitch (30 to 70 of 99) and speaker (a man
            or a woman, three variants of each).
        rate: Samples per second.

    Raises:
        SemanticHubError: ``espeak-ng`` is not installed, does not know the language, or the text
            is empty.
    """
    if not can_speak():
        raise SemanticHubError(
            "spoken_clip",
            got="no program espeak-ng",
            expected="espeak-ng on the path",
            fix="Install it (apt-get install espeak-ng, brew install espeak-ng).",
        )
    rng = np.random.default_rng(as_seed(seed))
    voice = f"{language}+{rng.choice(['m', 'f'])}{rng.integers(1, 4)}"
    options = ["-v", voice, "-s", str(rng.integers(130, 201)), "-p", str(rng.integers(30, 71))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        _speak(text, [*options, "-w", str(path)])
        clip = read_clip(path, label or text, rate=rate)
    return Clip(clip.waveform, rate, clip.label, f"espeak-ng {voice}, seed {seed}")


def spoken_clips(
    texts: str | Iterable[str], *, language: str = "en", seeds: int | Iterable[int] = range(4)
) -> tuple[Clip, ...]:
    """Synthesize each text once per seed, all texts of a seed before the next seed.

    Raises:
        SemanticHubError: As `spoken_clip`.
    """
    chosen = as_list("spoken_clips", "texts", texts, str)
    draws = as_list("spoken_clips", "seeds", seeds, int)
    return tuple(
        spoken_clip(text, language=language, seed=seed) for seed in draws for text in chosen
    )


def _speak(text: str, options: list[str]) -> None:
    """Run ``espeak-ng``; the text goes in as input, so that none of it is taken for an option."""
    done = subprocess.run(
        [_PROGRAM, *options, "--stdin"],
        input=text.encode(),
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise SemanticHubError(
            "spoken_clip",
            got=f"{text[:40]!r}: {done.stderr.decode(errors='replace').strip()[:200]}",
            expected="a text, and a language that espeak-ng speaks",
            fix="See espeak-ng --voices.",
        )
