"""Evidence 1: do two forms of the same meaning share a state?

`pairwise` compares pairs in a model, beside the control rows of `controls`, which uses `surface` to
find shared words. `measures` lists every measure: `cosine` (Eq. 1), `normalized`, `retrieval`,
`cka` and `neighbors`, which share the checked and scaled `states`. `between_forms` compares many
forms at once; `result` holds the result classes.
"""

from semantic_hub.alignment.between_forms import FormSimilarity, compare_forms
from semantic_hub.alignment.controls import Controls, stacked_controls
from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.measures import MEASURES, Measure, register_measure
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.result import MeasureResult, SimilarityResult

__all__ = [
    "MEASURES",
    "Controls",
    "FormSimilarity",
    "Measure",
    "MeasureResult",
    "SimilarityResult",
    "compare_forms",
    "paired_similarity",
    "register_measure",
    "similarity",
    "stacked_controls",
]
