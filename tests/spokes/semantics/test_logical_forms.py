"""Logical forms: every one of COGS is read and written again, and what is no form is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.semantics.logical_forms import Conjunct, LogicalForm, Primitive, parse_form

PASSIVE = (
    "* cake ( x _ 1 ) ; give . theme ( x _ 3 , x _ 1 ) AND give . recipient ( x _ 3 , Levi ) "
    "AND give . agent ( x _ 3 , Emma ) AND cake . nmod . on ( x _ 1 , x _ 11 ) AND bed ( x _ 11 )"
)


def test_a_form_by_hand() -> None:
    form = LogicalForm.parse(PASSIVE)
    assert form.definites == (Conjunct(("cake",), 1),)
    assert form.conjuncts == (
        Conjunct(("give", "theme"), 3, 1),
        Conjunct(("give", "recipient"), 3, "Levi"),
        Conjunct(("give", "agent"), 3, "Emma"),
        Conjunct(("cake", "nmod", "on"), 1, 11),
        Conjunct(("bed",), 11),
    )
    assert (form.names, form.roles("Emma")) == (("Levi", "Emma"), ("agent",))


@pytest.mark.parametrize("file", ["train.tsv", "dev.tsv"])
def test_every_form_of_cogs_is_written_as_it_was_read(test_data: Path, file: str) -> None:
    rows = (test_data / "cogs" / file).read_text(encoding="utf-8").splitlines()
    cells = [row.split("\t") for row in rows]
    assert len(cells) == {"train.tsv": 24155, "dev.tsv": 3000}[file]
    for _, text, kind in cells:
        form = parse_form(text)
        assert str(form) == text
        assert isinstance(form, Primitive) == (kind == "primitive")
        if isinstance(form, LogicalForm):
            said = re.findall(r"(\w+) \( x _ \d+ , ([A-Z]\w*) \)", text)
            assert [(c.role, c.name) for c in form.conjuncts if c.name] == said
            assert len(form.definites) == text.count("* ")
            assert len(form.conjuncts) == text.count(" AND ") + 1


def test_spaces_are_made_single() -> None:
    assert str(parse_form(" dog  ( x _ 1 )\n")) == "dog ( x _ 1 )"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see . agent ( x _ 1 , Anna", "closing parentheses"),
        ("see . agent ( x _ 1 , Anna ) )", "closing parentheses"),
        ("see . agent ( ( x _ 1 , Anna ) )", "closing parentheses"),
        (") dog ( x _ 1", "closing parentheses"),
        ("dog ( x _ 1 ) and cat ( x _ 2 )", "a conjunct such as"),
        ("dog ( x _ 1 ) AND ", "a conjunct such as"),
        ("see . agent ( x _ 1 , x )", "a conjunct such as"),
        ("dog ( y _ 1 )", "a conjunct such as"),
        ("", "a conjunct such as"),
        ("* dog ( x _ 1 )", "a conjunct such as"),
        ("dog ( x _ 1 ) ; run . agent ( x _ 2 , x _ 1 )", "a definite noun"),
        ("* see . agent ( x _ 1 , Anna ) ; dog ( x _ 1 )", "a definite noun"),
        ("dog ( x _ 1 , Anna )", "one argument for a noun"),
        ("see . agent ( x _ 1 )", "one argument for a noun"),
    ],
)
def test_what_is_no_form(text: str, expected: str) -> None:
    with pytest.raises(SemanticHubError, match=expected):
        parse_form(text)


def test_a_primitive_is_not_a_sentence() -> None:
    assert parse_form("Paula") == Primitive("Paula")
    with pytest.raises(SemanticHubError, match="the form of a sentence"):
        LogicalForm.parse("LAMBDA a . cockroach ( a )")


def test_names_change_places() -> None:
    form = LogicalForm.parse(PASSIVE)
    swapped = form.renamed({"Levi": "Emma", "Emma": "Levi"})
    by_text = PASSIVE.replace("Levi", "?").replace("Emma", "Levi").replace("?", "Emma")
    assert str(swapped) == by_text
    assert swapped.renamed({"Levi": "Emma", "Emma": "Levi"}) == form
    assert form.renamed({"Anna": "Bo"}) == form


def test_reordering_keeps_what_is_said() -> None:
    form = LogicalForm.parse(PASSIVE)
    orders = {str(form.reordered(np.random.default_rng(seed))) for seed in range(40)}
    assert len(orders) > 20
    for text in orders:
        assert text.startswith("* cake ( x _ 1 ) ; ")
        assert sorted(text.split(" ; ")[1].split(" AND ")) == sorted(
            PASSIVE.split(" ; ")[1].split(" AND ")
        )
        assert LogicalForm.parse(text).meaning == form.meaning


def test_meaning_forgets_places_and_nothing_else() -> None:
    def meaning(text: str) -> str:
        return LogicalForm.parse(text).meaning

    active = "* dog ( x _ 1 ) ; like . agent ( x _ 2 , x _ 1 ) AND like . theme ( x _ 2 , Bo )"
    passive = "* dog ( x _ 5 ) ; like . theme ( x _ 2 , Bo ) AND like . agent ( x _ 2 , x _ 5 )"
    assert meaning(active) == meaning(passive)
    different = [
        active,
        active.replace("* dog ( x _ 1 ) ; ", "dog ( x _ 1 ) AND "),
        active.replace("dog", "cat"),
        active.replace("like", "see"),
        active.replace("Bo", "Al"),
        active.replace("agent", "?").replace("theme", "agent").replace("?", "theme"),
    ]
    assert len(set(map(meaning, different))) == len(different)
