"""Read-outs cut out of a longer text: which token follows, and where none can be read."""

from collections import Counter
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.projection import lens_logits
from semantic_hub.prompts.prompt import NEXT, Prompt, Readout
from semantic_hub.prompts.words import (
    CROSSES,
    REASONS,
    SPLIT,
    UNKNOWN,
    NextToken,
    candidate_tokens,
    following_tokens,
)

MERGES = [(",", "'"), ("(", "("), ("Ġ", "b"), ("Ġb", "e"), ("o", "r"), ("Ġ", "or")]


def fusing_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, with tokens that fuse punctuation, as real tokenizers have them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "</s>", *alphabet, *("".join(merge) for merge in MERGES)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )


@pytest.fixture
def fusing(model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    tokenizer = fusing_tokenizer()
    monkeypatch.setattr(type(model), "tokenizer", tokenizer, raising=False)
    monkeypatch.setitem(model.__dict__, "tokenizer", tokenizer)
    monkeypatch.setattr(model.cfg, "tokenizer_prepends_bos", False)
    return model


def cut(before: str, after: str, next_word: str = "") -> Readout:
    return Readout(Prompt(before), {"surface": (NEXT,), "hub": ("or",)}, after, next_word)


@pytest.mark.parametrize(
    ("before", "after", "next_word", "expected"),
    [
        ("['a',", " 'b']", "", "Ġ"),
        ("['a',", "'b']", "", CROSSES),
        ("f(", "(1, 2))", "", CROSSES),
        ("f(", "a)", "", "a"),
        ("[a,", " be]", "", "Ġbe"),
        ("[a,", " be]", " be", "Ġbe"),
        ("[a,", " be]", " b", SPLIT),
        ("[a,", " cd]", " cd", SPLIT),
        ("[a, b", "e]", "", CROSSES),
        ("[é", "]", "", "]"),
    ],
)
def test_the_token_that_follows(
    fusing: Any, before: str, after: str, next_word: str, expected: str
) -> None:
    [found] = following_tokens(fusing, [cut(before, after, next_word)])
    piece = found.problem or fusing.tokenizer.convert_ids_to_tokens(found.token)
    assert piece == expected
    assert (found.token is None) == (found.problem is not None)


def test_every_cut_of_a_text_against_the_tokenizers_own_offsets(fusing: Any) -> None:
    text = "f((a, 'be'), ['or','é', (( or )),'])"
    ends = fusing.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    tokens = reversed(list(zip(ends["offset_mapping"], ends["input_ids"], strict=True)))
    after = {start: token for (start, _), token in tokens}  # of a character in bytes the first one
    cuts = range(1, len(text))
    found = following_tokens(fusing, [cut(text[:place], text[place:]) for place in cuts])
    crossing = NextToken(problem=CROSSES)
    expected = [NextToken(after[place]) if place in after else crossing for place in cuts]
    assert found == expected
    assert crossing in found


def test_nothing_follows_where_no_text_does(fusing: Any) -> None:
    assert following_tokens(fusing, [Readout(Prompt("a"), {"hub": ("or",)})]) == [NextToken()]


def test_the_lens_scores_the_true_next_token_and_counts_the_others(fusing: Any) -> None:
    readouts = [cut("[a,", " be]"), cut("['a',", "'b']"), cut("[a,", " cd]", " cd")]
    for whole_words in (False, True):
        lens = logit_lens(fusing, readouts, whole_words=whole_words)
        assert lens.kept == (0,)
        assert Counter(lens.dropped) == Counter({**dict.fromkeys(REASONS, 0), CROSSES: 1, SPLIT: 1})
        be = fusing.tokenizer.convert_tokens_to_ids("Ġbe")
        states = residual_stream(fusing, [Prompt("[a,")])
        for layer, _, logits in lens_logits(fusing, states, range(states.shape[1])):
            expected = logits.log_softmax(dim=-1)[0, be]
            assert lens.log_prob[0, layer, 0].item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_same_token_in_two_groups_is_dropped(fusing: Any) -> None:
    found = candidate_tokens(fusing, [cut("[a,", "or]"), cut("[a,", " be]")])
    assert found.kept == (1,)
    assert found.dropped["shared token"] == 1


def test_an_unknown_next_token_is_dropped(fusing: Any) -> None:
    fusing.tokenizer.unk_token = "a"
    assert candidate_tokens(fusing, [cut("[", "a]"), cut("[", "b]")]).dropped[UNKNOWN] == 1


def test_bad_input(fusing: Any) -> None:
    words = {"hub": ("or",)}
    with pytest.raises(SemanticHubError, match="next word ' c' of the text ' be'"):
        Readout(Prompt("a"), words, " be", " c")
    with pytest.raises(SemanticHubError, match="Pass following, or leave NEXT out"):
        Readout(Prompt("a"), {"surface": (NEXT,)})
    for prompt in (Prompt(tokens=(1, 2)), Prompt("a b", position=0)):
        with pytest.raises(SemanticHubError, match="expected a prompt of text that is read at its"):
            Readout(prompt, words, " be")
