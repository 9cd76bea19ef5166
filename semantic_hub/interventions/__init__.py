"""Evidence 3: does the model use it?

`spec` holds interventions as data, and `dispatch` runs them. `patching` puts states of one prompt
into another and scores the answers; `steering` adds directions while a model reads or writes;
`text` samples and scores texts under steering.
"""

from semantic_hub.interventions.dispatch import intervene, register_intervention
from semantic_hub.interventions.patching.pairs import (
    LAST_TO_LAST,
    ONE_TO_ONE,
    PatchPair,
    PositionMap,
    single_positions,
)
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.scope import patchscope
from semantic_hub.interventions.patching.sweep import patch, patching_sweep
from semantic_hub.interventions.spec import (
    ActivationContrast,
    AnswerSteering,
    LastTokenOf,
    Patching,
    Steering,
    TextSteering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.answers import AnswerProbability, answer_probability
from semantic_hub.interventions.steering.contrasts import (
    activation_difference,
    mean_difference,
    mean_differences,
    paired_differences,
    unembedding_difference,
)
from semantic_hub.interventions.steering.control_vectors import (
    read_control_vector,
    write_control_vector,
)
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer, RelativeOutcome
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.generation import Sampling, generate_texts
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.scorers import relevance, sentiment_classifier
from semantic_hub.interventions.text.steering import text_steering_sweep

__all__ = [
    "LAST_TO_LAST",
    "ONE_TO_ONE",
    "ActivationContrast",
    "AnswerProbability",
    "AnswerSteering",
    "Direction",
    "ExpectedAnswer",
    "LastTokenOf",
    "PatchPair",
    "PatchResult",
    "Patching",
    "PositionMap",
    "RelativeOutcome",
    "Sampling",
    "Steering",
    "SteeringResult",
    "TextSteering",
    "TextSteeringResult",
    "UnembeddingContrast",
    "activation_difference",
    "answer_probability",
    "generate_texts",
    "intervene",
    "mean_difference",
    "mean_differences",
    "paired_differences",
    "patch",
    "patching_sweep",
    "patchscope",
    "perplexity",
    "random_direction",
    "read_control_vector",
    "register_intervention",
    "relevance",
    "sentiment_classifier",
    "single_positions",
    "steer",
    "steering_sweep",
    "text_steering_sweep",
    "unembedding_difference",
    "write_control_vector",
]
