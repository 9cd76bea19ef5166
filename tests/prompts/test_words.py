import unicodedata

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import (
    AMBIGUOUS,
    SHARED,
    UNKNOWN,
    UNUSABLE,
    candidate_tokens,
    continuation,
    token_text,
    word_tokens,
)

MERGES = [
    "d+o",
    "do+g",
    "Ġ+dog",
    "D+o",
    "Do+g",
    "Ġ+Dog",
    "p+e",
    "pe+r",
    "Ġ+per",
    "r+o",
    "g+a",
    "ga+s",
    "Ġ+gas",
    "Ġ+c",
    "Ġc+a",
    "Ġca+t",
]


def byte_level() -> PreTrainedTokenizerFast:
    """GPT-2's kind: bytes as letters, the space a part of the word that follows."""
    merges = [tuple(merge.split("+")) for merge in MERGES]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<|end|>", *alphabet, *("".join(merge) for merge in merges)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>"
    )


def dummy_prefix() -> PreTrainedTokenizerFast:
    """Llama 2's kind: a space is put before every input, unknown letters fall back to bytes."""
    pieces = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", "d", "o", "g", "og", "dog", "▁dog", "5", "书"]
    model = models.BPE(
        vocab={piece: index for index, piece in enumerate(pieces)},
        merges=[("o", "g"), ("d", "og"), ("▁", "dog")],
        unk_token="<unk>",
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")


def word_piece() -> PreTrainedTokenizerFast:
    """BERT's kind: no spaces, pieces inside a word are marked, unknown words exist."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dog", "##s", "cat"]
    model = models.WordPiece(
        vocab={piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def pieces(tokenizer, tokens) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(tokens))


def readout(**candidates: str) -> Readout:
    return Readout(
        prompt=Prompt(tokens=(1, 2)),
        candidates={group: tuple(words.split("/")) for group, words in candidates.items()},
    )


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (byte_level(), "dog", ["dog"]),
        (byte_level(), " dog", ["Ġdog"]),
        (dummy_prefix(), "dog", ["dog"]),
        (dummy_prefix(), " dog", ["▁dog"]),
        (dummy_prefix(), "5", ["5"]),
        (dummy_prefix(), " 5", ["▁", "5"]),
        (word_piece(), "dogs", ["dog", "##s"]),
        (word_piece(), " dog", ["dog"]),
    ],
)
def test_continuation_has_the_space_that_was_asked_for_and_no_other(tokenizer, text, expected):
    assert pieces(tokenizer, continuation(tokenizer, text)) == expected


def test_a_word_has_a_token_with_and_one_without_a_space():
    tokenizer = byte_level()
    assert pieces(tokenizer, word_tokens(tokenizer, " dog ").tokens) == ["dog", "Ġdog"]
    assert pieces(dummy_prefix(), word_tokens(dummy_prefix(), "dog").tokens) == ["dog", "▁dog"]
    assert pieces(word_piece(), word_tokens(word_piece(), "dog").tokens) == ["dog"]


def test_case_variants_only_where_asked():
    tokenizer = byte_level()
    found = word_tokens(tokenizer, "dog", cases=(str.capitalize,))
    assert pieces(tokenizer, found.tokens) == ["dog", "Ġdog", "Dog", "ĠDog"]


def test_only_whole_tokens_count_where_a_spelling_is_one_token():
    tokenizer = byte_level()
    found = word_tokens(tokenizer, "cat")
    assert pieces(tokenizer, found.tokens) == ["Ġcat"] and found.whole


def test_a_longer_word_is_its_first_tokens():
    tokenizer = byte_level()
    found = word_tokens(tokenizer, "perro")
    assert pieces(tokenizer, found.tokens) == ["per", "Ġper"] and not found.whole


def test_a_space_marker_alone_is_never_the_first_token():
    tokenizer = dummy_prefix()
    assert pieces(tokenizer, word_tokens(tokenizer, "5").tokens) == ["5"]
    longer = word_tokens(tokenizer, "55")
    assert pieces(tokenizer, longer.tokens) == ["5"] and not longer.whole
    chinese = word_tokens(byte_level(), "书")
    assert "Ġ" not in pieces(byte_level(), chinese.tokens) and not chinese.whole


def test_unknown_and_unusable_words_say_why():
    assert word_tokens(word_piece(), "perro").problem == UNKNOWN
    assert word_tokens(byte_level(), "<|end|>").problem == UNUSABLE
    assert word_tokens(byte_level(), "  ").problem == UNUSABLE


def test_candidates_are_kept_group_by_group():
    found = candidate_tokens(
        byte_level(), [readout(surface="perro", hub="dog/cat"), readout(surface="gas", hub="dog")]
    )
    assert found.groups == ("surface", "hub") and found.kept == (0, 1) and len(found) == 2
    assert pieces(byte_level(), found.tokens[0][1]) == ["dog", "Ġdog", "Ġcat"]
    assert found.first_token_only == ((True, False), (False, False))
    assert set(found.dropped.values()) == {0}


@pytest.mark.parametrize(
    ("dropped", "reason"),
    [
        (readout(surface="dog", hub="dog"), SHARED),
        (readout(surface="perro", hub="perro"), SHARED),
        (readout(surface="perro", hub="per"), AMBIGUOUS),
        (readout(surface="perro", hub="perla"), AMBIGUOUS),
        (readout(surface="dog", hub="gas/gasoline"), AMBIGUOUS),
        (readout(surface="书", hub="乨"), AMBIGUOUS),
        (readout(surface="<|end|>", hub="dog"), UNUSABLE),
        (
            Readout(prompt=Prompt(tokens=(1,)), candidates={"surface": (), "hub": ("dog",)}),
            UNUSABLE,
        ),
    ],
)
def test_a_readout_that_cannot_be_scored_is_dropped_and_counted(dropped, reason):
    found = candidate_tokens(byte_level(), [dropped, readout(surface="gas", hub="dog")])
    assert found.kept == (1,)
    assert {name: count for name, count in found.dropped.items() if count} == {reason: 1}


def test_unknown_words_are_dropped_and_counted():
    readouts = [readout(surface="perro", hub="dog"), readout(surface="cat", hub="dog")]
    assert candidate_tokens(word_piece(), readouts).dropped[UNKNOWN] == 1


def test_nothing_left_is_an_error_that_counts_the_reasons():
    with pytest.raises(SemanticHubError, match=r"2 dropped \(shared token: 1, ambiguous first"):
        candidate_tokens(
            byte_level(), [readout(surface="dog", hub="dog"), readout(surface="perro", hub="per")]
        )


def test_readouts_must_name_the_same_groups():
    with pytest.raises(SemanticHubError, match="in read-out 1"):
        candidate_tokens(byte_level(), [readout(hub="dog"), readout(surface="dog")])
    with pytest.raises(SemanticHubError, match="0 read-outs"):
        candidate_tokens(byte_level(), [])


@pytest.mark.parametrize(
    ("tokenizer", "piece", "text"),
    [
        (byte_level(), "Ġdog", " dog"),
        (byte_level(), "dog", "dog"),
        (byte_level(), "ä", "<0xE4>"),
        (byte_level(), "Ċ", "\n"),
        (dummy_prefix(), "▁dog", " dog"),
        (dummy_prefix(), "dog", "dog"),
        (dummy_prefix(), "<0xE4>", "<0xE4>"),
        (dummy_prefix(), "书", "书"),
        (word_piece(), "dog", "dog"),
    ],
)
def test_token_text(tokenizer, piece, text):
    assert token_text(tokenizer, tokenizer.convert_tokens_to_ids(piece)) == text


def test_decomposed_words_are_scored_as_composed_ones() -> None:
    tokenizer, composed = byte_level(), "dógó"
    apart = word_tokens(tokenizer, unicodedata.normalize("NFD", composed))
    assert apart == word_tokens(tokenizer, composed)
