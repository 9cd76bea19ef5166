"""Similarity on real pretrained models, against plain transformers and formulas written out."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import semantic_hub as sh
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import encode

pytestmark = pytest.mark.slow


def plain_states(folder: Path, model, prompts) -> np.ndarray:
    """``[prompt, layer, d_model]`` at the last token, the last layer before the final norm."""
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    last: list[torch.Tensor] = []
    plain.model.norm.register_forward_pre_hook(lambda _, inputs: last.append(inputs[0]))
    states = []
    for encoding in encode(model, prompts):
        with torch.no_grad():
            hidden = plain(torch.tensor([encoding.tokens]), output_hidden_states=True).hidden_states
        states.append(torch.stack([*hidden[:-1], last.pop()])[:, 0, -1])
    return torch.stack(states).double().numpy()


def expected(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Eq. 1, MEXA's score and the AUC of one layer, over all pairs of states."""
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
    cosines, n = unit[0] @ unit[1].T, len(x)
    off = ~np.eye(n, dtype=bool)
    eq_1 = cosines.diagonal().mean() - cosines[off].mean()
    rival = np.where(off, cosines, -2)
    mutual = (cosines.diagonal() > rival.max(axis=1)) & (cosines.diagonal() > rival.max(axis=0))
    scaled = [(side - side.mean(axis=0)) / side.std(axis=0) for side in (x, y)]
    scaled = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in scaled]
    cosines = scaled[0] @ scaled[1].T
    own = cosines.diagonal()
    wins = (own[:, None] > cosines)[off].mean() + (own[None] > cosines)[off].mean()
    return eq_1, mutual.mean(), wins / 2


def test_similarity_is_that_of_plain_transformers(real_folder: Path) -> None:
    model = sh.load_model(real_folder, device="cpu")
    pairs = sh.spokes.language.pairs("en", "es")[:40]
    found = sh.similarity(
        model,
        Pairs(pairs.x, pairs.y),
        measures=["mutual retrieval"],
        resampling=sh.Resampling(resamples=9),
        permutations=9,
    )
    x, y = (plain_states(real_folder, model, side) for side in (pairs.x, pairs.y))
    values = np.array([expected(x[:, layer], y[:, layer]) for layer in found.layers[1:]])
    np.testing.assert_allclose(found.similarity[1:], values[:, 0], atol=1e-4)
    one_pair = 1 / len(pairs)
    np.testing.assert_allclose(
        found.measures["mutual retrieval"].value[1:], values[:, 1], atol=one_pair
    )
    np.testing.assert_allclose(found.auc.value[1:], values[:, 2], atol=5e-3)
    assert found.auc.value[0] == 0.5, "all sentences are read at one same token"
    assert found.auc.low.max() > 0.5
