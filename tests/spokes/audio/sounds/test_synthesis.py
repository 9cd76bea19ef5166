"""Synthesised animals: the same from the same seed, none alike, and told apart by their spectra."""

from collections.abc import Mapping

import numpy as np
import pytest
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.interventions import MAMMALS, OTHER_ANIMALS
from semantic_hub.spokes.audio.sounds.clip import Clip
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, animal_clips, synthesize
from semantic_hub.spokes.lexicon.dictionary import builtin_concepts


def test_animals_are_in_the_lexicon() -> None:
    known = {c.words["en"] for c in builtin_concepts() if c.topic == "animal"}
    assert set(ANIMALS) <= known
    assert known <= MAMMALS | OTHER_ANIMALS
    mammals = [animal in MAMMALS for animal in ANIMALS]
    assert (sum(mammals), len(mammals)) == (6, 12)


@pytest.mark.parametrize("animal", ANIMALS)
def test_a_seed_decides_everything(animal: str) -> None:
    one, again, other = (synthesize(animal, seed) for seed in (7, 7, 8))
    assert np.array_equal(one.waveform, again.waveform)
    assert np.abs(np.corrcoef(one.waveform, other.waveform)[0, 1]) < 0.5
    assert np.abs(one.waveform).max() <= 0.9
    assert one.seconds == 1.0


def test_classes_are_told_apart_by_an_independent_statistic() -> None:
    """Third-octave band powers of a periodogram: the nearest mean of other seeds is the right one."""
    known, unseen = animal_clips(seeds=range(8)), animal_clips(seeds=range(100, 108))
    bands = np.stack([third_octaves(clip) for clip in known])
    labels = np.array([clip.label for clip in known])
    means = {name: bands[labels == name].mean(axis=0) for name in ANIMALS}
    right = [nearest(means, third_octaves(clip)) == clip.label for clip in unseen]
    assert np.mean(right) > 0.95


def test_each_animal_has_its_place() -> None:
    """Where half of the power is below, in Hz, by ear's order."""
    middle = {name: np.median([median_frequency(synthesize(name, s)) for s in range(5)])
              for name in ANIMALS}  # fmt: skip
    assert middle["owl"] < middle["dog"] < middle["horse"] < middle["mouse"]
    assert middle["cow"] < middle["sheep"] < middle["snake"]


def test_onsets_differ() -> None:
    starts = {int(np.argmax(np.abs(synthesize("dog", s).waveform) > 0.2) // 800) for s in range(9)}
    assert len(starts) >= 4


def test_a_call_longer_than_its_clip_is_cut() -> None:
    assert synthesize("bee", seconds=0.25).seconds == 0.25


@pytest.mark.parametrize(("animal", "seconds"), [("unicorn", 1.0), ("dog", 0.0), ("dog", -1.0)])
def test_refused(animal: str, seconds: float) -> None:
    with pytest.raises(SemanticHubError, match=r"synthesize: .* one of dog, cat"):
        synthesize(animal, seconds=seconds)


def power(clip: Clip) -> tuple[Float[np.ndarray, " bin"], Float[np.ndarray, " bin"]]:
    spectrum = np.abs(np.fft.rfft(clip.waveform)) ** 2
    return spectrum, np.fft.rfftfreq(len(clip.waveform), 1 / clip.rate)


def third_octaves(clip: Clip) -> Float[np.ndarray, " band"]:
    spectrum, frequency = power(clip)
    edges = 50 * 2 ** (np.arange(23) / 3)
    bands = np.histogram(frequency, edges, weights=spectrum / spectrum.sum())[0]
    return np.log10(bands + 1e-4)


def nearest(
    means: Mapping[str, Float[np.ndarray, " band"]], bands: Float[np.ndarray, " band"]
) -> str:
    return min(means, key=lambda name: float(np.abs(means[name] - bands).sum()))


def median_frequency(clip: Clip) -> float:
    spectrum, frequency = power(clip)
    return float(frequency[np.searchsorted(spectrum.cumsum(), spectrum.sum() / 2)])
