import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.prompts.prompt import Prompt, Readout

READOUTS = [Readout(Prompt("The dog barks at the"), {"en": ("cat", "dog"), "es": ("gato",)})]


def lens_of(layers=(1, 3), width=4, n_layers=5) -> AffineLens:
    torch.manual_seed(0)
    return AffineLens(
        name="a lens",
        n_layers=n_layers,
        layers=tuple(layers),
        weight=torch.randn(len(layers), width, width),
        bias=torch.randn(len(layers), width),
        manifest={"lens": "a lens", "seed": 0},
    )


def test_each_layer_has_its_own_map_and_the_last_one_none():
    lens, states = lens_of(), torch.randn(3, 4)
    for layer, index in ((1, 0), (3, 1)):
        for row, state in enumerate(states):
            expected = lens.weight[index] @ state + lens.bias[index]
            assert torch.allclose(lens(layer, states)[row], expected, atol=1e-6)
    assert torch.equal(lens(5, states), states)


def test_an_identity_lens_is_the_logit_lens(model):
    width, layers = model.cfg.d_model, tuple(range(model.cfg.n_layers))
    lens = AffineLens(
        name="identity",
        n_layers=len(layers),
        layers=layers,
        weight=torch.eye(width).expand(len(layers), width, width),
        bias=torch.zeros(len(layers), width),
        manifest={"lens": "identity"},
    )
    plain, read = logit_lens(model, READOUTS), logit_lens(model, READOUTS, lens=lens)
    assert torch.allclose(plain.log_prob, read.log_prob, atol=1e-6)
    assert read.manifest["lens"] == "identity" and read.manifest["lens_manifest"] == {
        "lens": "identity"
    }
    top = top_tokens(model, ["the dog"], k=1, lens=lens)
    assert top.manifest["lens"] == "identity" and top.manifest["lens_manifest"] == {
        "lens": "identity"
    }
    assert plain.manifest["lens"] == "logit" and "lens_manifest" not in plain.manifest


def test_it_survives_a_save(tmp_path):
    lens, states = lens_of(), torch.randn(2, 4)
    again = AffineLens.load(lens.save(tmp_path))
    assert torch.equal(again(3, states), lens(3, states))
    assert (again.name, again.layers, again.manifest) == (lens.name, lens.layers, lens.manifest)


def test_bad_input(model):
    with pytest.raises(SemanticHubError, match=r"a lens: got layer 2; expected .*: 1, 3, 5\. Read"):
        lens_of()(2, torch.zeros(1, 4))
    with pytest.raises(SemanticHubError, match="got states of width 32; expected 4"):
        lens_of()(1, torch.zeros(1, 32))
    with pytest.raises(SemanticHubError, match="logit_lens: got a lens for a model of width 4"):
        logit_lens(model, READOUTS, lens=lens_of(), layers=[1])
