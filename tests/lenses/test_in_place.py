"""Candidates in place: the tokens of context and word, by the tokenizer; the model's own numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import semantic_hub as sh
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.prompts.prompt import NEXT, Prompt, Readout
from semantic_hub.prompts.words import candidate_tokens, following_tokens
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke

SPACED = "LATIN", "CYRILLIC", "DIGIT", "GREEK"


def in_place(tokenizer: Any, context: str, word: str) -> list[tuple[int, ...]]:
    """Tokens of each spelling after the whole context; of "the" + "black" only " black" counts."""
    before = tokenizer(context, add_special_tokens=False)["input_ids"]
    found = {}
    for form in (word, f" {word}"):
        tokens = tokenizer(context + form, add_special_tokens=False)["input_ids"]
        if tokens[: len(before)] == before and len(tokens) > len(before):
            found[form] = tuple(tokens[len(before) :])
    apart = {form: t for form, t in found.items() if form[0] == " " or not _joins(context, form)}
    return list(
        apart.values() if any(_says(tokenizer, t) for t in apart.values()) else found.values()
    )


def _says(tokenizer: Any, tokens: tuple[int, ...]) -> bool:
    return bool(tokenizer.decode(tokens[:1], clean_up_tokenization_spaces=False).strip())


def _joins(context: str, form: str) -> bool:
    import unicodedata

    names = [unicodedata.name(c, "") for c in (context[-1], form[0])]
    return all(c.isalnum() for c in (context[-1], form[0])) and all(
        name.startswith(SPACED) for name in names
    )


def own_probability(
    network: Any, tokens: Sequence[int], words: Sequence[Sequence[tuple[int, ...]]]
) -> float:
    """Probability of the likeliest word, each the sum over its spellings, by plain transformers."""
    with torch.no_grad():
        first = network(torch.tensor([[*tokens]])).logits[0, -1].softmax(dim=-1)

        def whole(spelling: tuple[int, ...]) -> float:
            product = first[spelling[0]].item()
            if len(spelling) > 1:
                logits = network(torch.tensor([[*tokens, *spelling[:-1]]])).logits[0]
                rest = logits[len(tokens) :].softmax(dim=-1)
                product *= rest[range(len(rest)), list(spelling[1:])].prod().item()
            return product

        return max(sum(whole(spelling) for spelling in word) for word in words)


@pytest.fixture(scope="module")
def real(real_folder: Path) -> tuple[Any, Any]:
    model = sh.load_model(real_folder, device="cpu")
    return model, transformers.AutoModelForCausalLM.from_pretrained(real_folder).eval()


def built_in(model: Any) -> Iterator[tuple[str, Sequence[Readout]]]:
    """Every built-in set of read-outs of texts, and the patch pairs' answers, as read-outs."""
    for spoke in (LanguageSpoke(), ArithmeticSpoke(), CodeSpoke(), SemanticsSpoke()):
        yield from spoke.readouts().items()
        for name, spec in spoke.interventions().items():
            if isinstance(spec, sh.Patching):
                yield name, [Readout(pair.base, pair.answers) for pair in spec.patch_pairs]


def expected_words(model: Any, readout: Readout, group: str) -> list[list[tuple[int, ...]]]:
    context = readout.prompt.text or ""
    return [
        [(following_tokens(model, [readout])[0].token,)]
        if word == NEXT
        else in_place(model.tokenizer, context, word)
        for word in readout.candidates[group]
    ]


@pytest.mark.slow
def test_every_built_in_candidate_has_the_tokens_of_the_whole_text(real: tuple[Any, Any]) -> None:
    model, _ = real
    checked = 0
    for name, readouts in built_in(model):
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
    model, network = real
    last = [model.cfg.n_layers]
    for name, every in built_in(model):
        readouts = evenly_spaced(every, 3)
        for whole_words in (True, False):
            lens = logit_lens(model, readouts, layers=last, whole_words=whole_words)
            for row, index in enumerate(lens.kept):
                tokens = sh.prompts.tokenize(model, [readouts[index].prompt])[0]
                for column, group in enumerate(lens.groups):
                    words = expected_words(model, readouts[index], group)
                    if not whole_words:
                        words = [
                            {t[:1] for t in word if _says(model.tokenizer, t)} for word in words
                        ]
                    own = own_probability(network, tokens, [list(word) for word in words])
                    reported = lens.probability[row, 0, column].item()
                    assert reported == pytest.approx(own, abs=1e-5), f"{name}: {readouts[index]}"


@pytest.mark.slow
def test_behind_a_quotation_mark_a_word_is_said_without_a_space(real: tuple[Any, Any]) -> None:
    model, network = real
    text = 'French: "chien", English: "dog".\nFrench: "montagne", English: "'
    readout = Readout(Prompt(text), {"hub": ("mountain",), "surface": ("montagne",)})
    lens = logit_lens(model, [readout], layers=[model.cfg.n_layers])
    tokens = sh.prompts.tokenize(model, [text])[0]
    own = own_probability(network, tokens, [in_place(model.tokenizer, text, "mountain")])
    assert own > 0.01
    assert lens.probability[0, 0, 0].item() == pytest.approx(own, abs=1e-5)
