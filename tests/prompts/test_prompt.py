"""Prompts and their tokens."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.prompt import (
    Prompt,
    as_prompt,
    encode,
    special_token_ids,
    tokenize,
)

BOS = 0


@pytest.mark.parametrize("given", ["a dog", Prompt("a dog"), [3, 4], (3, 4)])
def test_as_prompt(given: Any) -> None:
    prompt = as_prompt(given)
    assert (prompt.text == "a dog") != (prompt.tokens == (3, 4))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("given", [3, None, ["a", "b"], [1.5], {"text": "a"}])
def test_as_prompt_refuses(given: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"as_prompt: got .*; expected text, a Prompt"):
        as_prompt(given)


def test_prompt_needs_exactly_one_of_text_and_tokens() -> None:
    with pytest.raises(SemanticHubError, match="got both text and tokens"):
        Prompt("a", tokens=(1,))
    with pytest.raises(SemanticHubError, match="got neither text nor tokens"):
        Prompt()


@pytest.mark.parametrize("fields", [{"text": ""}, {"tokens": ()}])
def test_empty_prompt(fields: Any) -> None:
    with pytest.raises(SemanticHubError, match="got an empty prompt; expected at least one token"):
        Prompt(**fields)


def test_text_gets_one_bos_and_ids_none(model: Any) -> None:
    [text, doubled, ids] = tokenize(model, ["a dog", "<s>a dog", [7, 8]])
    assert text[0] == BOS
    assert BOS not in text[1:]
    assert doubled == text
    assert ids == [7, 8]


def test_tokens_follow_the_models_convention(model: Any) -> None:
    model.cfg.default_prepend_bos = False
    try:
        [encoding] = encode(model, ["a dog"])
    finally:
        model.cfg.default_prepend_bos = True
    assert BOS not in encoding.tokens
    assert encoding.own_positions == range(len(encoding))


def test_own_tokens_leave_out_what_the_tokenizer_adds(model: Any, bert_folder: Path) -> None:
    [decoder] = encode(model, ["a dog"])
    assert decoder.own_positions == range(1, len(decoder))
    [encoder] = encode(load_model(bert_folder, device="cpu"), ["a dog"])
    assert encoder.own_positions == range(1, len(encoder) - 1)
    [ids] = encode(model, [[BOS, 5]])
    assert ids.own_positions == range(2)


def prefix_space_tokenizer() -> PreTrainedTokenizerFast:
    """SentencePiece's kind: a space before the first word of an input, but not behind a BOS."""
    pieces = ["<s>", "</s>", "▁", *"adgo", "dog", "▁dog"]
    merges = [("o", "g"), ("d", "og"), ("▁", "dog")]
    pieces.insert(3, "og")
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


def test_own_tokens_of_a_text_that_is_split_differently_behind_its_bos(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = prefix_space_tokenizer()
    monkeypatch.setattr(type(model), "tokenizer", tokenizer, raising=False)
    monkeypatch.setitem(model.__dict__, "tokenizer", tokenizer)
    monkeypatch.setattr(model.cfg, "tokenizer_prepends_bos", False)
    [encoding] = encode(model, ["dog"])
    assert tokenizer.convert_ids_to_tokens(list(encoding.tokens)) == ["<s>", "dog"]
    assert tokenizer.tokenize("dog") == ["▁dog"]
    assert encoding.own_positions == range(1, 2)


def test_special_token_ids(model: Any) -> None:
    assert special_token_ids(model) == {0, 1, 2}


def test_tokenize_needs_a_prompt(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="got no prompts; expected at least one prompt"):
        tokenize(model, [])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("prompt", ["a dog", Prompt("a dog"), [3, 4], torch.tensor([3, 4])])
def test_one_prompt_is_a_list_of_one(model: Any, prompt: Any) -> None:
    assert tokenize(model, prompt) == tokenize(model, [prompt])


@pytest.mark.usefixtures("without_shape_checks")
def test_ids_of_a_tensor_are_numbers() -> None:
    assert Prompt(tokens=torch.tensor([3, 4])) == Prompt(tokens=(3, 4))


def test_prompt_longer_than_the_context(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="got prompt 1 of 65 tokens; expected at most 64"):
        tokenize(model, [[1], [1] * 65])


def test_ids_outside_the_vocabulary(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="got prompt 0 with ids 1 to 300; expected ids 0 to"):
        tokenize(model, [[1, 300]])


def test_prompt_of_nothing_but_a_bos(model: Any) -> None:
    with pytest.raises(SemanticHubError, match="prompt 0, which has no tokens of its own"):
        tokenize(model, ["<s>"])


def test_text_without_a_tokenizer(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(model), "tokenizer", None, raising=False)
    monkeypatch.setitem(model.__dict__, "tokenizer", None)
    assert tokenize(model, [[3, 4]]) == [[3, 4]]
    with pytest.raises(SemanticHubError, match="text, and a model without a tokenizer"):
        tokenize(model, ["a dog"])


@pytest.mark.parametrize(
    "ids", [torch.tensor([5, 6]), np.array([5, 6]), [torch.tensor(5), np.int64(6)], range(5, 7)]
)
@pytest.mark.usefixtures("without_shape_checks")
def test_ids_of_any_kind_become_ints(ids: Any) -> None:
    prompt = Prompt(tokens=ids, position=torch.tensor(-1))  # type: ignore[arg-type]
    assert prompt == Prompt(tokens=(5, 6), position=-1)
    assert as_prompt(ids) == Prompt(tokens=(5, 6))
    assert [type(token) for token in prompt.tokens or ()] == [int, int]


@pytest.mark.usefixtures("without_shape_checks")
def test_bos_of_a_tensor_of_ids_is_in_no_mean(model: Any) -> None:
    ids: Any = torch.tensor([BOS, 5, 6])
    means = residual_stream(model, [Prompt(tokens=ids), [BOS, 5, 6]], positions="mean")
    assert torch.equal(means[0], means[1])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    "fields", [{"tokens": torch.tensor([[5], [6]])}, {"tokens": [1.5]}, {"tokens": "56"},
    {"text": "a", "position": 0.5}],
)  # fmt: skip
def test_ids_and_positions_are_whole_numbers(fields: Any) -> None:
    with pytest.raises(SemanticHubError, match="expected a whole number"):
        Prompt(**fields)


def test_decomposed_text_is_warned_about(model: Any) -> None:
    with pytest.warns(SemanticHubWarning, match=r"1 of 2 prompts .* \(prompt 1\)"):
        encode(model, ["café", unicodedata.normalize("NFD", "café")])
