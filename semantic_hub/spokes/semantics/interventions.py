"""Who did it? A role moved from one name to another, and what the model then answers.

``Anna helped Bo . Who helped ?`` is answered by *Anna*. Steering adds the direction from theme to
agent at *Bo*; if the model uses it, the answer becomes *Bo*. Patching moves what
``Anna was helped by Bo . Who helped ?`` makes of the question into it: the two have the same names
in the same order, and differ in who did it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.spec import (
    ActivationContrast,
    LastTokenOf,
    Steering,
    UnembeddingContrast,
)
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.grammar import NAMES, VERBS, Event, Party, Verb


@dataclass(frozen=True)
class Meeting:
    """Two names and a verb, told in the active or the passive with the names in the same order.

    Args:
        first: The name that comes first: the agent of the active, the theme of the passive.
        second: The name behind the verb.
        verb: A verb without a recipient.

    Example:
        >>> meeting = Meeting("Anna", "Bo", VERBS[0])
        >>> meeting.active.sentence, meeting.passive.sentence
        ('Anna helped Bo .', 'Anna was helped by Bo .')
    """

    first: str
    second: str
    verb: Verb

    @property
    def active(self) -> Event:
        """The first name is the agent."""
        parties = {"agent": Party(self.first), "theme": Party(self.second)}
        return Event(self.verb, "active", parties)

    @property
    def passive(self) -> Event:
        """The second name is the agent."""
        parties = {"agent": Party(self.second), "theme": Party(self.first)}
        return Event(self.verb, "passive", parties)

    @property
    def twin(self) -> "Meeting":
        """The same with the names' places exchanged."""
        return Meeting(self.second, self.first, self.verb)


@dataclass(frozen=True)
class OtherName:
    """Whether a question was answered with the other name, the same one, or otherwise.

    The first word of a text decides. A word that the text ends in may have been cut off, and then
    stands for the one name that begins with it.

    Args:
        same: For each prompt the name that answers it.
        other: For each prompt the other name of the sentence.

    Example:
        >>> outcome = OtherName(("Anna",), ("Bo",))
        >>> outcome(0, " Bo ."), outcome(0, "Anna"), outcome(0, " An"), outcome(0, " Bob .")
        ('success', 'unchanged', 'unchanged', 'other')
    """

    same: tuple[str, ...]
    other: tuple[str, ...]

    def __call__(self, index: int, text: str) -> str:
        """One of `semantic_hub.interventions.steering.outcomes.OUTCOMES` for a prompt and its continuation."""
        said = re.match(r"\s*([^\W\d_][\w'’-]*)", text)
        names = {"success": self.other[index], "unchanged": self.same[index]}
        if not said:
            return "other"
        exact = [outcome for outcome, name in names.items() if name == said[1]]
        cut = [outcome for outcome, name in names.items() if name.startswith(said[1])]
        found = exact or (cut if said.end() == len(text) else [])
        return found[0] if len(found) == 1 else "other"


def meetings(count: int = 100, *, names: Sequence[str] = NAMES, seed: int = 0) -> list[Meeting]:
    """Distinct pairs of names with a verb, at random; verbs without a recipient.

    Args:
        count: How many, at most as many as there are.
        names: Names to draw from.
        seed: Of the draws.

    Raises:
        SemanticHubError: Fewer than two names.

    Example:
        >>> len(meetings(5)), len(meetings(50, names=["Anna", "Bo"]))
        (5, 24)
    """
    if len(set(names)) < 2:
        raise SemanticHubError(
            "semantics.meetings", got=f"{len(set(names))} names", expected="2", fix="Give more."
        )
    verbs = [verb for verb in VERBS if not verb.gives]
    every = [
        Meeting(first, second, verb)
        for first in names
        for second in names
        for verb in verbs
        if first != second
    ]
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    return [every[place] for place in chosen]


def steering(
    told: Sequence[Meeting],
    *,
    passive: bool = False,
    words: bool = True,
    at_most: int = 100,
    max_new_tokens: int = 4,
) -> Steering:
    """A role direction added at the second name, and a question for the role that it adds.

    Of the active ``Anna helped Bo .`` it is asked who helped; at *Bo* the direction agent − theme
    is added. With `passive`, of ``Anna was helped by Bo .`` it is asked who was helped, and at *Bo*
    theme − agent is added. Success is *Bo*, unchanged *Anna*. A name at the start of its sentence
    cannot show its role yet, so it is left alone.

    The contrast ``"states"`` is the difference of means of the state at the second name in one
    construction and in the other, of the same names and verbs, which are the other half of `told`:
    none of them is steered. The contrast ``"words"`` is U["agent"] − U["theme"] (or the reverse),
    as long as the stream, and needs a tokenizer that knows both whole.

    Args:
        told: What happens, at least two meetings.
        passive: Ask for the theme of passives instead of the agent of actives.
        words: Whether to steer by the contrast ``"words"`` as well.
        at_most: Prompts to keep, evenly spaced.
        max_new_tokens: How far to generate: room for a name.

    Raises:
        SemanticHubError: Fewer than two meetings.

    Example:
        >>> steered = steering([Meeting("Anna", "Bo", VERBS[0]), Meeting("Bo", "Al", VERBS[1])])
        >>> steered.prompts[0].text, steered.positions.texts[0]
        ('Anna helped Bo . Who helped ?', 'Anna helped Bo')
        >>> steered.contrasts["states"].plus[0].text, steered.contrasts["states"].minus[0].text
        ('Bo was found by Al', 'Bo found Al')
    """
    if len(told) < 2:
        raise SemanticHubError(
            "semantics.steering",
            got=f"{len(told)} meetings",
            expected="at least 2: one to steer, one to make the direction of",
            fix="Draw some with meetings().",
        )
    chosen = evenly_spaced(told[::2], at_most)
    role = "theme" if passive else "agent"
    steered = [meeting.passive if passive else meeting.active for meeting in chosen]
    directions = _role_directions(told[1::2], passive)
    return Steering(
        prompts=tuple(Prompt(f"{event.sentence} {event.question(role)}") for event in steered),
        contrasts=directions if words else {"states": directions["states"]},
        outcome=OtherName(
            tuple(meeting.first for meeting in chosen), tuple(meeting.second for meeting in chosen)
        ),
        strengths=_STRENGTHS,
        positions=LastTokenOf(tuple(map(_up_to_second, steered))),
        max_new_tokens=max_new_tokens,
    )


def patch_pairs(
    told: Sequence[Meeting], *, passive: bool = False, at_most: int = 100
) -> tuple[PatchPair, ...]:
    """The answer to *who did it* from one construction into the other, with the same names.

    The base is an active with its question; the source the passive of the same names in the
    same order, where the other name answers the same question. With `passive`, the other way round.
    The reference tells what the source tells in the base's construction.

    Args:
        told: What happens.
        passive: Whether bases are passives.
        at_most: Patch pairs to keep, evenly spaced.

    Example:
        >>> pair = patch_pairs([Meeting("Anna", "Bo", VERBS[0])])[0]
        >>> pair.sources[0].text, pair.base.text
        ('Anna was helped by Bo . Who helped ?', 'Anna helped Bo . Who helped ?')
        >>> pair.reference.text, dict(pair.answers)
        ('Bo helped Anna . Who helped ?', {'source': ('Bo',), 'base': ('Anna',)})
    """
    return tuple(_patch_pair(meeting, passive) for meeting in evenly_spaced(told, at_most))


_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def _up_to_second(event: Event) -> str:
    """The sentence up to the end of its last name."""
    return event.sentence.removesuffix(" .")


def _role_directions(
    told: Sequence[Meeting], passive: bool
) -> Mapping[str, ActivationContrast | UnembeddingContrast]:
    """From theme to agent; with `passive` from agent to theme."""
    agents = tuple(Prompt(_up_to_second(meeting.passive)) for meeting in told)
    themes = tuple(Prompt(_up_to_second(meeting.active)) for meeting in told)
    if passive:
        return {
            "states": ActivationContrast(themes, agents),
            "words": UnembeddingContrast("theme", "agent"),
        }
    return {
        "states": ActivationContrast(agents, themes),
        "words": UnembeddingContrast("agent", "theme"),
    }


def _patch_pair(meeting: Meeting, passive: bool) -> PatchPair:
    source, base, reference = meeting.passive, meeting.active, meeting.twin.active
    if passive:
        source, base, reference = meeting.active, meeting.passive, meeting.twin.passive
    asked = [Prompt(f"{e.sentence} {e.question('agent')}") for e in (source, base, reference)]
    answers = {"source": source.names["agent"], "base": base.names["agent"]}
    return PatchPair(
        sources=(asked[0],),
        base=asked[1],
        answers={name: (answer,) for name, answer in answers.items()},
        reference=asked[2],
    )
