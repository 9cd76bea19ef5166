"""Does a model process languages, arithmetic and more in one shared space?

A mechanistic-interpretability plugin on TransformerLens. Source of the question and of the
equations: Wu et al., The Semantic Hub Hypothesis, ICLR 2025, arXiv 2411.04986.
"""

from semantic_hub import spokes
from semantic_hub.cosine import paired_similarity
from semantic_hub.directions import activation_difference
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.experiment import Findings, Spoke, run
from semantic_hub.language_mass import language_mass
from semantic_hub.lens import logit_lens
from semantic_hub.models import load_model, random_twin
from semantic_hub.multimodal import load_multimodal
from semantic_hub.pairs import Pairs
from semantic_hub.patching import patch, patching_sweep
from semantic_hub.prompts import Prompt, Readout
from semantic_hub.report import report
from semantic_hub.residuals import residual_stream
from semantic_hub.similarity import similarity
from semantic_hub.soft_tokens import SOFT, SoftPositions, SoftTokens
from semantic_hub.steering import steer
from semantic_hub.steering_sweep import steering_sweep
from semantic_hub.top_tokens import top_tokens
from semantic_hub.verdict import verdicts

__version__ = "0.1.0"

__all__ = [
    "SOFT",
    "Findings",
    "Pairs",
    "Prompt",
    "Readout",
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
]
