"""Chats: tokens as the tokenizer's template writes them, and one warning where it is not used."""

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Prompt, Readout, as_prompt, encode, tokenize
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens
from semantic_hub.statistics.resampling import Resampling

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.fixture
def instruct(model: Any) -> Iterator[Any]:
    """The tiny model with a tokenizer of its own that has a chat template."""
    plain = model.tokenizer
    model.tokenizer = copy.deepcopy(plain)
    model.tokenizer.chat_template = TEMPLATE
    yield model
    model.tokenizer = plain


def test_a_chat_is_what_transformers_makes_of_it(instruct: Any) -> None:
    messages = [
        {"role": "user", "content": "The dog barks."},
        {"role": "assistant", "content": "el perro"},
        {"role": "user", "content": "The cat"},
    ]
    for told, open_answer in ((messages, False), (messages[:2], True)):
        expected = instruct.tokenizer.apply_chat_template(
            told,
            add_generation_prompt=not open_answer,
            continue_final_message=open_answer,
            return_dict=False,
        )
        [encoding] = encode(instruct, [Prompt.chat(told)])
        assert list(encoding.tokens) == expected
        assert encoding.tokens[0] == instruct.tokenizer.bos_token_id != encoding.tokens[1]
        assert encoding.own == slice(1, len(expected))
    states = residual_stream(instruct, [Prompt.chat(messages)])
    ids = instruct.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=False
    )
    assert torch.equal(states, residual_stream(instruct, [ids]))


def test_a_text_is_one_message_of_the_user(instruct: Any) -> None:
    prompt = Prompt.chat("The dog", position=-2)
    assert prompt.messages == (("user", "The dog"),)
    [encoding] = encode(instruct, [prompt])
    text = instruct.tokenizer.decode(encoding.tokens)
    assert text == "<s>[user] The dog</s>[assistant] "
    [[position]] = read_positions([as_prompt(prompt)], [encoding], "last")
    assert position == len(encoding) - 2


def test_chats_go_where_prompts_go(instruct: Any) -> None:
    pairs = Pairs.from_prompts(
        [Prompt.chat("The dog"), Prompt.chat("The cat")],
        [Prompt.chat("El perro"), Prompt.chat("El gato")],
    )
    assert "user: The dog" in pairs.summary()
    readout = Readout(Prompt.chat("El perro"), {"hub": ("cat",), "surface": ("dog",)})
    few = Resampling(resamples=10)
    assert logit_lens(instruct, [readout], resampling=few).log_prob.isfinite().all()


def test_features_may_stand_in_a_chat(instruct: Any) -> None:
    span = SoftTokens(torch.zeros(3, instruct.cfg.d_model))
    prompt = Prompt.chat(f"{SOFT} The dog", soft=(span,))
    [encoding] = encode(instruct, [prompt])
    [without] = encode(instruct, [Prompt.chat(" The dog")])
    assert len(encoding.spans[0]) == 3
    assert len(encoding) >= len(without) + 3


@pytest.mark.parametrize(
    "messages",
    [[{"role": "user"}], [{"content": "a"}], [{"role": "user", "content": [{"type": "image"}]}]],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_messages_have_a_role_and_text(messages: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"Prompt: got the messages .*a role and content"):
        Prompt.chat(messages)


def test_a_chat_is_not_empty_nor_text_too() -> None:
    with pytest.raises(SemanticHubError, match="Prompt: got an empty prompt"):
        Prompt.chat([])
    with pytest.raises(SemanticHubError, match="Prompt: got both text and messages"):
        Prompt("The dog", messages=(("user", "The dog"),))


def test_what_the_template_refuses_is_told(instruct: Any) -> None:
    chat = Prompt.chat([{"role": "system", "content": "be brief"}])
    with pytest.raises(SemanticHubError, match=r"Prompt\.chat: got a chat .*no system role"):
        tokenize(instruct, [chat])


def test_a_model_without_a_template_reads_no_chats(model: Any) -> None:
    with pytest.raises(SemanticHubError, match=r"Prompt\.chat: got a chat that llama has no templ"):
        tokenize(model, [Prompt.chat("The dog")])


def test_text_for_an_instruct_model_warns_once(instruct: Any) -> None:
    twin = random_twin(instruct)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenize(instruct, [Prompt.chat("The dog"), [3, 4]])
    with pytest.warns(SemanticHubWarning, match="llama has a chat template") as told:
        tokenize(instruct, ["The dog", "The cat"])
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenize(instruct, ["The dog"])
        tokenize(twin, ["The dog"])
