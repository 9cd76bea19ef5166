"""Who did it: which prompts, where they are steered, what counts as what."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import LastTokenOf, UnembeddingContrast
from semantic_hub.spokes.semantics.grammar import VERBS
from semantic_hub.spokes.semantics.interventions import (
    TransitiveEvent,
    other_name,
    patch_pairs,
    steering,
    transitive_events,
)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (" Anna .", "unchanged"),
        ("Anna", "unchanged"),
        (" Bo . Who", "success"),
        (" B", "success"),
        (" A", "other"),
        (" An", "other"),
        (" Ann", "other"),
        (" Ann .", "other"),
        (" Andrea .", "other"),
        (" Bob .", "other"),
        (" a dog .", "other"),
        (" Anna-Bo .", "other"),
        (". Bo", "other"),
        ("", "other"),
    ],
)
def test_outcomes(text: str, outcome: str) -> None:
    says = other_name(("Carl", "Anna"), ("Dora", "Bo"))
    if text in (" A", " An", " Ann"):  # cut off: two names begin so
        says = other_name(("Carl", "Anna"), ("Dora", "Annabel"))
    assert says(1, text) == outcome


def test_a_name_that_begins_another_is_itself() -> None:
    says = other_name(("Ann",), ("Anna",))
    assert (says(0, " Ann"), says(0, " Anna"), says(0, " Ann .")) == (
        "unchanged",
        "success",
        "unchanged",
    )


def told() -> list[TransitiveEvent]:
    help_, find = VERBS[:2]
    return [
        TransitiveEvent("Anna", "Bo", help_),
        TransitiveEvent("Al", "Eve", find),
        TransitiveEvent("Eve", "Bo", help_),
    ]


def test_steering_by_hand() -> None:
    active, passive = steering(told()), steering(told(), passive=True)
    assert [p.text for p in active.prompts] == [
        "Anna helped Bo . Who helped ?",
        "Eve helped Bo . Who helped ?",
    ]
    assert [p.text for p in passive.prompts] == [
        "Anna was helped by Bo . Who was helped ?",
        "Eve was helped by Bo . Who was helped ?",
    ]
    assert active.positions == LastTokenOf(("Anna helped Bo", "Eve helped Bo"))
    assert passive.positions == LastTokenOf(("Anna was helped by Bo", "Eve was helped by Bo"))
    states, back = active.contrasts["states"], passive.contrasts["states"]
    assert [p.text for p in (*states.plus, *states.minus)] == [
        "Al was found by Eve",
        "Al found Eve",
    ]
    assert (back.plus, back.minus) == (states.minus, states.plus)
    assert active.contrasts["words"] == UnembeddingContrast("agent", "theme")
    assert passive.contrasts["words"] == UnembeddingContrast("theme", "agent")
    for steered in (active, passive):
        assert steered.outcome(1, " Bo .") == "success"
        assert steered.outcome(1, " Eve .") == "unchanged"


def test_questions_are_answered_by_the_first_name() -> None:
    for meeting in transitive_events(50):
        assert meeting.active.names == {"agent": meeting.first, "theme": meeting.second}
        assert meeting.passive.names == {"theme": meeting.first, "agent": meeting.second}
        assert meeting.swapped.swapped == meeting


def test_patch_pairs_differ_in_construction_alone() -> None:
    for passive in (False, True):
        for meeting, swapped in zip(told(), patch_pairs(told(), passive=passive), strict=True):
            (source,) = swapped.sources
            texts = [p.text or "" for p in (source, swapped.base)]
            names = [
                [w for w in t.split()[:-3] if w in (meeting.first, meeting.second)] for t in texts
            ]
            assert names[0] == names[1] == [meeting.first, meeting.second]
            assert [" was " in text for text in texts] == [not passive, passive]
            agent = {False: meeting.second, True: meeting.first}[passive]
            other = {False: meeting.first, True: meeting.second}[passive]
            assert swapped.answers == {"source": (agent,), "base": (other,)}
            assert swapped.reference is not None
            assert (" was " in (swapped.reference.text or "")) == passive


def test_meetings_are_distinct_and_seeded() -> None:
    found = transitive_events(500, seed=4)
    assert len(set(found)) == 500 and found == transitive_events(500, seed=4) != transitive_events(
        500
    )
    assert all(m.first != m.second and not m.verb.gives for m in found)
    assert len(transitive_events(10_000, names=["A", "B", "C"])) == 6 * sum(
        not v.gives for v in VERBS
    )


def test_too_few() -> None:
    with pytest.raises(SemanticHubError, match="got 1 names"):
        transitive_events(names=["Anna"])
    with pytest.raises(SemanticHubError, match="at least 2: one to steer"):
        steering(told()[:1])
