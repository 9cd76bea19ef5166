"""What the report shows of a spoke's interventions: patching, steering, answers, free text."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerCurve
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
    """The layer where the first target is named most often, and what the controls do there."""
    says = result.says(result.targets[0])
    peak = int(says.value[:, 0].argmax())
    at = peak, 0
    controls = {
        name: cell(control.says(result.targets[0]), at) for name, control in result.controls.items()
    }
    return {
        "n": len(result.kept),
        "dropped": dict(result.dropped),
        "target": result.targets[0],
        "layer": layer_name(result.layers[peak]),
        **cell(says, at),
        "controls": controls,
        "others": {name: float(result.says(name).value[at]) for name in result.targets[1:]},
        "effect": cell(result.effect(), at),
    }


def _patch_figures(name: str, result: PatchResult) -> Iterator["go.Figure"]:
    titles = {"says": f"{name}: says {result.targets[0]}", "effect": f"{name}: effect"}
    for measure, title in titles.items():
        yield titled(result.figure(measure), title)


def _steering_rows(result: SteeringResult) -> Iterator[dict[str, Any]]:
    """Each direction where it succeeds most often, and what the placebo does there."""
    placebo = result.share("success", result.directions[-1])
    for direction in result.directions[:-1]:
        success = result.share("success", direction)
        at = divmod(int(success.value.argmax()), len(result.strengths))
        yield {
            "direction": direction,
            "n": result.outcome.shape[-1],
            "layer": layer_name(result.layers[at[0]]),
            "strength": result.strengths[at[1]],
            **cell(success, at),
            "unchanged": float(result.share("unchanged", direction).value[at]),
            "other": float(result.share("other", direction).value[at]),
            "placebo": cell(placebo, at),
            "highest_placebo": float(placebo.value.max()),
        }


def _dose_figure(name: str, result: SteeringResult) -> "go.Figure":
    success = result.share("success", result.directions[0]).value.amax(dim=1)
    best = result.layers[int(success.argmax())]
    return titled(result.figure(best), f"{name}: success, layer {layer_name(best)}")


def _text_rows(result: TextSteeringResult) -> Iterator[dict[str, Any]]:
    """Each direction where it changes the first score most, and the other scores there."""
    changes = result.to_frame().query("measure == 'change' and strength != 0")
    frame = changes.set_index(["scorer", "direction"])
    for direction in result.directions[:-1]:
        best = frame.loc[[(result.scorers[0], direction)]].nlargest(1, "value").iloc[0]
        there = frame[(frame["layer"] == best["layer"]) & (frame["strength"] == best["strength"])]
        yield {
            "direction": direction,
            "layer": layer_name(int(best["layer"])),
            "strength": best["strength"],
            "changes": [
                [there.loc[(scorer, name)].to_dict() for name in (direction, result.directions[-1])]
                for scorer in result.scorers
            ],
        }


def _text_figures(name: str, result: TextSteeringResult) -> Iterator["go.Figure"]:
    for scorer in result.scorers:
        yield titled(result.layer_figure(scorer), f"{name}: {scorer}")


def _answer_rows(result: AnswerCurve) -> Iterator[dict[str, Any]]:
    """Each direction where it moves the first answer's part most, and what the placebo does."""
    placebo = result.mean(result.directions[-1])
    for direction in result.directions[:-1]:
        mean, at = result.mean(direction), _most_moved(result, direction)
        yield {
            "direction": direction,
            "n": result.p_first.shape[-1],
            "layer": layer_name(result.layers[at[0]]),
            "strength": result.strengths[at[1]],
            "unsteered": float(mean.value[0, result.strengths.index(0.0)]),
            **cell(mean, at),
            "placebo": cell(placebo, at),
        }


def _answer_figure(name: str, result: AnswerCurve) -> "go.Figure":
    best = result.layers[_most_moved(result, result.directions[0])[0]]
    return titled(result.figure(best), f"{name}: answers, layer {layer_name(best)}")


def _most_moved(result: AnswerCurve, direction: str) -> tuple[int, int]:
    """Layer and strength, as indices, where the mean is furthest from the unsteered one."""
    value = result.mean(direction).value
    moved = (value - value[:, [result.strengths.index(0.0)]]).abs()
    return divmod(int(moved.argmax()), len(result.strengths))
