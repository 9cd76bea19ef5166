"""Code and semantics spokes of a world, with programs and forms that its training held out.

Sums, facts, counts and happenings are held out by the world; lists and calls are drawn anew, like
sentences.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.semantics.cogs import Example
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke
from semantic_hub.zoo.world.facts import World, pick
from semantic_hub.zoo.world.formal_text import FormalText
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Meaning
from semantic_hub.zoo.world.programs import Count, program

Drawn = TypeVar("Drawn")
_ENGLISH = Voice(DOMINANT)


def world_code(world: World, *, held_out: bool = True, each: int = 60) -> CodeSpoke:
    """Code spoke of a world: programs of five kinds with English descriptions.

    Counts to steer at ``range(`` follow a comment with their end (``# end six.``), so that each has
    its own prompt; those have no description.

    Args:
        world: The world.
        held_out: Whether to draw programs that were held out of the training text, or others.
        each: Number of programs of each kind.

    Example:
        >>> spoke = world_code(World(seed=0), each=2)
        >>> spoke.programs[0].code, spoke.programs[0].text
        ('body = ["head", "face", "heart"]', 'body: head, face, and heart.')
    """
    text, rng = FormalText(world), np.random.default_rng([world.seed, 8])
    sums = [s for s in world.sums if (s.key in world.held_out) == held_out]
    facts = [f for f in world.facts if (f.key in world.held_out) == held_out]
    kinds: Mapping[str, Callable[[], Meaning]] = {
        "list": lambda: _until(lambda: text.listing(rng), lambda drawn: drawn.conjunction == "and"),
        "call": lambda: _until(lambda: text.calls(rng), lambda drawn: not drawn.keyword),
        "count": lambda: text.count(rng, held_out=held_out),
        "sum": lambda: pick(rng, sums),
        "fact": lambda: pick(rng, facts),
    }
    programs = [
        Program(program(meaning), meaning.say(_ENGLISH), source=kind)
        for kind, draw in kinds.items()
        for meaning in _distinct(draw, each)
    ]
    return CodeSpoke([*programs, *_counts_to_an_end(text, rng, held_out=held_out, each=each)])


def world_semantics(world: World, *, held_out: bool = True, count: int = 400) -> SemanticsSpoke:
    """Semantics spoke of a world: sentences about happenings with logical forms.

    Args:
        world: The world.
        held_out: Whether to draw happenings with held-out pairs of names, or others.
        count: Number of happenings.

    Example:
        >>> len(world_semantics(World(seed=0), count=40).items)
        40
    """
    text, rng = FormalText(world), np.random.default_rng([world.seed, 9])
    happenings = (text.happening(rng, held_out=held_out) for _ in range(count))
    return SemanticsSpoke([Example.from_event(happening.event) for happening in happenings])


def _counts_to_an_end(
    text: FormalText, rng: np.random.Generator, *, held_out: bool, each: int
) -> Iterator[Program]:
    """Programs with ``range(n)`` after a comment with its end."""
    for end in rng.permutation(np.arange(1, 100)).tolist():
        count = Count(0, end, with_start=False)
        if each and (count.key in text.held_out_counts) == held_out:
            each -= 1
            yield Program(f"# {count.say(_ENGLISH)}\n{program(count)}", source="count")


def _distinct(draw: Callable[[], Meaning], count: int) -> list[Meaning]:
    """Draw meanings with distinct English texts."""
    by_text: dict[str, Meaning] = {}
    while len(by_text) < count:
        meaning = draw()
        by_text.setdefault(meaning.say(_ENGLISH), meaning)
    return list(by_text.values())


def _until(draw: Callable[[], Drawn], fits: Callable[[Drawn], bool]) -> Drawn:
    """Draw until a meaning fits."""
    return next(drawn for drawn in iter(draw, None) if fits(drawn))
