"""The curve over layers that stands for a result when several models are laid over each other."""

from functools import singledispatch

from jaxtyping import Float
from torch import Tensor

from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerCurve
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.results import EffectCurve, Result
from semantic_hub.statistics.summaries import Summary


@singledispatch
def effect_curve(result: Result) -> EffectCurve | None:
    """The effect of a result over layers, by the kind of result.

    - `SimilarityResult`: the similarity.
    - `LensResult`: how often ``hub`` beats ``surface``; None without such groups.
    - `PatchResult`: how often the first target is said, at the first place.
    - `SteeringResult`: success of the first direction, at the strength whose mean over layers is
      furthest from the unsteered one.
    - `TextSteeringResult`: change of the first score under the first direction, likewise.
    - `AnswerCurve`: the first answer's part under the first direction, likewise.
    - `LanguageMassResult`: mass of the texts' own language.

    Args:
        result: Any of these.

    Example:
        >>> curve = effect_curve(sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20]))
        >>> curve.unit, len(curve.summary.value)
        ('share of read-outs: hub beats surface', 9)
    """
    return result.effect_curve()


@effect_curve.register
def _(result: PatchResult) -> EffectCurve:
    unit = f"share of exchanges: says {result.targets[0]}"
    summary = _column(result.says(result.targets[0]), 0)
    return EffectCurve(result.layers, summary, len(result.kept), unit)


@effect_curve.register
def _(result: SteeringResult) -> EffectCurve:
    success = result.share("success", result.directions[0])
    best = _best(success, result.strengths)
    n, note = result.outcome.shape[-1], f"strength {result.strengths[best]:g}"
    return EffectCurve(result.layers, _column(success, best), n, "share of prompts: success", note)


@effect_curve.register
def _(result: TextSteeringResult) -> EffectCurve:
    change = result.mean_change(result.scorers[0], result.directions[0])
    best = _best(change, result.strengths)
    unit, note = f"change of {result.scorers[0]}", f"strength {result.strengths[best]:g}"
    return EffectCurve(result.layers, _column(change, best), len(result.prompts), unit, note)


@effect_curve.register
def _(result: AnswerCurve) -> EffectCurve:
    mean = result.mean(result.directions[0])
    best = _best(mean, result.strengths)
    unit = f"part of {result.answers[0]} against {result.answers[1]}"
    n, note = result.p_first.shape[-1], f"strength {result.strengths[best]:g}"
    return EffectCurve(result.layers, _column(mean, best), n, unit, note)


def _column(summary: Summary, index: int) -> Summary:
    """``[layer]`` of ``[layer column]``."""
    ends: dict[str, Float[Tensor, " layer"]] = {
        name: getattr(summary, name)[:, index] for name in ("value", "low", "high")
    }
    return Summary(**ends)


def _best(summary: Summary, strengths: tuple[float, ...]) -> int:
    """The strength with the mean over layers that is furthest from the unsteered one."""
    means = summary.value.double().nanmean(dim=0)
    return int((means - means[strengths.index(0.0)]).abs().nan_to_num(nan=-1.0).argmax())
