"""The semantics spoke: sentences and their logical forms, in the style of COGS.

Similarity pairs a sentence with its form; where the form differs in one fact, its two names have
changed places. The lens reads before proper names, and asks for the name of the role that the name
will have. There a role is also moved: from one name to another, by steering and by patching.
Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from semantic_hub.spokes.semantics.spoke import (
    Example,
    Examples,
    Meeting,
    NameReadouts,
    OtherName,
    SemanticsSpoke,
    examples,
    hard_negatives,
    meetings,
    pairs,
    patch_pairs,
    read_cogs,
    readouts,
    role_readouts,
    shuffled_names,
    steering,
    with_two_names,
)

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
