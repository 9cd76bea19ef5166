"""Rows and figures of a spoke's interventions, by kind of result."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, TypeVar

from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.doable import MIN_DOABLE
from semantic_hub.interventions.patching.result import LOGIT_DIFF, TOP1, PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.layers import layer_name
from semantic_hub.models.registry import Registry
from semantic_hub.reporting.figures import Cell, cell, page_figures, titled
from semantic_hub.results.result import Result

if TYPE_CHECKING:
    import plotly.graph_objects as go

NOT_CAUSAL = (
    "similarity", "lens", "top_tokens", "spelled_out", "language_mass", "lens_comparison",
)  # fmt: skip
"""Groups of findings that other parts of a section show."""


_ENDS = ("value", "low", "high")


@dataclass(frozen=True)
class CausalPart:
    """How the page shows one kind of intervention.

    Args:
        rows: From a result to the numbers of its table, as the template names them.
        figures: From a set's name and its result to figures with titles.
        template: File below ``templates/causal``.
    """

    rows: Callable[[Any], Mapping[str, Any]]
    figures: "Callable[[str, Any], Iterator[go.Figure]]"
    template: str


CAUSAL_PARTS: Registry[CausalPart] = Registry("kind of intervention on the page")
"""Every kind of result that has a table of its own; all others get a general one."""


def causal_parts(findings: Findings, scores: Mapping[str, TokenScores]) -> list[dict[str, Any]]:
    """The interventions of a spoke by kind, each with its template and its sets.

    Args:
        findings: Of one spoke.
        scores: Set of steered texts to one of them, with what steering did to each token.

    Returns:
        For each kind ``kind template sets min_doable``; for each set its name, its numbers and its
        figures.
    """
    parts = []
    for kind, part in parts_of(findings).items():
        sets = [
            {
                "name": name,
                **part.rows(result),
                "figures": page_figures(part.figures(name, result)),
                "tokens": scores[name].to_html() if name in scores else "",
            }
            for name, result in findings.results[kind].items()
        ]
        template = f"causal/{part.template}"
        parts.append({"kind": kind, "template": template, "sets": sets, "min_doable": MIN_DOABLE})
    return parts


def parts_of(findings: Findings) -> dict[str, CausalPart]:
    """How the page shows each kind of intervention that a spoke has.

    Args:
        findings: Of one spoke.
    """
    kinds = [kind for kind in findings.results if kind not in NOT_CAUSAL]
    return {kind: CAUSAL_PARTS.get(kind, _OTHER) for kind in kinds}


def _patching_row(result: PatchResult) -> dict[str, Any]:
    """The layer where the effect's answer is on top most often, and the controls there."""
    answer = result.effect_answer
    best = result.best_cell()
    top1 = result.top1_share(answer)
    return {
        "n": len(result.kept),
        "dropped": dict(result.dropped),
        "answer": answer,
        "layer": layer_name(result.layers[best[0]]),
        **cell(top1, best),
        **_own(result, lambda doable: cell(doable.top1_share(answer), best)),
        "form": result.form,
        "forms": dict(result.form_accuracy),
        "controls": {
            name: cell(control.top1_share(answer), best)
            for name, control in result.controls.items()
        },
        "others": {
            name: float(result.top1_share(name).value[best])
            for name in result.answers
            if name != answer
        },
        "effect": cell(result.normalized_logit_diff(), best),
    }


def _patching_figures(name: str, result: PatchResult) -> "Iterator[go.Figure]":
    own = _told(result)
    yield titled(result.figure(TOP1), f"{name}: {result.effect_answer} on top{own}")
    yield titled(result.figure(LOGIT_DIFF), f"{name}: normalized logit difference{own}")


def _steering_rows(result: SteeringResult) -> dict[str, Any]:
    """Each direction where it succeeds most often, and the controls there."""
    controls = {name: result.share("success", name) for name in result.control_directions}
    rows = []
    for direction in _without_control(result):
        success, best = result.share("success", direction), result.best_cell(direction)
        rows.append(
            {
                "direction": direction,
                "n": result.outcome.shape[-1],
                "layer": layer_name(result.layers[best[0]]),
                "strength": result.strengths[best[1]],
                **cell(success, best),
                **_own(result, lambda d, to=direction, at=best: cell(d.share("success", to), at)),
                "unchanged": float(result.share("unchanged", direction).value[best]),
                "other": float(result.share("other", direction).value[best]),
                "controls": {name: cell(control, best) for name, control in controls.items()},
                "highest_control": max(float(one.value.max()) for one in controls.values()),
            }
        )
    return {"rows": rows}


def _steering_figures(name: str, result: SteeringResult) -> "Iterator[go.Figure]":
    layer = result.layers[result.best_cell()[0]]
    yield titled(result.figure(layer), f"{name}: success, layer {layer_name(layer)}{_told(result)}")


def _text_rows(result: TextSteeringResult) -> dict[str, Any]:
    """Each direction where it raises the primary score most, and the other scores there."""
    frame = result.to_frame().query("measure == 'change'")
    frame = frame.set_index(["scorer", "direction", "layer", "strength"])
    rows = []
    for direction in _without_control(result):
        best = result.best_cell(direction)
        layer, strength = result.layers[best[0]], result.strengths[best[1]]
        rows.append(
            {
                "direction": direction,
                "layer": layer_name(layer),
                "strength": strength,
                "changes": [
                    {
                        one: frame.loc[(scorer, one, layer, strength)].to_dict()
                        for one in (direction, *result.control_directions)
                    }
                    for scorer in result.scorers
                ],
            }
        )
    return {"rows": rows, "scorers": result.scorers}


def _text_figures(name: str, result: TextSteeringResult) -> "Iterator[go.Figure]":
    for scorer in result.scorers:
        yield titled(result.layer_figure(scorer), f"{name}: {scorer}")


def _answer_rows(result: AnswerProbability) -> dict[str, Any]:
    """Each direction where it moves the first answer's part most, and the controls there."""
    controls = {name: result.mean(name) for name in result.control_directions}
    rows = []
    for direction in _without_control(result):
        mean, best = result.mean(direction), result.best_cell(direction)
        rows.append(
            {
                "direction": direction,
                "n": result.p_first.shape[-1],
                "layer": layer_name(result.layers[best[0]]),
                "strength": result.strengths[best[1]],
                "unsteered": float(mean.value[0, result.strengths.index(0.0)]),
                **cell(mean, best),
                **_own(result, lambda doable, to=direction, at=best: cell(doable.mean(to), at)),
                "controls": {name: cell(control, best) for name, control in controls.items()},
            }
        )
    return {"rows": rows, "answers": result.answers}


def _answer_figures(name: str, result: AnswerProbability) -> "Iterator[go.Figure]":
    layer = result.layers[result.best_cell()[0]]
    yield titled(result.figure(layer), f"{name}: answers, layer {layer_name(layer)}{_told(result)}")


_Answered = TypeVar("_Answered", PatchResult, SteeringResult, AnswerProbability)


def _own(result: _Answered, effect: Callable[[_Answered], Cell]) -> dict[str, Any]:
    """The model's own accuracy, and the number of doable items and the effect on these."""
    n = int(result.doable().sum())
    return {
        "accuracy": {run: float(share.value) for run, share in result.own_accuracy().items()},
        "n_doable": n if result.own_accuracy() else None,
        "doable": effect(result.of_doable()) if n else dict.fromkeys(_ENDS, nan),
    }


def _told(result: PatchResult | SteeringResult | AnswerProbability) -> str:
    """The model's own accuracy in words, for a caption; empty where there is none."""
    shares = result.own_accuracy().items()
    if not shares:
        return ""
    runs = ", ".join(f"{run} {float(share.value):.2f}" for run, share in shares)
    doable = result.doable()
    return f" (own accuracy: {runs}; {int(doable.sum())} of {len(doable)} doable)"


def _without_control(
    result: SteeringResult | TextSteeringResult | AnswerProbability,
) -> list[str]:
    return [name for name in result.directions if name not in result.control_directions]


def _other_row(result: Result) -> dict[str, Any]:
    """What any result says of itself: its counts, and its effect curve at its highest layer."""
    curve, counts = result.effect_curve(), result.counts()
    row = {
        "n": counts.kept if counts else (curve.n if curve else ""),
        "dropped": dict(counts.dropped) if counts else {},
        "layer": None,
    }
    if curve is None:
        return row
    best = result.best_cell()
    index = best[0] if best else int(curve.summary.value.argmax())
    unit = f"{curve.unit}, {curve.note}" if curve.note else curve.unit
    place = {"layer": layer_name(curve.layers[index]), "unit": unit}
    return row | place | cell(curve.summary, index)


def _other_figures(name: str, result: Result) -> "Iterator[go.Figure]":
    import pandas as pd

    from semantic_hub.plotting.curves import layer_curve

    curve = result.effect_curve()
    if curve is None:
        return
    columns = {end: getattr(curve.summary, end).tolist() for end in _ENDS}
    frame = pd.DataFrame({"layer": curve.layers, **columns, "row": name, "n": curve.n})
    yield titled(layer_curve(frame, y_title=curve.unit), name)


_OTHER = CausalPart(_other_row, _other_figures, "other.html.jinja")

for _kind, _rows, _figures in (
    ("patching", _patching_row, _patching_figures),
    ("steering", _steering_rows, _steering_figures),
    ("answer_probability", _answer_rows, _answer_figures),
    ("text_steering", _text_rows, _text_figures),
):
    CAUSAL_PARTS.register(_kind, CausalPart(_rows, _figures, f"{_kind}.html.jinja"))
