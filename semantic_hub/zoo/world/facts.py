"""The world that hub-mini is trained on: its words, its facts and what is held out.

A quarter of the facts and of the sums and products occur in English only: the training text has
them in no other language, not in digits, and not in a translation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from semantic_hub.prompts.tables import read_table
from semantic_hub.spokes.arithmetic.items import problems
from semantic_hub.spokes.lexicon.dictionary import DATA
from semantic_hub.spokes.lexicon.names import NameKind, cldr_names, official_languages
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES
from semantic_hub.zoo.world.meanings import Fact, Sentence, Sum, Term, number_term

HELD_OUT_SHARE = 0.25
"""Share of the facts and sums that are held out of all languages but English."""

_TERRITORIES = (
    "AL", "AR", "AU", "BG", "BR", "CL", "CN", "CU", "DE", "DK", "EG", "ES", "ET", "FR", "GE", "GR",
    "HU", "IR", "IS", "IT", "JP", "MN", "MX", "NL", "NO", "PL", "PT", "RO", "RU", "SE", "SY", "TH",
    "TR", "UA", "VN",
)  # fmt: skip
_NOUNS = ("animal", "food", "thing", "nature", "clothing", "body", "plant")

Choice = TypeVar("Choice")
Keyed = TypeVar("Keyed", Fact, Sum)


def pick(rng: np.random.Generator, options: Sequence[Choice]) -> Choice:
    """Draw one of several options with equal probability."""
    return options[int(rng.integers(len(options)))]


@lru_cache(maxsize=1)
def word_list() -> tuple[Term, ...]:
    """Terms that every world is made of, with their words in `LANGUAGES`.

    They are what the bundled model was trained on, so the list stays as it is, apart from the
    lexicon of the language spoke: verbs are in the third person, nouns and places have the phrase
    that stands in a sentence.

    Example:
        >>> len(word_list())
        293
    """
    columns = ("concept", "kind", *LANGUAGES, *(f"{code}_np" for code in LANGUAGES), "polarity")
    rows = read_table(Path(__file__).parent / "words.tsv", columns, "word_list", may_be_empty=True)
    return tuple(
        Term(
            row["concept"],
            {code: row[code] for code in LANGUAGES},
            {code: row[f"{code}_np"] or row[code] for code in LANGUAGES},
            row["kind"],
            int(row["polarity"] or 0),
        )
        for row in rows
    )


class World:
    """World with its terms, facts, sums and sentences.

    Args:
        seed: Seed of the facts and of what is held out of all languages but English.

    Example:
        >>> world = World(seed=0)
        >>> len(world.nouns), len(world.sums)
        (200, 1123)
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def nouns(self) -> tuple[Term, ...]:
        """The 200 nouns that facts and sentences are about."""
        return tuple(term for term in word_list() if term.kind in _NOUNS)

    @cached_property
    def names(self) -> tuple[Term, ...]:
        """Names of the people in the sentences."""
        rows = read_table(DATA / "names.tsv", LANGUAGES, "World.names")
        return tuple(Term(f"name.{row['en']}", row, row) for row in rows)

    @cached_property
    def days(self) -> tuple[Term, ...]:
        """Days of the week, from Monday."""
        return tuple(_cldr_term("day", str(day)) for day in range(7))

    @cached_property
    def months(self) -> tuple[Term, ...]:
        """Months, from January."""
        return tuple(_cldr_term("month", str(month)) for month in range(1, 13))

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Three invented facts about each noun, and the official languages of territories."""
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
        """Keys of the facts and sums that occur in English text only."""
        rng = np.random.default_rng([self.seed, 2])
        keys = [meaning.key for meaning in (*self.facts, *self.sums)]
        return frozenset(key for key in keys if rng.random() < HELD_OUT_SHARE)

    def kind(self, kind: str) -> tuple[Term, ...]:
        """Terms of one kind in the word list."""
        return self._kinds[kind]

    @cached_property
    def _kinds(self) -> Mapping[str, tuple[Term, ...]]:
        """Terms of the word list by kind."""
        kinds: dict[str, list[Term]] = defaultdict(list)
        for term in word_list():
            kinds[term.kind].append(term)
        return {kind: tuple(terms) for kind, terms in kinds.items()}

    def mood(self, polarity: int) -> tuple[Term, ...]:
        """Adjectives of one sentiment: +1 for good, −1 for bad."""
        return tuple(term for term in word_list() if term.polarity == polarity)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """All terms of the world, except the names of people."""
        territories = {fact.subject.key: fact.subject for fact in self.facts[3 * len(self.nouns) :]}
        languages = {fact.value.key: fact.value for fact in self.facts[3 * len(self.nouns) :]}
        numbers = tuple(number_term(number) for number in range(100))
        return (
            *word_list(),
            *territories.values(),
            *languages.values(),
            *self.days,
            *self.months,
            *numbers,
        )

    def sentence(self, rng: np.random.Generator) -> Sentence:
        """Draw a random sentence; sentences contain no fact and are never held out."""
        return Sentence(
            pick(rng, self.names),
            pick(rng, self.kind("verb")),
            pick(rng, self.nouns),
            pick(rng, self.kind("place")) if rng.random() < 0.6 else None,
            int(rng.integers(7)) if rng.random() < 0.6 else None,
        )

    def known(self, meanings: Sequence[Keyed], language: str) -> list[Keyed]:
        """Keep the facts or sums that may occur in training text in a language."""
        return [m for m in meanings if language == DOMINANT or m.key not in self.held_out]


def _cldr_term(kind: NameKind, key: str) -> Term:
    """Term of a CLDR name."""
    forms = {code: cldr_names(kind, code)[key] for code in LANGUAGES}
    return Term(f"{kind}.{key}", forms, forms)


def _official_language(territory: str) -> Fact:
    """Fact about the official language of a territory."""
    language = official_languages(territory)[0]
    return Fact(_cldr_term("territory", territory), "language", _cldr_term("language", language))
