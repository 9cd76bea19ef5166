"""What the report shows of one spoke: the numbers of its tables, and its figures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.experiment import RANDOM_TWIN, Findings
from semantic_hub.layers import layer_name
from semantic_hub.legible import escaped, legible
from semantic_hub.lens_comparison import LensComparison
from semantic_hub.lens_result import LensResult
from semantic_hub.patch_result import PatchResult
from semantic_hub.report_mass import mass_figures, mass_rows
from semantic_hub.similarity import SimilarityResult
from semantic_hub.steering_result import SteeringResult
from semantic_hub.summaries import Summary
from semantic_hub.text_steering_result import TextSteeringResult
from semantic_hub.top_tokens import TopTokens

if TYPE_CHECKING:
    import plotly.graph_objects as go


def section(
    findings: Findings, pictures: Mapping[str, "go.Figure"] | None = None
) -> dict[str, Any]:
    """Everything that the page's template shows of one spoke: numbers, and figures as JSON."""
    alike, read = findings.similarity, findings.lens
    return {
        "name": findings.spoke,
        "causal": {
            "patching": [
                {
                    "name": name,
                    **_patching_row(result),
                    "figures": _figures(_patch_figures(name, result)),
                }
                for name, result in findings.patching.items()
            ],
            "steering": [
                {
                    "name": name,
                    "rows": list(_steering_rows(result)),
                    "figures": _figures([_dose_figure(name, result)]),
                }
                for name, result in findings.steering.items()
            ],
            "texts": [
                {
                    "name": name,
                    "rows": list(_text_rows(result)),
                    "scorers": result.scorers,
                    "figures": _figures(_text_figures(name, result)),
                }
                for name, result in findings.texts.items()
            ],
        },
        "similarity": [
            {"name": name, **_similarity_row(result), "figures": _figures([_titled(name, result)])}
            for name, result in alike.items()
        ],
        "lens": [
            {
                "name": name,
                **_lens_row(result),
                "figures": _figures(_lens_figures(result)),
                "layers": list(map(layer_name, findings.says[name].layers)),
                "says": list(_said(findings.says[name])),
                **_compared(name, findings),
            }
            for name, result in read.items()
        ],
        "left_out": dict(findings.left_out),
        "pictures": _figures(_named_pictures(pictures or {})),
        "mass": mass_rows(findings.mass),
        "mass_figures": _figures(mass_figures(findings.mass)),
    }


def _named_pictures(pictures: Mapping[str, "go.Figure"]) -> Iterator["go.Figure"]:
    for name, figure in pictures.items():
        yield figure.update_layout(title_text=escaped(name))


def _titled(name: str, result: SimilarityResult) -> "go.Figure":
    return result.figure().update_layout(title_text=escaped(f"{name}: {result.row}"))


def _said(top: TopTokens) -> Iterator[tuple[str, list[str]]]:
    """Each prompt with the token that is on top at each layer."""
    for prompt, layers in zip(top.prompts, top.tokens[..., 0].tolist(), strict=True):
        yield prompt, [legible(top.texts[str(token)]) for token in layers]


def _lens_figures(result: LensResult) -> Iterator["go.Figure"]:
    yield result.figure("probability")
    if "hub" in result.groups:
        yield result.figure("share", group="hub")


def _compared(name: str, findings: Findings) -> dict[str, Any]:
    """The other lenses on a set of read-outs: a row for each, and all of them in one figure."""
    if name not in findings.lenses:
        return {"lenses": [], "lens_figures": []}
    found = findings.lenses[name]
    rows = [{"lens": lens, **_lens_row(result)} for lens, result in found.lenses.items()]
    return {"lenses": rows, "lens_figures": _figures(_overlays(name, found))}


def _overlays(name: str, found: LensComparison) -> Iterator["go.Figure"]:
    groups = next(iter(found.lenses.values())).groups
    group = "hub" if "hub" in groups else None
    for measure in ("probability", "share"):
        figure = found.figure(measure, group=group)
        yield figure.update_layout(title_text=escaped(f"{name}: {measure} by lens"))


def _similarity_row(result: SimilarityResult) -> dict[str, Any]:
    """The layer where similarity is highest, and what the control reads there."""
    peak = int(result.similarity.argmax())
    row: dict[str, Any] = {
        "n": result.n_pairs,
        "embedding": float(result.similarity[0]),
        "layer": layer_name(result.layers[peak]),
        **_interval(result, peak),
        "p": float(result.p_corrected[peak]),
    }
    twin = result.controls.get(RANDOM_TWIN)
    margin = {
        "value": float(result.margin[peak]),
        "low": float(result.margin_low[peak]),
        "high": float(result.margin_high[peak]),
        "strongest": result.strongest[peak] if result.strongest else "",
    }
    return row | {"twin": None if twin is None else _interval(twin, peak), "margin": margin}


def _lens_row(result: LensResult) -> dict[str, Any]:
    """The layer where the hub's word most often beats the surface word, and the end."""
    row: dict[str, Any] = {"n": len(result.kept), "dropped": dict(result.dropped), "layer": None}
    if not {"hub", "surface"} <= set(result.groups):
        return row
    ahead = result.share("hub", "surface")
    peak = int(ahead.value.argmax())
    beaten = {
        group: float(result.share("hub", group).value[peak])
        for group in result.groups
        if group not in ("hub", "surface")
    }
    return row | {
        "layer": layer_name(result.layers[peak]),
        "value": float(ahead.value[peak]),
        "low": float(ahead.low[peak]),
        "high": float(ahead.high[peak]),
        "last": float(ahead.value[-1]),
        "others": beaten,
    }


def _patching_row(result: PatchResult) -> dict[str, Any]:
    """The layer where the first target is named most often, and what the controls do there."""
    says = result.says(result.targets[0])
    peak = int(says.value[:, 0].argmax())
    at = peak, 0
    controls = {
        name: _cell(control.says(result.targets[0]), at)
        for name, control in result.controls.items()
    }
    return {
        "n": len(result.kept),
        "dropped": dict(result.dropped),
        "target": result.targets[0],
        "layer": layer_name(result.layers[peak]),
        **_cell(says, at),
        "controls": controls,
        "others": {name: float(result.says(name).value[at]) for name in result.targets[1:]},
        "effect": _cell(result.effect(), at),
    }


def _patch_figures(name: str, result: PatchResult) -> Iterator["go.Figure"]:
    for measure in ("says", "effect"):
        yield result.figure(measure).update_layout(title_text=escaped(name))


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
            **_cell(success, at),
            "unchanged": float(result.share("unchanged", direction).value[at]),
            "other": float(result.share("other", direction).value[at]),
            "placebo": _cell(placebo, at),
            "highest_placebo": float(placebo.value.max()),
        }


def _dose_figure(name: str, result: SteeringResult) -> "go.Figure":
    return result.figure().update_layout(title_text=escaped(f"{name}: success"))


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
        figure = result.layer_figure(scorer)
        yield figure.update_layout(title_text=escaped(f"{name}: {scorer}"))


def _cell(summary: Summary, index: tuple[int, ...]) -> dict[str, float]:
    names = ("value", "low", "high")
    return {name: float(getattr(summary, name)[index]) for name in names}


def _interval(result: SimilarityResult, index: int) -> dict[str, float]:
    names = {"value": "similarity", "low": "low", "high": "high"}
    return {key: float(getattr(result, name)[index]) for key, name in names.items()}


def _figures(figures: Any) -> list[str]:
    """Figures as JSON that is safe inside a script element."""
    return [
        figure.to_json().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        for figure in figures
    ]
