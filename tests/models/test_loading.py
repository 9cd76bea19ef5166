"""Loading: parity of both classes with plain transformers, names, twins, output, errors."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from tiny import BACKENDS, DECODERS, HAS_HOOKED, SENTENCES, requires_hooked_transformer

import semantic_hub as sh
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import MODELS, LoadOptions
from semantic_hub.models.conversion import convert_folder
from semantic_hub.models.layers import check_layers, check_single_stack, layer_hook
from semantic_hub.models.loading import check_model, describe, load_model, register_model
from semantic_hub.models.output import (
    check_predicts_next_token,
    final_norm,
    predicts_next_token,
    unembed,
    unembedding,
)
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.prompt import tokenize

LAST = 3  # every tiny model has three blocks


# TransformerLens derives the HookedTransformer configuration of Gemma from model names alone.
HOOKED = [
    pytest.param(architecture, "hooked", marks=requires_hooked_transformer)
    for architecture in DECODERS
    if architecture != "gemma2"
]
DECODERS_AND_BACKENDS = [*HOOKED, *((architecture, "bridge") for architecture in DECODERS)]

Load = Callable[[str, str], Any]


@pytest.fixture(scope="session")
def load(checkpoint: Callable[[str], Path]) -> Load:
    """Gives the one model of an architecture and a backend, for tests that leave it as it is."""
    return cache(lambda architecture, backend: load_model(
        checkpoint(architecture), device="cpu", backend=backend))  # fmt: skip


@pytest.fixture(scope="session")
def plain(checkpoint: Callable[[str], Path]) -> Callable[[str], Any]:
    """Gives the same model as transformers alone loads it."""
    return cache(lambda architecture: transformers.AutoModelForCausalLM.from_pretrained(
        checkpoint(architecture), attn_implementation="eager"))  # fmt: skip


def reference(plain: Any, prompts: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden states and logits of plain transformers at the last token, one prompt at a time."""
    with torch.no_grad():
        runs = [plain(torch.tensor([ids]), output_hidden_states=True) for ids in prompts]
    hidden = [torch.stack([state[0, -1] for state in run.hidden_states]) for run in runs]
    return torch.stack(hidden), torch.stack([run.logits[0, -1] for run in runs])


@pytest.mark.parametrize(("architecture", "backend"), DECODERS_AND_BACKENDS)
@pytest.mark.parametrize(("side", "batch_size"), [("right", 1), ("right", 5), ("left", 5)])
def test_same_numbers_as_plain_transformers(
    load: Load,
    plain: Callable[[str], Any],
    architecture: str,
    backend: str,
    side: Any,
    batch_size: int,
) -> None:
    model = load(architecture, backend)
    hidden, logits = reference(plain(architecture), tokenize(model, SENTENCES))

    states = residual_stream(model, SENTENCES, batch_size=batch_size, padding_side=side)

    scale = hidden.pow(2).mean(dim=(0, 2), keepdim=True).sqrt()
    # transformers returns its last hidden state after the final norm, all others before it
    assert ((states - hidden) / scale)[:, :LAST].abs().max() <= 1e-4
    normed = final_norm(model, states[:, LAST])
    torch.testing.assert_close(normed, hidden[:, LAST], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(unembed(model, normed), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("architecture", "backend"), DECODERS_AND_BACKENDS)
def test_unembedding_the_last_layer_gives_the_models_own_logits(
    load: Load, architecture: str, backend: str
) -> None:
    model = load(architecture, backend)
    [ids] = tokenize(model, SENTENCES[:1])
    with torch.no_grad():
        expected = model(torch.tensor([ids]))[0, -1]

    logits = unembed(model, final_norm(model, residual_stream(model, [ids])[0, LAST]))

    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unembedding_matrix_is_the_one_that_logits_come_from(load: Load, backend: str) -> None:
    model = load("llama", backend)
    state = torch.randn(model.cfg.d_model)
    weight, bias = unembedding(model)
    torch.testing.assert_close(unembed(model, state), state @ weight, atol=1e-5, rtol=1e-5)
    assert bias is None


def test_layer_0_is_the_scaled_embedding_of_gemma(load: Load, plain: Callable[[str], Any]) -> None:
    model = load("gemma2", "bridge")
    expected = plain("gemma2").get_input_embeddings().weight[5] * model.cfg.d_model**0.5
    state = residual_stream(model, [[0, 5]], layers=[0])[0, 0]
    torch.testing.assert_close(state, expected.detach())


@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_weights_are_normed_and_unembedded_as_the_model_does(
    llama_folder: Path, backend: Any
) -> None:
    model = load_model(llama_folder, device="cpu", dtype=torch.bfloat16, backend=backend)
    with torch.no_grad():
        expected = model(torch.tensor([[0, 5, 9]]))[0, -1].float()
    states = residual_stream(model, [[0, 5, 9]])
    assert states.dtype == torch.float32
    logits = unembed(model, final_norm(model, states[0, LAST]))
    torch.testing.assert_close(logits, expected, atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["planted-hub", "planted-separate"])
def test_planted_models_load_by_name(name: str, backend: Any) -> None:
    model = load_model(name, device="cpu", backend=backend)
    assert describe(model)["name"] == name
    assert type(random_twin(model)) is type(model)


def test_backend_auto_prefers_hooked_transformer(llama_folder: Path) -> None:
    model = load_model(str(llama_folder), device="cpu")
    expected = "HookedTransformer" if HAS_HOOKED else "TransformerBridge"
    assert type(model).__name__ == expected
    assert isinstance(model, HookedModel)


def test_backend_auto_falls_back_to_the_bridge(bert_folder: Path) -> None:
    assert type(load_model(bert_folder, device="cpu")).__name__ == "TransformerBridge"


@requires_hooked_transformer
def test_an_unfaithful_conversion_is_never_returned(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    """TransformerLens ignores linear rope scaling, so its Llama would differ from the source."""
    folder = copy_with(checkpoint("llama"), tmp_path / "scaled", rope_parameters={
        "rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0})  # fmt: skip
    assert type(load_model(folder, device="cpu")).__name__ == "TransformerBridge"
    with pytest.raises(SemanticHubError, match="does not convert faithfully"):
        load_model(folder, device="cpu", backend="hooked")


@requires_hooked_transformer
def test_the_folders_name_does_not_decide_its_architecture(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = copy_with(checkpoint("gpt2"), tmp_path / "my-llama-and-gemma-3")
    model = load_model(folder, device="cpu", backend="hooked")
    assert model.cfg.original_architecture == "GPT2LMHeadModel"
    assert describe(model)["name"] == "my-llama-and-gemma-3"


def copy_with(source: Path, target: Path, **fields: Any) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | fields))
    return target


@pytest.mark.skipif(HAS_HOOKED, reason="this TransformerLens has HookedTransformer")
def test_hooked_backend_without_the_class(llama_folder: Path) -> None:
    with pytest.raises(SemanticHubError, match=r'Use backend="bridge", or install'):
        load_model(llama_folder, backend="hooked")


@pytest.mark.usefixtures("without_shape_checks")
def test_unknown_backend(llama_folder: Path) -> None:
    backend: Any = "onnx"
    with pytest.raises(SemanticHubError, match="load_model: got backend='onnx'; expected \"auto\""):
        load_model(llama_folder, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_unknown_name_lists_close_ones(backend: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"gpt2-smal.*Close names: .*gpt2"):
        load_model("gpt2-smal", backend=backend)


@pytest.fixture
def registered() -> Iterator[list[LoadOptions]]:
    """Registers a model, and gives the options of each of its loads."""
    loads: list[LoadOptions] = []

    def load(options: LoadOptions) -> HookedModel:
        loads.append(options)
        return load_model("planted-hub", backend=options.backend)

    register_model("my-own-model", load)
    yield loads
    MODELS.unregister("my-own-model")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_registered_model_is_loaded_by_its_name(registered, backend: Any) -> None:
    model = load_model("my-own-model", backend=backend, device="cpu", dtype=torch.bfloat16)
    assert isinstance(model, HookedModel)
    assert registered == [LoadOptions("cpu", torch.bfloat16, backend)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_unknown_name_lists_close_registered_ones(registered, backend: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"my-own-modl.*Close names: my-own-model"):
        load_model("my-own-modl", backend=backend)
    with pytest.raises(SemanticHubError, match=r"Close names: .*hub-mini"):
        load_model("hub-mni", backend=backend)


def test_a_name_is_registered_once(registered) -> None:
    def other(options: LoadOptions) -> HookedModel:
        return load_model("planted-separate", device="cpu")

    with pytest.raises(SemanticHubError, match="'my-own-model', which is in use"):
        register_model("my-own-model", other)
    register_model("my-own-model", other, replace=True)
    assert load_model("my-own-model").cfg.model_name == "planted-separate"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_known_name_without_a_network(backend: Any) -> None:
    with pytest.raises(SemanticHubError, match="neither on disk nor reachable"):
        load_model("EleutherAI/pythia-70m", backend=backend)


@requires_hooked_transformer
def test_remote_code_is_never_trusted_unasked() -> None:
    with pytest.raises(SemanticHubError, match="runs code from its repository"):
        load_model("microsoft/phi-2", backend="hooked")


def test_folder_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match=r"not a folder with a config\.json"):
        load_model(tmp_path)


@requires_hooked_transformer
@pytest.mark.parametrize(
    "content", ["not json", "{}", '{"architectures": []}', '{"architectures": [[]]}', "[" * 100_000]
)
def test_unreadable_configuration(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(
        SemanticHubError, match=r"config\.json: .* expected JSON with .architectures"
    ):
        load_model(tmp_path)


def test_configuration_that_may_not_be_read(
    llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> str:
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(
        SemanticHubError, match=r"config\.json: .* expected JSON with .architectures"
    ):
        convert_folder(llama_folder, LoadOptions(device="cpu"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [None, b"", b"broken weights"])
def test_folder_without_readable_weights(
    llama_folder: Path, tmp_path: Path, backend: Any, weights: bytes | None
) -> None:
    folder = copy_with(llama_folder, tmp_path / "gpt2")
    (folder / "model.safetensors").unlink()
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
    message = r"/gpt2, whose weights .* are missing or broken; .*Save the model again with save_pre"
    with pytest.raises(SemanticHubError, match=message):
        load_model(folder, device="cpu", backend=backend)


def test_random_twin_shares_all_but_the_weights(model: Any) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    twin, again, other = random_twin(model), random_twin(model), random_twin(model, seed=1)

    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert type(twin) is type(model)
    assert twin.tokenizer is model.tokenizer
    assert describe(twin) == describe(model) | {"name": describe(twin)["name"]}
    mine, same, different, original = (
        residual_stream(m, SENTENCES) for m in (twin, again, other, model)
    )
    assert torch.equal(mine, same)
    assert not torch.allclose(mine, different, atol=1e-3)
    assert not torch.allclose(mine, original, atol=1e-3)


def test_random_twin_keeps_the_dtype(llama_folder: Path) -> None:
    model = load_model(llama_folder, device="cpu", dtype=torch.bfloat16)
    assert describe(random_twin(model))["dtype"] == "bfloat16"


def test_check_model_refuses_other_objects() -> None:
    with pytest.raises(SemanticHubError, match="got a Linear; expected a HookedTransformer"):
        check_model(torch.nn.Linear(2, 2))


def test_describe_is_json(model: Any) -> None:
    described = describe(model)
    assert json.loads(json.dumps(described)) == described
    assert described["name"] == "llama"
    assert described["class"] == type(model).__name__
    assert (described["n_layers"], described["d_model"]) == (3, 32)
    assert (described["dtype"], described["device"]) == ("float32", "cpu")


def test_check_layers(model: Any) -> None:
    assert check_layers(model, None) == [0, 1, 2, 3]
    assert check_layers(model, [3, 0]) == [3, 0]
    with pytest.raises(SemanticHubError, match=r"got layer 4; expected layers 0 to 3"):
        check_layers(model, [4])
    with pytest.raises(SemanticHubError, match=r"got layer -1; expected layers 0 to 3"):
        check_layers(model, [0, -1])
    with pytest.raises(SemanticHubError, match="got no layers"):
        check_layers(model, [])


def test_layer_hook_names_exist(model: Any) -> None:
    hooks = {layer_hook(layer): lambda value, hook: None for layer in range(4)}
    with model.hooks(fwd_hooks=list(hooks.items())):
        model(torch.tensor([[1, 2]]))


def test_encoders_predict_no_next_token(bert_folder: Path, model: Any) -> None:
    bert = load_model(bert_folder, device="cpu")
    assert predicts_next_token(model)
    assert not predicts_next_token(bert)
    check_predicts_next_token(model, "logit_lens")
    with pytest.raises(SemanticHubError, match="logit_lens: got bert, which does not predict"):
        check_predicts_next_token(bert, "logit_lens")


@pytest.mark.usefixtures("without_shape_checks")
def test_encoder_decoders_are_refused(model: Any) -> None:
    check_single_stack(model, "steer")
    two_stacks: Any = SimpleNamespace(cfg=SimpleNamespace(model_name="google/t5-small"))
    with pytest.raises(SemanticHubError, match="steer: got t5-small, which has no single stack"):
        check_single_stack(two_stacks, "steer")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "notes"])
@pytest.mark.parametrize("load", [sh.load_model, sh.load_multimodal])
def test_a_pipe_in_a_folder_is_refused_unread(load: Any, name: str, llama_folder, tmp_path) -> None:
    """Reading one waits for a writer, for ever."""
    shutil.copytree(llama_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(SemanticHubError, match=rf"{name}: no regular file"):
        load(tmp_path)
