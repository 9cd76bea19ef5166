"""The arithmetic spoke: ``a+b`` and ``a*b`` in figures, and the same in the words of a language.

Similarity pairs an expression in figures with the same in words. The lens reads at ``c=a+``, where
the next token in figures is the digit b, and asks for the word for b. There b is also intervened
on: by a step from a to a + 1, and by the b of another problem, in another notation. Source: Wu et
al. 2025, arXiv 2411.04986, section 4 (arithmetic); the problems are the 846 sums and 277 products
of the paper's code.
"""

from semantic_hub.spokes.arithmetic.spoke import (
    OPERATIONS,
    ArithmeticSpoke,
    OneLess,
    Problem,
    hard_negatives,
    pairs,
    patch_pairs,
    problems,
    readouts,
    steering,
)

__all__ = [
    "OPERATIONS",
    "ArithmeticSpoke",
    "OneLess",
    "Problem",
    "patch_pairs",
    "hard_negatives",
    "pairs",
    "problems",
    "readouts",
    "steering",
]
