"""COGS' files: what is read, what is counted, what is refused; names that are shuffled."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.semantics.cogs import (
    Example,
    Examples,
    distinct_names,
    distinct_roles,
    read_cogs,
)
from semantic_hub.spokes.semantics.logical_forms import LogicalForm
from semantic_hub.spokes.semantics.shuffling import NO_NAME_LEFT, shuffled_names

RAN = "Anna ran .\trun . agent ( x _ 1 , Anna )\tin_distribution\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "some.tsv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def one(sentence: str, form: str) -> Example:
    return Example(sentence, LogicalForm.parse(form))


SEES = one("Anna saw Bo .", "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )")


def test_counts_of_dev_equal_those_of_the_raw_text(test_data: Path) -> None:
    """By hand: names are the capitalised arguments; in COGS no other word but articles and TV is
    capitalised, so the sentence alone tells them too."""
    path = test_data / "cogs" / "dev.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    names = [
        [w for w in s.split() if w[0].isupper() and w not in ("A", "The", "TV")] for s, *_ in rows
    ]
    examples = read_cogs(path)
    assert len(examples) == len(rows) == 3000
    assert examples.skipped == {"primitive": 0}
    assert [list(e.names) for e in examples] == names
    assert sum(len(e.names) == 2 for e in examples) == sum(len(n) == 2 for n in names) == 273
    assert not any(e.has_repeated_name for e in examples)
    by_text = [set(re.findall(r"\. (\w+) \( x _ \d+ , [A-Z]", form)) for _, form, _ in rows]
    assert [{r for n in e.names for r in e.roles(n)} for e in examples] == by_text
    assert set(distinct_roles(examples)) == set().union(*by_text)


def test_primitives_of_train_are_counted(test_data: Path) -> None:
    examples = read_cogs(test_data / "cogs" / "train.tsv")
    assert (len(examples), examples.skipped) == (24155 - 143, {"primitive": 143})
    assert examples[0].kind == "in_distribution"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Anna ran .\trun . agent ( x _ 1 , Anna )\n", "some.tsv:3: 2 columns.*three: sentence"),
        ("Anna ran .\t\tin_distribution\n", "some.tsv:3: 3 columns, 2 of them filled"),
        ("A dog ran .\tdog ( x _ 1 AND x\tin\n", "some.tsv:3: .*as many closing parentheses"),
        ("A dog ran .\tdog ( x 1 )\tin\n", "some.tsv:3: .*a conjunct such as"),
        ("Bo ran .\trun . agent ( x _ 1 , Anna )\tin\n", "some.tsv:3: the name 'Anna' in the form"),
        ("dog\tLAMBDA a . dog ( a )\tin\n", "some.tsv:3: .*or the type 'primitive'"),
    ],
)
def test_bad_rows_are_named(file: Callable[[str], Path], row: str, message: str) -> None:
    with pytest.raises(SemanticHubError, match=f"read_cogs: got .*{message}"):
        read_cogs(file(RAN + "dog\tLAMBDA a . dog ( a )\tprimitive\n" + row))


def test_a_file_of_primitives_has_no_sentences(file: Callable[[str], Path]) -> None:
    with pytest.raises(SemanticHubError, match="no sentences"):
        read_cogs(file("dog\tLAMBDA a . dog ( a )\tprimitive\n"))


def test_names_are_whole_words() -> None:
    example = one(
        "Annabel saw Anna .", "see . agent ( x _ 1 , Annabel ) AND see . theme ( x _ 1 , Anna )"
    )
    assert example.places("Anna") == (12,)
    renamed = example.renamed({"Anna": "Bo", "Annabel": "Anna"})
    assert renamed.sentence == "Anna saw Bo ."
    assert renamed.roles("Anna") == ("agent",)


def test_a_name_that_occurs_twice_is_seen() -> None:
    twice = one("Anna saw Anna .", "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Anna )")
    assert twice.has_repeated_name and not SEES.has_repeated_name
    assert twice.roles("Anna") == ("agent", "theme")


def test_shuffled_names_of_cogs(test_data: Path) -> None:
    examples = read_cogs(test_data / "cogs" / "dev.tsv")
    shuffled = shuffled_names(examples)
    dropped = shuffled.skipped[NO_NAME_LEFT]
    assert len(shuffled) + dropped == 3000 and dropped < 5
    named = {e.sentence for e in shuffled if e.names}
    assert len(named) == sum(bool(e.names) for e in shuffled)
    assert not named & {e.sentence for e in examples}
    used: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for example in shuffled:
        assert all(len(example.places(name)) == 1 for name in example.names)
        for name in example.names:
            used[example.roles(name)][name] += 1
    pool = distinct_names(examples)
    for counts in used.values():
        assert max(counts.values()) - min(counts[name] for name in pool) <= 2


def test_shuffling_changes_names_alone(test_data: Path) -> None:
    examples = read_cogs(test_data / "cogs" / "dev.tsv")[:300]

    def without_names(example: Example) -> tuple[str, str, str]:
        numbered = {name: f"N{place}" for place, name in enumerate(example.names)}
        bare = example.renamed(numbered)
        return bare.sentence, str(bare.form), bare.kind

    shuffled = shuffled_names(examples)
    assert shuffled.skipped == {NO_NAME_LEFT: 0}
    assert [without_names(e) for e in shuffled] == [without_names(e) for e in examples]
    assert shuffled == shuffled_names(examples) != shuffled_names(examples, seed=1)


def test_a_sentence_without_another_name_is_left_out() -> None:
    pool = ["Anna", "Bo"]
    told = [one(f"{n} ran .", f"run . agent ( x _ 1 , {n} )") for n in pool]
    assert shuffled_names(told) == Examples((), {NO_NAME_LEFT: 2})
    assert shuffled_names([SEES]).items[0].sentence == "Bo saw Anna ."
