"""States from elsewhere give what the model gives that they were read in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny import SENTENCES

from semantic_hub.activations.recorded import States
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.models.loading import describe
from semantic_hub.models.output import unembedding
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.statistics.resampling import Resampling

FEW = Resampling(resamples=20)


@pytest.fixture
def recorded(model: Any) -> States:
    """What someone else's code would hand over."""
    return States(
        SENTENCES,
        residual_stream(model, SENTENCES).numpy(),
        name="elsewhere",
        tokenizer=model.tokenizer,
        unembedding=unembedding(model)[0],
        final_norm=model.ln_final,
    )


def test_similarity_is_that_of_the_model(model: Any, recorded: States) -> None:
    pairs = Pairs.from_prompts(SENTENCES[:3], SENTENCES[2:])
    twin = random_twin(model)
    other = States(SENTENCES, residual_stream(twin, SENTENCES))
    of_model, of_states = (
        similarity(
            m,
            pairs,
            controls={"twin": t},
            permutations=20,
            resampling=FEW,
            measures=["debiased CKA"],
        )
        for m, t in ((model, twin), (recorded, other))
    )
    for frame, same in zip(of_model.to_frame().items(), of_states.to_frame().items(), strict=True):
        assert frame[0] == same[0]
        assert frame[1].equals(same[1]), frame[0]
    assert of_states.manifest["model"]["name"] == "elsewhere"
    assert of_states.manifest["model"]["class"] == "States"


def test_the_lens_is_that_of_the_model(model: Any, recorded: States) -> None:
    readouts = [Readout(Prompt(text), {"hub": ("cat",), "surface": ("dog",)}) for text in SENTENCES]
    of_model, of_states = (
        logit_lens(m, readouts, whole_words=False, resampling=FEW) for m in (model, recorded)
    )
    assert torch.equal(torch.tensor(of_model.kept), torch.tensor(of_states.kept))
    torch.testing.assert_close(of_states.log_prob, of_model.log_prob, atol=1e-5, rtol=1e-5)
    assert torch.equal(of_states.rank, of_model.rank)


def test_states_come_from_a_file(model: Any, recorded: States, tmp_path: Path) -> None:
    states = residual_stream(model, SENTENCES)
    save_file({"states": states}, tmp_path / "states.safetensors")
    read = States.from_file(tmp_path / "states.safetensors", SENTENCES, name="file")
    assert torch.equal(
        residual_stream(read, SENTENCES[::-1], layers=[2, 0]), states.flip(0)[:, [2, 0]]
    )
    assert describe(read)["name"] == "file"
    save_file({"hidden": states}, tmp_path / "other.safetensors")
    for name in ("other.safetensors", "none.safetensors"):
        with pytest.raises(SemanticHubError, match="expected a safetensors file with a tensor 'st"):
            States.from_file(tmp_path / name, SENTENCES)


def test_what_states_cannot_do_is_told(recorded: States) -> None:
    with pytest.raises(SemanticHubError, match=r"1 of 2 prompts not recorded.*among the 5"):
        residual_stream(recorded, [SENTENCES[0], "another"])
    with pytest.raises(SemanticHubError, match=r"Prompt\(text='cat', position=-2\)"):
        residual_stream(recorded, [Prompt("cat", position=-2)])
    with pytest.raises(SemanticHubError, match="positions='mean' of recorded states"):
        residual_stream(recorded, SENTENCES, positions="mean")
    with pytest.raises(SemanticHubError, match="got layer 4; expected layers 0 to 3"):
        residual_stream(recorded, SENTENCES, layers=[4])
    moved = PatchPair((Prompt("The dog"),), Prompt("The cat"), {"source": ("a",), "own": ("b",)})
    with pytest.raises(SemanticHubError, match="States: got a forward pass of recorded states"):
        patching_sweep(recorded, [moved], resampling=FEW)


def test_the_lens_needs_an_unembedding_and_a_tokenizer(model: Any) -> None:
    readouts = [Readout(Prompt("cat"), {"hub": ("cat",), "surface": ("dog",)})]
    states = torch.ones(1, 4, model.cfg.d_model)
    with pytest.raises(SemanticHubError, match="does not predict next tokens"):
        logit_lens(States(["cat"], states, tokenizer=model.tokenizer), readouts)
    with pytest.raises(SemanticHubError, match="without a tokenizer"):
        logit_lens(States(["cat"], states, unembedding=unembedding(model)[0]), readouts)


@pytest.mark.parametrize(
    ("prompts", "states", "options", "message"),
    [
        (["a"], torch.ones(2, 3, 4), {}, r"shape \(2, 3, 4\) for 1 prompts"),
        (["a"], torch.ones(1, 4), {}, r"shape \(1, 4\) for 1 prompts"),
        (["a", "a"], torch.ones(2, 3, 4), {}, "2 prompts, 1 of them different"),
        (["a"], np.full((1, 3, 4), np.nan, np.float32), {}, "NaN or infinity at layer 0 of pr"),
        (["a"], torch.ones(1, 3, 4), {"unembedding": torch.ones(9, 4)}, "Transpose it"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_bad_states(prompts: Any, states: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        States(prompts, states, **options)
