"""Token frequencies against a count in plain loops, one spelling at a time."""

import math
from collections import Counter

import pytest
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from semantic_hub.lenses.mass import table as module
from semantic_hub.lenses.mass.table import spellings, token_frequencies
from semantic_hub.prompts.words import continuation

WORDS = {"the": 0.5, "dog": 0.03, "l'": 0.02, "élan": 1e-3, "собака": 2e-3, "狗": 4e-3, "a-b": 1e-4}


def byte_level(tokenizer_folder):
    return transformers.AutoTokenizer.from_pretrained(tokenizer_folder)


def newline_merging(tokenizer_folder):
    """As newer byte-level tokenizers: punctuation takes the line breaks after it along."""
    tokenizer = Tokenizer(models.BPE())
    pattern = Regex(r" ?\p{L}+| ?[^\s\p{L}]+[\r\n]*|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["l'\n l'\n the dog the dog\n"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def sentencepiece(tokenizer_folder):
    """As Llama 2: a space of its own at the start of a text, bytes for what it does not know."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"thedogл", "▁d", "th"]
    merges = [("▁", "d"), ("t", "h")]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    model = models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def word_level(tokenizer_folder):
    """One without a token for the line break."""
    vocabulary = {"[UNK]": 0, "the": 1, "dog": 2, "Dog": 3, "'": 4}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def python_bytes(tokenizer_folder):
    """One that is written in Python."""
    return transformers.ByT5Tokenizer()


KINDS = [byte_level, newline_merging, sentencepiece, word_level, python_bytes]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def tokenizer(request, tokenizer_folder):
    return request.param(tokenizer_folder)


def slow_count(tokenize, words):
    counts = Counter()
    for word, frequency in words.items():
        for form in (word, word.capitalize(), word.upper()):
            for spelling in (form, " " + form):
                for token in tokenize(spelling):
                    counts[token] += frequency
    total = math.fsum(counts.values())
    return {token: count / total for token, count in counts.items()}


def check(shares, expected):
    assert {i for i, share in enumerate(shares.tolist()) if share} == set(expected)
    for token, share in expected.items():
        assert shares[token].item() == pytest.approx(share, rel=1e-12)


def test_agrees_with_one_spelling_at_a_time(tokenizer):
    shares = token_frequencies(tokenizer, WORDS, len(tokenizer))
    check(shares, slow_count(lambda text: continuation(tokenizer, text), WORDS))


def test_agrees_with_the_tokenizers_library_alone(tokenizer_folder):
    raw = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    shares = token_frequencies(byte_level(tokenizer_folder), WORDS, 300)
    check(shares, slow_count(lambda text: raw.encode(text, add_special_tokens=False).ids, WORDS))


def test_packs_and_batches_change_no_number(tokenizer, monkeypatch):
    whole = token_frequencies(tokenizer, WORDS, len(tokenizer))
    monkeypatch.setattr(module, "_PACK", 3)
    monkeypatch.setattr(module, "_BATCH", 2)
    assert token_frequencies(tokenizer, WORDS, len(tokenizer)).tolist() == pytest.approx(
        whole.tolist(), rel=1e-12
    )


def test_line_breaks_that_merge_are_noticed(tokenizer_folder):
    tokenizer = newline_merging(tokenizer_folder)
    assert len(tokenizer.encode("l'\nl'\n")) < len(tokenizer.encode("l'")) * 2 + 2
    anchor = tokenizer.encode("\n")
    assert module._lines(tokenizer.encode("\nl'\nl'"), anchor, 2) is None
    assert module._lines(tokenizer.encode("\ndog\nthe"), anchor, 2) is not None


def test_shares_sum_to_one_over_a_padded_vocabulary(tokenizer):
    shares = token_frequencies(tokenizer, WORDS, len(tokenizer) + 7)
    assert shares.sum().item() == pytest.approx(1) and len(shares) == len(tokenizer) + 7


def test_tokens_beyond_the_models_vocabulary_are_left_out_after_counting(tokenizer_folder):
    tokenizer = byte_level(tokenizer_folder)
    whole = token_frequencies(tokenizer, WORDS, 300)
    assert token_frequencies(tokenizer, WORDS, 100).tolist() == whole[:100].tolist()


def test_a_tokenizer_that_drops_all_words_gives_nothing():
    tokenizer = Tokenizer(models.BPE({"z": 0}, []))  # no token for what it does not know
    shares = token_frequencies(PreTrainedTokenizerFast(tokenizer_object=tokenizer), WORDS, 3)
    assert shares.tolist() == [0, 0, 0]


def test_a_word_weighs_the_same_in_every_script():
    assert sum(spellings({"狗": 1.0}).values()) == sum(spellings({"dog": 1.0}).values()) == 6
    assert spellings({"狗": 1.0}) == {"狗": 3.0, " 狗": 3.0}
