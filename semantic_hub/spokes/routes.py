"""Patch pairs between notations: the same kind of question about two items, in two notations.

The source asks about one item in notation X, the base about another in Y. If both notations share
one representation, a patch makes the base answer for the source's item, in Y.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.interventions.patching.pairs import BASE_ANSWER, PatchPair
from semantic_hub.interventions.spec import Patching, PromptForm
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced

SOURCE_ANSWER = "source"
"""Name of the source's answer, in the base's notation."""

SOURCE_NOTATION_ANSWER = "source's notation"
"""Name of the source's answer, in the sources' own notations."""

ANSWERS = (SOURCE_ANSWER, BASE_ANSWER, SOURCE_NOTATION_ANSWER)
"""Names of the answers of every pair that `make_pairs` makes, in their order."""

HELD_OUT = 16
"""Questions by which the form of a set's prompts is chosen."""

Item = TypeVar("Item")
Wording = Callable[[Item, str], str]
"""From an item and a notation to its text."""


@dataclass(frozen=True)
class Route:
    """Notations that activations come from, and the notation that they go to.

    Args:
        sources: Notations of the sources; the runs of several are averaged.
        base: Notation of the base.

    Example:
        >>> Route(("es",), "fr").name, Route(("en", "es"), "fr").name
        ('es -> fr', 'all -> fr')
    """

    sources: tuple[str, ...]
    base: str

    @property
    def name(self) -> str:
        """Name such as ``"es -> fr"``, with ``"all"`` for several sources."""
        return f"{self.sources[0] if len(self.sources) == 1 else 'all'} -> {self.base}"


def ring_routes(notations: Sequence[str]) -> list[Route]:
    """Routes from each notation into the next, and from the last into the first.

    Args:
        notations: At least two.

    Example:
        >>> [route.name for route in ring_routes(("es", "fr", "ru"))]
        ['es -> fr', 'fr -> ru', 'ru -> es']
    """
    following = [*notations[1:], *notations[:1]]
    return [Route((source,), base) for source, base in zip(notations, following, strict=True)]


def averaged_routes(bases: Sequence[str], notations: Sequence[str]) -> list[Route]:
    """Routes into each base from all other notations together, if those are at least two.

    Args:
        bases: Notations to go to.
        notations: Notations to come from.

    Example:
        >>> averaged_routes(("fr",), ("en", "es", "fr"))
        [Route(sources=('en', 'es'), base='fr')]
    """
    routes = [Route(tuple(n for n in notations if n != base), base) for base in bases]
    return [route for route in routes if len(route.sources) > 1]


def make_pairs(
    items: Sequence[Item],
    sources: Sequence[str],
    base: str,
    question: Wording[Item],
    answer: Wording[Item],
    *,
    kind: Callable[[Item], str] | None = None,
    seed: int = 0,
    at_most: int = 100,
) -> tuple[PatchPair, ...]:
    """Make patch pairs: each item is the source once; the base is an item with another answer.

    The base's item is the next one, in a ring that is shuffled once, with another answer. A pair
    is left out where two of its answers are spelled the same (case aside); of the words in the
    sources' own notations, those count that differ from the other two answers.

    Args:
        items: What can be asked.
        sources: Notations of the source's question; their runs are averaged.
        base: Notation of the base's question, none of `sources`.
        question: An item and a notation to the text before the answer.
        answer: An item and a notation to the answer.
        kind: Only items of the same kind are paired; None pairs all.
        seed: Seed of the shuffled ring.
        at_most: Pairs to keep, evenly spaced.

    Returns:
        The pairs; the reference of each is the source's item in the base's notation.

    Raises:
        SemanticHubError: No sources, or the base among them.
    """
    if not sources or base in sources:
        raise SemanticHubError(
            "patch_pairs",
            got=f"from {', '.join(sources) or 'none'} into {base}",
            expected="at least one notation to come from, other than the one to go to",
            fix="Choose two that differ.",
        )

    kinds = [kind(item) if kind else "" for item in items]
    in_base = [answer(item, base) for item in items]
    in_sources = [[answer(item, notation) for notation in sources] for item in items]
    folded = [word.casefold() for word in in_base]
    answers = {
        (i, j): _answers(in_base[i], in_base[j], in_sources[i])
        for i, j in partners(kinds, folded, seed)
    }
    apart = [places for places, words in answers.items() if words[SOURCE_NOTATION_ANSWER]]
    return tuple(
        PatchPair(
            sources=tuple(Prompt(question(items[i], notation)) for notation in sources),
            base=Prompt(question(items[j], base)),
            answers=answers[i, j],
            reference=Prompt(question(items[i], base)),
        )
        for i, j in evenly_spaced(apart, at_most)
    )


def make_forms(
    items: Sequence[Item],
    sources: Sequence[str],
    base: str,
    questions: Mapping[str, Wording[Item]],
    answer: Wording[Item],
    *,
    others: Sequence[Item] | None = None,
    seed: int = 0,
    at_most: int = 100,
) -> dict[str, PromptForm]:
    """Make the same patch pairs in several wordings, each with the same held-out questions.

    Args:
        items: What can be asked.
        sources: Notations of the source's question.
        base: Notation of the base's question.
        questions: By name of the form, an item and a notation to the text before the answer.
        answer: An item and a notation to the answer.
        others: Items to hold out, of those that no pair asks for; None for `items`.
        seed: Seed of the shuffled ring, and of the sample of `HELD_OUT` items.
        at_most: Pairs to keep, evenly spaced.

    Returns:
        By name, the pairs as `make_pairs` makes them, and held-out questions in the base's
        notation.

    Raises:
        SemanticHubError: As `make_pairs`.
    """
    pairs = {
        name: make_pairs(items, sources, base, ask, answer, seed=seed, at_most=at_most)
        for name, ask in questions.items()
    }
    first = next(iter(questions))
    asked = {p.text for pair in pairs[first] for p in (pair.base, pair.reference) if p is not None}
    left = [
        item
        for item in (items if others is None else others)
        if questions[first](item, base) not in asked
    ]
    order = np.random.default_rng(as_seed(seed)).permutation(len(left))
    held_out = [left[index] for index in sorted(order[:HELD_OUT])]
    return {
        name: PromptForm(
            pairs[name],
            tuple(
                Readout(Prompt(ask(item, base)), {"right": (answer(item, base),)})
                for item in held_out
            ),
        )
        for name, ask in questions.items()
    }


def partners(kinds: Sequence[str], answers: Sequence[str], seed: int) -> Iterator[tuple[int, int]]:
    """Give each index a random partner of the same kind with another answer, as pairs of indices.

    Args:
        kinds: The kind of each item.
        answers: The answer of each item.
        seed: Seed of the shuffled ring.

    Example:
        >>> list(partners(["a", "a", "b"], ["yes", "no", "no"], seed=0))
        [(0, 1), (1, 0)]
    """
    ring = np.random.default_rng(as_seed(seed)).permutation(len(kinds))
    places = np.argsort(ring)
    for index, place in enumerate(places):
        for other in np.roll(ring, -place):
            if kinds[other] == kinds[index] and answers[other] != answers[index]:
                yield index, int(other)
                break


def patchings(sets: Mapping[str, tuple[PatchPair, ...]]) -> Mapping[str, Patching]:
    """Make a patching at the last position of each named set of pairs, except empty sets.

    Args:
        sets: Mapping from name to pairs.
    """
    return {name: Patching(pairs) for name, pairs in sets.items() if pairs}


def patchings_in_forms(sets: Mapping[str, Mapping[str, PromptForm]]) -> Mapping[str, Patching]:
    """Make a patching at the last position of each named set in several forms, except empty sets.

    Args:
        sets: Mapping from name to forms, as `make_forms` makes them.
    """
    firsts = {name: next(iter(forms.values())).patch_pairs for name, forms in sets.items()}
    return {name: Patching(pairs, forms=sets[name]) for name, pairs in firsts.items() if pairs}


def _answers(source: str, base: str, in_sources: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Words by name; the last group is empty where all are spelled like the others."""
    taken = {source.casefold(), base.casefold()}
    left_over = tuple(dict.fromkeys(word for word in in_sources if word.casefold() not in taken))
    return dict(zip(ANSWERS, ((source,), (base,), left_over), strict=True))
