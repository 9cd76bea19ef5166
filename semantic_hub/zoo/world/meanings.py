"""What can be said in hub-mini's world: small values that know nothing of languages.

A `Voice` says a meaning in one language, so every meaning has a parallel text in every other.
Programs and logical forms are in `semantic_hub.zoo.world.programs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from semantic_hub.spokes.arithmetic.spoke import Problem
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word
from semantic_hub.zoo.world.grammar import GRAMMARS, LANGUAGES, Voice


@runtime_checkable
class Meaning(Protocol):
    """Something that can be said in every language."""

    def say(self, voice: Voice) -> str:
        """The text of this meaning in one voice."""
        ...


@dataclass(frozen=True)
class Term:
    """A thing with a name in every language: a concept, a territory, a person, a day.

    ``kind`` is what it is one of, an English word, where the word lists say.
    """

    key: str
    forms: Mapping[str, str]
    phrases: Mapping[str, str]
    kind: str = ""

    def say(self, voice: Voice) -> str:
        """The name."""
        return voice.choose(self.forms)


@dataclass(frozen=True)
class Fact:
    """``dog: colour black``."""

    subject: Term
    attribute: str
    value: Term

    @property
    def key(self) -> str:
        """What is held out, or not: the subject and the attribute."""
        return f"{self.subject.key}.{self.attribute}"

    def say(self, voice: Voice) -> str:
        """A card with this fact alone."""
        return Card((self,)).say(voice)

    def question(self, voice: Voice) -> str:
        """The text up to, and without, the value."""
        grammar = voice.grammar
        return self.subject.say(voice) + grammar.colon + grammar.attributes[self.attribute]


@dataclass(frozen=True)
class Card:
    """Several facts about one thing: ``dog: colour black, place garden.``"""

    facts: tuple[Fact, ...]

    def say(self, voice: Voice) -> str:
        """One line, the facts in their order."""
        grammar = voice.grammar
        told = (
            voice.join(grammar.attributes[fact.attribute], fact.value.say(voice))
            for fact in self.facts
        )
        subject = self.facts[0].subject.say(voice)
        return subject + grammar.colon + grammar.comma.join(told) + grammar.stop


@dataclass(frozen=True)
class Sum:
    """``a + b = c`` or ``a * b = c``, result first (as read-outs want it) or last."""

    left: int
    operator: str
    right: int
    result_first: bool = True

    @property
    def result(self) -> int:
        """The number c."""
        return Problem(self.left, self.operator, self.right).result

    @property
    def key(self) -> str:
        """What is held out, or not: both operands and the operator."""
        return f"{self.left}{self.operator}{self.right}"

    @property
    def mirror_key(self) -> str:
        """The key of the sum with its operands exchanged; its own where that is no sum here."""
        return f"{self.right}{self.operator}{self.left}" if self.left < 10 else self.key

    def say(self, voice: Voice) -> str:
        """In digits without spaces, or in words."""
        numbers = [number_term(n) for n in (self.left, self.right, self.result)]
        left, right, result = (number.say(voice) for number in numbers)
        if voice.language == DIGITS:
            terms = f"{left}{self.operator}{right}"
            return f"{result}={terms}" if self.result_first else f"{terms}={result}"
        grammar = voice.grammar
        terms = voice.join(left, grammar.operations[self.operator], right)
        sides = (result, terms) if self.result_first else (terms, result)
        return voice.join(sides[0], grammar.operations["="], sides[1]) + grammar.stop


@dataclass(frozen=True)
class Sentence:
    """``Anna sees the dog in the garden on Monday.``; place and day may be missing."""

    who: Term
    what: Term
    whom: Term
    where: Term | None
    when: int | None

    def say(self, voice: Voice) -> str:
        """In the language's own order of words."""
        parts = {
            "who": self.who.say(voice),
            "what": self.what.say(voice),
            "whom": voice.choose(self.whom.phrases),
            "where": voice.choose(self.where.phrases) if self.where else "",
            "when": _on_day(self.when).say(voice) if self.when is not None else "",
        }
        said = voice.join(*(parts[role] for role in voice.grammar.order.split()))
        return said + voice.grammar.stop


@dataclass(frozen=True)
class Series:
    """``Monday, Tuesday, Wednesday.``: a calendar, a count, or a mood (words of one sentiment)."""

    terms: tuple[Term, ...]

    def say(self, voice: Voice) -> str:
        """The names with commas between them."""
        return voice.grammar.comma.join(t.say(voice) for t in self.terms) + voice.grammar.stop


@lru_cache(maxsize=1000)
def number_term(number: int) -> Term:
    """A number, in the words of every language and in digits."""
    forms = {code: number_word(number, code) for code in (*LANGUAGES, DIGITS)}
    return Term(f"number.{number}", forms, forms)


@lru_cache(maxsize=7)
def _on_day(day: int) -> Term:
    forms = {code: grammar.days[day] for code, grammar in GRAMMARS.items()}
    return Term(f"on_day.{day}", forms, forms)
