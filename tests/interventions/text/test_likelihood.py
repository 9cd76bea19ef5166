"""Perplexity against plain transformers: the same numbers from code that shares nothing with it."""

import math

import pytest
import torch
import transformers

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation, Sampling, generate_texts
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.lenses import projection
from semantic_hub.models import loading as models


@pytest.fixture(scope="module")
def generations(model):
    return generate_texts(
        model, ["The dog barks", "cat", "El perro"], Sampling(max_new_tokens=7, seeds=(0, 1))
    )


def test_perplexity_is_that_of_plain_transformers(model, llama_folder, generations):
    plain = transformers.AutoModelForCausalLM.from_pretrained(llama_folder)
    for found, text in zip(perplexity(model, model)(generations), generations, strict=True):
        tokens = torch.tensor([[*text.prompt_tokens, *text.new_tokens]])
        labels = tokens.clone()
        labels[0, : len(text.prompt_tokens)] = -100
        with torch.no_grad():
            loss = plain(tokens, labels=labels).loss
        assert found == pytest.approx(math.exp(loss), rel=1e-4)


def test_perplexity_does_not_depend_on_batches(model, generations):
    together = perplexity(model, model)(generations)
    assert perplexity(model, model, batch_size=1)(generations) == pytest.approx(together, rel=1e-5)


def test_perplexity_takes_the_ids_and_not_the_text(model):
    """Ids that the tokenizer would never give for their text are scored as they are."""
    d, o = (model.tokenizer.convert_tokens_to_ids(letter) for letter in "do")
    split = Generation(0, 0, (0,), (d, o), "", "do")
    with torch.no_grad():
        log_probs = model(torch.tensor([[0, d, o]])).log_softmax(dim=-1)[0]
    expected = math.exp(-(log_probs[0, d] + log_probs[1, o]) / 2)
    assert perplexity(model, model)([split]) == [pytest.approx(expected, rel=1e-4)]


@pytest.mark.filterwarnings("ignore:Hooks that are not of this package")
def test_logits_are_held_a_block_at_a_time_and_only_where_they_are_scored(
    model, generations, monkeypatch
):
    """At a vocabulary of 262,144 those of 8 texts of 100 tokens are 840 MB."""
    expected = perplexity(model, model)(generations)
    held: list[int] = []
    monkeypatch.setattr(projection, "_BLOCK", 3 * model.cfg.d_vocab)
    hook = model.unembed.register_forward_hook(
        lambda module, states, logits: held.append(logits.numel() // logits.shape[-1])
    )
    found = perplexity(model, model)(generations)
    hook.remove()
    assert found == pytest.approx(expected, rel=1e-5)
    assert max(held) == 3
    assert sum(held) == sum(len(text.new_tokens) for text in generations)


def test_perplexity_of_nothing_is_unknown(model):
    assert math.isnan(perplexity(model, model)([Generation(0, 0, (0, 5), (), "a", "")])[0])
    assert perplexity(model, model)([]) == []


def test_another_model_of_the_same_vocabulary_may_score(model, checkpoint, generations):
    other = models.load_model(checkpoint("gpt2"), device="cpu")
    scores = perplexity(other, model)(generations)
    assert scores != pytest.approx(perplexity(model, model)(generations), rel=1e-2)


def test_a_scoring_model_of_another_vocabulary_is_refused(model, generations):
    mini = models.load_model("hub-mini", device="cpu")
    with pytest.raises(SemanticHubError, match=r"hub-mini.* with another vocabulary"):
        perplexity(mini, model)
    with pytest.raises(SemanticHubError, match="a text of 65 tokens; expected at most 64"):
        perplexity(model, model)([Generation(0, 0, (5,) * 60, (5,) * 5, "", "")])
