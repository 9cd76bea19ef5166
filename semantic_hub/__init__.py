"""Does a model process languages, arithmetic and more in one shared space?

A mechanistic-interpretability plugin on TransformerLens. Source of the question and of the
equations: Wu et al., The Semantic Hub Hypothesis, ICLR 2025, arXiv 2411.04986.
"""

from semantic_hub import spokes, zoo
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.experiment.runner import Findings, Spoke, run
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.interventions.patching.sweep import patch, patching_sweep
from semantic_hub.interventions.steering.contrasts import activation_difference
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.measure import language_mass
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.models.loading import load_model
from semantic_hub.models.twins import random_twin
from semantic_hub.multimodal.loading import load_multimodal
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.prompts.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.reporting.document import report
from semantic_hub.statistics.resampling import Resampling

__version__ = "0.1.0"

__all__ = [
    "SOFT",
    "Findings",
    "Pairs",
    "Prompt",
    "Readout",
    "Resampling",
    "SemanticHubError",
    "SemanticHubWarning",
    "SoftPositions",
    "SoftTokens",
    "Spoke",
    "activation_difference",
    "language_mass",
    "load_model",
    "load_multimodal",
    "logit_lens",
    "paired_similarity",
    "patch",
    "patching_sweep",
    "random_twin",
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
