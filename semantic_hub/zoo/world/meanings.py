"""Meanings of hub-mini's world: small values that are independent of language.

A `Voice` says a meaning in one language, so every meaning has parallel texts in all languages.
Meanings of programs and logical forms are in `semantic_hub.zoo.world.programs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

from semantic_hub.spokes.arithmetic.items import Problem
from semantic_hub.spokes.lexicon.numbers import DIGITS, number_word
from semantic_hub.zoo.world.grammar import GRAMMARS, LANGUAGES, Voice


@runtime_checkable
class Meaning(Protocol):
    """Protocol of meanings: values that can be written as text in every language."""

    def say(self, voice: Voice) -> str:
        """Write the meaning as text in a voice's language."""
        ...


@dataclass(frozen=True)
class Term:
    """Thing with a name in every language: a concept, a territory, a person, a day.

    Attributes:
        key: Stable identifier.
        forms: Mapping from language to the name alone.
        phrases: Mapping from language to the form in a sentence: a noun as a direct object, a place
            as a location. The name alone for other things.
        kind: Its kind in the word list (``animal``, ``color``, ``verb``, …); empty for others.
        polarity: +1 or −1 for adjectives of clear sentiment, 0 otherwise.
    """

    key: str
    forms: Mapping[str, str]
    phrases: Mapping[str, str]
    kind: str = ""
    polarity: int = 0

    def say(self, voice: Voice) -> str:
        """Name in the voice's language."""
        return voice.choose(self.forms)


@dataclass(frozen=True)
class Fact:
    """Value of an attribute of a thing, such as the color of the dog."""

    subject: Term
    attribute: str
    value: Term

    @property
    def key(self) -> str:
        """Key by which facts are held out: the subject and the attribute."""
        return f"{self.subject.key}.{self.attribute}"

    def say(self, voice: Voice) -> str:
        """Text of a card with only this fact."""
        return Card((self,)).say(voice)

    def question(self, voice: Voice) -> str:
        """Text of the fact without its value."""
        grammar = voice.grammar
        return self.subject.say(voice) + grammar.colon + grammar.attributes[self.attribute]


@dataclass(frozen=True)
class Card:
    """Several facts about one thing: ``dog: colour black, place garden.``"""

    facts: tuple[Fact, ...]

    def say(self, voice: Voice) -> str:
        """Text in one line, the facts in their order."""
        grammar = voice.grammar
        facts = (
            voice.join(grammar.attributes[fact.attribute], fact.value.say(voice))
            for fact in self.facts
        )
        subject = self.facts[0].subject.say(voice)
        return subject + grammar.colon + grammar.comma.join(facts) + grammar.stop


@dataclass(frozen=True)
class Sum:
    """``a + b = c`` or ``a * b = c``, with the result first (as in read-outs) or last."""

    left: int
    operator: str
    right: int
    result_first: bool = True

    @property
    def result(self) -> int:
        """Result c."""
        return Problem(self.left, self.operator, self.right).result

    @property
    def key(self) -> str:
        """Key by which sums are held out: both operands and the operator."""
        return f"{self.left}{self.operator}{self.right}"

    @property
    def mirror_key(self) -> str:
        """Key of the sum with exchanged operands; its own key if the world has no such sum."""
        return f"{self.right}{self.operator}{self.left}" if self.left < 10 else self.key

    def say(self, voice: Voice) -> str:
        """Text in digits without spaces, or in words."""
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
        """Text in the language's word order."""
        parts = {
            "who": self.who.say(voice),
            "what": self.what.say(voice),
            "whom": voice.choose(self.whom.phrases),
            "where": voice.choose(self.where.phrases) if self.where else "",
            "when": _on_day(self.when).say(voice) if self.when is not None else "",
        }
        words = voice.join(*(parts[role] for role in voice.grammar.order.split()))
        return words + voice.grammar.stop


@dataclass(frozen=True)
class Series:
    """Series such as ``Monday, Tuesday, Wednesday.``: days, months, numbers or adjectives."""

    terms: tuple[Term, ...]

    def say(self, voice: Voice) -> str:
        """Names separated by commas."""
        return voice.grammar.comma.join(t.say(voice) for t in self.terms) + voice.grammar.stop


@lru_cache(maxsize=1000)
def number_term(number: int) -> Term:
    """Number as a term, in the words of every language and in digits."""
    forms = {code: number_word(number, code) for code in (*LANGUAGES, DIGITS)}
    return Term(f"number.{number}", forms, forms)


@lru_cache(maxsize=7)
def _on_day(day: int) -> Term:
    """Adverbial of a day of the week."""
    forms = {code: grammar.days[day] for code, grammar in GRAMMARS.items()}
    return Term(f"on_day.{day}", forms, forms)
