"""Evidence 1: do two forms of the same meaning share a state?

`pairwise` compares pairs in a model, with null controls from `controls` that `surface` checks.
`measures` lists every measure: `cosine` (Eq. 1), `normalized`, `retrieval`, `cka`, `neighbors`, all on
`states` scaled once. `between_forms` compares many forms at once; `result` is what comes out.
"""

from semantic_hub.alignment.between_forms import FormSimilarity, compare_forms
from semantic_hub.alignment.controls import Controls, stacked_controls
from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.measures import MEASURES, Measure, register_measure
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.result import MeasureResult, SimilarityResult

__all__ = [
    "Controls",
    "FormSimilarity",
    "MEASURES",
    "Measure",
    "MeasureResult",
    "SimilarityResult",
    "compare_forms",
    "paired_similarity",
    "register_measure",
    "similarity",
    "stacked_controls",
]
