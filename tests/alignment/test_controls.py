"""Stacked controls: what each row keeps of its pairs, what it loses, and when it is left out."""

import itertools

import pytest

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.controls import (
    Controls,
    romanized_pairs,
    shared_surface,
    shuffled_tokens,
    stacked_controls,
    without_shared_surface,
)
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.surface import (
    has_cognates,
    is_latin,
    likeness,
    romanized,
    shares_surface,
)
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.loading import load_model
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.spokes.arithmetic.items import problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.lexicon.numbers import DIGITS
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.spokes import world_spokes

PAIRS = Pairs.from_prompts(
    ["the dog barks", "two plus three", "Ana runs", "the cat", "in 2020", "away"],
    ["el perro ladra", "dos más tres", "ANA corre", "gato", "en 2020", "lejos"],
    labels=list("abcdef"),
)


def test_shuffled_tokens_are_the_same_in_another_order(model):
    shuffled = shuffled_tokens(model, PAIRS)
    assert shuffled is not None
    prompts, originals = shuffled.x + shuffled.y, encode(model, PAIRS.x + PAIRS.y)
    for new, old in zip(prompts, originals, strict=True):
        assert new.tokens is not None
        assert sorted(new.tokens) == sorted(old.tokens)
        assert new.tokens[0] == old.tokens[0] == model.tokenizer.bos_token_id
        has_orders = len(set(old.tokens[old.own])) > 1
        assert (new.tokens != old.tokens) == has_orders
    assert shuffled == shuffled_tokens(model, PAIRS) != shuffled_tokens(model, PAIRS, seed=1)


def test_shuffled_tokens_are_read_at_the_last_own_token(bert_folder):
    """[SEP] stays last and is not what is read."""
    bert = load_model(bert_folder, device="cpu")
    pairs = Pairs.from_prompts(["The dog barks"] * 2, [Prompt("the cat runs", position=0)] * 2)
    shuffled = shuffled_tokens(bert, pairs)
    assert shuffled is not None
    x, y = shuffled.x[0], shuffled.y[0]
    special = [bert.tokenizer.cls_token_id, bert.tokenizer.sep_token_id]
    assert x.tokens is not None
    assert [x.tokens[0], x.tokens[-1]] == special
    assert (x.position, y.position) == (3, 1)
    at_own = residual_stream(bert, [x])
    assert at_own.equal(residual_stream(bert, [x.tokens], positions=lambda tokens: 3))


def test_tokens_that_cannot_be_shuffled_are_no_control(model):
    single = Pairs.from_prompts([[5], [6], [7, 7]], [[8], [9], [10]])
    assert shuffled_tokens(model, single) is None
    controls = stacked_controls(model, single)
    assert controls.left_out["shuffled tokens"] == "at most half of the pairs would change"
    mixed = Pairs.from_prompts([[5, 6], [7, 8], [9]], [[10], [11], [12]])
    shuffled = shuffled_tokens(model, mixed)
    assert shuffled is not None
    assert [p.tokens for p in shuffled.x] == [(6, 5), (8, 7), (9,)]
    assert [p.tokens for p in shuffled.y] == [(10,), (11,), (12,)]


def test_no_shared_surface_drops_names_digits_and_words():
    kept = without_shared_surface(PAIRS)
    assert kept is not None
    assert kept.labels == ("a", "b", "d", "f")
    assert [y.text for y in kept.y] == ["el perro ladra", "dos más tres", "gato", "lejos"]


def test_no_shared_surface_needs_something_to_drop_and_two_pairs_to_keep(model):
    assert without_shared_surface(PAIRS[:2]) is None
    assert without_shared_surface(PAIRS[2:4]) is None
    reasons = [stacked_controls(model, pairs).left_out for pairs in (PAIRS[:2], PAIRS[2:4])]
    assert [found["no shared surface"] for found in reasons] == [
        "no pair has any to share",
        "it leaves fewer than 2 pairs",
    ]


@pytest.mark.parametrize(
    ("x", "y", "shared"),
    [
        ("the México trip", "MEXICO", True),
        ("12+3", "3 and 4", True),
        ("12", "1 2", False),
        ("dog", "dogs", False),
        ("Straße", "STRASSE", True),
        ("北京 2008", "Beijing 2008", True),
        ("...", "...", False),
    ],
)
def test_shared_surface(x, y, shared):
    assert shares_surface(x, y) is shares_surface(y, x) is shared


def by_recursion(x: str, y: str) -> int:
    """The edit distance from its definition."""
    if not x or not y:
        return len(x) + len(y)
    changed = by_recursion(x[1:], y[1:]) + (x[0] != y[0])
    return min(changed, by_recursion(x[1:], y) + 1, by_recursion(x, y[1:]) + 1)


def test_likeness_is_one_less_the_edit_distance():
    words = ["", "a", "ab", "ba", "abc", "cab", "bacb"]
    for x, y in itertools.product(words, repeat=2):
        assert likeness(x, y) == 1 - by_recursion(x, y) / max(len(x), len(y), 1)


@pytest.mark.parametrize(
    ("x", "y", "cognates"),
    [
        ("good music", "buena música", True),
        ("nations", "naranja", False),
        ("an animal", "животное", False),
        ("a telephone", "телефон", True),
        ("Berlin", "Берлин", True),
        ("tres", "trois", False),  # too short
        ("12345", "12346", False),
        ("", "", False),
    ],
)
def test_cognates(x, y, cognates):
    assert has_cognates(x, y) is has_cognates(y, x) is cognates


def test_dropped_pairs_are_counted_by_reason(model):
    pairs = Pairs.from_prompts(
        ["Ana runs", "music", "the dog", "Berlin", "two"],
        ["ANA corre", "música", "el perro", "Берлин", "dos"],
    )
    controls = stacked_controls(model, pairs)
    assert controls.dropped == {"no shared surface": {"a word in common": 1, "cognates": 2}}
    check = similarity(
        model, pairs, controls=controls, resampling=Resampling(resamples=9), permutations=9
    ).checks
    assert check["no shared surface"].n_pairs == 2
    assert check["no shared surface"].dropped == shared_surface(pairs)


def test_romanized_pairs_are_those_in_other_letters():
    pairs = Pairs.from_prompts(["dog", "two", "cat"], ["собака", "dos", "кошка"], labels=[*"abc"])
    latin = romanized_pairs(pairs)
    assert latin is not None
    assert [y.text for y in latin.y] == ["sobaka", "koshka"]
    assert latin.labels == ("a", "c")
    assert latin.x == (pairs.x[0], pairs.x[2])
    assert romanized_pairs(pairs[:2]) is None
    placed = Pairs(tuple(Prompt(p.text, position=0) for p in pairs.x), pairs.y)
    assert romanized_pairs(placed) is None


def test_latin_letters():
    assert all(map(is_latin, ["", "¿Qué?", "Łódź №1", "fi", "12+3"]))
    assert not any(map(is_latin, ["dog собака", "北京", "π"]))
    assert is_latin(romanized("собака 北京 π ありがとう"))


def test_rows_are_null_controls_or_checks(model):
    pairs = Pairs.from_prompts(
        ["Ana barks", "the dog runs", "the cat"], ["Ana", "собака бежит", "это кошка"]
    )
    negatives = Pairs(pairs.x, pairs.y[1:] + pairs.y[:1])
    controls = stacked_controls(model, pairs, hard_negatives=negatives, twin=model)
    assert controls.nulls == (
        "random twin",
        "shuffled tokens",
        "hard negatives",
    )
    assert controls.checks == {"no shared surface", "romanized"}
    assert list(controls) == [*controls.nulls, "no shared surface", "romanized"]
    assert controls["random twin"] is model
    assert controls["hard negatives"] is negatives
    assert not controls.left_out
    assert all(len(row) == 3 for n in controls.nulls if isinstance(row := controls[n], Pairs))


def test_hard_negatives_must_keep_x(model):
    with pytest.raises(SemanticHubError, match="5 hard negatives for 6 pairs"):
        stacked_controls(model, PAIRS, hard_negatives=PAIRS[:5], twin=model)


@pytest.mark.parametrize(
    "spoke", [ArithmeticSpoke(), LanguageSpoke(), *world_spokes(World(seed=0))]
)
def test_spokes_hard_negatives_are_aligned_and_another_y(spoke):
    sets, negatives = spoke.pairs(), spoke.hard_negatives()
    assert negatives
    for name, near in negatives.items():
        pairs = sets[name]
        assert (near.x, near.x_name, near.y_name) == (pairs.x, pairs.x_name, pairs.y_name)
        assert all(a != b for a, b in zip(near.y, pairs.y, strict=True))


def test_hard_negatives_of_sums_are_one_off():
    """Read back from the figures: the same right operand, the left one off by one, below 100."""
    spoke = ArithmeticSpoke(dominant=DIGITS, languages=("en", "es"))
    near = spoke.hard_negatives()["a+b, en"]
    for item, y in zip(problems(), near.y, strict=True):
        left, right = map(int, (y.text or "").replace("*", "+").split("+"))
        assert (abs(left - item.left), right) == (1, item.right)
        assert item.operator in (y.text or "")
        assert (left + right if item.operator == "+" else left * right) < 100


def test_hard_negatives_of_number_words_are_the_next_number():
    near = LanguageSpoke().hard_negatives()["numbers, zh"]
    assert (near.x[41].text, near.y[41].text) == ("forty-one", "四十二")
    assert (near.x[99].text, near.y[99].text) == ("ninety-nine", "九十八")


def test_checks_must_be_rows():
    with pytest.raises(SemanticHubError, match=r"checks \['again'\]; expected names of rows: twin"):
        Controls({"twin": PAIRS}, checks=frozenset({"again"}))
