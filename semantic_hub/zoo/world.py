"""The world that hub-mini is trained on: meanings, and their texts in every language.

A *meaning* (a fact, a sum, a sentence, …) is a small value that knows nothing of languages; a
*voice* says it in one. So every meaning has a parallel text in every language, and what is held
out is held out as a meaning. A new kind of meaning (a program, a logical form) is one more class
with `say` (and one more kind of document in `corpus.py`).

Held out: a quarter of the facts and of the sums and products are told in English alone. In no
other language, nor in digits, nor in a translation does the training text contain them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from semantic_hub.spokes.arithmetic import OPERATIONS, problems
from semantic_hub.spokes.lexicon import DATA, Concept, builtin_concepts
from semantic_hub.spokes.names import NameKind, cldr_names, official_languages
from semantic_hub.spokes.numbers import DIGITS, number_word
from semantic_hub.tables import read_table

DOMINANT = "en"
LANGUAGES = ("en", "es", "fr", "ru", "zh")
"""The dominant language first."""

MIXED = "<mix>"
"""Opens a document whose content words are mostly English ones (code-switching)."""

HELD_OUT_SHARE = 0.25

_TERRITORIES = (
    "AL AR AU BG BR CL CN CU DE DK EG ES ET FR GE GR HU IR IS IT JP MN MX NL NO PL PT RO RU SE SY "
    "TH TR UA VN"
).split()
_NOUNS = ("animal", "food", "thing", "nature", "clothing", "body", "plant")


@dataclass(frozen=True)
class Grammar:
    """The function words and marks of one language."""

    colon: str
    comma: str
    stop: str
    space: str
    attributes: Mapping[str, str]
    operations: Mapping[str, str]
    days: tuple[str, ...]
    order: str = "who what whom where when"


_DAYS_ES = ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo")
_ATTRIBUTES = ("color", "material", "place", "language")


def _attributes(words: str) -> Mapping[str, str]:
    return dict(zip(_ATTRIBUTES, words.split(), strict=True))


GRAMMARS: Mapping[str, Grammar] = {
    "en": Grammar(
        ": ", ", ", ".", " ",
        _attributes("colour material place language"),
        OPERATIONS["en"],
        ("on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday",
         "on Sunday"),
    ),
    "es": Grammar(
        ": ", ", ", ".", " ",
        _attributes("color material lugar idioma"),
        OPERATIONS["es"],
        tuple(f"el {day}" for day in _DAYS_ES),
    ),
    "fr": Grammar(
        " : ", ", ", ".", " ",
        _attributes("couleur matière lieu langue"),
        OPERATIONS["fr"],
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    ),
    "ru": Grammar(
        ": ", ", ", ".", " ",
        _attributes("цвет материал место язык"),
        OPERATIONS["ru"],
        ("в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу",
         "в воскресенье"),
    ),
    "zh": Grammar(
        "：", "，", "。", "",
        _attributes("颜色 材料 地点 语言"),
        OPERATIONS["zh"],
        ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
        order="who when where what whom",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """One language to say things in; `switch` is the share of content words said in English."""

    language: str
    switch: float = 0.0
    rng: np.random.Generator | None = None

    @property
    def grammar(self) -> Grammar:
        """Function words and marks; digits borrow those of English."""
        return GRAMMARS.get(self.language, GRAMMARS[DOMINANT])

    def choose(self, forms: Mapping[str, str]) -> str:
        """One content word, in this language or, code-switched, in English."""
        if self.language != DOMINANT and self.rng is not None and self.rng.random() < self.switch:
            return forms[DOMINANT] if self.grammar.space else f" {forms[DOMINANT]}"
        return forms[self.language]

    def join(self, *parts: str) -> str:
        """Parts of a sentence with the language's own spacing."""
        return self.grammar.space.join(part for part in parts if part)


class Meaning(Protocol):
    """Something that can be said in every language."""

    def say(self, voice: Voice) -> str:
        """The text of this meaning in one voice."""
        ...


@dataclass(frozen=True)
class Term:
    """A thing with a name in every language: a concept, a territory, a person, a day."""

    key: str
    forms: Mapping[str, str]
    phrases: Mapping[str, str]

    def say(self, voice: Voice) -> str:
        return voice.choose(self.forms)


@dataclass(frozen=True)
class Fact:
    """``dog: colour black``."""

    subject: Term
    attribute: str
    value: Term

    @property
    def key(self) -> str:
        return f"{self.subject.key}.{self.attribute}"

    def say(self, voice: Voice) -> str:
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
        return self.left + self.right if self.operator == "+" else self.left * self.right

    @property
    def key(self) -> str:
        return f"{self.left}{self.operator}{self.right}"

    def say(self, voice: Voice) -> str:
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
        return voice.grammar.comma.join(t.say(voice) for t in self.terms) + voice.grammar.stop


class World:
    """All meanings of one world, and its training text.

    Args:
        seed: Draws the facts and what is held out of all languages but English.

    Example:
        >>> world = World(seed=0)
        >>> world.facts[0].say(Voice("en"))  # doctest: +SKIP
        'dog: colour green.'
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def nouns(self) -> tuple[Term, ...]:
        return tuple(_term(c) for c in builtin_concepts() if c.kind in _NOUNS)

    @cached_property
    def names(self) -> tuple[Term, ...]:
        rows = read_table(DATA / "names.tsv", LANGUAGES, "World.names")
        return tuple(Term(f"name.{row['en']}", row, row) for row in rows)

    @cached_property
    def days(self) -> tuple[Term, ...]:
        return tuple(_cldr_term("day", str(day)) for day in range(7))

    @cached_property
    def months(self) -> tuple[Term, ...]:
        return tuple(_cldr_term("month", str(month)) for month in range(1, 13))

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Three invented facts about each noun, and the true official language of territories."""
        rng = np.random.default_rng([self.seed, 1])
        values = {
            "color": self.kind("color"),
            "material": self.kind("material"),
            "place": self.kind("place"),
        }
        invented = [
            Fact(noun, attribute, terms[rng.integers(len(terms))])
            for noun in self.nouns
            for attribute, terms in values.items()
        ]
        return (*invented, *map(_official_language, _TERRITORIES))

    @cached_property
    def sums(self) -> tuple[Sum, ...]:
        """The 846 sums and 277 products of the arithmetic spoke."""
        return tuple(Sum(item.left, item.operator, item.right) for item in problems())

    @cached_property
    def held_out(self) -> frozenset[str]:
        """Keys of the facts and sums that only English text tells."""
        rng = np.random.default_rng([self.seed, 2])
        keys = [meaning.key for meaning in (*self.facts, *self.sums)]
        return frozenset(key for key in keys if rng.random() < HELD_OUT_SHARE)

    def kind(self, kind: str) -> tuple[Term, ...]:
        """The terms of the authored word list of one kind."""
        return self._kinds[kind]

    @cached_property
    def _kinds(self) -> Mapping[str, tuple[Term, ...]]:
        kinds: dict[str, list[Term]] = defaultdict(list)
        for concept in builtin_concepts():
            kinds[concept.kind].append(_term(concept))
        return {kind: tuple(terms) for kind, terms in kinds.items()}

    def mood(self, polarity: int) -> tuple[Term, ...]:
        """The adjectives of one sentiment: +1 for good, −1 for bad."""
        return tuple(_term(c) for c in builtin_concepts() if c.polarity == polarity)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Everything that has a name: what a dictionary of this world would list."""
        named = tuple(_term(c) for c in builtin_concepts())
        places = {fact.subject.key: fact.subject for fact in self.facts[3 * len(self.nouns) :]}
        tongues = {fact.value.key: fact.value for fact in self.facts[3 * len(self.nouns) :]}
        numbers = tuple(number_term(number) for number in range(100))
        return (*named, *places.values(), *tongues.values(), *self.days, *self.months, *numbers)

    def sentence(self, rng: np.random.Generator) -> Sentence:
        """A random sentence; sentences carry no fact, any may occur."""
        return Sentence(
            _pick(rng, self.names),
            _pick(rng, self.kind("verb")),
            _pick(rng, self.nouns),
            _pick(rng, self.kind("place")) if rng.random() < 0.6 else None,
            int(rng.integers(7)) if rng.random() < 0.6 else None,
        )

    def known(self, meanings: Sequence, language: str) -> list:
        """The facts or sums that text in `language` may tell."""
        return [m for m in meanings if language == DOMINANT or m.key not in self.held_out]


@lru_cache(maxsize=1000)
def number_term(number: int) -> Term:
    """A number, in the words of every language and in digits."""
    forms = {code: number_word(number, code) for code in (*LANGUAGES, DIGITS)}
    return Term(f"number.{number}", forms, forms)


@lru_cache(maxsize=7)
def _on_day(day: int) -> Term:
    forms = {code: grammar.days[day] for code, grammar in GRAMMARS.items()}
    return Term(f"on_day.{day}", forms, forms)


def _term(concept: Concept) -> Term:
    return Term(concept.name, concept.words, concept.phrases)


def _cldr_term(kind: NameKind, key: str) -> Term:
    forms = {code: cldr_names(kind, code)[key] for code in LANGUAGES}
    return Term(f"{kind}.{key}", forms, forms)


def _official_language(territory: str) -> Fact:
    language = official_languages(territory)[0]
    return Fact(_cldr_term("territory", territory), "language", _cldr_term("language", language))


def _pick(rng: np.random.Generator, terms: Sequence[Term]) -> Term:
    return terms[int(rng.integers(len(terms)))]
