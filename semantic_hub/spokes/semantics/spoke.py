"""`SemanticsSpoke`: named sets of everything that the semantics data offer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from semantic_hub.errors import SemanticHubError, as_list, as_seed
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, Steering
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.models.layers import layer_name
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.cogs import Example, distinct_names
from semantic_hub.spokes.semantics.grammar import NAMES, random_event
from semantic_hub.spokes.semantics.interventions import (
    TransitiveEvent,
    patch_pairs,
    steering,
    transitive_events,
)
from semantic_hub.spokes.semantics.logical_forms import LogicalForm
from semantic_hub.spokes.semantics.reading import NameReadouts, readouts
from semantic_hub.spokes.semantics.shuffling import shuffled_names

if TYPE_CHECKING:
    import plotly.graph_objects as go


_BEFORE = "before names"
"""Name of the set of read-outs."""

_N_ASKED = 100
"""Number of prompts in each set of interventions: each is run at every layer."""


def examples(
    count: int = 300, *, names: Sequence[str] = NAMES, seed: int = 0
) -> tuple[Example, ...]:
    """Draw distinct sentences of `semantic_hub.spokes.semantics.grammar` with their forms.

    Args:
        count: Number of sentences.
        names: Proper names to draw from.
        seed: Seed of the draws.

    Example:
        >>> len({example.sentence for example in examples(20)})
        20
    """
    names = as_list("examples", "names", names, str)
    rng = np.random.default_rng(as_seed(seed))
    by_sentence: dict[str, Example] = {}
    while len(by_sentence) < count:
        example = Example.from_event(random_event(rng, names=names))
        by_sentence.setdefault(example.sentence, example)
    return tuple(by_sentence.values())


def with_two_names(items: Sequence[Example]) -> tuple[Example, ...]:
    """Examples with exactly two proper names, neither of which occurs twice."""
    return tuple(e for e in items if len(e.names) == 2 and not e.has_repeated_name)


def pairs(items: Sequence[Example], *, shuffle: bool = False, seed: int = 0) -> Pairs:
    """Pair sentences with their logical forms, labeled with their meanings.

    Args:
        items: The examples.
        shuffle: Whether to shuffle the conjuncts of each form.
        seed: Seed of the shuffling.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> form = "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )"
        >>> paired = pairs([Example("Anna saw Bo .", LogicalForm.parse(form))])
        >>> paired.x[0].text, paired.y[0].text
        ('Anna saw Bo .', 'see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )')
    """
    return Pairs.from_prompts(
        [example.sentence for example in items],
        [str(form) for form in _forms(items, shuffle, seed)],
        x_name="sentence",
        y_name="logical form",
        labels=[example.form.meaning for example in items],
    )


def hard_negatives(items: Sequence[Example], *, shuffle: bool = False, seed: int = 0) -> Pairs:
    """Pair sentences with forms in which the two names are exchanged; nothing else differs.

    With `shuffle` the conjuncts have the same order as in `pairs` of the same seed, so that the
    order of the names in sentence and form is uninformative.

    Args:
        items: Examples with exactly two proper names each; see `with_two_names`.
        shuffle: Whether to shuffle the conjuncts of each form.
        seed: Seed of the shuffling.

    Raises:
        SemanticHubError: An example with another number of names.

    Example:
        >>> form = "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )"
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> hard_negatives([Example("Anna saw Bo .", LogicalForm.parse(form))]).y[0].text
        'see . agent ( x _ 1 , Bo ) AND see . theme ( x _ 1 , Anna )'
    """
    wrong = [example for example in items if len(example.names) != 2]
    if wrong:
        raise SemanticHubError(
            "semantics.hard_negatives",
            got=f"{wrong[0].sentence!r} with {len(wrong[0].names)} proper names",
            expected="exactly two, to exchange them",
            fix="Choose examples with with_two_names().",
        )
    forms = _forms(items, shuffle, seed)
    swapped = [
        form.renamed(dict(zip(e.names, reversed(e.names), strict=True)))
        for e, form in zip(items, forms, strict=True)
    ]
    y = tuple(Prompt(str(form)) for form in swapped)
    return replace(pairs(items, shuffle=shuffle, seed=seed), y=y)


@dataclass(frozen=True)
class SemanticsSpoke(Spoke):
    """Semantics spoke: sentences against logical forms.

    Args:
        items: Sentences with forms, such as from `read_cogs`; by default some of the grammar.
        events: Events of the interventions; by default `transitive_events` of the examples' names.
        at_most: Pairs and read-outs in each set, evenly spaced.
        seed: Seed of shuffled names and orders, and of the events.
        words: Whether to steer by the words for the roles as well; each must be one token.
        name: Name of the spoke in results.

    Raises:
        SemanticHubError: Fewer than two examples with exactly two names.

    Example:
        >>> spoke = SemanticsSpoke(examples(200))
        >>> list(spoke.pairs()), list(spoke.readouts())
        (['logical form', 'logical form, shuffled'], ['before names'])
        >>> list(spoke.interventions())
        ['who did it', 'who it was done to', 'passive -> active', 'active -> passive']
    """

    items: Sequence[Example] = field(default_factory=examples)
    events: Sequence[TransitiveEvent] | None = None
    at_most: int = 500
    seed: int = 0
    words: bool = True
    name: str = "semantics"

    def __post_init__(self) -> None:
        n_usable = len(with_two_names(self.items))
        if n_usable < 2:
            raise SemanticHubError(
                "SemanticsSpoke",
                got=f"{n_usable} examples with exactly two names",
                expected="at least 2 of them, for the hard negatives",
                fix="Give more examples.",
            )

    def pairs(self) -> Mapping[str, Pairs]:
        """Sentences with two names against their forms, as written and with shuffled conjuncts."""
        return self._sets(pairs)

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Sentences against forms with exchanged names, for each set of pairs."""
        return self._sets(hard_negatives)

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs before shuffled proper names; `name_readouts` also has their roles."""
        return {_BEFORE: self.name_readouts.readouts}

    @cached_property
    def name_readouts(self) -> NameReadouts:
        """The read-outs with the roles of their names, and what was dropped."""
        shuffled = shuffled_names(self.items, seed=self.seed)
        return readouts([e for e in shuffled if e.names]).evenly_spaced(self.at_most)

    def figures(self, found: Findings) -> Mapping[str, "go.Figure"]:
        """Role matrix at the layer where its mean diagonal is highest, and that mean by layer."""
        if _BEFORE not in found.lens:
            return {}
        reads = self.name_readouts
        matrix = LabelMatrix.from_lens(found.lens[_BEFORE], reads.readouts, reads.roles)
        best = layer_name(matrix.layers[int(matrix.diagonal.argmax())])
        return {
            f"Roles before names, layer {best}": matrix.figure(),
            "Roles before names: mean of the diagonal": matrix.diagonal_figure(),
        }

    def interventions(self) -> Mapping[str, Patching | Steering]:
        """Steering by a role direction at a name, and patching between active and passive."""
        events = self.events
        if events is None:
            names = distinct_names(self.items)
            events = transitive_events(2 * _N_ASKED, names=names, seed=self.seed)
        words = self.words
        return {
            "who did it": steering(events, words=words, at_most=_N_ASKED),
            "who it was done to": steering(events, passive=True, words=words, at_most=_N_ASKED),
            "passive -> active": Patching(patch_pairs(events, at_most=_N_ASKED)),
            "active -> passive": Patching(patch_pairs(events, passive=True, at_most=_N_ASKED)),
        }

    def _sets(self, make: Callable[..., Pairs]) -> Mapping[str, Pairs]:
        """Sets of pairs with conjuncts as written and shuffled."""
        chosen = evenly_spaced(with_two_names(self.items), self.at_most)
        return {
            "logical form": make(chosen),
            "logical form, shuffled": make(chosen, shuffle=True, seed=self.seed),
        }


def _forms(items: Sequence[Example], shuffle: bool, seed: int) -> list[LogicalForm]:
    """Logical forms of the examples, optionally with shuffled conjuncts."""
    rng = np.random.default_rng(as_seed(seed))
    return [example.form.reordered(rng) if shuffle else example.form for example in items]
