"""The semantics spoke: sentences and their logical forms, in the style of COGS.

Similarity pairs a sentence with its form; where the form differs in one fact, its two names have
changed places. The lens reads before proper names, and asks for the name of the role that the name
will have. There a role is also moved: from one name to another, by steering and by patching.
Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Patching, Steering
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.models.layers import layer_name
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.spokes.sampling import evenly_spaced
from semantic_hub.spokes.semantics.cogs import Example, Examples, distinct_names, read_cogs
from semantic_hub.spokes.semantics.grammar import NAMES, random_event
from semantic_hub.spokes.semantics.interventions import (
    Meeting,
    OtherName,
    meetings,
    patch_pairs,
    steering,
)
from semantic_hub.spokes.semantics.logical_forms import LogicalForm
from semantic_hub.spokes.semantics.readouts import NameReadouts, readouts, role_readouts
from semantic_hub.spokes.semantics.shuffling import shuffled_names

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = [
    "Example",
    "Examples",
    "Meeting",
    "NameReadouts",
    "OtherName",
    "SemanticsSpoke",
    "examples",
    "patch_pairs",
    "hard_negatives",
    "meetings",
    "pairs",
    "read_cogs",
    "readouts",
    "role_readouts",
    "shuffled_names",
    "steering",
    "with_two_names",
]


def examples(
    count: int = 300, *, names: Sequence[str] = NAMES, seed: int = 0
) -> tuple[Example, ...]:
    """Sentences of `semantic_hub.spokes.semantics.grammar`, all different.

    Args:
        count: How many.
        names: Proper names to draw from.
        seed: Of the draws.

    Example:
        >>> len({example.sentence for example in examples(20)})
        20
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Example] = {}
    while len(found) < count:
        example = Example.from_event(random_event(rng, names=names))
        found.setdefault(example.sentence, example)
    return tuple(found.values())


def with_two_names(items: Sequence[Example]) -> tuple[Example, ...]:
    """The examples with exactly two proper names, neither of which the sentence has twice."""
    return tuple(e for e in items if len(e.names) == 2 and not e.has_repeated_name)


def pairs(items: Sequence[Example], *, shuffle: bool = False, seed: int = 0) -> Pairs:
    """Sentences against their logical forms, labelled with what they mean.

    Args:
        items: The examples.
        shuffle: Put the conjuncts of each form in a random order.
        seed: Of the orders.

    Example:
        >>> from semantic_hub.spokes.semantics.logical_forms import LogicalForm
        >>> form = "see . agent ( x _ 1 , Anna ) AND see . theme ( x _ 1 , Bo )"
        >>> found = pairs([Example("Anna saw Bo .", LogicalForm.parse(form))])
        >>> found.x[0].text, found.y[0].text
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
    """`pairs`, but in each form the two names have changed places; nothing else differs.

    With `shuffle` the conjuncts are in the same order as in `pairs` of the same seed, so that the
    order of the names in sentence and form tells nothing.

    Args:
        items: Examples with exactly two proper names each; see `with_two_names`.
        shuffle: Put the conjuncts of each form in a random order.
        seed: Of the orders.

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
    """Formal semantics for `semantic_hub.run`: sentences against logical forms.

    Args:
        items: Sentences with forms, such as `read_cogs` gives; by default some of the grammar's.
        told: What the interventions ask about; by default meetings of the examples' names.
        at_most: Pairs and read-outs in each set, evenly spaced.
        seed: Of names and orders that are shuffled, and of meetings.
        words: Whether to steer by the names of the roles as well; each must be one token.

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
    told: Sequence[Meeting] | None = None
    at_most: int = 500
    seed: int = 0
    words: bool = True
    name: str = "semantics"

    def __post_init__(self) -> None:
        found = len(with_two_names(self.items))
        if found < 2:
            raise SemanticHubError(
                "SemanticsSpoke",
                got=f"{found} examples with exactly two names",
                expected="at least 2 of them, for the hard negatives",
                fix="Give more examples.",
            )

    def pairs(self) -> Mapping[str, Pairs]:
        """Sentences with two names against their forms, as they are and with shuffled conjuncts."""
        return self._sets(pairs)

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """For each set of `pairs` the same x, with the two names exchanged in y."""
        return self._sets(hard_negatives)

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Before proper names, which are shuffled; `name_readouts` also knows their roles."""
        return {_BEFORE: self.name_readouts.readouts}

    @cached_property
    def name_readouts(self) -> NameReadouts:
        """The read-outs with the roles of their names, and what was dropped."""
        shuffled = shuffled_names(self.items, seed=self.seed)
        return readouts([e for e in shuffled if e.names]).evenly_spaced(self.at_most)

    def figures(self, found: Findings) -> Mapping[str, "go.Figure"]:
        """The role matrix where its diagonal is highest, and its diagonal over layers."""
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
        """A role direction added at a name, and answers patched between active and passive."""
        told = self.told
        if told is None:
            told = meetings(2 * _ASKED, names=distinct_names(self.items), seed=self.seed)
        return {
            "who did it": steering(told, words=self.words, at_most=_ASKED),
            "who it was done to": steering(told, passive=True, words=self.words, at_most=_ASKED),
            "passive -> active": Patching(patch_pairs(told, at_most=_ASKED)),
            "active -> passive": Patching(patch_pairs(told, passive=True, at_most=_ASKED)),
        }

    def _sets(self, make: Callable[..., Pairs]) -> Mapping[str, Pairs]:
        chosen = evenly_spaced(with_two_names(self.items), self.at_most)
        return {
            "logical form": make(chosen),
            "logical form, shuffled": make(chosen, shuffle=True, seed=self.seed),
        }


_BEFORE = "before names"
_ASKED = 100  # prompts in each set of interventions: each is run at every layer


def _forms(items: Sequence[Example], shuffle: bool, seed: int) -> list[LogicalForm]:
    rng = np.random.default_rng(seed)
    return [example.form.reordered(rng) if shuffle else example.form for example in items]
