import unicodedata
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.words import (
    AMBIGUOUS,
    CROSSES,
    SHARED,
    UNKNOWN,
    UNUSABLE,
    candidate_tokens,
    continuation,
    places,
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


def metaspace() -> PreTrainedTokenizerFast:
    """Gemma's kind: spaces become letters, nothing is split before merging."""
    tokenizer = dummy_prefix()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer


def splitting() -> PreTrainedTokenizerFast:
    """Llama 3's kind: bytes, after a split into words, single digits, spaces and other signs."""
    tokenizer = byte_level()
    words = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(words, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


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


class Reading:
    """What reads text with a tokenizer, as a model does, and has the other names of one."""

    def __call__(self, *_: object, **__: object) -> None: ...

    eval = to = parameters = hooks = run_with_hooks = run_with_cache = generate = __call__

    def __init__(self, tokenizer) -> None:
        self.tokenizer = tokenizer
        self.cfg = SimpleNamespace(n_ctx=64, d_vocab=len(tokenizer), d_model=4)

    def to_tokens(self, text: str, **_: object) -> torch.Tensor:
        return torch.tensor([self.tokenizer(text, add_special_tokens=False)["input_ids"]])


def pieces(tokenizer, tokens) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(tokens))


def readout(**candidates: str) -> Readout:
    return Readout(
        prompt=Prompt("\n"),
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


def test_every_spelling_counts_and_those_of_one_token_stand_for_the_word():
    tokenizer = byte_level()
    found = word_tokens(tokenizer, "cat")
    assert [pieces(tokenizer, t) for t in found.spellings] == [["c", "a", "t"], ["Ġcat"]]
    assert pieces(tokenizer, found.tokens) == pieces(tokenizer, found.single) == ["Ġcat"]
    assert pieces(tokenizer, found.firsts) == ["c", "Ġcat"]


def test_a_longer_word_is_its_first_tokens():
    tokenizer = byte_level()
    found = word_tokens(tokenizer, "perro")
    assert pieces(tokenizer, found.tokens) == ["per", "Ġper"] and not found.single


def test_a_space_marker_alone_is_never_the_first_token():
    tokenizer = dummy_prefix()
    assert pieces(tokenizer, word_tokens(tokenizer, "5").tokens) == ["5"]
    longer = word_tokens(tokenizer, "55")
    assert pieces(tokenizer, longer.tokens) == ["5"] and not longer.single
    chinese = word_tokens(byte_level(), "书")
    assert "Ġ" not in pieces(byte_level(), chinese.tokens) and not chinese.single


def test_unknown_and_unusable_words_say_why():
    assert word_tokens(word_piece(), "perro").problem == UNKNOWN
    assert word_tokens(byte_level(), "<|end|>").problem == UNUSABLE
    assert word_tokens(byte_level(), "  ").problem == UNUSABLE


def test_candidates_are_kept_group_by_group():
    found = candidate_tokens(
        Reading(byte_level()),
        [readout(surface="perro", hub="dog/cat"), readout(surface="gas", hub="dog")],
    )
    assert found.groups == ("surface", "hub") and found.kept == (0, 1) and len(found) == 2
    assert pieces(byte_level(), found.tokens[0][1]) == ["dog", "Ġdog", "c", "Ġcat"]
    assert found.first_token_only == ((True, True), (False, False))
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
            Readout(prompt=Prompt("\n"), candidates={"surface": (), "hub": ("dog",)}),
            UNUSABLE,
        ),
    ],
)
def test_a_readout_that_cannot_be_scored_is_dropped_and_counted(dropped, reason):
    found = candidate_tokens(Reading(byte_level()), [dropped, readout(surface="gas", hub="dog")])
    assert found.kept == (1,)
    assert {name: count for name, count in found.dropped.items() if count} == {reason: 1}


def test_unknown_words_are_dropped_and_counted():
    readouts = [
        Readout(Prompt("dog"), {"surface": ("perro",), "hub": ("dog",)}),
        Readout(Prompt("dog"), {"surface": ("cat",), "hub": ("dog",)}),
    ]
    assert candidate_tokens(Reading(word_piece()), readouts).dropped[UNKNOWN] == 1


def test_nothing_left_is_an_error_that_counts_the_reasons():
    with pytest.raises(SemanticHubError, match=r"2 dropped \(shared token: 1, ambiguous first"):
        candidate_tokens(
            Reading(byte_level()),
            [readout(surface="dog", hub="dog"), readout(surface="perro", hub="per")],
        )


def test_readouts_must_name_the_same_groups():
    model = Reading(byte_level())
    with pytest.raises(SemanticHubError, match="in read-out 1"):
        candidate_tokens(model, [readout(hub="dog"), readout(surface="dog")])
    with pytest.raises(SemanticHubError, match="0 read-outs"):
        candidate_tokens(model, [])


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


IN_PLACE = [
    (byte_level, 'a "', "dog", [["dog"], ["Ġdog"]]),
    (byte_level, 'a "', "cat", [["c", "a", "t"], ["Ġcat"]]),
    (byte_level, "a\n", "cat", [["c", "a", "t"], ["Ġcat"]]),
    (byte_level, "a perro", "gas", [["Ġgas"]]),  # "perrogas" is another word
    (byte_level, "a do", "gas", [["Ġgas"]]),
    (byte_level, "a (do", "(g", [["(", "g"], ["Ġ", "(", "g"]]),
    (byte_level, "书", "书", [["ä", "¹", "¦"], ["Ġ", "ä", "¹", "¦"]]),
    (byte_level, "dog ", "dog", [["Ġdog"]]),  # a second space; else the space would be dog's
    (dummy_prefix, "dog", "dog", [["▁dog"]]),
    (dummy_prefix, "书", "dog", [["dog"], ["▁dog"]]),
    (dummy_prefix, "dog ", "dog", [["▁dog"]]),
    # " 5" begins with a mere space: then the first token of "5" counts too
    (dummy_prefix, "dog", "5", [["5"], ["▁", "5"]]),
    (word_piece, "dog", "cat", [["cat"]]),
]


@pytest.mark.parametrize(("make", "before", "word", "expected"), IN_PLACE)
def test_a_word_in_place(make, before, word, expected):
    model = Reading(make())
    [place] = places(model, [before])
    found = word_tokens(model.tokenizer, word, before=place)
    assert [pieces(model.tokenizer, spelling) for spelling in found.spellings] == expected


def by_hand(tokenizer, before: str, word: str) -> set[tuple[int, ...]]:
    """Spellings whose text together with all of the text before begins with its tokens."""
    tokens = tokenizer(before, add_special_tokens=False)["input_ids"]
    wholes = {
        form: tokenizer(before + form, add_special_tokens=False)["input_ids"]
        for form in (word, f" {word}")
    }
    stands = {f: tuple(w[len(tokens) :]) for f, w in wholes.items() if w[: len(tokens)] == tokens}
    spaced = stands.get(f" {word}", ())
    joins = before[-1].isalpha() and word.isascii() and before[-1].isascii()
    if joins and pieces(tokenizer, spaced[:1]) not in (["Ġ"], ["▁"]):
        stands.pop(word, None)
    return set(stands.values())


@pytest.mark.parametrize("make", [byte_level, dummy_prefix, metaspace, splitting])
def test_places_give_what_the_whole_text_gives(make):
    model = Reading(make())
    beginnings = [
        "dog",
        "a gas perro dog",
        '"dog" "',
        "书dog\n",
        "dog: 书书",
        "dog\n\n",
        "a  dog  (",
    ]
    for before in (*beginnings, *(f"perro {b}" for b in beginnings)):
        [place] = places(model, [before])
        for word in ("dog", "perro", "gas", "Cat", "书"):
            found = word_tokens(model.tokenizer, word, before=place)
            expected = by_hand(model.tokenizer, before, word)
            assert set(found.spellings) == expected, (before, word)


def test_ids_that_are_no_texts_tokens_leave_the_words_as_after_a_line_break():
    model = Reading(byte_level())
    half = model.tokenizer.convert_tokens_to_ids("ä")
    [place] = places(model, [[half]])
    assert place == ()
    assert word_tokens(model.tokenizer, "dog", before=place) == word_tokens(model.tokenizer, "dog")


def test_where_no_spelling_can_stand_the_readout_is_dropped():
    model = Reading(metaspace())
    tokenizer = model.tokenizer.backend_tokenizer
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(" ", "▁"),
            normalizers.Replace("d▁", "og"),
            normalizers.Replace("▁▁", "5"),
        ]
    )
    words = {"hub": ("dog",)}
    found = candidate_tokens(model, [Readout(Prompt("5 "), words), Readout(Prompt("5"), words)])
    assert found.kept == (1,) and found.dropped[CROSSES] == 1


def test_no_spelling_begins_another():
    found = word_tokens(byte_level(), "dog", cases=(lambda word: f"{word}s",))
    assert pieces(byte_level(), [t for s in found.spellings for t in s]) == ["dog", "Ġdog"]
