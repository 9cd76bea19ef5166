"""Sampled texts: reproducible, cut at the end of text, each as the model alone would write it."""

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text import generation
from semantic_hub.interventions.text.generation import Generation, Sampling, generate_texts
from semantic_hub.models import loading as models

PROMPTS = ["The dog barks", "cat", "El perro ladra", "two plus three"]
SHORT = Sampling(max_new_tokens=6, seeds=(0, 3))


@pytest.fixture(scope="module")
def texts(model):
    return generate_texts(model, PROMPTS, SHORT)


def test_one_text_for_each_prompt_and_seed_in_order(model, texts):
    assert [(text.prompt, text.seed) for text in texts] == [
        (p, s) for p in range(4) for s in (0, 3)
    ]
    for text in texts:
        assert list(text.prompt_tokens) == model.to_tokens(PROMPTS[text.prompt])[0].tolist()
        assert text.prompt_text == PROMPTS[text.prompt]
        assert 0 < len(text.new_tokens) <= 6 and model.tokenizer.eos_token_id not in text.new_tokens


def test_text_is_what_the_tokens_say_behind_the_prompt(model, texts):
    for text in texts:
        whole = model.tokenizer.decode(
            [*text.prompt_tokens, *text.new_tokens], skip_special_tokens=True
        )
        assert whole == text.prompt_text + text.text


def test_the_same_call_gives_the_same_texts(model, texts):
    assert generate_texts(model, PROMPTS, SHORT) == texts


@pytest.mark.parametrize(
    "how", [{}, {"top_p": 1.0, "temperature": 1.5}, {"frequency_penalty": 0.0, "top_p": 0.7}]
)
def test_the_texts_are_those_of_transformer_lens(model, how, monkeypatch):
    """Drawn for each seed and batch by ``generate`` itself, which reads every prompt anew."""
    prompts, sampling = [*PROMPTS, "The cat runs"], Sampling(max_new_tokens=12, seeds=(0, 3), **how)
    ours = generate_texts(model, prompts, sampling)
    monkeypatch.setattr(generation, "starts_where_it_acts", lambda *_: False)
    assert generate_texts(model, prompts, sampling) == ours


def test_seeds_are_independent_of_each_other(model, texts):
    alone = generate_texts(model, PROMPTS, Sampling(max_new_tokens=6, seeds=(3,)))
    assert alone == texts[1::2]


def test_seeds_give_different_texts(model):
    free = Sampling(max_new_tokens=6, top_p=1.0, frequency_penalty=0.0, seeds=tuple(range(5)))
    found = {text.new_tokens for text in generate_texts(model, ["cat"], free)}
    assert len(found) == 5


def test_the_callers_random_state_is_left_alone(model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    generate_texts(model, PROMPTS, SHORT)
    assert torch.equal(torch.rand(3), expected)


def test_both_classes_sample_by_the_formula(model):
    """With almost no top-p only the likeliest token is left: greedy, less the frequency penalty."""
    penalty = 2.0
    sampling = Sampling(max_new_tokens=5, top_p=1e-6, frequency_penalty=penalty, seeds=(0,))
    found = generate_texts(model, ["The dog barks"], sampling)[0]
    tokens = list(found.prompt_tokens)
    for _ in range(5):
        with torch.no_grad():
            logits = model(torch.tensor([tokens]))[0, -1]
        counts = torch.bincount(torch.tensor(tokens), minlength=len(logits))
        tokens.append(int((logits - penalty * counts).argmax()))
    assert found.new_tokens == tuple(tokens[-5:])


def test_temperature_scales_the_logits(model):
    """At a high temperature, all tokens are about as likely; at a low one, the likeliest comes."""
    hot = Sampling(max_new_tokens=8, temperature=1e4, top_p=1.0, frequency_penalty=0.0)
    cold = Sampling(max_new_tokens=8, temperature=1e-4, top_p=1.0, frequency_penalty=0.0)
    first = {t.new_tokens[:1] for t in generate_texts(model, ["cat"], hot)}
    assert len(first) >= 9  # ten draws of 300 tokens
    assert len({t.new_tokens for t in generate_texts(model, ["cat"], cold)}) == 1


def test_prompts_may_be_batched_by_one(model):
    cold = Sampling(max_new_tokens=5, top_p=1e-6, seeds=(0,))
    together = generate_texts(model, PROMPTS, cold)
    assert generate_texts(model, PROMPTS, cold, batch_size=1) == together


def test_a_text_ends_before_its_end_token(llama_folder):
    model = models.load_model(llama_folder, device="cpu")
    sampling = Sampling(max_new_tokens=5, top_p=1e-6, seeds=(0,))
    whole = generate_texts(model, ["The dog barks"], sampling)[0].new_tokens
    third = whole[2]
    assert third not in whole[:2]
    model.tokenizer.eos_token = model.tokenizer.convert_ids_to_tokens(third)
    assert generate_texts(model, ["The dog barks"], sampling)[0].new_tokens == whole[:2]
    model.tokenizer.eos_token = None
    assert generate_texts(model, ["The dog barks"], sampling)[0].new_tokens == whole


def test_token_ids_are_continued_as_they_are(model):
    text = generate_texts(model, [[5, 6, 7]], Sampling(max_new_tokens=2, seeds=(0,)))[0]
    assert isinstance(text, Generation) and text.prompt_tokens == (5, 6, 7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens=0; expected at least 1"),
        ({"temperature": 0.0}, "temperature=0.0; expected above 0"),
        ({"top_p": 0.0}, "top_p=0.0"),
        ({"frequency_penalty": -1.0}, "frequency_penalty=-1.0"),
        ({"seeds": ()}, r"seeds=\(\)"),
        ({"seeds": (1, 1)}, r"seeds=\(1, 1\)"),
        ({"seeds": (-1,)}, r"seeds=\(-1,\)"),
    ],
)
def test_sampling_out_of_range(change, message):
    with pytest.raises(SemanticHubError, match=message):
        Sampling(**change)


def test_bad_input(model, bert_folder, monkeypatch):
    with pytest.raises(SemanticHubError, match="at most 64, the context, in all"):
        generate_texts(model, ["cat"], Sampling(max_new_tokens=63))
    with pytest.raises(SemanticHubError, match="does not predict next tokens"):
        generate_texts(models.load_model(bert_folder, device="cpu"), ["cat"])
    monkeypatch.setattr(model, "tokenizer", None)
    with pytest.raises(SemanticHubError, match="a model without a tokenizer"):
        generate_texts(model, [[5]], SHORT)


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
def test_logits_are_computed_where_the_next_token_is_chosen_alone(model, texts):
    """Those of the whole prompts take most of the memory where the vocabulary is large."""
    columns: list[int] = []
    hook = model.unembed.register_forward_hook(
        lambda module, states, logits: columns.append(logits.shape[1])
    )
    again = generate_texts(model, PROMPTS, SHORT)
    n_generated = len(columns)
    steering_sweep(
        model,
        PROMPTS,
        Direction(torch.ones(model.cfg.d_model), 1, "ones"),
        lambda index, text: "other",
        layers=[1],
        strengths=[1],
    )
    hook.remove()
    assert again == texts
    assert 0 < n_generated < len(columns)
    assert set(columns) == {1}
    assert model("The dog barks").shape[1] == model.to_tokens("The dog barks").shape[1] > 1
