"""Multimodal checkpoints: the same residuals as the whole network of transformers."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from every_state import every_state
from tiny import BACKENDS, requires_hooked_transformer
from tiny_multimodal import RATE, image, save_llava, save_paligemma, save_qwen2_audio, sound

import semantic_hub as sh
from semantic_hub.activations.features import injecting_features
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.loading import load_model
from semantic_hub.models.twins import random_twin
from semantic_hub.multimodal.encoder import EncodeInput, feature_span, feature_token
from semantic_hub.multimodal.loading import ENCODERS, load_multimodal, register_encoder
from semantic_hub.multimodal.native import native_prompt
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
from semantic_hub.spokes.audio.spoke import AudioSpoke
from semantic_hub.spokes.vision.images.drawn import Canvas, random_pictures
from semantic_hub.spokes.vision.inputs import PLAIN
from semantic_hub.spokes.vision.spoke import VisionSpoke
from semantic_hub.statistics.resampling import Resampling

pytestmark = pytest.mark.filterwarnings("ignore:Hook alias:UserWarning")
TEXT = "the dog {} is a cat."
MODALITIES = ["image", "sound"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def folder(modality: str) -> Path:
        if modality not in made:
            made[modality] = tmp_path_factory.mktemp("multimodal") / modality
            (save_llava if modality == "image" else save_qwen2_audio)(made[modality])
        return made[modality]

    return folder


@pytest.fixture(scope="module", params=MODALITIES)
def modality(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=BACKENDS)
def loaded(request: pytest.FixtureRequest, folders: Any, modality: str) -> tuple[Any, Any]:
    return load_multimodal(folders(modality), device="cpu", backend=request.param)


def given(modality: str, seed: int = 0) -> tuple[Any, ...]:
    """An image, or a sound and its rate; of different length for different seeds."""
    return (image(seed),) if modality == "image" else (sound(seed, 0.4 + 0.2 * seed), RATE)


def processed(folder: Path, modality: str, seed: int = 0, text: str = TEXT) -> Any:
    processor = transformers.AutoProcessor.from_pretrained(folder)
    if modality == "image":
        told = [text.format("<image>")]
        return processor(text=told, images=[image(seed)], return_tensors="pt")
    heard = [sound(seed, 0.4 + 0.2 * seed)]
    told = [text.format("<|AUDIO|>")]
    return processor(text=told, audio=heard, sampling_rate=RATE, return_tensors="pt")


def through_transformers(folder: Path, inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """``[pos, layer, d_model]`` and logits of the whole network."""
    config = transformers.AutoConfig.from_pretrained(folder)
    network = getattr(transformers, config.architectures[0]).from_pretrained(folder).eval()
    language, last = network.model.language_model, []
    language.layers[-1].register_forward_hook(lambda block, given, output: last.append(output))
    with torch.no_grad():
        output = network(**inputs, output_hidden_states=True)
    states = [*output.hidden_states[: len(language.layers)], last[0]]
    return torch.stack(
        [state.reshape(states[0].shape)[0] for state in states], dim=1
    ), output.logits


def test_equals_the_whole_network_at_every_layer(loaded, folders, modality) -> None:
    model, encode_features = loaded
    prompts = [
        Prompt(TEXT.format(SOFT), soft=(SoftTokens(encode_features(*given(modality, seed))),))
        for seed in range(3)
    ]
    for side in ("left", "right"):
        found = every_state(model, [*prompts, "cat"], padding_side=side)
        for seed, states in enumerate(found[:-1]):
            inputs = processed(folders(modality), modality, seed)
            expected, _ = through_transformers(folders(modality), inputs)
            torch.testing.assert_close(states, expected, atol=1e-4, rtol=0)


def test_logits_and_tokens_around_the_features(loaded, folders, modality) -> None:
    model, encode_features = loaded
    prompt = Prompt(TEXT.format(SOFT), soft=(SoftTokens(encode_features(*given(modality))),))
    inputs = processed(folders(modality), modality)
    config = transformers.AutoConfig.from_pretrained(folders(modality))
    span = feature_span(inputs, config)
    [encoding] = encode(model, [prompt])
    assert encoding.spans == (span,)
    around = [i for i in range(len(encoding)) if i not in span]
    assert [encoding.tokens[i] for i in around] == inputs["input_ids"][0, around].tolist()
    with torch.no_grad(), injecting_features(model, [prompt]) as batch:
        logits = model(batch.tokens)
    _, expected = through_transformers(folders(modality), inputs)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_the_encoder_does_not_disturb_the_model(loaded, modality) -> None:
    model, encode_features = loaded
    states = residual_stream(model, ["the dog"])
    features = encode_features(*given(modality))
    with injecting_features(model, [Prompt(SOFT, soft=(SoftTokens(features),))]):
        torch.testing.assert_close(encode_features(*given(modality)), features)
    torch.testing.assert_close(residual_stream(model, ["the dog"]), states)
    assert not features.requires_grad
    assert (features.shape[1], features.device.type) == (model.cfg.d_model, "cpu")
    assert random_twin(model).cfg.d_model == model.cfg.d_model


def test_the_language_model_can_be_measured(loaded, modality) -> None:
    model, encode_features = loaded
    spans = [SoftTokens(encode_features(*given(modality, seed))) for seed in range(4)]
    pairs = sh.Pairs.from_prompts(
        [Prompt(f"{SOFT} is", soft=(span,)) for span in spans], ["a cat", "the dog", "gato", "2+3"]
    )
    assert sh.similarity(model, pairs, resampling=Resampling(resamples=10)).n_pairs == 4
    top = sh.top_tokens(
        model, [Prompt(SOFT, soft=(spans[0],), position=SoftPositions(rows=(2,)))], k=1
    )
    assert top.tokens.shape == (1, 4, 1)


def test_the_spoke_of_its_modality_runs(loaded, modality) -> None:
    model, encode_features = loaded
    if modality == "image":
        pictures = random_pictures(6, Canvas(size=24), kind="halves")
        spoke = VisionSpoke(encode_features, pictures, wording=PLAIN)
    else:
        clips = [clip.at_rate(RATE) for clip in animal_clips(["dog", "cat", "owl"], range(2))]
        spoke = AudioSpoke(encode_features, clips)
    found = sh.run(model, spoke, resampling=Resampling(resamples=10), permutations=10)
    assert list(found.similarity) == list(spoke.pairs())
    for result in found.similarity.values():
        assert result.n_pairs == 6 and result.similarity.isfinite().all()
        assert {"random twin", "hard negatives"} <= result.controls.keys()
    assert found.spelled_out and (found.left_out or found.lens)


def test_bfloat16(folders, modality) -> None:
    model, encode_features = load_multimodal(
        folders(modality), device="cpu", dtype=torch.bfloat16, backend="bridge"
    )
    features = encode_features(*given(modality))
    assert features.dtype == torch.bfloat16
    prompt = Prompt(f"{SOFT} is", soft=(SoftTokens(features),))
    assert residual_stream(model, [prompt]).isfinite().all()


def test_a_bridge_with_its_own_inputs(folders, modality) -> None:
    bridge = load_model(folders(modality), device="cpu", backend="bridge")
    for seed in range(2):
        inputs = processed(folders(modality), modality, seed)
        prompt = native_prompt(bridge, inputs)
        expected, _ = through_transformers(folders(modality), inputs)
        [states] = every_state(bridge, [prompt])
        torch.testing.assert_close(states, expected, atol=1e-4, rtol=0)
        span = feature_span(inputs, bridge.original_model.config)
        assert len(prompt.soft[0]) == len(span)
        [mean] = residual_stream(bridge, [prompt], positions=SoftPositions())
        torch.testing.assert_close(mean, states[list(span)].mean(dim=0), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its processor
def test_a_language_model_that_reads_images_otherwise(tmp_path) -> None:
    save_paligemma(tmp_path)
    with pytest.raises(SemanticHubError, match="reads features otherwise than tokens"):
        load_multimodal(tmp_path, device="cpu")


def test_a_bridge_that_reads_features_otherwise(folders, monkeypatch) -> None:
    bridge = load_model(folders("image"), device="cpu", backend="bridge")
    inputs = processed(folders("image"), "image")
    run = type(bridge).run_with_cache

    def otherwise(self: Any, *args: Any, **options: Any) -> Any:
        logits, cache = run(self, *args, **options)
        return logits.flip(1), cache

    monkeypatch.setattr(type(bridge), "run_with_cache", otherwise)
    with pytest.raises(SemanticHubError, match="native_prompt: got other logits"):
        native_prompt(bridge, inputs)


def test_no_features_or_several(folders) -> None:
    bridge = load_model(folders("image"), device="cpu", backend="bridge")
    inputs = processed(folders("image"), "image")
    token = bridge.original_model.config.image_token_id
    for tokens, n_spans in [([0, 5, 6], 0), ([token, 5, token, token], 2)]:
        ids = {**inputs, "input_ids": torch.tensor([tokens])}
        with pytest.raises(SemanticHubError, match=f"with features at {n_spans} places"):
            native_prompt(bridge, ids)
    with pytest.raises(SemanticHubError, match="2 prompts"):
        feature_span(
            {"input_ids": torch.ones(2, 3, dtype=torch.long)}, bridge.original_model.config
        )
    with pytest.raises(SemanticHubError, match="0 of image_token_id, audio_token_id"):
        feature_token(transformers.LlamaConfig())
    with pytest.raises(SemanticHubError, match="2 of image_token_id, audio_token_id"):
        feature_token(SimpleNamespace(image_token_id=1, audio_token_id=2))


def test_own_inputs_are_for_bridges(llama_folder) -> None:
    with pytest.raises(SemanticHubError, match="0 of image_token_id"):
        native_prompt(load_model(llama_folder, device="cpu", backend="bridge"), {})


@requires_hooked_transformer
def test_a_hooked_transformer_has_no_own_inputs(llama_folder) -> None:
    with pytest.raises(SemanticHubError, match="got a HookedTransformer; expected a multimodal"):
        native_prompt(load_model(llama_folder, device="cpu", backend="hooked"), {})


@pytest.mark.parametrize(
    ("waveform", "rate"),
    [
        (np.zeros(0), RATE),
        (np.zeros((2, 100)), RATE),
        (np.full(100, np.nan), RATE),
        (np.zeros(100), 8_000),
        (np.zeros(100), None),
        (np.zeros(100, dtype=int), RATE),
        ("clip.wav", RATE),
    ],
    ids=["empty", "stereo", "nan", "rate", "no rate", "integers", "a name"],
)
def test_waveforms_that_are_refused(folders, waveform, rate) -> None:
    _, encode_features = load_multimodal(folders("sound"), device="cpu", backend="bridge")
    with pytest.raises(SemanticHubError, match="one channel at 16000 Hz"):
        encode_features(waveform, rate)
    assert encode_features.rate == RATE


def test_images_that_are_refused(folders) -> None:
    _, encode_features = load_multimodal(folders("image"), device="cpu", backend="bridge")
    with pytest.raises(SemanticHubError, match=re.escape("expected an image (PIL.Image.Image)")):
        encode_features(np.zeros((3, 24, 24)))
    assert encode_features.rate is None
    torch.testing.assert_close(
        encode_features(image().convert("RGBA")), encode_features(image()), atol=0, rtol=0
    )


@requires_hooked_transformer
def test_a_language_model_without_a_conversion(tmp_path) -> None:
    """An unusual rope scaling is not converted faithfully."""
    rope = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0}
    save_llava(tmp_path, rope_parameters=rope)
    with pytest.raises(SemanticHubError, match="TransformerLens has no conversion for"):
        load_multimodal(tmp_path, device="cpu", backend="hooked")
    model, _ = load_multimodal(tmp_path, device="cpu")
    assert type(model).__name__ == "TransformerBridge"


def test_other_checkpoints(llama_folder, tmp_path, without_shape_checks) -> None:
    with pytest.raises(SemanticHubError, match="which is no multimodal checkpoint"):
        load_multimodal(llama_folder)
    with pytest.raises(SemanticHubError, match=r"^load_multimodal: .* neither on disk"):
        load_multimodal(tmp_path / "nothing")
    with pytest.raises(SemanticHubError, match="got backend='other'"):
        load_multimodal(tmp_path, backend="other")  # type: ignore[arg-type]


def test_a_registered_encoder_comes_with_its_model() -> None:
    def encode(given: Any, rate: int | None = None) -> torch.Tensor:
        return torch.zeros(2, 96)

    loads: list[str] = []

    def load(name: str) -> EncodeInput:
        loads.append(name)
        return encode

    register_encoder("mine", matches=lambda name: name == "planted-hub", load=load)
    try:
        model, loaded = load_multimodal("planted-hub", device="cpu")
        with pytest.raises(SemanticHubError, match="'mine', which is in use"):
            register_encoder("mine", matches=lambda name: False, load=load)
    finally:
        ENCODERS.unregister("mine")
    assert (loaded, loads, model.cfg.model_name) == (encode, ["planted-hub"], "planted-hub")


def test_a_checkpoint_whose_files_are_missing(folders, tmp_path) -> None:
    config = transformers.AutoConfig.from_pretrained(folders("image"))
    config.save_pretrained(tmp_path)
    with pytest.raises(SemanticHubError, match=r"load_multimodal: .* or other files are missing"):
        load_multimodal(tmp_path)


def test_a_checkpoint_without_a_processor(folders, tmp_path) -> None:
    for file in folders("image").iterdir():
        if "processor" not in file.name:
            shutil.copy(file, tmp_path)
    with pytest.raises(SemanticHubError, match=r"load_multimodal: .* or other files are missing"):
        load_multimodal(tmp_path)


@pytest.mark.parametrize("when", ["loading", "encoding"])
def test_pixels_that_do_not_fit_the_network_are_one_sentence(
    when: str, folders: Any, tmp_path: Path
) -> None:
    """The processor makes pictures of 32 × 32, the encoder reads 24 × 24."""
    shutil.copytree(folders("image"), tmp_path, dirs_exist_ok=True)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    said = r"pixel_values of shape \(1, 3, 32, 32\) from the processor .*24.*; expected inputs of"
    if when == "loading":
        path = tmp_path / "processor_config.json"
        config = json.loads(path.read_text())
        config["image_processor"] |= sizes
        path.write_text(json.dumps(config))
        with pytest.raises(SemanticHubError, match=said):
            load_multimodal(tmp_path)
        return
    _, encode_image = load_multimodal(tmp_path)
    pictures = encode_image._prepare._processor.image_processor
    for name, value in sizes.items():
        setattr(pictures, name, value)
    with pytest.raises(SemanticHubError, match=said):
        encode_image(image())
