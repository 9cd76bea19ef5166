"""Random meanings for programs, logical forms, pictures and sounds, and which are held out.

Held out of all but English are a quarter of all counts, by start and end, and all happenings with
names from a quarter of the ordered pairs of names in two successive roles.
"""

from collections import defaultdict
from functools import cached_property
from itertools import pairwise, permutations

import numpy as np

from semantic_hub.spokes.semantics.grammar import ROLES, random_event
from semantic_hub.spokes.vision.images.picture import SHAPES, SIDES, Region
from semantic_hub.zoo.world.facts import HELD_OUT_SHARE, World, pick
from semantic_hub.zoo.world.grammar import DOMINANT
from semantic_hub.zoo.world.meanings import Sentence, Term
from semantic_hub.zoo.world.programs import Calls, Count, Happening, Listing
from semantic_hub.zoo.world.scenes import Animal, Scene

_THINGS = ("food", "thing", "clothing")
_CONJUNCTIONS = ("and", "and", "and", "or", "not")
_HIGHEST = 100


class FormalText:
    """Generator of random meanings that have a program, a logical form, a picture or a sound.

    Args:
        world: The world.

    Example:
        >>> FormalText(World()).count(np.random.default_rng(0), held_out=False).key
        'range.27.40'
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def listing(self, rng: np.random.Generator) -> Listing:
        """Draw a list of two to six things of one kind, or of one to three that are denied."""
        kind = pick(rng, list(self._by_kind))
        conjunction = pick(rng, _CONJUNCTIONS)
        most = 3 if conjunction == "not" else 6
        terms = self._by_kind[kind]
        chosen = rng.permutation(len(terms))[: rng.integers(1 if most == 3 else 2, most + 1)]
        heading = kind if rng.random() < 0.5 else ""
        return Listing(heading, tuple(terms[i] for i in chosen), conjunction)

    def calls(self, rng: np.random.Generator) -> Calls:
        """Draw one to three sentences with the same verb and parts, for calls of one function."""
        first = self.world.sentence(rng)
        more = [self._like(first, rng) for _ in range(int(rng.integers(0, 3)))]
        return Calls((first, *more), keyword=bool(rng.random() < 0.3))

    def count(self, rng: np.random.Generator, *, held_out: bool | None = None) -> Count:
        """Draw a count from a start to an end; half start at 0, and half of those write the 0."""
        while True:
            start = int(rng.integers(1, _HIGHEST - 1)) if rng.random() < 0.5 else 0
            end = int(rng.integers(start + 1, _HIGHEST))
            with_start, counted = rng.random() < 0.5, end - start <= 6 and rng.random() < 0.5
            drawn = Count(start, end, bool(with_start), bool(counted))
            if held_out is None or (drawn.key in self.held_out_counts) == held_out:
                return drawn

    def happening(self, rng: np.random.Generator, *, held_out: bool | None = None) -> Happening:
        """Draw an event without a question."""
        while True:
            event = random_event(
                rng, names=self._names, actors=self._words("animal"), things=self._words(*_THINGS)
            )
            drawn = Happening(event)
            if held_out is None or self.is_held_out(drawn) == held_out:
                return drawn

    def question(self, rng: np.random.Generator) -> Happening:
        """Draw an event with a question that a name answers."""
        while True:
            event = self.happening(rng).event
            if event.names:
                return Happening(event, pick(rng, list(event.names)), bool(rng.random() < 0.5))

    def scene(self, rng: np.random.Generator) -> Scene:
        """Draw one color, two sides, or two to four shapes; mostly with a question."""
        kind = rng.integers(4)
        names = ("",) if kind == 0 else SIDES if kind == 1 else rng.permutation(SHAPES).tolist()
        named = names if kind < 2 else names[: rng.integers(2, len(SHAPES) + 1)]
        colors = self.world.kind("color")
        drawn = rng.permutation(len(colors))[: len(named)]
        regions = tuple(
            Region(colors[i].forms[DOMINANT], name) for i, name in zip(drawn, named, strict=True)
        )
        return Scene(regions, int(rng.integers(len(regions))) if rng.random() < 0.75 else None)

    def animal(self, rng: np.random.Generator) -> Animal:
        """Draw an animal, sometimes with a question about it."""
        return Animal(pick(rng, self.world.kind("animal")), pick(rng, ("mammal", "animal", "")))

    def is_held_out(self, happening: Happening) -> bool:
        """Whether an event's names in successive roles include a held-out pair."""
        names = happening.event.names
        in_roles = [names[role] for role in ROLES if role in names]
        return any(pair in self.held_out_casts for pair in pairwise(in_roles))

    @cached_property
    def held_out_counts(self) -> frozenset[str]:
        """Keys of the counts that occur in English text only."""
        rng = np.random.default_rng([self.world.seed, 6])
        counts = [Count(start, end) for start in range(_HIGHEST) for end in range(start + 1, 100)]
        return frozenset(count.key for count in counts if rng.random() < HELD_OUT_SHARE)

    @cached_property
    def held_out_casts(self) -> frozenset[tuple[str, str]]:
        """Ordered pairs of names that fill successive roles in English text only."""
        rng = np.random.default_rng([self.world.seed, 7])
        casts = permutations(self._names, 2)
        return frozenset(cast for cast in casts if rng.random() < HELD_OUT_SHARE)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """English names of the people."""
        return tuple(name.forms[DOMINANT] for name in self.world.names)

    @cached_property
    def _by_kind(self) -> dict[str, list[Term]]:
        """Terms that can be listed, by kind."""
        kinds: dict[str, list[Term]] = defaultdict(list)
        kinds["person"] = list(self.world.names)
        for noun in self.world.nouns:
            kinds[noun.kind].append(noun)
        return kinds | {"place": list(self.world.kind("place")), "day": list(self.world.days)}

    def _words(self, *kinds: str) -> list[str]:
        """English nouns of some kinds that are single words."""
        terms = [term.forms[DOMINANT] for kind in kinds for term in self.world.kind(kind)]
        return [word for word in terms if word.isalpha()]

    def _like(self, first: Sentence, rng: np.random.Generator) -> Sentence:
        """Draw another sentence with the same verb and the same kinds of parts."""
        return Sentence(
            pick(rng, self.world.names),
            first.what,
            pick(rng, self._by_kind[first.whom.kind]),
            pick(rng, self.world.kind("place")) if first.where else None,
            int(rng.integers(7)) if first.when is not None else None,
        )
