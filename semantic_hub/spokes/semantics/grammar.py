"""Who did what to whom: a small grammar of English sentences and their logical forms.

Sentence and form are written as in COGS: words apart, past tense, a variable for every noun and
verb that bears the number of its word. Definite nouns come first, then all conjuncts in the order
of the sentence; a verb has one for each of its roles. Source: Kim and Linzen 2020, COGS, EMNLP,
arXiv 2010.05465, appendix C (logical forms). The words and constructions are our own selection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from semantic_hub.errors import SemanticHubError

Role = Literal["agent", "theme", "recipient"]
ROLES: tuple[Role, ...] = ("agent", "theme", "recipient")
"""The roles of this grammar, which are all that names have in COGS."""


@dataclass(frozen=True)
class Verb:
    """``give, gave, given``; one that takes a recipient has the four constructions of giving."""

    lemma: str
    past: str
    participle: str
    gives: bool = False

    @property
    def constructions(self) -> tuple[str, ...]:
        """Names of the `CONSTRUCTIONS` that it occurs in."""
        return _GIVING if self.gives else _ACTING


@dataclass(frozen=True)
class Party:
    """One who takes part: a proper name, or a noun with an article."""

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
"""Construction to its words: roles, forms of the verb, and words that stay as they are."""

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
"""Names to draw from where no others are given."""

NOUNS: tuple[str, ...] = (
    "dog", "cat", "horse", "girl", "boy", "teacher", "friend", "child", "book", "box", "cake",
    "rose", "apple", "hat", "letter", "ball",
)  # fmt: skip
"""Nouns to draw from where no others are given; the first eight can act."""


@dataclass(frozen=True)
class Event:
    """One thing that happened, in one construction.

    Args:
        verb: What happened.
        construction: One of ``verb.constructions``.
        parties: Who takes part, by role: agent and theme, and the recipient of a giving.

    Raises:
        SemanticHubError: A construction that the verb does not have, or other roles than it needs.

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
        """The roles in the order in which the sentence names them."""
        return tuple(sorted(_roles_of(self.construction), key=self._slots.index))

    @property
    def names(self) -> dict[Role, str]:
        """Role to name, of those that are proper names, in the order of the sentence."""
        return {role: self.parties[role].word for role in self.roles if self.parties[role].is_name}

    @property
    def sentence(self) -> str:
        """The English sentence, its words and its full stop apart."""
        words = [word for slot in self._slots for word in self._words(slot)]
        return " ".join([words[0][0].upper() + words[0][1:], *words[1:], "."])

    @property
    def logical_form(self) -> str:
        """The form of the sentence."""
        at = self._positions
        definite = [role for role in self.roles if self.parties[role].article == "the"]
        prefix = "".join(f"* {self._noun(role, at)} ; " for role in definite)
        conjuncts = [(at["verb"], self._verb(at))]
        conjuncts += [
            (at[role], self._noun(role, at))
            for role in self.roles
            if self.parties[role].article == "a"
        ]
        return prefix + " AND ".join(text for _, text in sorted(conjuncts))

    def question(self, role: Role) -> str:
        """A question that the party of one role answers, asked after the sentence.

        Example:
            >>> random_event(np.random.default_rng(0)).question("agent")
            'Who sold ?'
        """
        if role == "recipient":
            return "To whom ?"
        asked = f"was {self.verb.participle}" if role == "theme" else self.verb.past
        return f"{'What' if self.verb.gives and role == 'theme' else 'Who'} {asked} ?"

    def annotated(self) -> str:
        """The sentence with its role before each party: ``agent Anna helped theme Peter .``"""
        words = [
            word
            for slot in self._slots
            for word in ([slot, *self._words(slot)] if slot in ROLES else self._words(slot))
        ]
        return " ".join([*words, "."])

    @property
    def _slots(self) -> list[str]:
        return CONSTRUCTIONS[self.construction].split()

    @property
    def _positions(self) -> dict[str, int]:
        """The place of each role's noun or name, and of the verb, among the words."""
        places, end = {}, 0
        for slot in self._slots:
            end += len(self._words(slot))
            places["verb" if slot in ("past", "participle") else slot] = end - 1
        return places

    def _words(self, slot: str) -> list[str]:
        if slot in ROLES:
            return self.parties[slot].words()
        return [getattr(self.verb, slot)] if slot in ("past", "participle") else [slot]

    def _noun(self, role: str, at: Mapping[str, int]) -> str:
        return f"{self.parties[role].word} ( x _ {at[role]} )"

    def _verb(self, at: Mapping[str, int]) -> str:
        return " AND ".join(
            f"{self.verb.lemma} . {role} ( x _ {at['verb']} , {self._argument(role, at)} )"
            for role in self.roles
        )

    def _argument(self, role: str, at: Mapping[str, int]) -> str:
        party = self.parties[role]
        return party.word if party.is_name else f"x _ {at[role]}"


def _roles_of(construction: str) -> list[Role]:
    return [role for role in ROLES if role in CONSTRUCTIONS[construction].split()]


def random_event(
    rng: np.random.Generator,
    *,
    names: Sequence[str] = NAMES,
    actors: Sequence[str] = NOUNS[:8],
    things: Sequence[str] = NOUNS[8:],
) -> Event:
    """An event with a verb, a construction and parties at random; no word takes part twice.

    Args:
        rng: Where the draws come from.
        names: Proper names.
        actors: Nouns that may act and receive.
        things: Nouns that things happen to.

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
