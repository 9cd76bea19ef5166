"""Interventions on sums: which prompts, which directions, what counts as what."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Patching, Steering
from semantic_hub.interventions.steering.outcomes import OUTCOMES
from semantic_hub.spokes.arithmetic.interventions import one_less, patch_pairs, steering
from semantic_hub.spokes.arithmetic.items import Problem, problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.lexicon.numbers import number_word
from semantic_hub.spokes.routes import ANSWERS

BY_QUESTION = {
    notation: {p.question(notation): p for p in problems("+")}
    for notation in ("digits", "en", "es", "fr")
}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("7", "success"),
        (" 7\n", "success"),
        ("7.", "success"),
        ("7. 1", "success"),
        ("7,1", "success"),
        ("7+1", "success"),
        ("8", "unchanged"),
        ("08", "unchanged"),
        ("9", "other"),
        ("78", "other"),
        ("78.", "other"),
        ("17", "other"),
        ("7.5", "other"),
        ("-7", "other"),
        ("seven", "other"),
        ("", "other"),
    ],
)
def test_outcomes_of_15_is_7_plus(text: str, outcome: str) -> None:
    assert outcome in OUTCOMES
    assert one_less((2, 8))(1, text) == outcome


def test_an_outcome_says_what_it_is() -> None:
    rule = one_less((2, 8))
    assert (rule.new, rule.old) == (("1", "7"), ("2", "8"))
    assert rule == one_less((2, 8)) != one_less((2, 9))


def test_steering_by_hand() -> None:
    steered = steering([Problem(7, "+", 8), Problem(7, "*", 8), Problem(3, "+", 1)], words="es")
    assert [p.text for p in steered.prompts] == ["15=7+"]
    words, digits = steered.contrasts["words"], steered.contrasts["digits"]
    assert words.plus[0].text == "quince es igual a ocho más"
    assert words.minus[0].text == "quince es igual a siete más"
    assert (digits.plus[0].text, digits.minus[0].text) == ("15=8+", "15=7+")
    assert words.paired and digits.paired
    assert (steered.positions, steered.mode, steered.max_new_tokens) == ("last", "add", 3)


def test_every_step_leads_to_a_sum_with_b_one_less() -> None:
    steered = steering(at_most=1000)
    assert len(steered.prompts) == 846 - 98  # 98 sums have b = 1
    assert list(steered.contrasts) == ["words", "digits"]
    for index, prompt in enumerate(steered.prompts):
        asked = BY_QUESTION["digits"][prompt.text or ""]
        assert steered.outcome(index, str(asked.right - 1)) == "success"
        assert steered.outcome(index, str(asked.right)) == "unchanged"
        for notation, contrast in (
            ("en", steered.contrasts["words"]),
            ("digits", steered.contrasts["digits"]),
        ):
            plus, minus = (
                BY_QUESTION[notation][side[index].text or ""]
                for side in (contrast.plus, contrast.minus)
            )
            assert minus == asked
            assert plus == Problem(asked.left + 1, "+", asked.right - 1)
            assert plus.result == minus.result


def test_at_most_spreads_over_all_b() -> None:
    steered = steering(at_most=16)
    asked = [BY_QUESTION["digits"][p.text or ""] for p in steered.prompts]
    assert len(set(asked)) == 16
    assert {p.right for p in asked} == set(range(2, 10))


def test_numbers_of_two_digits_get_room() -> None:
    assert steering([Problem(7, "+", 12)]).max_new_tokens == 4


@pytest.mark.parametrize(("source", "base"), [("es", "fr"), ("digits", "en"), ("en", "digits")])
def test_patch_pairs_are_what_they_claim(source: str, base: str) -> None:
    found = patch_pairs(source, base, at_most=1000)
    assert len(found) == 846
    for e in found:
        (given,) = (BY_QUESTION[source][p.text or ""] for p in e.sources)
        asked = BY_QUESTION[base][e.base.text or ""]
        assert e.reference is not None and e.reference.text == given.question(base)
        assert given.right != asked.right
        assert e.answers == {
            "source": (number_word(given.right, base),),
            "base": (number_word(asked.right, base),),
            "source's notation": (number_word(given.right, source),),
        }


def test_six_is_spelt_alike_in_english_and_french() -> None:
    found = patch_pairs("en", "fr", at_most=1000)
    assert {BY_QUESTION["en"][e.sources[0].text or ""].right for e in found} == {
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
    }


def test_all_other_notations_at_once() -> None:
    first = patch_pairs(("digits", "en", "es"), "fr", [Problem(7, "+", 8), Problem(1, "+", 6)])[0]
    assert [p.text for p in first.sources] == [
        "15=7+",
        "fifteen equals seven plus",
        "quince es igual a siete más",
    ]
    assert first.base.text == "sept égale un plus"
    assert first.answers["source's notation"] == ("8", "eight", "ocho")


def test_spoke_names_every_set() -> None:
    found = ArithmeticSpoke(languages=("es", "zh"), at_most=20).interventions()
    assert list(found) == [
        "c=a+, digits",
        "sum es -> zh",
        "sum zh -> es",
        "sum en -> digits",
        "sum digits -> en",
        "sum all -> digits",
        "sum all -> es",
        "sum all -> zh",
    ]
    steered, *patched = found.values()
    assert isinstance(steered, Steering) and len(steered.prompts) == 20
    for one in patched:
        assert isinstance(one, Patching) and len(one.patch_pairs) == 20
        for e in one.patch_pairs:
            words = [word for group in e.answers.values() for word in group]
            assert tuple(e.answers) == ANSWERS and len({*words}) == len(words)
    assert len(found["sum all -> zh"].patch_pairs[0].sources) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("items", [problems("*")[:20], problems("+")[:20]])
def test_spoke_without_two_different_b_has_none(items: tuple) -> None:
    assert len({p.right for p in items if p.operator == "+"}) < 2
    assert ArithmeticSpoke(items=items).interventions() == {}


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: steering([Problem(7, "+", 1), Problem(7, "*", 2)]),
            "arithmetic.steering: got no sum",
        ),
        (lambda: patch_pairs("es", "es"), "got from es into es"),
        (lambda: patch_pairs("xx", "es"), "language 'xx'"),
    ],
)
def test_bad_input(call, told: str) -> None:
    with pytest.raises(SemanticHubError, match=told):
        call()
