"""The code spoke: programs against their descriptions, and what a program does not say in words.

Similarity pairs a program with a sentence that says what it does. The lens reads at two places
where a word could stand that Python does not write: behind a comma between the elements of a list
(``and``), and before an argument (the name of the parameter that it fills). At ``range(`` the model
is steered from *end* to *start*. Source: Wu et al. 2025, arXiv 2411.04986, section 4 (code).

The lens' ``surface`` is always the token that really comes next, by the tokens of the whole
program; where a token spans the place (``((``, ``',``), the read-out is dropped and counted.
"""

from semantic_hub.spokes.code.spoke import (
    Argument,
    CodeSpoke,
    Program,
    argument_readouts,
    arguments,
    hard_negatives,
    list_readouts,
    pairs,
    programs_from_folder,
    programs_from_jsonl,
    standard_library_functions,
    steering,
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
