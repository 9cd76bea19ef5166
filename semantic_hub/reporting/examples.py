"""One prompt of each set of read-outs, read at every token and layer, for the report's grids."""

from collections.abc import Mapping, Sequence
from itertools import islice

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.runner import Spoke
from semantic_hub.lenses.per_token import TokenLens, token_lens
from semantic_hub.models.loading import HookedModel
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
        >>> grids = read_grids(model, spoke, sh.run(model, spoke, resamples=10, permutations=10))
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
