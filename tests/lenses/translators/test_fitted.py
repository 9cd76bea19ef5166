"""The fit against numpy's least squares on the same model's residuals, read one by one."""

import numpy as np
import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.translators.fitted import FittedLens, fit_affine_lens
from semantic_hub.models import loading as models
from semantic_hub.prompts.prompt import Prompt, Readout

torch.manual_seed(0)
PROMPTS = [tuple(row) for row in torch.randint(3, 300, (40, 8)).tolist()]
READOUTS = [Readout(Prompt("The dog barks at the"), {"en": ("cat", "dog"), "es": ("gato",)})]


def all_states(model, prompts) -> np.ndarray:
    """[position, layer, d_model] of every position of every prompt, one forward pass each."""
    states = [
        residual_stream(model, [prompt], positions=lambda tokens, place=place: place)[0]
        for prompt in prompts
        for place in range(len(prompt))
    ]
    return torch.stack(states).double().numpy()


def split(prompts, n_held_out):
    """The prompts fitted on and those held out, by the seed."""
    order = torch.randperm(len(prompts), generator=torch.Generator().manual_seed(0)).tolist()
    return [prompts[i] for i in order[n_held_out:]], [prompts[i] for i in order[:n_held_out]]


@pytest.mark.slow
def test_equals_least_squares_over_all_positions(model):
    lens = fit_affine_lens(model, PROMPTS, layers=[0, 2], ridge=0.0)
    assert (lens.n_fitted, lens.n_held_out) == (36 * 8, 4 * 8)
    fitted, held_out = (all_states(model, some) for some in split(PROMPTS, 4))
    y, held_y = fitted[:, -1], held_out[:, -1]
    variance = ((held_y - y.mean(axis=0)) ** 2).sum()
    for index, layer in enumerate((0, 2)):
        x = np.column_stack([fitted[:, layer], np.ones(len(fitted))])
        solution = np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(lens.weight[index].numpy(), solution[:-1].T, atol=1e-3)
        np.testing.assert_allclose(lens.bias[index].numpy(), solution[-1], atol=1e-3)
        read = np.column_stack([held_out[:, layer], np.ones(len(held_out))]) @ solution
        assert lens.error[index].item() == pytest.approx(
            ((read - held_y) ** 2).sum() / variance, rel=1e-4
        )
        assert lens.identity_error[index].item() == pytest.approx(
            ((held_out[:, layer] - held_y) ** 2).sum() / variance, rel=1e-4
        )


@pytest.fixture
def shifting(checkpoint):
    """A GPT-2 whose blocks add a constant each: affine by construction."""
    model = models.load_model(checkpoint("gpt2"), device="cpu", backend="bridge")
    shifts = []
    for block in model.original_model.transformer.h:
        for projection in (block.attn.c_proj, block.mlp.c_proj):
            weight = getattr(projection, "original_component", projection).weight
            weight.data.zero_()
        shifts.append(_bias(block.attn.c_proj) + _bias(block.mlp.c_proj))
    return model, torch.stack(shifts)


def _bias(projection) -> torch.Tensor:
    return getattr(projection, "original_component", projection).bias.detach()


def test_exact_on_a_model_whose_blocks_are_affine(shifting):
    model, shifts = shifting
    lens = fit_affine_lens(model, PROMPTS)
    assert lens.layers == (0, 1, 2)
    for layer in lens.layers:
        assert torch.allclose(lens.weight[layer], torch.eye(32), atol=1e-4)
        assert torch.allclose(lens.bias[layer], shifts[layer:].sum(dim=0), atol=1e-3)
    assert (lens.error < 1e-8).all() and (lens.identity_error > 1e-3).all()
    read = logit_lens(model, READOUTS, lens=lens)
    assert torch.allclose(read.log_prob, read.log_prob[:, -1:].expand_as(read.log_prob), atol=1e-3)


def test_batches_and_padding_change_nothing(model):
    prompts = [*PROMPTS[:10], *(row[:3] for row in PROMPTS[10:20])]
    lens = fit_affine_lens(model, prompts)
    again = fit_affine_lens(model, prompts, batch_size=1)
    assert torch.allclose(lens.weight, again.weight, atol=1e-3)
    assert torch.allclose(lens.error, again.error, rtol=1e-3)


def test_positions_are_the_prompts_own_tokens_or_as_asked(model):
    texts = ["The dog barks.", "El perro ladra.", "2+3=5"]
    own = [len(model.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
    lens = fit_affine_lens(model, texts, layers=[1])
    assert lens.n_fitted + lens.n_held_out == sum(own)
    last = fit_affine_lens(model, texts, layers=[1], positions="last")
    assert last.n_fitted + last.n_held_out == 3


def test_equal_prompts_are_one_and_the_seed_chooses_what_is_held_out(model):
    lens = fit_affine_lens(model, PROMPTS * 2, layers=[1])
    once = fit_affine_lens(model, PROMPTS, layers=[1])
    assert torch.equal(lens.weight, once.weight) and lens.n_fitted == once.n_fitted
    other = fit_affine_lens(model, PROMPTS, layers=[1], seed=1)
    assert not torch.equal(lens.weight, other.weight)


def test_it_survives_a_save_and_names_itself(model, tmp_path):
    lens = fit_affine_lens(model, PROMPTS, ridge=0.1)
    again = FittedLens.load(lens.save(tmp_path))
    read = logit_lens(model, READOUTS, lens=again)
    assert torch.equal(read.log_prob, logit_lens(model, READOUTS, lens=lens).log_prob)
    assert read.manifest["lens"] == "fitted affine lens"
    assert (
        read.manifest["lens_manifest"]["ridge"],
        read.manifest["lens_manifest"]["n_prompts"],
    ) == (0.1, 40)
    frame = again.to_frame()
    assert list(frame.columns) == ["layer", "error", "identity_error"]
    assert frame["layer"].tolist() == [0, 1, 2]
    assert frame["error"].tolist() == lens.error.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": PROMPTS[:3], "ridge": 0.0}, "16 positions and ridge=0; expected at least 33"),
        ({"ridge": -1.0}, "ridge=-1.0"),
        ({"prompts": PROMPTS[:1] * 5}, "1 different prompts"),
        ({"held_out": 1.0}, "held_out=1.0"),
        ({"layers": [3]}, "the last layer alone"),
        ({"layers": [4]}, "layer 4"),
    ],
)
def test_bad_input(model, change, message):
    with pytest.raises(SemanticHubError, match=message):
        fit_affine_lens(model, **{"prompts": PROMPTS, **change})
