"""The package at one glance, and that looking at it stays cheap."""

import subprocess
import sys

import semantic_hub as sh

NAMES = [
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


def test_public_names() -> None:
    assert sh.__all__ == NAMES
    assert all(hasattr(sh, name) for name in NAMES)


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    heavy = [
        "plotly",
        "jinja2",
        "babel",
        "num2words",
        "wordfreq",
        "soundfile",
        "circuitsvis",
        "typer",
    ]
    code = f"import sys, semantic_hub; print(*(m for m in {heavy} if m in sys.modules))"
    known = f"import sys, transformer_lens; print(*(m for m in {heavy} if m in sys.modules))"
    ours, theirs = (
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=True).stdout
        for c in (code, known)
    )
    assert set(ours.split()) <= set(theirs.split())
