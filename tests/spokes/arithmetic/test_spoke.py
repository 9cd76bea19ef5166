"""The arithmetic spoke: which problems, how they are written, what is asked."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.spokes.arithmetic.items import Problem, problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke, pairs, readouts
from semantic_hub.spokes.lexicon.numbers import number_languages


def test_all_problems_of_the_paper() -> None:
    sums = {(a, b) for a in range(1, 100) for b in range(1, 10) if a + b < 100}
    products = {(a, b) for a in range(1, 100) for b in range(1, 10) if a * b < 100}
    assert (len(sums), len(products)) == (846, 277)
    assert {(p.left, p.right) for p in problems("+")} == sums
    assert {(p.left, p.right) for p in problems("*")} == products


@pytest.mark.parametrize(
    ("notation", "expression", "question"),
    [
        ("digits", "35*2", "70=35*"),
        ("en", "thirty-five times two", "seventy equals thirty-five times"),
        ("es", "treinta y cinco por dos", "setenta es igual a treinta y cinco por"),
        ("zh", "三十五乘以二", "七十等于三十五乘以"),
        ("sv", "trettiofem * två", "sjuttio = trettiofem *"),
    ],
)
def test_notations(notation: str, expression: str, question: str) -> None:
    problem = Problem(35, "*", 2)
    assert problem.expression(notation) == expression
    assert problem.question(notation) == question


def test_every_language_writes_every_problem() -> None:
    for language in number_languages():
        assert Problem(7, "+", 8).expression(language)


def test_pairs_match_by_operands() -> None:
    both = pairs("en", items=problems("+")[:3])
    assert [p.text for p in both.x] == ["1+1", "2+1", "3+1"]
    assert [p.text for p in both.y][2] == "three plus one"
    assert pairs("en", "es", problems("+")[:1], ask=True).x[0].text == "dos es igual a uno más"


def test_readouts_name_four_groups() -> None:
    (readout,) = readouts(items=[Problem(40, "+", 9)])
    assert readout.prompt.text == "49=40+"
    assert readout.candidates == {
        "surface": ("9",),
        "hub": ("nine",),
        "control": ("nueve",),
        "unrelated": ("one",),
    }


def test_unrelated_is_never_right() -> None:
    assert all(r.candidates["unrelated"] != r.candidates["hub"] for r in readouts())


@pytest.mark.parametrize("bad", [{"operators": "-"}, {"operators": "+-"}, {"result_below": 1}])
def test_bad_problems(bad: dict) -> None:
    with pytest.raises(SemanticHubError, match="problems: got operators"):
        problems(**bad)


def test_readouts_need_three_notations() -> None:
    with pytest.raises(SemanticHubError, match="three that differ"):
        readouts("en", words="en")


def test_spoke_names_every_set() -> None:
    spoke = ArithmeticSpoke(languages=("es", "zh"), items=problems("*")[:4])
    assert isinstance(spoke, Spoke)
    assert list(spoke.pairs()) == [
        f"{form}, {code}" for form in ("a+b", "c=a+") for code in ("digits", "es", "zh")
    ]
    assert {len(set_) for set_ in spoke.readouts().values()} == {4}
