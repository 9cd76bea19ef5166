"""The table against Bayes' rule in plain loops, and which tokens are shared for which reason."""

import pytest
import torch
import transformers

from semantic_hub.lenses.mass import table as module
from semantic_hub.lenses.mass.table import (
    AMBIGUOUS,
    REASONS,
    SPECIAL,
    SYMBOL,
    UNLISTED,
    LanguageTable,
    build_language_table,
    token_kinds,
)
from semantic_hub.prompts.words import token_ids

LISTS = {
    "en": {"the": 0.06, "dog": 2e-3, "cat": 1e-3, "no": 1e-3, "2nd": 1e-4},
    "es": {"el": 0.05, "perro": 2e-3, "gato": 1e-3, "no": 1.5e-3},
    "zh": {"的": 0.04, "狗": 1e-3, "the": 1e-5},
}


@pytest.fixture
def short_lists(monkeypatch):
    monkeypatch.setattr(module, "word_list", LISTS.__getitem__)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder):
    return transformers.AutoTokenizer.from_pretrained(tokenizer_folder)


def slow_posterior(tokenizer, languages, prior, threshold):
    """Counts in dictionaries, a token at a time; this tokenizer needs nothing before a word."""
    counts = {language: [0.0] * len(tokenizer) for language in languages}
    for language in languages:
        for word, frequency in LISTS[language].items():
            for form in (word, word.capitalize(), word.upper()):
                for spelling in (form, " " + form):
                    for token in tokenizer.encode(spelling, add_special_tokens=False):
                        counts[language][token] += frequency
    share = {code: [x / sum(column) for x in column] for code, column in counts.items()}
    rows = []
    for token in range(len(tokenizer)):
        text, evidence = tokenizer.decode([token]), [share[code][token] for code in languages]
        reason = None
        if token in tokenizer.all_special_ids:
            reason = SPECIAL
        elif "\ufffd" not in text and not any(letter.isalpha() for letter in text):
            reason = SYMBOL
        elif not any(evidence):
            reason = UNLISTED
        elif max(evidence) / sum(evidence) < threshold:
            reason = AMBIGUOUS
        joint = [e * p for e, p in zip(evidence, prior, strict=True)]
        own = [0.0 if reason else x / sum(joint) for x in joint]
        rows.append(own + [float(reason == other) for other in REASONS])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("prior", [(1 / 3, 1 / 3, 1 / 3), (0.7, 0.1, 0.2)])
def test_agrees_with_a_count_in_loops(tokenizer, prior, threshold):
    table = build_language_table(tokenizer, list(LISTS), len(tokenizer))
    posterior = table.posterior(prior, threshold)
    expected = slow_posterior(tokenizer, list(LISTS), prior, threshold)
    assert torch.allclose(posterior, expected, rtol=1e-12, atol=0)
    assert posterior.sum(dim=1).tolist() == pytest.approx([1.0] * len(tokenizer))
    assert table.frequency.sum(dim=0).tolist() == pytest.approx([1.0] * 3)


def row(table, threshold=0.8, prior=(0.5, 0.5)):
    return dict(
        zip(
            [*table.languages, *REASONS], table.posterior(prior, threshold)[0].tolist(), strict=True
        )
    )


def table(en, es, kind=0):
    return LanguageTable(
        ("en", "es"), torch.tensor([[en, es]], dtype=torch.float64), torch.tensor([kind])
    )


@pytest.mark.parametrize(
    ("en", "es", "kind", "bucket"),
    [
        (0.5, 0.5, 0, AMBIGUOUS),
        (0.79, 0.21, 0, AMBIGUOUS),
        (0.0, 0.0, 0, UNLISTED),
        (0.9, 0.1, 1, SYMBOL),
        (0.0, 0.0, 1, SYMBOL),
        (0.9, 0.1, 2, SPECIAL),
    ],
)
def test_a_shared_token_is_wholly_so_and_for_one_reason(en, es, kind, bucket):
    assert row(table(en, es, kind)) == {"en": 0, "es": 0} | dict.fromkeys(REASONS, 0) | {bucket: 1}


def test_a_token_with_the_threshold_of_the_evidence_is_split_by_bayes():
    assert row(table(0.75, 0.25), threshold=0.75)["en"] == 0.75
    found = row(table(0.9, 0.1), prior=(0.1, 0.9))
    assert (found["en"], found["es"]) == (pytest.approx(0.5), pytest.approx(0.5))


@pytest.mark.usefixtures("short_lists")
def test_the_prior_moves_nothing_into_the_shared_bucket_or_out_of_it(tokenizer):
    table = build_language_table(tokenizer, ["en", "es"], len(tokenizer))
    even, uneven = table.posterior([0.5, 0.5]), table.posterior([0.999, 0.001])
    assert torch.equal(even[:, 2:], uneven[:, 2:]) and not torch.equal(even, uneven)


def test_kinds_of_tokens(tokenizer):
    kinds = token_kinds(tokenizer, len(tokenizer) + 2)

    def kind(text):
        return {int(kinds[token]) for token in token_ids(tokenizer, text)}

    assert kind("dog") == kind("é狗") == {0}  # é and 狗 are several tokens here, one for each byte
    assert kind("2+3=, .") == {1}
    assert kinds[:3].tolist() == [2, 2, 2] and kinds[-2:].tolist() == [0, 0]


@pytest.mark.usefixtures("short_lists")
def test_rows_without_a_token_are_unlisted(tokenizer):
    table = build_language_table(tokenizer, ["en", "es"], len(tokenizer) + 2)
    assert table.posterior([0.5, 0.5])[-2:, 2 + REASONS.index(UNLISTED)].tolist() == [1, 1]


@pytest.mark.usefixtures("short_lists")
def test_a_model_may_lack_the_last_tokens(tokenizer):
    whole = build_language_table(tokenizer, ["en", "es"], len(tokenizer))
    part = build_language_table(tokenizer, ["en", "es"], 100)
    assert torch.equal(part.frequency, whole.frequency[:100])
    assert torch.equal(part.kind, whole.kind[:100])
