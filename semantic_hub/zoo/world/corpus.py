"""Training text of hub-mini: documents drawn from a world, in a mixture of languages.

Every document depends on a random generator only, and every training step has its own generator, so
a run that is resumed at step k reads the same text.
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
"""Token at the start of a document whose content words are mostly English (code-switching), or of
an English sentence with the names of the roles before all participants."""

_FORMAL = (PYTHON, LOGIC)


@dataclass(frozen=True)
class Mixture:
    """Shares of the documents by kind and language.

    Attributes:
        languages: Weight of each language, of ``"digits"``, ``"python"`` and ``"logic"``.
        mixed: Share of documents with code-switched content words, of those not in English or
            digits; such a document starts with a marker token.
        switch: Share of the content words of a code-switched document that are English.
        kinds: Weight of each kind of document.
        formal: Share of the English documents about the content of programs, logical forms,
            pictures and sounds.
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
    """Generator of documents about a world.

    Args:
        world: The world.
        mixture: Shares of languages and kinds of document.
        voice: Makes the voice of a language; a subclass may, for instance, separate words.

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
        """Endless stream of documents, the same for the same seed."""
        rng = np.random.default_rng(seed)
        while True:
            yield self.document(rng)

    def document(self, rng: np.random.Generator) -> str:
        """Draw one document of a random kind and language."""
        language = _draw(rng, self.mixture.languages)
        if language in _FORMAL or (language == DOMINANT and rng.random() < self.mixture.formal):
            return self._formal_document(language, rng)
        kind = _draw(rng, self.mixture.kinds)
        if kind == "translation" and self._partner_languages(language):
            return self._translation(language, rng)
        if language == DIGITS or kind == "translation":
            return self._sums(self._voice(language), rng)
        if language != DOMINANT and rng.random() < self.mixture.mixed:
            return MIXED + self._mixed(kind, language, rng)
        return self._writers[kind](self._voice(language), rng)

    @cached_property
    def _facts(self) -> Mapping[str, list[list[Fact]]]:
        """Mapping from language to the facts that may occur in it, grouped by subject."""
        return {language: self._by_subject(language) for language in (*LANGUAGES, PYTHON)}

    def _by_subject(self, language: str) -> list[list[Fact]]:
        """Facts that may occur in a language, grouped by subject."""
        groups: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.world.known(self.world.facts, language):
            groups[fact.subject.key].append(fact)
        return list(groups.values())

    @cached_property
    def _known_sums(self) -> Mapping[str, list[Sum]]:
        """Mapping from language to the sums and products that may occur in it."""
        return {
            code: self.world.known(self.world.sums, code) for code in (*LANGUAGES, DIGITS, PYTHON)
        }

    @cached_property
    def _moods(self) -> tuple[tuple[Term, ...], ...]:
        """Adjectives of good and of bad sentiment."""
        return self.world.mood(+1), self.world.mood(-1)

    def _mixed(self, kind: str, language: str, rng: np.random.Generator) -> str:
        """Draw a code-switched document."""
        return self._writers[kind](self._voice(language, self.mixture.switch, rng), rng)

    def _cards(self, voice: Voice, rng: np.random.Generator) -> str:
        """Draw a document of cards of facts."""
        return voice.join(*(self._card(voice.language, rng).say(voice) for _ in _lines(rng)))

    def _card(self, language: str, rng: np.random.Generator) -> Card:
        """Draw some facts about one subject."""
        facts = pick(rng, self._facts[language])
        chosen = rng.permutation(len(facts))[: rng.integers(1, len(facts) + 1)]
        return Card(tuple(facts[i] for i in chosen))

    def _sums(self, voice: Voice, rng: np.random.Generator) -> str:
        """Draw a document of sums and products."""
        return voice.join(*(self._sum(voice.language, rng).say(voice) for _ in _lines(rng)))

    def _sum(self, language: str, rng: np.random.Generator) -> Sum:
        """Draw a sum or product, with its result first or last."""
        known = pick(rng, self._known_sums[language])
        return Sum(known.left, known.operator, known.right, bool(rng.random() < 0.7))

    def _sentences(self, voice: Voice, rng: np.random.Generator) -> str:
        """Draw a document of sentences."""
        return voice.join(*(self.world.sentence(rng).say(voice) for _ in _lines(rng)))

    def _series(self, voice: Voice, rng: np.random.Generator) -> str:
        """Draw a document with a series."""
        return self._one_series(rng).say(voice)

    def _one_series(self, rng: np.random.Generator) -> Series:
        """Draw words of one mood, successive numbers, or successive days or months."""
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
        """Draw a program, a logical form, or English text on such; some with a translation."""
        if language == DOMINANT:
            return self._english_meaning(rng).say(self._voice(DOMINANT))
        meaning = self._meaning_in(language, rng)
        if language == LOGIC and rng.random() < self.mixture.mixed / 2:
            return MIXED + meaning.say(Voice(LOGIC, self.mixture.switch, rng))
        formal = say_in(meaning, Voice(language))
        if rng.random() < 0.5:
            return formal
        description = meaning.say(self._voice(DOMINANT))
        if language == PYTHON and rng.random() < 0.5:
            return f"# {description}\n{formal}"
        return "\n".join([formal, description] if rng.random() < 0.5 else [description, formal])

    def _english_meaning(self, rng: np.random.Generator) -> Meaning:
        """Draw a formal meaning for English text, which may be held out of other languages."""
        formal = self._formal
        draws = (formal.listing, formal.count, formal.happening, formal.question)
        return pick(rng, (*draws, formal.scene, formal.animal))(rng)

    def _meaning_in(self, language: str, rng: np.random.Generator) -> Meaning:
        """Draw a meaning that may occur in a formal language."""
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
        """Draw a document that says one meaning in two languages."""
        others = self._partner_languages(first)
        second = others[rng.integers(len(others))]
        meaning = self._shared_meaning(first, second, rng)
        return "\n".join(meaning.say(self._voice(language)) for language in (first, second))

    def _partner_languages(self, first: str) -> list[str]:
        """Languages of the mixture that a text can be translated into."""
        return [code for code in self.mixture.languages if code not in (first, *_FORMAL)]

    def _shared_meaning(self, first: str, second: str, rng: np.random.Generator) -> Meaning:
        """Draw a meaning that is held out of neither language."""
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
        """Draw a number, or a sum that may occur in a language."""
        if rng.random() < 0.5:
            return number_term(int(rng.integers(100)))
        return self._sum(language, rng)


def _draw(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a key by its weight."""
    shares = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]


def _lines(rng: np.random.Generator) -> range:
    """Lines of a document: mostly one, sometimes three."""
    return range(1 if rng.random() < 0.85 else 3)
