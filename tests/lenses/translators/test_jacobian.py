"""The translator against TransformerLens' own read-out of the same lens."""

import pytest
import torch
from tiny import requires_hooked_transformer
from transformer_lens.tools.analysis import JacobianLens

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.translators.jacobian import jacobian_lens
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import places, word_tokens

TEXT = "The dog barks at the cat and the cat"
READOUTS = [Readout(Prompt(TEXT), {"en": ("dog",), "es": ("gato",)})]


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def bridge(request, checkpoint):
    return models.load_model(checkpoint(request.param), device="cpu", backend="bridge")


def fitted(bridge) -> JacobianLens:
    return JacobianLens.fit(
        bridge,
        [TEXT, "El perro ladra al gato"],
        corpus="two sentences",
        skip_first_positions=1,
        show_progress=False,
    )


def test_it_reads_what_transformer_lens_reads(bridge):
    theirs = fitted(bridge)
    readout = theirs.readout(bridge, TEXT, positions=[-1], return_full_logits=True)
    lens = jacobian_lens(theirs, bridge)
    assert lens.layers == (1, 2)
    read = logit_lens(bridge, READOUTS, lens=lens, layers=[1, 2, 3])
    for layer in (1, 2, 3):
        log_prob = readout.lens_logits[layer - 1][0].log_softmax(dim=-1)
        for group, (word,) in enumerate(READOUTS[0].candidates.values()):
            [place] = places(bridge, [TEXT])
            firsts = word_tokens(bridge.tokenizer, word, before=place).firsts
            expected = log_prob[list(firsts)].logsumexp(dim=0).item()
            assert read.log_prob[0, layer - 1, group].item() == pytest.approx(expected, abs=1e-4)
    plain = logit_lens(bridge, READOUTS, layers=[1])
    assert not torch.allclose(read.log_prob[:, :1], plain.log_prob, atol=0.01)
    assert read.manifest["lens"] == "Jacobian lens"
    assert read.manifest["lens_manifest"]["fit"]["corpus"] == "two sentences"


def test_it_is_read_from_a_file(bridge, tmp_path):
    theirs = fitted(bridge)
    theirs.save(str(tmp_path / "lens.pt"), dtype=torch.float32)
    lens = jacobian_lens(tmp_path / "lens.pt", bridge)
    assert torch.equal(lens.weight[0], theirs.jacobians[0])
    (tmp_path / "lens.pt").write_bytes(b"no lens")
    with pytest.raises(
        SemanticHubError, match=r"lens\.pt: UnpicklingError.*; expected a file that"
    ):
        jacobian_lens(tmp_path / "lens.pt", bridge)
    with pytest.raises(SemanticHubError, match="No such file"):
        jacobian_lens(str(tmp_path / "nothing.pt"), bridge)


def test_the_embedding_has_no_map(bridge):
    lens = jacobian_lens(fitted(bridge), bridge)
    assert logit_lens(bridge, READOUTS, lens=lens).layers == (1, 2, 3)
    refused = r"logit_lens: got layer 0 for the lens 'Jacobian lens'; expected .*: 1, 2, 3"
    with pytest.raises(SemanticHubError, match=refused):
        logit_lens(bridge, READOUTS, lens=lens, layers=[0])


def test_a_lens_of_another_model_is_refused(bridge):
    other = JacobianLens({0: torch.eye(16)}, n_prompts=1, d_model=16)
    with pytest.raises(SemanticHubError, match="fitted for d_model=16, but the model has"):
        jacobian_lens(other, bridge)
    too_deep = JacobianLens({2: torch.eye(32)}, n_prompts=1, d_model=32)
    with pytest.raises(SemanticHubError, match=r"source layers \[2\] outside"):
        jacobian_lens(too_deep, bridge)


@requires_hooked_transformer
def test_only_a_bridge_has_one(llama_folder):
    hooked = models.load_model(llama_folder, device="cpu", backend="hooked")
    lens = JacobianLens({0: torch.eye(32)}, n_prompts=1, d_model=32)
    with pytest.raises(SemanticHubError, match=r'TransformerBridge only.*backend="bridge"'):
        jacobian_lens(lens, hooked)


def test_numbers_that_are_none_are_told_with_the_file(bridge, tmp_path):
    maps = {0: torch.eye(bridge.cfg.d_model), 1: torch.full([bridge.cfg.d_model] * 2, torch.nan)}
    broken = JacobianLens(maps, n_prompts=1, d_model=bridge.cfg.d_model)
    path = tmp_path / "lens.pt"
    broken.save(str(path))
    with pytest.raises(SemanticHubError, match=r"lens\.pt: NaN or infinity in the map of block 1"):
        jacobian_lens(path, bridge)
    with pytest.raises(SemanticHubError, match="NaN or infinity in the map of layer 2 of the Jac"):
        jacobian_lens(broken, bridge)
