"""Digests: equal content, and nothing else, gives equal ones, in every process."""

import re
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pytest
import torch
from small_spokes import Steered

import semantic_hub as sh
from semantic_hub.results.digest import content_digest


@dataclass(frozen=True)
class Of:
    name: str
    value: object


def adding(number: int):
    def add(x: int) -> int:
        return x + number

    return add


DIFFERENT = [
    1,
    1.0,
    True,
    "1",
    b"1",
    None,
    [1],
    (1,),
    [[1], []],
    [[], [1]],
    {"a": 1},
    {"a": 2},
    {1, 2},
    frozenset({1, 2}),
    torch.ones(2),
    torch.ones(2).double(),
    torch.ones(2, 1),
    torch.ones(2, dtype=torch.bfloat16),
    np.ones(2),
    Of("a", 1),
    Of("b", 1),
    Of("a", torch.ones(2)),
    adding(1),
    adding(2),
    partial(adding(1), 2),
    str.lower,
    str.upper,
    slice(1),
    re.compile("a"),
    re.compile("b"),
    re.compile("a", re.IGNORECASE),
    torch.nn.Linear(2, 2),
    torch.nn.Linear(2, 2),
    sh.Prompt("the dog"),
    sh.Prompt("the dog", position=0),
    sh.Resampling(),
    sh.Resampling(seed=1),
]


def test_different_content_has_different_digests() -> None:
    digests = [content_digest(value) for value in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)


def test_equal_content_has_equal_digests() -> None:
    for make in (
        lambda: {"a": torch.arange(6).reshape(2, 3).T, "b": [Of("x", adding(3))]},
        lambda: set(map(str, range(20))),
        lambda: replace(sh.Prompt("the dog"), position=1),
        lambda: Steered().interventions(),
    ):
        assert content_digest(make()) == content_digest(make())


def test_what_is_computed_when_asked_for_is_no_content() -> None:
    class Squared:
        def __init__(self, number: int) -> None:
            self.number = number

        @cached_property
        def square(self) -> int:
            return self.number**2

    asked, fresh = Squared(3), Squared(3)
    assert asked.square == 9
    assert content_digest(asked) == content_digest(fresh) != content_digest(Squared(4))


def test_what_stands_for_something_in_this_process_counts_by_its_class() -> None:
    model = torch.nn.Linear(1, 1)
    locks = [threading.Lock(), threading.Lock()]
    references = [weakref.ref(model), weakref.ref(Of)]
    assert content_digest(locks[0]) == content_digest(locks[1])
    assert content_digest(references[0]) == content_digest(references[1])
    assert content_digest(locks[0]) != content_digest(references[0])


@pytest.mark.filterwarnings("error")
def test_what_holds_itself_ends() -> None:
    one: list[object] = [1]
    one.append(one)
    other: list[object] = [1]
    other.append(other)
    assert content_digest(one) == content_digest(other) != content_digest([1, [1]])


def test_another_process_gives_the_same() -> None:
    code = (
        "import semantic_hub as sh; from semantic_hub.results.digest import content_digest; "
        "spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=sh.spokes.arithmetic.problems('+')[:4]);"
        "print(content_digest(spoke.pairs(), spoke.interventions(), {'a', 'b', 'c'}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(told) == 1
