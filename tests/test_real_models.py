"""Every kind of evidence on real pretrained models, against plain transformers with its own hooks.

What is expected comes from the checkpoint's tokenizer, its network as transformers has it, and
formulas written out; nothing of the package is between a text and an expected number.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from in_place import first_tokens, in_place
from torch import Tensor

import semantic_hub as sh
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.prompts.prompt import HUB, SURFACE, Prompt, Readout

pytestmark = pytest.mark.slow

FEW = sh.Resampling(resamples=9)
READOUTS = [
    ("El perro es un", "animal", "perro"),
    ("La capital de Francia es", "Paris", "París"),
    ("El cielo es de color", "blue", "azul"),
    ("Después del lunes viene el", "Tuesday", "martes"),
    ("Le soleil brille pendant la", "day", "journée"),
    ("На завтрак я пью", "coffee", "кофе"),
    ("Ночью на небе светит", "moon", "луна"),
    ("两加三等于", "five", "五"),
]
"""A text, an English word, and a word of the text's language; tokenizers split some of them."""

QUESTION = 'Français: "livre" - English: "book"\nFrançais: "{}" - English: "'
"""A translation, and what a word of it is asked by."""

WORDS = {"chien": "dog", "maison": "house", "rouge": "red", "trois": "three"}
GOOD, BAD = "I love this, it is good", "I hate this, it is bad"


class Plain:
    """A pretrained decoder as transformers has it."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
        self.network: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.blocks = self.network.model.layers

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text)["input_ids"]

    @torch.no_grad()
    def states(self, text: str) -> Tensor:
        """``[layer, position, d_model]``, the last layer before the final norm."""
        last: list[Tensor] = []
        handle = self.network.model.norm.register_forward_pre_hook(
            lambda _, inputs: last.append(inputs[0])
        )
        tokens = torch.tensor([self.ids(text)])
        hidden = self.network(tokens, output_hidden_states=True).hidden_states
        handle.remove()
        return torch.stack([*hidden[:-1], *last])[:, 0]

    @torch.no_grad()
    def logits(self, tokens: Sequence[int]) -> Tensor:
        return self.network(torch.tensor([tokens])).logits[0]

    @torch.no_grad()
    def read(self, states: Tensor) -> Tensor:
        """Log-probabilities of the next token by the output head."""
        assert not getattr(self.network.config, "final_logit_softcapping", None)
        return self.network.lm_head(self.network.model.norm(states)).double().log_softmax(dim=-1)

    @contextmanager
    def changed(self, layer: int, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Forward passes with other states at a layer: the input of block 1, or a block's output."""

        def before(module: Any, inputs: Any) -> Any:
            return (change(inputs[0]), *inputs[1:])

        def after(module: Any, inputs: Any, output: Any) -> Any:
            return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

        handle = (
            self.blocks[layer - 1].register_forward_hook(after)
            if layer
            else self.blocks[0].register_forward_pre_hook(before)
        )
        try:
            yield
        finally:
            handle.remove()


@pytest.fixture(scope="module")
def both(real_folder: Path) -> tuple[Any, Plain]:
    return sh.load_model(real_folder, device="cpu"), Plain(real_folder)


def some_layers(model: Any) -> list[int]:
    """The embedding, the last layer, and a few between them."""
    return [round(share * model.cfg.n_layers) for share in (0, 0.3, 0.7, 1)]


def expected_similarity(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
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


def test_similarity(both: tuple[Any, Plain]) -> None:
    """Eq. 1, mutual retrieval and AUC at every layer."""
    model, plain = both
    pairs = sh.spokes.language.pairs("en", "es")[:20]
    found = sh.similarity(
        model,
        sh.Pairs(pairs.x, pairs.y),
        measures=["mutual retrieval"],
        resampling=FEW,
        permutations=9,
    )
    x, y = (
        torch.stack([plain.states(prompt.text or "")[:, -1] for prompt in side]).double().numpy()
        for side in (pairs.x, pairs.y)
    )
    values = np.array([expected_similarity(x[:, layer], y[:, layer]) for layer in found.layers[1:]])
    np.testing.assert_allclose(found.similarity[1:], values[:, 0], atol=1e-4)
    one_pair = 1 / len(pairs)
    np.testing.assert_allclose(
        found.measures["mutual retrieval"].value[1:], values[:, 1], atol=one_pair
    )
    np.testing.assert_allclose(found.auc.value[1:], values[:, 2], atol=5e-3)
    assert found.auc.value[0] == 0.5, "all sentences are read at one same token"
    assert found.auc.low.max() > 0.5


def expected_word(plain: Plain, text: str, word: str) -> Tensor:
    """Log-probability of a word at every layer: the first token there, the rest by the model."""
    read, whole = plain.read(plain.states(text)[:, -1]), plain.ids(text)
    spellings = in_place(plain.tokenizer, text, word)
    found = []
    for first, *rest in spellings:
        found.append(read[:, first])
        if rest:
            own = plain.logits([*whole, first, *rest]).double().log_softmax(dim=-1)[len(whole) :]
            found[-1] = found[-1] + sum(own[place, token] for place, token in enumerate(rest))
    return torch.stack(found).logsumexp(dim=0)


def test_lens(both: tuple[Any, Plain]) -> None:
    """Log-probabilities and shares at every layer, with words of several tokens in full."""
    model, plain = both
    readouts = [Readout(Prompt(t), {HUB: (hub,), SURFACE: (own,)}) for t, hub, own in READOUTS]
    found = sh.logit_lens(model, readouts, resampling=FEW)
    assert (found.n_tokens > 1).any()
    expected = torch.stack(
        [
            torch.stack([expected_word(plain, t, hub), expected_word(plain, t, own)], dim=-1)
            for t, hub, own in READOUTS
        ]
    )
    torch.testing.assert_close(found.log_prob.double(), expected, atol=2e-3, rtol=1e-4)
    lead = expected[..., 0] - expected[..., 1]
    undecided = (lead.abs() < 4e-3).double().mean(dim=0)
    share = found.share(HUB, SURFACE).value
    assert ((share - (lead > 0).double().mean(dim=0)).abs() <= undecided + 1e-9).all()
    assert 0 < share.mean() < 1


def expected_answers(plain: Plain, base: str, logits: Tensor, words: Sequence[str]) -> Tensor:
    """Log-probability of each word at the last position, by the first tokens of its spellings."""
    log_prob = logits[-1].double().log_softmax(dim=-1)
    spellings = [[in_place(plain.tokenizer, base, word)] for word in words]
    firsts = [first_tokens(plain.tokenizer, word)[0] for word in spellings]
    return torch.stack([log_prob[[t for [t] in first]].logsumexp(dim=0) for first in firsts])


def test_patched(both: tuple[Any, Plain]) -> None:
    """Answers of runs in which another run's state stands at the last position of a layer."""
    model, plain = both
    words = list(WORDS.values())
    asked = [QUESTION.format(word) for word in WORDS]
    pairs = [
        PatchPair(
            (Prompt(asked[item - 1]),),
            Prompt(asked[item]),
            {"source": (words[item - 1],), "base": (words[item],)},
        )
        for item in range(len(words))
    ]
    found = sh.patching_sweep(
        model, pairs, layers=some_layers(model), controls=False, resampling=FEW
    )
    assert found.kept == (0, 1, 2, 3)
    for item, base in enumerate(asked):
        states, tokens = plain.states(asked[item - 1])[:, -1], plain.ids(base)
        named = [pairs[item].answers[name][0] for name in found.answers]
        for row, layer in enumerate(found.layers):

            def put(stream: Tensor, layer: int = layer, states: Tensor = states) -> Tensor:
                return torch.cat([stream[:, :-1], states[layer][None, None]], dim=1)

            with plain.changed(layer, put):
                expected = expected_answers(plain, base, plain.logits(tokens), named)
            torch.testing.assert_close(
                found.log_prob[item, row, 0].double(), expected, atol=2e-3, rtol=1e-4
            )
    assert (found.rank[..., found.answers.index("source")] == 1).any(), "a patch moved the answer"


@pytest.mark.parametrize("mode", ["add", "replace", "project_out"])
def test_steered(both: tuple[Any, Plain], mode: Any) -> None:
    """Logits at every position, and the direction itself."""
    model, plain = both
    good, bad = (plain.states(text)[:, -1] for text in (GOOD, BAD))
    tokens, strength = plain.ids("The film was long, and I thought that it was"), 0.7
    for layer in some_layers(model):
        own = good[layer] - bad[layer]
        unit = own / own.norm()
        direction = sh.activation_difference(model, GOOD, BAD, layer=layer)
        assert (direction.vector - own).norm() <= 1e-3 * own.norm()

        def move(stream: Tensor, own: Tensor = own, unit: Tensor = unit) -> Tensor:
            if mode == "add":
                return stream + strength * own
            if mode == "replace":
                return stream + strength * (own - stream)
            return stream - strength * (stream @ unit)[..., None] * unit

        with plain.changed(layer, move):
            expected = plain.logits(tokens)
        with sh.steer(model, direction, strength, mode=mode), torch.no_grad():
            steered = model(torch.tensor([tokens]))[0]
        assert (steered - expected).norm() <= 1e-3 * expected.norm(), layer
