"""Interventions on who did what: a role moved from one name to another.

``Anna helped Bo . Who helped ?`` is answered by *Anna*. Steering adds the direction from theme to
agent at *Bo*; if the model uses it, the answer becomes *Bo*. Patching copies the last state of
``Anna was helped by Bo . Who helped ?`` into it: the two have the same names in the same order, and
differ in who did it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError, as_list, as_seed
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.spec import (
    ActivationContrast,
    LastTokenOf,
    Steering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.grammar import NAMES, VERBS, Event, Party, Verb

_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class TransitiveEvent:
    """Two names and a verb, for an active and a passive sentence with the names in the same order.

    Args:
        first: Name at the start: agent of the active, theme of the passive.
        second: Name after the verb.
        verb: Verb without a recipient.

    Example:
        >>> event = TransitiveEvent("Anna", "Bo", VERBS[0])
        >>> event.active.sentence, event.passive.sentence
        ('Anna helped Bo .', 'Anna was helped by Bo .')
    """

    first: str
    second: str
    verb: Verb
    __repr__ = short_repr

    @property
    def active(self) -> Event:
        """Event in the active voice, in which the first name is the agent."""
        parties = {"agent": Party(self.first), "theme": Party(self.second)}
        return Event(self.verb, "active", parties)

    @property
    def passive(self) -> Event:
        """Event in the passive voice, in which the second name is the agent."""
        parties = {"agent": Party(self.second), "theme": Party(self.first)}
        return Event(self.verb, "passive", parties)

    @property
    def swapped(self) -> "TransitiveEvent":
        """The event with exchanged names."""
        return TransitiveEvent(self.second, self.first, self.verb)


def other_name(same: tuple[str, ...], other: tuple[str, ...]) -> ExpectedAnswer:
    """Make an outcome rule for answers that are names: success for the sentence's other name.

    The first word of a text counts. A word at the end of the text may have been cut off; it counts
    as the one name that begins with it.

    Args:
        same: Name that answers each prompt.
        other: Other name of each prompt's sentence.

    Example:
        >>> outcome = other_name(("Anna",), ("Bo",))
        >>> outcome(0, " Bo ."), outcome(0, "Anna"), outcome(0, " An"), outcome(0, " Bob .")
        ('success', 'unchanged', 'unchanged', 'other')
    """
    return ExpectedAnswer(new=other, old=same, parse=_first_name, may_be_cut=True)


def transitive_events(
    count: int = 100, *, names: Sequence[str] = NAMES, seed: int = 0
) -> list[TransitiveEvent]:
    """Draw distinct events of two names and a verb without a recipient.

    Args:
        count: Number of events; fewer if there are not so many.
        names: Names to draw from.
        seed: Seed of the draws.

    Raises:
        SemanticHubError: Fewer than two names.

    Example:
        >>> len(transitive_events(5)), len(transitive_events(50, names=["Anna", "Bo"]))
        (5, 24)
    """
    names = as_list("semantics.transitive_events", "names", names, str)
    if len(set(names)) < 2:
        raise SemanticHubError(
            "semantics.transitive_events",
            got=f"{len(set(names))} names",
            expected="2",
            fix="Give more.",
        )
    verbs = [verb for verb in VERBS if not verb.gives]
    events = [
        TransitiveEvent(first, second, verb)
        for first in names
        for second in names
        for verb in verbs
        if first != second
    ]
    chosen = np.random.default_rng(as_seed(seed)).permutation(len(events))[:count]
    return [events[index] for index in chosen]


def steering(
    events: Sequence[TransitiveEvent],
    *,
    passive: bool = False,
    words: bool = True,
    at_most: int = 100,
    max_new_tokens: int = 4,
) -> Steering:
    """Steering by a role direction at the second name, to make it the answer to the question.

    The question after the active ``Anna helped Bo .`` is who helped; the direction agent − theme is
    added at *Bo*. With `passive`, the question after ``Anna was helped by Bo .`` is who was helped,
    and theme − agent is added at *Bo*. Success is *Bo*, unchanged is *Anna*. The name at the start
    of a sentence is not steered, because its role is not known there yet.

    The contrast ``"states"`` is the difference of means of the state at the second name in one
    construction and in the other, over the other half of `events`, which are not steered. The
    contrast ``"words"`` is U["agent"] − U["theme"] (or the reverse), scaled to the length of the
    stream; it needs a tokenizer with both words as single tokens.

    Args:
        events: At least two events.
        passive: Whether to ask for the theme of passives instead of the agent of actives.
        words: Whether to steer by the contrast ``"words"`` as well.
        at_most: Prompts to keep, evenly spaced.
        max_new_tokens: Number of tokens to generate, enough for a name.

    Raises:
        SemanticHubError: Fewer than two events.

    Example:
        >>> events = TransitiveEvent("Anna", "Bo", VERBS[0]), TransitiveEvent("Bo", "Al", VERBS[1])
        >>> steered = steering(events)
        >>> steered.prompts[0].text, steered.positions.texts[0]
        ('Anna helped Bo . Who helped ?', 'Anna helped Bo')
        >>> steered.contrasts["states"].plus[0].text, steered.contrasts["states"].minus[0].text
        ('Bo was found by Al', 'Bo found Al')
    """
    if len(events) < 2:
        raise SemanticHubError(
            "semantics.steering",
            got=f"{len(events)} events",
            expected="at least 2: one to steer, one to make the direction of",
            fix="Draw some with transitive_events().",
        )
    chosen = evenly_spaced(events[::2], at_most)
    role = "theme" if passive else "agent"
    steered = [event.passive if passive else event.active for event in chosen]
    directions = _role_directions(events[1::2], passive)
    return Steering(
        prompts=tuple(Prompt(f"{event.sentence} {event.question(role)}") for event in steered),
        contrasts=directions if words else {"states": directions["states"]},
        outcome=other_name(
            tuple(event.first for event in chosen), tuple(event.second for event in chosen)
        ),
        strengths=_STRENGTHS,
        positions=LastTokenOf(tuple(map(_up_to_second, steered))),
        max_new_tokens=max_new_tokens,
    )


def patch_pairs(
    events: Sequence[TransitiveEvent], *, passive: bool = False, at_most: int = 100
) -> tuple[PatchPair, ...]:
    """Patch pairs of a passive (source) and an active (base), with the same names and question.

    The names are in the same order in both, so a different name answers the question. With
    `passive`, source and base are exchanged. The reference has the meaning of the source in the
    construction of the base.

    Args:
        events: The events.
        passive: Whether bases are passives.
        at_most: Patch pairs to keep, evenly spaced.

    Example:
        >>> pair = patch_pairs([TransitiveEvent("Anna", "Bo", VERBS[0])])[0]
        >>> pair.sources[0].text, pair.base.text
        ('Anna was helped by Bo . Who helped ?', 'Anna helped Bo . Who helped ?')
        >>> pair.reference.text, dict(pair.answers)
        ('Bo helped Anna . Who helped ?', {'source': ('Bo',), 'base': ('Anna',)})
    """
    return tuple(_patch_pair(event, passive) for event in evenly_spaced(events, at_most))


def _first_name(text: str) -> str | None:
    """First word of a text, which begins with a letter."""
    match = re.match(r"\s*([^\W\d_][\w'’-]*)", text)
    return match[1] if match else None


def _up_to_second(event: Event) -> str:
    """Sentence up to the end of its last name."""
    return event.sentence.removesuffix(" .")


def _role_directions(
    events: Sequence[TransitiveEvent], passive: bool
) -> Mapping[str, ActivationContrast | UnembeddingContrast]:
    """Contrasts from theme to agent; from agent to theme with `passive`."""
    agents = tuple(Prompt(_up_to_second(event.passive)) for event in events)
    themes = tuple(Prompt(_up_to_second(event.active)) for event in events)
    if passive:
        return {
            "states": ActivationContrast(themes, agents),
            "words": UnembeddingContrast("theme", "agent"),
        }
    return {
        "states": ActivationContrast(agents, themes),
        "words": UnembeddingContrast("agent", "theme"),
    }


def _patch_pair(event: TransitiveEvent, passive: bool) -> PatchPair:
    """Patch pair of one event."""
    source, base, reference = event.passive, event.active, event.swapped.active
    if passive:
        source, base, reference = event.active, event.passive, event.swapped.passive
    asked = [Prompt(f"{e.sentence} {e.question('agent')}") for e in (source, base, reference)]
    answers = {"source": source.names["agent"], "base": base.names["agent"]}
    return PatchPair(
        sources=(asked[0],),
        base=asked[1],
        answers={name: (answer,) for name, answer in answers.items()},
        reference=asked[2],
    )
