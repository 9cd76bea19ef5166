"""Errors say four things, survive a trip to another process, and name the nearest choice."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from semantic_hub.errors import NothingLeftError, SemanticHubError, check_choice

KINDS = [SemanticHubError, NothingLeftError]


def error(kind: type[SemanticHubError]) -> SemanticHubError:
    return kind("similarity", got=3, expected="at least 2 pairs", fix="Pass more pairs.")


def raise_nothing_left() -> None:
    raise NothingLeftError("lens", got="no words", expected="one", fix="Use other words.")


def test_an_error_says_four_things() -> None:
    assert str(error(SemanticHubError)) == (
        "similarity: got 3; expected at least 2 pairs. Pass more pairs."
    )
    assert isinstance(error(NothingLeftError), ValueError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_copy_is_of_the_same_class(kind, copied) -> None:
    before, after = error(kind), copied(error(kind))
    assert type(after) is kind
    assert str(after) == str(before)
    assert vars(after) == vars(before)


def test_an_error_keeps_its_class_between_processes() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool,
        pytest.raises(NothingLeftError, match=r"lens: got no words; expected one\. Use other"),
    ):
        pool.submit(raise_nothing_left).result()


def test_a_choice_is_given_as_its_position() -> None:
    assert check_choice("share", "group", "hub", ("surface", "hub")) == 1
    assert check_choice("share", "layer", 4, (2, 4)) == 1


def test_another_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(SemanticHubError, match=r"^share: got the group 'hubs'; expected one of "
                       r"'surface', 'hub'\. Did you mean 'hub'\?$"):  # fmt: skip
        check_choice("share", "group", "hubs", ("surface", "hub"))


@pytest.mark.parametrize(
    ("got", "known", "message"),
    [
        ("x", ("surface", "hub"), r"the group 'x'; .*'hub'\. Name one of these\."),
        (5, (2, 4), r"the group 5; expected one of 2, 4\. Name one of these\."),
        ("hub", (2, 4), r"the group 'hub'; expected one of 2, 4\."),
        ("hub", (), r"expected one of none\."),
    ],
)
def test_a_choice_that_is_near_to_none(got, known, message) -> None:
    with pytest.raises(SemanticHubError, match=message):
        check_choice("share", "group", got, known)
