"""Code spoke: programs against their descriptions, and words that programs leave out.

Similarity pairs a program with a sentence that says what it does. The lens reads at two places
where Python leaves out a word: after a comma between the elements of a list (``and``), and before
an argument (the name of its parameter). At ``range(`` the model is steered from *end* to *start*.
Source: Wu et al. 2025, arXiv 2411.04986, section 4 (code).

``surface`` in the lens is always the actual next token among the tokens of the whole program; if a
token spans the position (``((``, ``',``), the read-out is dropped and counted.
"""

from semantic_hub.spokes.code.files import (
    programs_from_folder,
    programs_from_jsonl,
    standard_library_functions,
)
from semantic_hub.spokes.code.interventions import steering
from semantic_hub.spokes.code.places import Argument, arguments
from semantic_hub.spokes.code.programs import Program
from semantic_hub.spokes.code.spoke import (
    CodeSpoke,
    argument_readouts,
    hard_negatives,
    list_readouts,
    pairs,
)

__all__ = [
    "Argument",
    "CodeSpoke",
    "Program",
    "argument_readouts",
    "arguments",
    "hard_negatives",
    "list_readouts",
    "pairs",
    "programs_from_folder",
    "programs_from_jsonl",
    "standard_library_functions",
    "steering",
]
