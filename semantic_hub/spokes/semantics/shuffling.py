"""Other names in the same sentences, so that a name cannot give its role away.

Where *Emma* is mostly an agent, a model may read the role off the name. Here every role gets every
name about equally often.
"""

from collections.abc import Iterator, Sequence, Set

import numpy as np

from semantic_hub.spokes.semantics.cogs import Example, Examples, distinct_names

NO_NAME_LEFT = "no name left"
"""Why an example is left out: every choice of names gives a sentence that exists."""


def shuffled_names(
    examples: Sequence[Example], *, names: Sequence[str] | None = None, seed: int = 0
) -> Examples:
    """Every name of every example replaced, one to one within a sentence, by one of all names.

    Each role has a deck of all names, shuffled, from which its names are dealt, and then another
    one. So within a role all names are about equally frequent, and a name says nothing of its
    role. Cards are passed over until the names of a sentence differ and the sentence is neither
    one of the examples nor one already made.

    Args:
        examples: The examples; those without names stay as they are.
        names: The names to deal; None for all that the examples have.
        seed: Of the decks.

    Returns:
        The examples in their order, without those for which no name was left, which are counted.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> anna = Example("Anna ran .", LogicalForm.parse("run . agent ( x _ 1 , Anna )"))
        >>> bo = shuffled_names([anna], names=["Anna", "Bo"])[0]
        >>> bo.sentence, str(bo.form)
        ('Bo ran .', 'run . agent ( x _ 1 , Bo )')
    """
    pool = distinct_names(examples) if names is None else tuple(dict.fromkeys(names))
    rng = np.random.default_rng(seed)
    decks: dict[tuple[str, ...], _Deck] = {}
    taken = {example.sentence for example in examples}
    found = []
    for example in examples:
        for name in example.names:
            if example.roles(name) not in decks:
                decks[example.roles(name)] = _Deck(pool, rng)
        renamed = _renamed(example, [decks[example.roles(name)] for name in example.names], taken)
        if renamed is not None:
            found.append(renamed)
            taken.add(renamed.sentence)
    return Examples(tuple(found), {NO_NAME_LEFT: len(examples) - len(found)})


class _Deck:
    """All names in a random order, always with all of them in another random order behind it."""

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self.names, self.rng, self.cards = names, rng, list[str]()
        self._fill()

    def take(self, card: str) -> None:
        """The first such card leaves the deck."""
        self.cards.remove(card)
        self._fill()

    def _fill(self) -> None:
        while len(self.cards) <= len(self.names):
            self.cards += self.rng.permutation(np.array(self.names)).tolist()


def _renamed(example: Example, decks: Sequence[_Deck], taken: Set[str]) -> Example | None:
    """The example with the first names that make a new sentence, which leave their decks."""
    if not example.names:
        return example
    for new in _new_names(example.names, decks):
        renamed = example.renamed(new)
        if renamed.sentence not in taken:
            for deck, card in zip(decks, new.values(), strict=True):
                deck.take(card)
            return renamed
    return None


def _new_names(names: Sequence[str], decks: Sequence[_Deck]) -> Iterator[dict[str, str]]:
    """All ways to deal each name another from its deck, the topmost cards first."""
    if not names:
        yield {}
        return
    for card in decks[0].cards:
        for rest in _new_names(names[1:], decks[1:]):
            if card not in rest.values():
                yield {names[0]: card, **rest}
