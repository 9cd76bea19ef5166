"""The training text of hub-mini: documents drawn from a world, in a mixture of languages.

Every document is a function of a random generator alone, and every training step has a generator
of its own, so a run that is resumed at step k reads what it would have read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from semantic_hub.spokes.lexicon.numbers import DIGITS
from semantic_hub.zoo.world.facts import World, pick
from semantic_hub.zoo.world.formal_text import FormalText
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Card, Fact, Meaning, Series, Sum, Term, number_term
from semantic_hub.zoo.world.programs import LOGIC, PYTHON, say_in

MIXED = "<mix>"
"""Opens a document whose content words are mostly English ones (code-switching), or an English
sentence with the names of the roles before all who take part."""

_FORMAL = (PYTHON, LOGIC)


@dataclass(frozen=True)
class Mixture:
    """What share of documents is of which kind and language.

    Attributes:
        languages: Weight of each language, of ``"digits"``, ``"python"`` and ``"logic"``.
        mixed: Share of the documents that are not in English (nor in digits) in which content
            words are code-switched; such a document opens with a marker token.
        switch: Share of the content words that a code-switched document says in English.
        kinds: Weight of each kind of document.
        formal: Share of the English documents that tell what programs, logical forms, pictures and
            sounds tell.
    """

    languages: Mapping[str, float]
    mixed: float = 0.5
    switch: float = 0.8
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {
            "cards": 0.44, "sums": 0.24, "sentences": 0.10, "series": 0.06, "translation": 0.16,
        }
    )  # fmt: skip
    formal: float = 0.3


class Corpus:
    """Documents about a world.

    Args:
        world: What there is to tell.
        mixture: In which languages and kinds of document.
        voice: Makes the voice of a language; another one may, for instance, set words apart.

    Example:
        >>> corpus = Corpus(World(), Mixture({"en": 1.0}))
        >>> isinstance(corpus.document(np.random.default_rng(0)), str)
        True
    """

    def __init__(self, world: World, mixture: Mixture, voice: Callable[..., Voice] = Voice) -> None:
        self.world, self.mixture, self._voice = world, mixture, voice
        self._formal = FormalText(world)
        self._writers: Mapping[str, Callable[[Voice, np.random.Generator], str]] = {
            "cards": self._cards,
            "sums": self._sums,
            "sentences": self._sentences,
            "series": self._series,
        }

    def documents(self, seed: Sequence[int]) -> Iterator[str]:
        """An endless stream of documents, the same for the same seed."""
        rng = np.random.default_rng(seed)
        while True:
            yield self.document(rng)

    def document(self, rng: np.random.Generator) -> str:
        """One document of a random kind and language."""
        language = _draw(rng, self.mixture.languages)
        if language in _FORMAL or (language == DOMINANT and rng.random() < self.mixture.formal):
            return self._formal_document(language, rng)
        kind = _draw(rng, self.mixture.kinds)
        if kind == "translation" and self._others(language):
            return self._translation(language, rng)
        if language == DIGITS or kind == "translation":
            return self._sums(self._voice(language), rng)
        if language != DOMINANT and rng.random() < self.mixture.mixed:
            return MIXED + self._mixed(kind, language, rng)
        return self._writers[kind](self._voice(language), rng)

    @cached_property
    def _facts(self) -> Mapping[str, list[list[Fact]]]:
        """Language to the facts that may be told in it, grouped by what they are about."""
        return {language: self._by_subject(language) for language in (*LANGUAGES, PYTHON)}

    def _by_subject(self, language: str) -> list[list[Fact]]:
        groups: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.world.known(self.world.facts, language):
            groups[fact.subject.key].append(fact)
        return list(groups.values())

    @cached_property
    def _known_sums(self) -> Mapping[str, list[Sum]]:
        return {
            code: self.world.known(self.world.sums, code) for code in (*LANGUAGES, DIGITS, PYTHON)
        }

    @cached_property
    def _moods(self) -> tuple[tuple[Term, ...], ...]:
        return self.world.mood(+1), self.world.mood(-1)

    def _mixed(self, kind: str, language: str, rng: np.random.Generator) -> str:
        return self._writers[kind](self._voice(language, self.mixture.switch, rng), rng)

    def _cards(self, voice: Voice, rng: np.random.Generator) -> str:
        return voice.join(*(self._card(voice.language, rng).say(voice) for _ in _lines(rng)))

    def _card(self, language: str, rng: np.random.Generator) -> Card:
        facts = pick(rng, self._facts[language])
        shown = rng.permutation(len(facts))[: rng.integers(1, len(facts) + 1)]
        return Card(tuple(facts[i] for i in shown))

    def _sums(self, voice: Voice, rng: np.random.Generator) -> str:
        return voice.join(*(self._sum(voice.language, rng).say(voice) for _ in _lines(rng)))

    def _sum(self, language: str, rng: np.random.Generator) -> Sum:
        known = pick(rng, self._known_sums[language])
        return Sum(known.left, known.operator, known.right, bool(rng.random() < 0.7))

    def _sentences(self, voice: Voice, rng: np.random.Generator) -> str:
        return voice.join(*(self.world.sentence(rng).say(voice) for _ in _lines(rng)))

    def _series(self, voice: Voice, rng: np.random.Generator) -> str:
        return self._one_series(rng).say(voice)

    def _one_series(self, rng: np.random.Generator) -> Series:
        length = int(rng.integers(3, 7))
        if rng.random() < 0.4:
            mood = pick(rng, self._moods)
            return Series(tuple(pick(rng, mood) for _ in range(length)))
        if rng.random() < 0.5:
            start = int(rng.integers(0, 100 - length))
            return Series(tuple(number_term(start + i) for i in range(length)))
        cycle = self.world.days if rng.random() < 0.5 else self.world.months
        start = int(rng.integers(len(cycle)))
        return Series(tuple(cycle[(start + i) % len(cycle)] for i in range(length)))

    def _formal_document(self, language: str, rng: np.random.Generator) -> str:
        """A program, a logical form, or in English what these may say; some with a translation."""
        if language == DOMINANT:
            return self._told(rng).say(self._voice(DOMINANT))
        meaning = self._meaning_in(language, rng)
        if language == LOGIC and rng.random() < self.mixture.mixed / 2:
            return MIXED + meaning.say(Voice(LOGIC, self.mixture.switch, rng))
        said = say_in(meaning, Voice(language))
        if rng.random() < 0.5:
            return said
        description = meaning.say(self._voice(DOMINANT))
        if language == PYTHON and rng.random() < 0.5:
            return f"# {description}\n{said}"
        return "\n".join([said, description] if rng.random() < 0.5 else [description, said])

    def _told(self, rng: np.random.Generator) -> Meaning:
        """What English alone tells, held out or not."""
        formal = self._formal
        told = (formal.listing, formal.count, formal.happening, formal.question)
        return pick(rng, (*told, formal.scene, formal.animal))(rng)

    def _meaning_in(self, language: str, rng: np.random.Generator) -> Meaning:
        """Something that a formal language may tell."""
        if language == LOGIC:
            return self._formal.happening(rng, held_out=False)
        return pick(
            rng,
            (
                lambda: self._formal.listing(rng),
                lambda: self._formal.calls(rng),
                lambda: self._formal.count(rng, held_out=False),
                lambda: self._sum(PYTHON, rng),
                lambda: self._card(PYTHON, rng),
            ),
        )()

    def _translation(self, first: str, rng: np.random.Generator) -> str:
        others = self._others(first)
        second = others[rng.integers(len(others))]
        meaning = self._shared_meaning(first, second, rng)
        return "\n".join(meaning.say(self._voice(language)) for language in (first, second))

    def _others(self, first: str) -> list[str]:
        return [code for code in self.mixture.languages if code not in (first, *_FORMAL)]

    def _shared_meaning(self, first: str, second: str, rng: np.random.Generator) -> Meaning:
        """Something that both languages may tell: what is held out of one is told in neither."""
        least = second if first == DOMINANT else first
        if DIGITS in (first, second):
            return self._number_or_sum(least, rng)
        return pick(
            rng,
            (
                lambda: self._card(least, rng),
                lambda: self._sum(least, rng),
                lambda: self.world.sentence(rng),
                lambda: pick(rng, self.world.terms),
            ),
        )()

    def _number_or_sum(self, language: str, rng: np.random.Generator) -> Meaning:
        if rng.random() < 0.5:
            return number_term(int(rng.integers(100)))
        return self._sum(language, rng)


def _draw(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    shares = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]


def _lines(rng: np.random.Generator) -> range:
    """Most documents are one line, some are three."""
    return range(1 if rng.random() < 0.85 else 3)
