"""Semantics spoke: sentences and their logical forms, in the style of COGS.

Similarity pairs a sentence with its form; in a hard negative, the two names of the form are
exchanged. The lens reads before proper names and scores the word for the role that the name will
have. Steering and patching move a role from one name to the other.
Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from semantic_hub.spokes.semantics.spoke import (
    Example,
    Examples,
    NameReadouts,
    SemanticsSpoke,
    TransitiveEvent,
    examples,
    hard_negatives,
    other_name,
    pairs,
    patch_pairs,
    read_cogs,
    readouts,
    role_readouts,
    shuffled_names,
    steering,
    transitive_events,
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
