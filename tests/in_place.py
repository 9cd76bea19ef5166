"""A second implementation of words in place: their tokens, and plain transformers' probabilities."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch

import semantic_hub as sh
from semantic_hub.prompts.prompt import NEXT, Readout
from semantic_hub.prompts.words import following_tokens
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke

Tokens = tuple[int, ...]
Words = Sequence[Collection[Tokens]]
"""The spellings of each word of a group, as tokens."""

_SPACED = "LATIN", "CYRILLIC", "DIGIT", "GREEK"
_TEXTS_AT_ONCE = 128


def built_in_readouts() -> Iterator[tuple[str, Sequence[Readout]]]:
    """Every built-in set of read-outs of texts."""
    for spoke in (LanguageSpoke(), ArithmeticSpoke(), CodeSpoke(), SemanticsSpoke()):
        yield from spoke.readouts().items()


def built_in_answers() -> Iterator[tuple[str, Sequence[Readout]]]:
    """The answers of every built-in set of patch pairs, after their bases, as read-outs."""
    for spoke in (LanguageSpoke(), ArithmeticSpoke(), CodeSpoke(), SemanticsSpoke()):
        for name, spec in spoke.interventions().items():
            if isinstance(spec, sh.Patching):
                yield name, [Readout(pair.base, pair.answers) for pair in spec.patch_pairs]


def in_place(tokenizer: Any, context: str, word: str) -> list[Tokens]:
    """Tokens of each spelling after the whole context; of "the" + "black" only " black" counts."""
    before = tokenizer(context, add_special_tokens=False)["input_ids"]
    found = {}
    for form in (word, f" {word}"):
        tokens = tokenizer(context + form, add_special_tokens=False)["input_ids"]
        if tokens[: len(before)] == before and len(tokens) > len(before):
            found[form] = tuple(tokens[len(before) :])
    apart = {form: t for form, t in found.items() if form[0] == " " or not _joins(context, form)}
    return list(
        apart.values() if any(says(tokenizer, t) for t in apart.values()) else found.values()
    )


def says(tokenizer: Any, tokens: Tokens) -> bool:
    """Whether the first token is more than a space."""
    return bool(tokenizer.decode(tokens[:1], clean_up_tokenization_spaces=False).strip())


def expected_words(model: Any, readout: Readout, group: str) -> list[list[Tokens]]:
    """The spellings that can stand after a read-out, of each word of a group."""
    context = readout.prompt.text or ""
    return [
        [(following_tokens(model, [readout])[0].token,)]
        if word == NEXT
        else in_place(model.tokenizer, context, word)
        for word in readout.candidates[group]
    ]


def first_tokens(tokenizer: Any, words: Words) -> list[set[Tokens]]:
    """The first tokens of the spellings, but for mere spaces beside others.

    A program may go on with a space, which is then the very token that `NEXT` stands for.
    """
    firsts = [{spelling[:1] for spelling in word} for word in words]
    return [{first for first in word if says(tokenizer, first)} or word for word in firsts]


def own_probabilities(network: Any, items: Sequence[tuple[Tokens, Words]]) -> list[float]:
    """Probability of the likeliest word after each text, each the sum over its spellings."""
    found: list[float] = []
    order = sorted(range(len(items)), key=lambda index: items[index][0])
    for start in range(0, len(order), _TEXTS_AT_ONCE):
        chunk = [items[index] for index in order[start : start + _TEXTS_AT_ONCE]]
        wanted: dict[Tokens, set[int]] = defaultdict(set)
        for text, words in chunk:
            for spelling in (spelling for word in words for spelling in word):
                for size, token in enumerate(spelling):
                    wanted[text + spelling[:size]].add(token)
        log_prob = _log_probs(network, wanted)
        for text, words in chunk:
            each = [[log_prob[text + s[:k], s[k]] for k in range(len(s))] for w in words for s in w]
            whole = iter([torch.tensor(tokens).double().sum().exp().item() for tokens in each])
            found.append(max(sum(next(whole) for _ in word) for word in words))
    return [found[order.index(index)] for index in range(len(items))]


@torch.inference_mode()
def _log_probs(
    network: Any, wanted: Mapping[Tokens, Collection[int]]
) -> dict[tuple[Tokens, int], float]:
    """Log-probability of tokens after texts; what texts have in common is read once.

    One forward pass for each position: a row for each distinct beginning of that length, which goes
    on from the keys and values of the beginning before it, so that nothing is padded.
    """
    found = {}
    before, cache = {(): 0}, None
    for length in range(1, max(map(len, wanted)) + 1):
        rows = sorted({text[:length] for text in wanted if len(text) >= length})
        if cache is not None:
            cache.batch_select_indices(torch.tensor([before[row[:-1]] for row in rows]))
        ends = any(row in wanted for row in rows)
        read = network(
            torch.tensor([row[-1:] for row in rows]),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1 if ends else torch.empty(0, dtype=torch.long),
        )
        before, cache = {row: number for number, row in enumerate(rows)}, read.past_key_values
        for number, row in enumerate(rows):
            if row in wanted:
                log_prob = read.logits[number, 0].double().log_softmax(dim=-1)
                found |= {(row, token): log_prob[token].item() for token in wanted[row]}
    return found


def _joins(context: str, form: str) -> bool:
    ends = context[-1], form[0]
    names = [unicodedata.name(character, "") for character in ends]
    return all(map(str.isalnum, ends)) and all(name.startswith(_SPACED) for name in names)
