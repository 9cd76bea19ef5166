"""Candidates in place: the tokens of context and word, by the tokenizer; the model's own numbers."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import transformers
from in_place import (
    Tokens,
    Words,
    built_in_answers,
    built_in_readouts,
    expected_words,
    first_tokens,
    in_place,
    own_probabilities,
)

import semantic_hub as sh
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.spokes.sampling import evenly_spaced


@pytest.fixture(scope="module")
def real(real_folder: Path) -> tuple[Any, Any]:
    model = sh.load_model(real_folder, device="cpu")
    return model, transformers.AutoModelForCausalLM.from_pretrained(real_folder).eval()


@pytest.mark.slow
def test_every_built_in_candidate_has_the_tokens_of_the_whole_text(real: tuple[Any, Any]) -> None:
    model, _ = real
    checked = 0
    for name, readouts in chain(built_in_readouts(), built_in_answers()):
        found = candidate_tokens(model, readouts, longest=[99] * len(readouts))
        for index, words in zip(found.kept, found.words, strict=True):
            for group, given in zip(found.groups, words, strict=True):
                expected = expected_words(model, readouts[index], group)
                assert [set(word) for word in given] == [set(word) for word in expected], (
                    f"{name}: {readouts[index]}"
                )
                checked += 1
    assert checked > 10_000


@pytest.mark.slow
def test_the_last_layer_is_the_models_own_probability(real: tuple[Any, Any]) -> None:
    """A few of each set; tests/real/last_layer.py goes over all of them."""
    model, network = real
    last = [model.cfg.n_layers]
    for name, every in chain(built_in_readouts(), built_in_answers()):
        readouts = evenly_spaced(every, 3)
        for whole_words in (True, False):
            lens = logit_lens(model, readouts, layers=last, whole_words=whole_words)
            tokens = sh.prompts.tokenize(model, [readouts[index].prompt for index in lens.kept])
            items: list[tuple[Tokens, Words]] = []
            for text, index in zip(tokens, lens.kept, strict=True):
                for group in lens.groups:
                    words: Words = expected_words(model, readouts[index], group)
                    scored = words if whole_words else first_tokens(model.tokenizer, words)
                    items.append((tuple(text), scored))
            own = own_probabilities(network, items)
            assert lens.probability[:, 0].flatten().tolist() == pytest.approx(own, abs=1e-5), name


@pytest.mark.slow
def test_behind_a_quotation_mark_a_word_is_said_without_a_space(real: tuple[Any, Any]) -> None:
    model, network = real
    text = 'French: "chien", English: "dog".\nFrench: "montagne", English: "'
    readout = Readout(Prompt(text), {"hub": ("mountain",), "surface": ("montagne",)})
    lens = logit_lens(model, [readout], layers=[model.cfg.n_layers])
    tokens = sh.prompts.tokenize(model, [text])[0]
    [own] = own_probabilities(
        network, [(tuple(tokens), [in_place(model.tokenizer, text, "mountain")])]
    )
    assert own > 0.01
    assert lens.probability[0, 0, 0].item() == pytest.approx(own, abs=1e-5)
