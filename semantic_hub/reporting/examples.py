"""One prompt of each set of read-outs, and one steered text of each set, read token by token."""

from itertools import islice

import numpy as np

from semantic_hub.activations.recorded import States
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import TextSteering
from semantic_hub.interventions.steering.contrasts import mean_differences
from semantic_hub.interventions.steering.scores import steering_scores
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.per_token import TokenLens, token_lens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import NEXT, Readout, encode

LONGEST = 24
"""Tokens that a grid has room for."""

_LOOKED_AT = 50
"""Scored read-outs of a set among which a prompt that is short enough is looked for."""


def read_grids(model: HookedModel, spoke: Spoke, findings: Findings) -> dict[str, TokenLens]:
    """Read the first scored prompt of each set of read-outs at every token and layer.

    Args:
        model: The model.
        spoke: Whose read-outs were measured.
        findings: What was measured of it.

    Returns:
        Set name to the prompt at every token; without sets that have no prompt of at most `LONGEST`
        tokens among the first few; none of recorded `States`, which have one position of a prompt.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::40])
        >>> few = sh.Resampling(resamples=10)
        >>> findings = sh.run(model, spoke, resampling=few, permutations=10)
        >>> read_grids(model, spoke, findings)["c=a+, digits"].pieces[-1]
        '+'
    """
    if isinstance(model, States):
        return {}
    sets = spoke.readouts() if findings.lens else {}
    grids = {}
    for name, result in findings.lens.items():
        for index in islice(result.kept, _LOOKED_AT):
            readout = sets[name][index]
            [encoding] = encode(model, [readout.prompt])
            if len(encoding.own_positions) <= LONGEST:
                grids[name] = _read(model, readout)
                break
    return grids


def _read(model: HookedModel, readout: Readout) -> TokenLens:
    """The prompt at every token, its candidates marked where their groups share no token."""
    named = {group: words for group, words in readout.candidates.items() if NEXT not in words}
    try:
        return token_lens(model, readout.prompt, candidates=named)
    except SemanticHubError:
        return token_lens(model, readout.prompt)


def steered_tokens(model: HookedModel, spoke: Spoke, findings: Findings) -> dict[str, TokenScores]:
    """Score the tokens of one steered text of each set: how much likelier steering made them.

    It is the first prompt's first text under the effect's direction, at the result's best cell.

    Args:
        model: The model.
        spoke: Whose interventions were run.
        findings: What was measured of them.

    Returns:
        Set name to the change of each token's log-probability, beside that under the placebo.
    """
    specs = spoke.interventions() if findings.text_steering else {}
    return {
        name: _scores(model, specs[name], result) for name, result in findings.text_steering.items()
    }


def _scores(model: HookedModel, spec: TextSteering, result: TextSteeringResult) -> TokenScores:
    layer, strength = result.best_cell()
    direction = result.directions.index(result.effect_direction)
    shape = tuple(result.score.movedim(3, -1).shape[:-1])
    text = result.texts[int(np.ravel_multi_index((direction, layer, strength, 0, 0), shape))]
    contrast = spec.contrasts[result.effect_direction]
    at_layer = result.layers[layer]
    return steering_scores(
        model,
        result.prompts[0] + text,
        mean_differences(model, contrast.plus, contrast.minus, [at_layer])[at_layer],
        result.strengths[strength],
        positions=spec.positions,
        mode=spec.mode,
        seed=result.resampling.seed,
    )
