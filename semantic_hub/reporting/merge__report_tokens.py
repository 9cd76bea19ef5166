"""What steering expects of each token of a text that it wrote, for the report's coloured tokens."""

import numpy as np

from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import Spoke, offered
from semantic_hub.interventions.spec import TextSteering
from semantic_hub.interventions.steering.contrasts import mean_differences
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.token_scores import TokenScores, steering_scores
from semantic_hub.models.loading import HookedModel


def steered_tokens(model: HookedModel, spoke: Spoke, findings: Findings) -> dict[str, TokenScores]:
    """For each set of free text one steered text, and how much likelier steering made its tokens.

    It is the first prompt's first text under the first direction, where that direction changes the
    first score most.

    Args:
        model: The model.
        spoke: Whose interventions were run.
        findings: What was found of them.

    Returns:
        Set name to the change of each token's log-probability, beside that under the placebo.
    """
    told = offered(spoke, "interventions") if findings.texts else {}
    return {name: _scores(model, told[name], result) for name, result in findings.texts.items()}


def _scores(model: HookedModel, told: TextSteering, result: TextSteeringResult) -> TokenScores:
    layer, strength = _best(result)
    place = (0, layer, strength, 0, 0)
    shape = tuple(result.score.movedim(3, -1).shape[:-1])
    text = result.texts[int(np.ravel_multi_index(place, shape))]
    contrast = told.contrasts[result.directions[0]]
    at = result.layers[layer]
    direction = mean_differences(model, contrast.plus, contrast.minus, [at])[at]
    return steering_scores(
        model,
        result.prompts[0] + text,
        direction,
        result.strengths[strength],
        positions=told.positions,
        mode=told.mode,
        seed=result.seed,
    )


def _best(result: TextSteeringResult) -> tuple[int, int]:
    """Layer and strength, as indices, where the first direction changes the first score most."""
    change = result.mean_change(result.scorers[0], result.directions[0]).value.clone()
    change[:, result.strengths.index(0.0)] = -np.inf
    return divmod(int(change.nan_to_num(nan=-np.inf).argmax()), len(result.strengths))
