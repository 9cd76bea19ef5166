"""Exchanges of what a question is about: one kind of question, about two things, in two notations.

The donor asks about one thing in notation X, the recipient about another in Y. Where what the two
have in common is one space, a patch makes the recipient answer for the donor's thing, in Y.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.exchange import Exchange
from semantic_hub.interventions.spec import Patching
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.spokes.sampling import evenly_spaced

TARGETS = ("donor", "recipient", "donor's notation")
"""Words to compare: the donor's answer and the recipient's in the recipient's notation, and the
donor's in its own."""

Item = TypeVar("Item")
Said = Callable[[Item, str], str]
"""How an item is put in a notation."""


@dataclass(frozen=True)
class Route:
    """Notations that activations come from, and the one that they go to.

    Example:
        >>> Route(("es",), "fr").name, Route(("en", "es"), "fr").name
        ('es -> fr', 'all -> fr')
    """

    donors: tuple[str, ...]
    recipient: str

    @property
    def name(self) -> str:
        """``"es -> fr"``; several donors are ``"all"``."""
        return f"{self.donors[0] if len(self.donors) == 1 else 'all'} -> {self.recipient}"


def circle(notations: Sequence[str]) -> list[Route]:
    """From each notation into the next, so that each gives once and receives once.

    Example:
        >>> [route.name for route in circle(("es", "fr", "ru"))]
        ['es -> fr', 'fr -> ru', 'ru -> es']
    """
    following = [*notations[1:], *notations[:1]]
    return [Route((donor,), to) for donor, to in zip(notations, following, strict=True)]


def averaged(recipients: Sequence[str], notations: Sequence[str]) -> list[Route]:
    """Into each recipient from all other notations at once; nothing where that is fewer than two.

    Example:
        >>> averaged(("fr",), ("en", "es", "fr"))
        [Route(donors=('en', 'es'), recipient='fr')]
    """
    routes = [Route(tuple(n for n in notations if n != to), to) for to in recipients]
    return [route for route in routes if len(route.donors) > 1]


def swap(
    items: Sequence[Item],
    donors: Sequence[str],
    recipient: str,
    question: Said[Item],
    answer: Said[Item],
    *,
    kind: Callable[[Item], str] | None = None,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[Exchange, ...]:
    """Each item of one notation into another item of another, with targets named as `TARGETS`.

    The recipient's item is the next one, in a circle that is shuffled once, that has another
    answer. An exchange is left out where two of its targets are spelt the same (case aside); of the
    words in the donors' own notations, those that the other two targets leave over count.

    Args:
        items: What can be asked.
        donors: Notations to ask the donor's item in; the runs are averaged.
        recipient: The notation to ask the recipient's item in, none of `donors`.
        question: An item and a notation to the text before the answer.
        answer: An item and a notation to the answer.
        kind: Only items of the same kind are exchanged; None exchanges all.
        seed: Of the circle.
        at_most: Exchanges to keep, evenly spaced.

    Returns:
        The exchanges; the reference of each is the donor's item in the recipient's notation.

    Raises:
        SemanticHubError: No donors, or the recipient among them.
    """
    _check_route(donors, recipient)

    def exchange(given: Item, asked: Item) -> Exchange:
        return Exchange(
            donors=tuple(Prompt(question(given, notation)) for notation in donors),
            recipient=Prompt(question(asked, recipient)),
            targets=_targets(
                answer(given, recipient),
                answer(asked, recipient),
                [answer(given, notation) for notation in donors],
            ),
            reference=Prompt(question(given, recipient)),
        )

    kinds = [kind(item) if kind else "" for item in items]
    answers = [answer(item, recipient).casefold() for item in items]
    found = [exchange(items[i], items[j]) for i, j in partners(kinds, answers, seed)]
    return evenly_spaced([e for e in found if e.targets[TARGETS[-1]]], at_most)


def partners(kinds: Sequence[str], answers: Sequence[str], seed: int) -> Iterator[tuple[int, int]]:
    """Each index with the next in a shuffled circle that is of its kind and has another answer.

    Args:
        kinds: The kind of each item.
        answers: The answer of each item.
        seed: Of the circle.

    Example:
        >>> list(partners(["a", "a", "b"], ["yes", "no", "no"], seed=0))
        [(0, 1), (1, 0)]
    """
    circle = np.random.default_rng(seed).permutation(len(kinds))
    places = np.argsort(circle)
    for index, place in enumerate(places):
        for other in np.roll(circle, -place):
            if kinds[other] == kinds[index] and answers[other] != answers[index]:
                yield index, int(other)
                break


def patchings(sets: Mapping[str, tuple[Exchange, ...]]) -> Mapping[str, Patching]:
    """Named sets to be patched at the last position; empty ones are left out."""
    return {name: Patching(exchanges) for name, exchanges in sets.items() if exchanges}


def _check_route(donors: Sequence[str], recipient: str) -> None:
    if not donors or recipient in donors:
        raise SemanticHubError(
            "exchanges",
            got=f"from {', '.join(donors) or 'none'} into {recipient}",
            expected="at least one notation to come from, other than the one to go to",
            fix="Choose two that differ.",
        )


def _targets(given: str, asked: str, own: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Words by name; none in the last group where all are spelt like the others."""
    taken = {given.casefold(), asked.casefold()}
    left_over = tuple(dict.fromkeys(word for word in own if word.casefold() not in taken))
    return dict(zip(TARGETS, ((given,), (asked,), left_over), strict=True))
