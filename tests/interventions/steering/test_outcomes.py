"""Outcomes by an expected answer: one for all prompts or one for each, exact or cut off."""

import pytest

from semantic_hub.interventions.steering.outcomes import ExpectedAnswer


def first_word(text: str) -> str | None:
    return (text.split() or [None])[0]


@pytest.mark.parametrize(
    ("text", "cut", "outcome"),
    [
        (" Bo .", False, "success"),
        ("Anna", False, "unchanged"),
        ("Bob", False, "other"),
        ("", False, "other"),
        (" An", False, "other"),
        (" An", True, "unchanged"),
        (" An .", True, "other"),
        (" An saw An", True, "other"),
    ],
)
def test_the_answer_of_each_prompt_counts(text: str, cut: bool, outcome: str) -> None:
    rule = ExpectedAnswer(("x", "Bo"), ("y", "Anna"), first_word, may_be_cut=cut)
    assert rule(1, text) == outcome


def test_a_cut_that_begins_both_answers_decides_nothing() -> None:
    assert ExpectedAnswer("Anna", "Anton", first_word, may_be_cut=True)(0, "An") == "other"
