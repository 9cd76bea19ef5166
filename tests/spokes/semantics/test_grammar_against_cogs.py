"""The grammar's events against the real COGS: told again from the form, both texts are equal."""

from collections import Counter
from pathlib import Path

import numpy as np

from semantic_hub.spokes.semantics.cogs import Example, read_cogs
from semantic_hub.spokes.semantics.grammar import (
    CONSTRUCTIONS,
    ROLES,
    VERBS,
    Event,
    Party,
    random_event,
)

BY_LEMMA = {verb.lemma: verb for verb in VERBS}


def events(example: Example) -> list[Event]:
    """In every construction of its verb, where it is one event with all its roles."""
    relations = [c for c in example.form.conjuncts if c.argument is not None]
    lemmas = {(c.variable, c.predicate[0]) for c in relations}
    if len(lemmas) != 1 or any(len(c.predicate) != 2 or c.role not in ROLES for c in relations):
        return []
    [(_, lemma)] = lemmas
    words = example.sentence.split()
    parties = {
        c.role: Party(c.argument)
        if isinstance(c.argument, str)
        else Party(words[c.argument], "the" if words[c.argument - 1].lower() == "the" else "a")
        for c in relations
        if c.argument is not None
    }
    if lemma not in BY_LEMMA or len(parties) != (3 if BY_LEMMA[lemma].gives else 2):
        return []
    verb = BY_LEMMA[lemma]
    return [Event(verb, construction, parties) for construction in verb.constructions]


def test_every_such_row_of_cogs_is_one_of_ours(test_data: Path) -> None:
    found: Counter[str] = Counter()
    for file in ("train.tsv", "dev.tsv"):
        for example in read_cogs(test_data / "cogs" / file):
            told = [e for e in events(example) if e.sentence == example.sentence]
            assert len(told) == (1 if events(example) else 0), example.sentence
            for event in told:
                assert event.logical_form == str(example.form)
                found[event.construction] += 1
    assert set(found) == set(CONSTRUCTIONS)
    assert sum(found.values()) == 4411 and min(found.values()) == 364


def test_an_event_is_read_as_what_it_was_made_of() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        event = random_event(rng)
        example = Example.from_event(event)
        assert {role: name for name in example.names for role in example.roles(name)} == event.names
        assert list(example.names) == list(event.names.values())
        assert str(example.form) == event.logical_form
        assert event in events(example)
