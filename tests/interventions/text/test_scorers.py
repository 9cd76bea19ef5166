"""Scorers against plain transformers: the same numbers from code that shares nothing with them."""

import math

import pytest
import torch
import transformers
from tiny import BASE, D_VOCAB, randomise

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.interventions.text.scorers import relevance, sentiment_classifier


def said(text: str, prompt_text: str = "the dog") -> Generation:
    return Generation(0, 0, (1,), (2,), prompt_text, text)


TEXTS = [said("The dog barks ."), said("gato"), said("  "), said("two plus three equals five")]


def classifier_folder(folder, bert_folder, names, **options):
    torch.manual_seed(0)
    labels = dict(enumerate(names))
    config = transformers.BertConfig(
        **{**BASE, "vocab_size": D_VOCAB}, id2label=labels, label2id={v: k for k, v in labels.items()},
        **options,
    )  # fmt: skip
    network = randomise(transformers.BertForSequenceClassification(config))
    network.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(bert_folder).save_pretrained(folder)
    return network.eval(), transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("names", [["positive", "neutral", "negative"], ["NEG", "POS"]])
def test_sentiment_is_p_positive_minus_p_negative(tmp_path, bert_folder, names):
    network, tokenizer = classifier_folder(tmp_path, bert_folder, names)
    scores = sentiment_classifier(tmp_path, device="cpu")(TEXTS)
    for text, found in zip(TEXTS, scores, strict=True):
        if not text.text.strip():
            assert math.isnan(found)
            continue
        with torch.no_grad():
            p = network(**tokenizer(text.text, return_tensors="pt")).logits[0].softmax(dim=-1)
        lower = [name.lower()[:3] for name in names]
        expected = p[lower.index("pos")] - p[lower.index("neg")]
        assert found == pytest.approx(float(expected), abs=1e-5)


def test_labels_that_say_nothing_must_be_told(tmp_path, bert_folder):
    network, tokenizer = classifier_folder(tmp_path, bert_folder, ["LABEL_0", "LABEL_1"])
    with pytest.raises(SemanticHubError, match="a classifier with the labels LABEL_0, LABEL_1"):
        sentiment_classifier(tmp_path, device="cpu")
    score = sentiment_classifier(tmp_path, {"LABEL_0": -1.0, "LABEL_1": 1.0}, device="cpu")
    with torch.no_grad():
        p = network(**tokenizer("gato", return_tensors="pt")).logits[0].softmax(dim=-1)
    assert score([said("gato")]) == [pytest.approx(float(p[1] - p[0]), abs=1e-5)]
    with pytest.raises(SemanticHubError, match="labels that say which is positive"):
        sentiment_classifier(tmp_path, {"LABEL_0": 1.0, "LABEL_1": 1.0}, device="cpu")


def test_long_texts_are_cut(tmp_path, bert_folder):
    classifier_folder(tmp_path, bert_folder, ["neg", "pos"])
    long, cut = said("dog " * 100), said("dog " * 62)  # [CLS], 62 words and [SEP]
    for score in (sentiment_classifier(tmp_path, device="cpu"), relevance(bert_folder)):
        assert score([long]) == [pytest.approx(score([cut])[0], abs=1e-5)]


def test_relevance_is_the_cosine_of_mean_states(bert_folder):
    encoder = transformers.AutoModel.from_pretrained(bert_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert_folder)

    def embedding(text):
        with torch.no_grad():
            return encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)

    for batch_size in (1, 16):
        scores = relevance(bert_folder, batch_size=batch_size)(TEXTS)
        for text, found in zip(TEXTS, scores, strict=True):
            if not text.text.strip():
                assert math.isnan(found)
                continue
            pair = embedding("query: the dog"), embedding(f"query: {text.text}")
            plain = embedding("the dog"), embedding(text.text)
            assert found == pytest.approx(float(torch.cosine_similarity(*plain, dim=0)), abs=1e-5)
        prefixed = relevance(bert_folder, prefix="query: ")(TEXTS)
        assert prefixed[3] == pytest.approx(float(torch.cosine_similarity(*pair, dim=0)), abs=1e-5)


def test_a_text_that_repeats_its_prompt_is_as_relevant_as_can_be(bert_folder):
    assert relevance(bert_folder)([said("the dog")]) == [pytest.approx(1.0, abs=1e-5)]


@pytest.mark.parametrize("scorer", [sentiment_classifier, relevance])
def test_a_model_that_is_not_there(tmp_path, scorer):
    with pytest.raises(SemanticHubError, match="nothing-here"):
        scorer(tmp_path / "nothing-here")
