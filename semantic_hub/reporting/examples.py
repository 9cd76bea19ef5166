"""One prompt of each set of read-outs, read at every token and layer, for the report's grids."""

from collections.abc import Mapping, Sequence
from itertools import islice

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import Spoke, offered
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


def read_grids(model: HookedModel, spoke: Spoke, findings: Findings) -> dict[str, TokenLens]:
    """For each set of read-outs the first scored prompt of at most `LONGEST` tokens.

    Args:
        model: The model.
        spoke: Whose read-outs were measured.
        findings: What was measured of it.

    Returns:
        Set name to the prompt at every token; without sets that have no such prompt among the first
        few.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::40])
        >>> grids = read_grids(model, spoke, sh.run(model, spoke, resampling=sh.Resampling(resamples=10), permutations=10))
        >>> grids["c=a+, digits"].pieces[-1]
        '+'
    """
    if not findings.lens:
        return {}
    sets = spoke.readouts()
    shown = {name: _short(model, sets[name], found.kept) for name, found in findings.lens.items()}
    return {name: _read(model, one) for name, one in shown.items() if one is not None}


def _short(model: HookedModel, readouts: Sequence[Readout], kept: Sequence[int]) -> Readout | None:
    for index in islice(kept, _LOOKED_AT):
        [encoding] = encode(model, [readouts[index].prompt])
        if len(encoding.own_positions) <= LONGEST:
            return readouts[index]
    return None


def _read(model: HookedModel, readout: Readout) -> TokenLens:
    """Its candidates are marked where each group begins with tokens of its own."""
    try:
        return token_lens(model, readout.prompt, candidates=_words(readout.candidates))
    except SemanticHubError:
        return token_lens(model, readout.prompt)


def _words(candidates: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without the groups that mean the token which follows."""
    return {group: words for group, words in candidates.items() if NEXT not in words}


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
    layer, strength = result.best_cell()
    text = result.text(result.effect_direction, layer, strength, prompt=0, seed=0)
    contrast = told.contrasts[result.effect_direction]
    at = result.layers[layer]
    direction = mean_differences(model, contrast.plus, contrast.minus, [at])[at]
    return steering_scores(
        model,
        result.prompts[0] + text,
        direction,
        result.strengths[strength],
        positions=told.positions,
        mode=told.mode,
        seed=result.resampling.seed,
    )
