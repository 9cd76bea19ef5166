"""Does a model process languages, arithmetic and more in one shared space?

A mechanistic-interpretability plugin on TransformerLens. Source of the question and of the
equations: Wu et al., The Semantic Hub Hypothesis, ICLR 2025, arXiv 2411.04986.

Each folder answers one question; a module imports only from modules to the left of its own room:
errors < models < plotting < prompts < statistics < results < activations < multimodal < alignment,
lenses < interventions < experiment < spokes < zoo < reporting < cli. Names are imported from the
module that defines them (``tests/test_rooms.py`` holds both).
"""

from semantic_hub import spokes, zoo
from semantic_hub.activations.recorded import States
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.measures import register_measure
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import run
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.interventions.dispatch import intervene, register_intervention
from semantic_hub.interventions.patching.pairs import PatchPair, PositionMap
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
from semantic_hub.interventions.steering.contrasts import activation_difference
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer, RelativeOutcome
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.lenses.lens import Lens, register_lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.models.loading import load_model, register_model
from semantic_hub.models.twins import random_twin
from semantic_hub.multimodal.loading import load_multimodal
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.reporting.comparison import compare
from semantic_hub.reporting.document import Report, report
from semantic_hub.reporting.render import browse
from semantic_hub.spokes.registry import register_spoke
from semantic_hub.statistics.resampling import Resampling

__version__ = "0.1.0"

__all__ = [
    "SOFT",
    "ActivationContrast",
    "AnswerSteering",
    "ExpectedAnswer",
    "Findings",
    "LastTokenOf",
    "Lens",
    "Pairs",
    "PatchPair",
    "Patching",
    "PositionMap",
    "Prompt",
    "Readout",
    "RelativeOutcome",
    "Report",
    "Resampling",
    "SemanticHubError",
    "SemanticHubWarning",
    "SoftPositions",
    "SoftTokens",
    "Spoke",
    "States",
    "Steering",
    "TextSteering",
    "UnembeddingContrast",
    "activation_difference",
    "browse",
    "compare",
    "intervene",
    "language_mass",
    "load_model",
    "load_multimodal",
    "logit_lens",
    "paired_similarity",
    "patch",
    "patching_sweep",
    "random_twin",
    "register_intervention",
    "register_lens",
    "register_measure",
    "register_model",
    "register_spoke",
    "report",
    "residual_stream",
    "run",
    "similarity",
    "spokes",
    "steer",
    "steering_sweep",
    "top_tokens",
    "verdicts",
    "zoo",
]
