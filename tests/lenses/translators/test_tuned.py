"""A checkpoint in the package's own layout against plain transformers' hidden states."""

import hashlib
import json
import math
import os

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.translators.tuned import tuned_lens
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import word_tokens

TEXT = "The dog barks at the"
READOUTS = [Readout(Prompt(TEXT), {"en": ("cat", "dog"), "es": ("gato",)})]
WIDTH, N_LAYERS = 32, 3


def translators(bias: bool = True) -> torch.nn.ModuleList:
    """As the package holds them: one linear layer a block, added to what it reads."""
    torch.manual_seed(1)
    return torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH, bias=bias) for _ in range(N_LAYERS))


def config(**change) -> dict:
    return {
        "base_model_name_or_path": "tiny",
        "d_model": WIDTH,
        "num_hidden_layers": N_LAYERS,
        "bias": True,
        "base_model_revision": None,
        "unembed_hash": None,
        "lens_type": "linear_tuned_lens",
        **change,
    }


@pytest.fixture
def folder(tmp_path):
    torch.save(translators().state_dict(), tmp_path / "params.pt")
    (tmp_path / "config.json").write_text(json.dumps(config()))
    return tmp_path


def expected_log_prob(checkpoint_folder, layer: int, words: tuple[str, ...]) -> float:
    """The package's own reading, of transformers' hidden states: idx i is ``hidden_states[i]``."""
    network = transformers.AutoModelForCausalLM.from_pretrained(checkpoint_folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint_folder)
    tokens = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        hidden = network(tokens, output_hidden_states=True).hidden_states[layer][0, -1]
        logits = network.lm_head(network.model.norm(hidden + translators()[layer](hidden)))
    before = tuple(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    found = [list(word_tokens(tokenizer, word, before=before).firsts) for word in words]
    return max(logits.log_softmax(dim=-1)[tokens].logsumexp(dim=0).item() for tokens in found)


def test_translator_i_reads_layer_i(model, llama_folder, folder):
    lens = tuned_lens(folder, model)
    read = logit_lens(model, READOUTS, lens=lens)
    for layer in range(N_LAYERS):
        for group, words in enumerate(READOUTS[0].candidates.values()):
            expected = expected_log_prob(llama_folder, layer, words)
            assert read.log_prob[0, layer, group].item() == pytest.approx(expected, abs=1e-4)
    plain = logit_lens(model, READOUTS)
    assert torch.equal(read.log_prob[:, N_LAYERS], plain.log_prob[:, N_LAYERS])
    assert not torch.allclose(read.log_prob[:, 1], plain.log_prob[:, 1], atol=0.01)
    assert read.manifest["lens"] == "tuned lens"
    assert read.manifest["lens_manifest"]["config"]["base_model_name_or_path"] == "tiny"


def test_safetensors_and_half_precision_and_no_bias(model, folder, tmp_path):
    plain = tuned_lens(folder / "params.pt", model)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps(config(bias=False)))
    state = translators(bias=False).half().state_dict()
    safetensors.torch.save_file(state, other / "params.safetensors")
    lens = tuned_lens(other, model)
    assert lens.weight.dtype == torch.float32 and not lens.bias.any()
    assert torch.equal(lens.weight[0], state["0.weight"].float() + torch.eye(WIDTH))
    assert plain.bias.any()


def test_another_unembedding_draws_a_warning_and_the_same_one_none(model, llama_folder, folder):
    network = transformers.AutoModelForCausalLM.from_pretrained(llama_folder)
    printed = np.array_str(network.lm_head.weight.detach().numpy(), precision=1)
    right = hashlib.sha256(printed.encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config(unembed_hash=right)))
    tuned_lens(folder, model)
    (folder / "config.json").write_text(json.dumps(config(unembed_hash="0" * 64)))
    with pytest.warns(SemanticHubWarning, match="may belong to another model"):
        tuned_lens(folder, model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"d_model": 16},
            r"0\.bias of shape \(32,\), one of 6 that differ; expected shape \(16,\)",
        ),
        ({"num_hidden_layers": 2}, r"2\.bias of shape \(32,\), one of 2 .* expected shape None"),
        ({"num_hidden_layers": 4}, r"3\.bias of shape None, one of 2 that differ"),
        ({"lens_type": "mlp_tuned_lens"}, "lens_type 'mlp_tuned_lens'"),
        ({"d_model": None}, "d_model None"),
    ],
)
def test_a_configuration_that_does_not_fit_its_parameters(model, folder, change, message):
    (folder / "config.json").write_text(json.dumps(config(**change)))
    with pytest.raises(SemanticHubError, match=message):
        tuned_lens(folder, model)


def test_a_lens_for_a_model_of_another_size(folder):
    mini = models.load_model("hub-mini", device="cpu")
    with pytest.raises(SemanticHubError, match="for a model of width 32 with 3 layers; expected"):
        tuned_lens(folder, mini)


def test_files_that_are_missing_damaged_or_dangerous(model, folder, tmp_path):
    with pytest.raises(SemanticHubError, match=r"without params\.pt or"):
        tuned_lens(tmp_path / "nothing", model)
    (folder / "params.pt").write_bytes(b"no checkpoint")
    with pytest.raises(SemanticHubError, match=r"params\.pt: UnpicklingError"):
        tuned_lens(folder, model)
    torch.save({"0.weight": _Dangerous()}, folder / "params.pt")
    with pytest.raises(SemanticHubError, match=r"params\.pt: UnpicklingError"):
        tuned_lens(folder, model)
    torch.save([1, 2], folder / "params.pt")
    with pytest.raises(SemanticHubError, match="list that is no state dict"):
        tuned_lens(folder, model)
    (folder / "config.json").unlink()
    with pytest.raises(SemanticHubError, match=r"config\.json: No such file"):
        tuned_lens(folder, model)


class _Dangerous:
    def __reduce__(self):
        return os.getcwd, ()


def test_processed_weights_are_refused(model, folder, monkeypatch):
    monkeypatch.setattr(
        "semantic_hub.lenses.translators.tuned.processed", lambda model: ["folded layer norms"]
    )
    with pytest.raises(SemanticHubError, match="a model with folded layer norms; expected weights"):
        tuned_lens(folder, model)


@pytest.mark.parametrize("size", ["num_hidden_layers", "d_model"])
def test_a_configuration_is_not_believed_about_sizes(model, folder, size):
    """As many names as the configuration has layers would take gigabytes."""
    (folder / "config.json").write_text(json.dumps(config(**{size: 10**9})))
    with pytest.raises(SemanticHubError, match=r"params\.pt: .* of shape .*; expected shape"):
        tuned_lens(folder, model)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_numbers_that_are_none_are_told_with_the_file(model, folder, broken):
    state = translators().state_dict()
    state["1.bias"][3] = broken
    torch.save(state, folder / "params.pt")
    message = r"params\.pt: NaN or infinity in 1\.bias, in 1 of 6 parameters"
    with pytest.raises(SemanticHubError, match=message):
        tuned_lens(folder, model)
