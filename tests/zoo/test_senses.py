"""Image and audio encoders: what they read, how they are saved, and how they are trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.sounds.synthesis import ANIMALS, synthesize
from semantic_hub.spokes.vision.images.drawn import halves
from semantic_hub.spokes.vision.images.picture import COLORS, patch_features
from semantic_hub.zoo.senses import (
    AUDIO_PROJECTOR,
    Encoders,
    Projector,
    encoders_of,
    frame_features,
)
from semantic_hub.zoo.training.items import clip_item, picture_item
from semantic_hub.zoo.training.steps import CHECKPOINT
from semantic_hub.zoo.training.train_senses import EncodersRecipe, train_senses
from semantic_hub.zoo.world.spokes import spokes_of

SHORT = EncodersRecipe(steps=4, pictures=3, clips=2, documents=4, outer=1, warmup=1)


@pytest.fixture(scope="module")
def with_senses(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a tiny model that got its senses."""
    out = tmp_path_factory.mktemp("senses")
    train_senses(tiny_run / "model", out, SHORT, checkpoint_every=2)
    return out


def test_a_projector_is_one_map_and_a_vector_for_each_place() -> None:
    rng = torch.Generator().manual_seed(0)
    weight, place = torch.randn(5, 3, generator=rng), torch.randn(4, 3, generator=rng)
    features = torch.randn(2, 4, 5, generator=rng)
    found = Projector(weight, place)(features)
    for batch in range(2):
        for pos in range(4):
            expected = sum(features[batch, pos, i] * weight[i] for i in range(5)) + place[pos]
            assert torch.allclose(found[batch, pos], expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 6), (5, 5)])
def test_features_that_do_not_fit_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(SemanticHubError, match="at most 4 of width 5"):
        Projector(torch.ones(5, 3), torch.ones(4, 3))(torch.ones(*shape))


def test_a_projector_is_read_back(tmp_path: Path) -> None:
    own = Projector(torch.randn(5, 3), torch.randn(4, 3))
    own.save(tmp_path / "own")
    found = Projector.load(tmp_path / "own")
    assert torch.equal(found.weight, own.weight) and torch.equal(found.position, own.position)


@pytest.mark.parametrize("content", [None, b"no tensors", "other"])
def test_another_file_is_no_projector(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "file"
    if content == "other":
        save_file({"weight": torch.ones(2, 2)}, path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(SemanticHubError, match=r"Projector\.load"):
        Projector.load(path)


def test_encoders_read_images_and_waveforms_of_any_size() -> None:
    eye = Projector(torch.randn(192, 8), torch.randn(16, 8))
    ear = Projector(torch.randn(40, 8), torch.randn(20, 8))
    encoders = Encoders(eye, ear)
    picture, clip = halves("red", "blue"), synthesize("owl")
    expected = torch.from_numpy(patch_features(picture.pixels)) @ eye.weight + eye.position
    assert torch.allclose(encoders.encode_image(picture.image), expected, atol=1e-5)
    large = Image.new("L", (300, 200), 255)
    white = eye(torch.ones(16, 192))
    assert torch.allclose(encoders.encode_image(large), white, atol=1e-5)
    assert encoders.encode_audio(clip.waveform, clip.rate).shape == (20, 8)
    short = clip.waveform[:4000].astype(np.float32)
    assert encoders.encode_audio(short, 8000).shape == (20, 8)


def test_what_is_told_is_true_of_what_is_shown() -> None:
    rng = np.random.default_rng(0)
    said = {}
    for told in (picture_item(rng) for _ in range(60)):
        assert told.features.shape == (16, 192)
        colors = [color for color in COLORS if color in told.answer]
        said.setdefault(told.question, []).append(told)
        if told.question == " colour:":
            mean = told.features.reshape(-1, 3).mean(0) * 255
            assert np.abs(mean.numpy() - np.array(COLORS[colors[0]])).max() < 25
    assert {"", " colour:", " left:", " right:", " circle:"} <= said.keys()
    assert 15 < len(said[""]) < 45
    clips = [clip_item(rng) for _ in range(40)]
    assert {told.question for told in clips} == {"", " animal:", " mammal:"}
    names = {f" {animal}." for animal in ANIMALS}
    assert {told.answer for told in clips if told.question == " mammal:"} == {" yes.", " no."}
    assert {told.answer for told in clips if told.question != " mammal:"} <= names


@pytest.mark.slow
def test_outer_blocks_and_projectors_are_trained_and_nothing_else(
    tiny_run: Path, with_senses: Path
) -> None:
    before = load_file(tiny_run / "model" / "model.safetensors")
    after = load_file(with_senses / "model" / "model.safetensors")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    n_layers = 1 + max(int(name.split(".")[2]) for name in before if ".layers." in name)
    outer = {f"model.layers.{index}." for index in (0, n_layers - 1)}
    assert before.keys() == after.keys()
    assert moved == {name for name in before if any(name.startswith(block) for block in outer)}


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_senses(
    tiny_run: Path, with_senses: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def stop_at_third_step(*arguments):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return batches(*arguments)

    from semantic_hub.zoo.training.train_senses import batches

    monkeypatch.setattr("semantic_hub.zoo.training.train_senses.batches", stop_at_third_step)
    with pytest.raises(KeyboardInterrupt):
        train_senses(tiny_run / "model", tmp_path, SHORT, checkpoint_every=2)
    monkeypatch.undo()
    train_senses(tiny_run / "model", tmp_path, SHORT, checkpoint_every=2)
    expected, found = load_file(with_senses / CHECKPOINT), load_file(tmp_path / CHECKPOINT)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.slow
def test_a_model_finds_its_senses_beside_its_weights(tiny_run: Path, with_senses: Path) -> None:
    model = sh.load_model(with_senses / "model", device="cpu")
    encoders = encoders_of(model)
    assert encoders is not None
    spokes = spokes_of(model)
    assert [spoke.name for spoke in spokes or ()][-2:] == ["vision", "audio"]
    clip = synthesize("cow")
    assert torch.equal(
        encoders.encode_audio(clip.waveform, clip.rate),
        Projector.load(with_senses / "model" / AUDIO_PROJECTOR)(
            frame_features(clip.waveform, clip.rate)
        ),
    )
    assert encoders_of(sh.load_model(tiny_run / "model", device="cpu")) is None


def test_another_recipe_or_a_model_without_one_is_refused(
    tiny_run: Path, with_senses: Path, tmp_path: Path
) -> None:
    with pytest.raises(SemanticHubError, match="another recipe"):
        train_senses(tiny_run / "model", with_senses, replace(SHORT, steps=5))
    with pytest.raises(SemanticHubError, match=r"training\.json"):
        train_senses(tmp_path, tmp_path / "out", SHORT)
