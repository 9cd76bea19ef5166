"""Semantics spoke: sentences and their logical forms, in the style of COGS.

Similarity pairs a sentence with its form; in a hard negative, the two names of the form are
exchanged. The lens reads before proper names and scores the word for the role that the name will
have. Steering and patching move a role from one name to the other.
Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from semantic_hub.spokes.semantics.cogs import Example, Examples, read_cogs
from semantic_hub.spokes.semantics.interventions import (
    TransitiveEvent,
    other_name,
    patch_pairs,
    steering,
    transitive_events,
)
from semantic_hub.spokes.semantics.reading import NameReadouts, readouts, role_readouts
from semantic_hub.spokes.semantics.shuffling import shuffled_names
from semantic_hub.spokes.semantics.spoke import (
    SemanticsSpoke,
    examples,
    hard_negatives,
    pairs,
    with_two_names,
)

__all__ = [
    "Example",
    "Examples",
    "NameReadouts",
    "SemanticsSpoke",
    "TransitiveEvent",
    "examples",
    "hard_negatives",
    "other_name",
    "pairs",
    "patch_pairs",
    "read_cogs",
    "readouts",
    "role_readouts",
    "shuffled_names",
    "steering",
    "transitive_events",
    "with_two_names",
]
