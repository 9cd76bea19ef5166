"""Shuffle the names of sentences, so that a name does not reveal its role.

If *Emma* is mostly an agent, a model may infer the role from the name. After shuffling, every role
has every name about equally often.
"""

from collections.abc import Iterator, Sequence, Set

import numpy as np

from semantic_hub.errors import as_list, as_seed
from semantic_hub.spokes.semantics.cogs import Example, Examples, distinct_names

NO_NAME_LEFT = "no name left"
"""Reason to leave an example out: every choice of names gives an existing sentence."""


def shuffled_names(
    examples: Sequence[Example], *, names: Sequence[str] | None = None, seed: int = 0
) -> Examples:
    """Replace the names in each sentence, so that all are about equally frequent in each role.

    Each role has a shuffled deck of all names, from which its names are dealt; an empty deck is
    followed by a new one. So all names are about equally frequent in each role. Cards are skipped
    until the names of a sentence differ and the sentence is new.

    Args:
        examples: The examples; those without names are unchanged.
        names: Names to deal; None for all names of the examples.
        seed: Seed of the decks.

    Returns:
        The renamed examples in their order; those for which no name was left are skipped and
        counted.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> anna = Example("Anna ran .", LogicalForm.parse("run . agent ( x _ 1 , Anna )"))
        >>> bo = shuffled_names([anna], names=["Anna", "Bo"])[0]
        >>> bo.sentence, str(bo.form)
        ('Bo ran .', 'run . agent ( x _ 1 , Bo )')
    """
    given = names if names is None else as_list("shuffled_names", "names", names, str)
    pool = distinct_names(examples) if given is None else tuple(dict.fromkeys(given))
    rng = np.random.default_rng(as_seed(seed))
    decks: dict[tuple[str, ...], _Deck] = {}
    taken = {example.sentence for example in examples}
    shuffled = []
    for example in examples:
        for name in example.names:
            if example.roles(name) not in decks:
                decks[example.roles(name)] = _Deck(pool, rng)
        renamed = _renamed(example, [decks[example.roles(name)] for name in example.names], taken)
        if renamed is not None:
            shuffled.append(renamed)
            taken.add(renamed.sentence)
    return Examples(tuple(shuffled), {NO_NAME_LEFT: len(examples) - len(shuffled)})


class _Deck:
    """Deck of all names in random order, refilled with all names in another random order."""

    def __init__(self, names: Sequence[str], rng: np.random.Generator) -> None:
        self.names, self.rng, self.cards = names, rng, list[str]()
        self._fill()

    def take(self, card: str) -> None:
        """Remove the first such card from the deck."""
        self.cards.remove(card)
        self._fill()

    def _fill(self) -> None:
        while len(self.cards) <= len(self.names):
            self.cards += self.rng.permutation(np.array(self.names)).tolist()


def _renamed(example: Example, decks: Sequence[_Deck], taken: Set[str]) -> Example | None:
    """The example with the first names that make a new sentence; they leave their decks."""
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
    """All ways to deal distinct new names from the decks, the topmost cards first."""
    if not names:
        yield {}
        return
    for card in decks[0].cards:
        for rest in _new_names(names[1:], decks[1:]):
            if card not in rest.values():
                yield {names[0]: card, **rest}
