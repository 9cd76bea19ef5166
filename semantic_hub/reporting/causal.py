"""What the report shows of a spoke's interventions: patching, steering, answers, free text."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.patching.result import LOGIT_DIFF, TOP1, PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.layers import layer_name
from semantic_hub.reporting.figures import cell, page_figures, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go


def causal_sets(
    findings: Findings, scores: Mapping[str, TokenScores]
) -> dict[str, list[dict[str, Any]]]:
    """The interventions' sets by kind: ``patching``, ``steering``, ``texts``, ``answers``.

    Args:
        findings: Of one spoke.
        scores: Set of steered texts to one of them, with what steering did to each token.

    Returns:
        For each set its name, its rows and its figures.
    """
    return {
        "patching": [
            {
                "name": name,
                **_patching_row(result),
                "figures": page_figures(_patch_figures(name, result)),
            }
            for name, result in findings.patching.items()
        ],
        "steering": [
            {
                "name": name,
                "rows": list(_steering_rows(result)),
                "figures": page_figures([_dose_figure(name, result)]),
            }
            for name, result in findings.steering.items()
        ],
        "texts": [
            {
                "name": name,
                "rows": list(_text_rows(result)),
                "scorers": result.scorers,
                "figures": page_figures(_text_figures(name, result)),
                "tokens": scores[name].to_html() if name in scores else "",
            }
            for name, result in findings.texts.items()
        ],
        "answers": [
            {
                "name": name,
                "rows": list(_answer_rows(result)),
                "answers": result.answers,
                "figures": page_figures([_answer_figure(name, result)]),
            }
            for name, result in findings.answers.items()
        ],
    }


def _patching_row(result: PatchResult) -> dict[str, Any]:
    """The cell where the effect answer is on top most often, and the controls there."""
    share, at = result.top1_share(result.effect_answer), result.best_cell()
    others = [answer for answer in result.answers if answer != result.effect_answer]
    return {
        "n": len(result.kept),
        "dropped": dict(result.dropped),
        "answer": result.effect_answer,
        "layer": layer_name(result.layers[at[0]]),
        **cell(share, at),
        "controls": {
            name: cell(control.top1_share(result.effect_answer), at)
            for name, control in result.controls.items()
        },
        "others": {name: float(result.top1_share(name).value[at]) for name in others},
        "logit_diff": cell(result.normalized_logit_diff(), at),
    }


def _patch_figures(name: str, result: PatchResult) -> Iterator["go.Figure"]:
    """One figure for each measure."""
    yield titled(result.figure(TOP1), f"{name}: top token is {result.effect_answer}")
    yield titled(result.figure(LOGIT_DIFF), f"{name}: normalized logit difference")


def _steering_rows(result: SteeringResult) -> Iterator[dict[str, Any]]:
    """Each direction where it succeeds most often, and the control there."""
    control = result.share("success", result.control_direction)
    for direction in _effects(result):
        success, at = result.share("success", direction), result.best_cell(direction)
        yield {
            "direction": direction,
            "n": result.outcome.shape[-1],
            "layer": layer_name(result.layers[at[0]]),
            "strength": result.strengths[at[1]],
            **cell(success, at),
            "unchanged": float(result.share("unchanged", direction).value[at]),
            "other": float(result.share("other", direction).value[at]),
            "placebo": cell(control, at),
            "highest_placebo": float(control.value.max()),
        }


def _dose_figure(name: str, result: SteeringResult) -> "go.Figure":
    """Shares over strengths at the layer of the best cell."""
    best = result.layers[result.best_cell()[0]]
    return titled(result.figure(best), f"{name}: success, layer {layer_name(best)}")


def _text_rows(result: TextSteeringResult) -> Iterator[dict[str, Any]]:
    """Each direction where it changes the primary score most, and the other scores there."""
    changes = result.to_frame().query("measure == 'change'")
    frame = changes.set_index(["scorer", "direction"])
    for direction in _effects(result):
        layer, strength = result.best_cell(direction)
        at = (frame["layer"] == result.layers[layer]) & (
            frame["strength"] == result.strengths[strength]
        )
        both = (direction, result.control_direction)
        yield {
            "direction": direction,
            "layer": layer_name(result.layers[layer]),
            "strength": result.strengths[strength],
            "changes": [
                [frame[at].loc[(scorer, name)].to_dict() for name in both]
                for scorer in result.scorers
            ],
        }


def _text_figures(name: str, result: TextSteeringResult) -> Iterator["go.Figure"]:
    """One figure for each scorer."""
    for scorer in result.scorers:
        yield titled(result.layer_figure(scorer), f"{name}: {scorer}")


def _answer_rows(result: AnswerProbability) -> Iterator[dict[str, Any]]:
    """Each direction where it changes the first answer's probability most, and the control."""
    control = result.mean(result.control_direction)
    for direction in _effects(result):
        mean, at = result.mean(direction), result.best_cell(direction)
        yield {
            "direction": direction,
            "n": result.p_first.shape[-1],
            "layer": layer_name(result.layers[at[0]]),
            "strength": result.strengths[at[1]],
            "unsteered": float(mean.value[0, result.strengths.index(0.0)]),
            **cell(mean, at),
            "placebo": cell(control, at),
        }


def _answer_figure(name: str, result: AnswerProbability) -> "go.Figure":
    """Means over strengths at the layer of the best cell."""
    best = result.layers[result.best_cell()[0]]
    return titled(result.figure(best), f"{name}: answers, layer {layer_name(best)}")


def _effects(result: SteeringResult | TextSteeringResult | AnswerProbability) -> list[str]:
    """All directions but the control."""
    return [name for name in result.directions if name != result.control_direction]
