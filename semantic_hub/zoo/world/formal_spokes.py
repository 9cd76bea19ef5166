"""The code and the semantics spoke on a world: programs and forms that its training held out.

Sums, facts, counts and happenings are held out as the world says; lists and calls are drawn afresh,
as sentences are.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from semantic_hub.spokes.code.spoke import CodeSpoke, Program
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
    """Programs of the five kinds that the world tells, with what they say in English.

    Counts to steer at ``range(`` are told with their end alone, in a comment (``# end six.``), so
    that each has a prompt of its own; those have no description.

    Args:
        world: The world.
        held_out: Programs that no program of the training text was, or such as it told.
        each: Programs of each kind.

    Example:
        >>> spoke = world_code(World(seed=0), each=2)
        >>> spoke.programs[0].code, spoke.programs[0].text
        ('body = ["head", "face", "heart"]', 'body: head, face, and heart.')
    """
    text, rng = FormalText(world), np.random.default_rng([world.seed, 8])
    known = [[m for m in told if (m.key in world.held_out) == held_out]
             for told in (world.sums, world.facts)]  # fmt: skip
    kinds: Mapping[str, Callable[[], Meaning]] = {
        "list": lambda: _until(lambda: text.listing(rng), lambda told: told.conjunction == "and"),
        "call": lambda: _until(lambda: text.calls(rng), lambda told: not told.keyword),
        "count": lambda: text.count(rng, held_out=held_out),
        "sum": lambda: pick(rng, known[0]),
        "fact": lambda: pick(rng, known[1]),
    }
    programs = [
        Program(program(meaning), meaning.say(_ENGLISH), source=kind)
        for kind, draw in kinds.items()
        for meaning in _distinct(draw, each)
    ]
    return CodeSpoke([*programs, *_counts_to_an_end(text, rng, held_out=held_out, each=each)])


def world_semantics(world: World, *, held_out: bool = True, count: int = 400) -> SemanticsSpoke:
    """Happenings whose names the logical forms never had together, or such as they told.

    Args:
        world: The world.
        held_out: Which.
        count: Happenings.

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
    """``range(n)`` behind a comment that says its end."""
    for end in rng.permutation(np.arange(1, 100)).tolist():
        count = Count(0, end, told=False)
        if each and (count.key in text.held_out_counts) == held_out:
            each -= 1
            yield Program(f"# {count.say(_ENGLISH)}\n{program(count)}", source="count")


def _distinct(draw: Callable[[], Meaning], count: int) -> list[Meaning]:
    found: dict[str, Meaning] = {}
    while len(found) < count:
        meaning = draw()
        found.setdefault(meaning.say(_ENGLISH), meaning)
    return list(found.values())


def _until(draw: Callable[[], Drawn], fits: Callable[[Drawn], bool]) -> Drawn:
    return next(drawn for drawn in iter(draw, None) if fits(drawn))
