"""A small grammar of English sentences about who did what to whom, with their logical forms.

Sentence and form are written as in COGS: words separated by spaces, past tense, and for every noun
and verb a variable with the index of its word. Definite nouns come first, then all conjuncts in the
order of the sentence; a verb has one for each of its roles. Source: Kim and Linzen 2020, COGS,
EMNLP, arXiv 2010.05465, appendix C (logical forms). The words and constructions are our own
selection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semantic_hub.errors import SemanticHubError

Role = Literal["agent", "theme", "recipient"]
ROLES: tuple[Role, ...] = ("agent", "theme", "recipient")
"""Roles of this grammar: all roles that names have in COGS."""


@dataclass(frozen=True)
class Verb:
    """A verb's forms, such as ``give, gave, given``, and whether it takes a recipient."""

    lemma: str
    past: str
    participle: str
    gives: bool = False

    @property
    def constructions(self) -> tuple[str, ...]:
        """Names of the `CONSTRUCTIONS` that it allows: four for verbs of giving, two for others."""
        return _GIVING if self.gives else _ACTING


@dataclass(frozen=True)
class Party:
    """Participant of an event: a proper name, or a noun with an article."""

    word: str
    article: Literal["", "a", "the"] = ""

    @property
    def is_name(self) -> bool:
        """Whether it is a proper name."""
        return not self.article

    def words(self) -> list[str]:
        """Article and noun, or the name."""
        vowel = self.article == "a" and self.word[0] in "aeiou"
        return [self.word] if self.is_name else ["an" if vowel else self.article, self.word]


CONSTRUCTIONS: Mapping[str, str] = {
    "active": "agent past theme",
    "passive": "theme was participle by agent",
    "to-dative": "agent past theme to recipient",
    "double object": "agent past recipient theme",
    "theme passive": "theme was participle to recipient by agent",
    "recipient passive": "recipient was participle theme by agent",
}
"""Mapping from construction to its words: roles, forms of the verb, and fixed words."""

_ACTING = ("active", "passive")
_GIVING = ("to-dative", "double object", "theme passive", "recipient passive")

VERBS: tuple[Verb, ...] = (
    Verb("help", "helped", "helped"),
    Verb("find", "found", "found"),
    Verb("notice", "noticed", "noticed"),
    Verb("like", "liked", "liked"),
    Verb("draw", "drew", "drawn"),
    Verb("paint", "painted", "painted"),
    Verb("admire", "admired", "admired"),
    Verb("see", "saw", "seen"),
    Verb("call", "called", "called"),
    Verb("hear", "heard", "heard"),
    Verb("touch", "touched", "touched"),
    Verb("know", "knew", "known"),
    Verb("give", "gave", "given", gives=True),
    Verb("send", "sent", "sent", gives=True),
    Verb("bring", "brought", "brought", gives=True),
    Verb("sell", "sold", "sold", gives=True),
    Verb("offer", "offered", "offered", gives=True),
    Verb("hand", "handed", "handed", gives=True),
)
"""Twelve verbs of acting and six of giving."""

NAMES: tuple[str, ...] = (
    "Anna", "Maria", "Lucy", "Julia", "Emma", "Sophia", "Laura", "Clara", "Peter", "Paul", "John",
    "Thomas", "Martin", "Michael", "Daniel", "Simon",
)  # fmt: skip
"""Default names to draw from."""

NOUNS: tuple[str, ...] = (
    "dog", "cat", "horse", "girl", "boy", "teacher", "friend", "child", "book", "box", "cake",
    "rose", "apple", "hat", "letter", "ball",
)  # fmt: skip
"""Default nouns to draw from; the first eight can act."""


@dataclass(frozen=True)
class Event:
    """Event in one construction: a verb and its participants.

    Args:
        verb: The verb.
        construction: One of ``verb.constructions``.
        parties: Participants by role: agent and theme, and recipient for verbs of giving.

    Raises:
        SemanticHubError: A construction that the verb does not have, or the wrong roles.

    Example:
        >>> event = Event(
        ...     Verb("help", "helped", "helped"),
        ...     "passive",
        ...     {"agent": Party("dog", "a"), "theme": Party("Anna")},
        ... )
        >>> event.sentence
        'Anna was helped by a dog .'
        >>> event.logical_form
        'help . theme ( x _ 2 , Anna ) AND help . agent ( x _ 2 , x _ 5 ) AND dog ( x _ 5 )'
    """

    verb: Verb
    construction: str
    parties: Mapping[str, Party]

    def __post_init__(self) -> None:
        fits = self.construction in self.verb.constructions
        if fits and set(self.parties) == set(self.roles):
            return
        raise SemanticHubError(
            "Event",
            got=f"{self.verb.lemma}, {self.construction!r}, with {', '.join(self.parties)}",
            expected=f"one of {', '.join(self.verb.constructions)}, with its roles",
            fix="See semantic_hub.spokes.semantics.grammar.CONSTRUCTIONS.",
        )

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles in the order of the sentence."""
        slots = self._slots
        return tuple(sorted((role for role in ROLES if role in slots), key=slots.index))

    @property
    def names(self) -> dict[Role, str]:
        """Mapping from role to proper name, in the order of the sentence; nouns are left out."""
        return {role: self.parties[role].word for role in self.roles if self.parties[role].is_name}

    @property
    def sentence(self) -> str:
        """English sentence, with spaces between words and before the full stop."""
        words = [word for slot in self._slots for word in self._words(slot)]
        return " ".join([words[0][0].upper() + words[0][1:], *words[1:], "."])

    @property
    def logical_form(self) -> str:
        """Logical form of the sentence, as COGS writes it."""
        indices = self._word_indices
        definite = [role for role in self.roles if self.parties[role].article == "the"]
        prefix = "".join(f"* {self._noun(role, indices)} ; " for role in definite)
        conjuncts = [(indices["verb"], self._verb(indices))]
        conjuncts += [
            (indices[role], self._noun(role, indices))
            for role in self.roles
            if self.parties[role].article == "a"
        ]
        return prefix + " AND ".join(text for _, text in sorted(conjuncts))

    def question(self, role: Role) -> str:
        """Question after the sentence that the participant of one role answers.

        Example:
            >>> random_event(np.random.default_rng(0)).question("agent")
            'Who sold ?'
        """
        if role == "recipient":
            return "To whom ?"
        asked = f"was {self.verb.participle}" if role == "theme" else self.verb.past
        return f"{'What' if self.verb.gives and role == 'theme' else 'Who'} {asked} ?"

    def annotated(self) -> str:
        """Sentence with the role before each participant: ``agent Anna helped theme Peter .``"""
        words = [
            word
            for slot in self._slots
            for word in ([slot, *self._words(slot)] if slot in ROLES else self._words(slot))
        ]
        return " ".join([*words, "."])

    @property
    def _slots(self) -> list[str]:
        """Roles, verb forms and fixed words of the construction, in order."""
        return CONSTRUCTIONS[self.construction].split()

    @property
    def _word_indices(self) -> dict[str, int]:
        """Index of each role's noun or name, and of the verb, among the words."""
        indices, end = {}, 0
        for slot in self._slots:
            end += len(self._words(slot))
            indices["verb" if slot in ("past", "participle") else slot] = end - 1
        return indices

    def _words(self, slot: str) -> list[str]:
        """Words of a role, of a verb form, or the fixed word."""
        if slot in ROLES:
            return self.parties[slot].words()
        return [getattr(self.verb, slot)] if slot in ("past", "participle") else [slot]

    def _noun(self, role: str, indices: Mapping[str, int]) -> str:
        """Conjunct of a noun."""
        return f"{self.parties[role].word} ( x _ {indices[role]} )"

    def _verb(self, indices: Mapping[str, int]) -> str:
        """Conjuncts of the verb, one for each role."""
        variable = f"x _ {indices['verb']}"
        return " AND ".join(
            f"{self.verb.lemma} . {role} ( {variable} , {self._argument(role, indices)} )"
            for role in self.roles
        )

    def _argument(self, role: str, indices: Mapping[str, int]) -> str:
        """Second argument of a role's conjunct: a name or a variable."""
        party = self.parties[role]
        return party.word if party.is_name else f"x _ {indices[role]}"


def random_event(
    rng: np.random.Generator,
    *,
    names: Sequence[str] = NAMES,
    actors: Sequence[str] = NOUNS[:8],
    things: Sequence[str] = NOUNS[8:],
) -> Event:
    """Draw an event with a random verb, construction and participants; no word occurs twice.

    Args:
        rng: Random generator.
        names: Proper names.
        actors: Nouns that may be agent and recipient.
        things: Nouns that may be the theme.

    Example:
        >>> random_event(np.random.default_rng(0)).sentence
        'An apple was sold to John by Lucy .'
    """
    verb = VERBS[int(rng.integers(len(VERBS)))]
    construction = verb.constructions[int(rng.integers(len(verb.constructions)))]
    called = iter(rng.permutation(np.array(names)).tolist())
    acting, passive = iter(rng.permutation(np.array(actors)).tolist()), things
    parties = {}
    for role in ("agent", "theme", *(["recipient"] if verb.gives else [])):
        thing = role == "theme" and rng.random() < (0.9 if verb.gives else 0.3)
        if not thing and rng.random() < 0.75:
            parties[role] = Party(next(called))
        else:
            noun = passive[int(rng.integers(len(passive)))] if thing else next(acting)
            parties[role] = Party(noun, "a" if rng.random() < 0.5 else "the")
    return Event(verb, construction, parties)
