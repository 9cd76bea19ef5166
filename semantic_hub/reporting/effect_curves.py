"""The curve over layers that stands for a result when several models are laid over each other."""

from functools import singledispatch

from semantic_hub.results import EffectCurve, Result


@singledispatch
def effect_curve(result: Result) -> EffectCurve | None:
    """The effect of a result over layers, by the kind of result.

    - `SimilarityResult`: the similarity.
    - `LensResult`: how often ``hub`` beats ``surface``; None without such groups.
    - `LanguageMassResult`: mass of the texts' own language.

    Args:
        result: Any of these.

    Example:
        >>> curve = effect_curve(sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20]))
        >>> curve.unit, len(curve.summary.value)
        ('share of read-outs: hub beats surface', 9)
    """
    return result.effect_curve()
