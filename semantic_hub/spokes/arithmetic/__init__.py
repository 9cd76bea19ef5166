"""Arithmetic spoke: ``a+b`` and ``a*b`` in digits and in the words of a language.

Similarity pairs an expression in digits with the same in words. The lens reads at ``c=a+``, where
the next token in digits is b, and scores the word for b. Steering changes b there by a step from a
to a + 1; patching replaces it by the b of another problem in another notation. Source: Wu et
al. 2025, arXiv 2411.04986, section 4 (arithmetic); the problems are the 846 sums and 277 products
of the paper's code.
"""

from semantic_hub.spokes.arithmetic.interventions import one_less, patch_pairs, steering
from semantic_hub.spokes.arithmetic.items import OPERATIONS, Problem, problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke, hard_negatives, pairs, readouts

__all__ = [
    "OPERATIONS",
    "ArithmeticSpoke",
    "Problem",
    "hard_negatives",
    "one_less",
    "pairs",
    "patch_pairs",
    "problems",
    "readouts",
    "steering",
]
