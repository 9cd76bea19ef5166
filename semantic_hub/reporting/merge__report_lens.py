"""What the report shows of a spoke's read-outs: the lens' numbers and figures, and other lenses."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.experiment.findings import Findings
from semantic_hub.lenses.comparison import LensComparison
from semantic_hub.lenses.per_token import FEATURE, TokenLens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.token_scores import scores_of
from semantic_hub.lenses.topk import TopTokens
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.text import legible
from semantic_hub.prompts.soft_tokens import SOFT
from semantic_hub.reporting.figures import page_figures, titled
from semantic_hub.reporting.merge__report_cells import cell

if TYPE_CHECKING:
    import plotly.graph_objects as go


def lens_sets(findings: Findings, grids: Mapping[str, TokenLens]) -> list[dict[str, Any]]:
    """Each set of read-outs: its row, its figures, what is on top, and other lenses.

    Args:
        findings: Of one spoke.
        grids: Set name to one of its prompts, read at every token.
    """
    return [
        {
            "name": name,
            **_row(result),
            "figures": page_figures(_figures(name, result)),
            "grid": page_figures(_grid(name, grids[name]) if name in grids else []),
            "tokens": _coloured(grids[name]) if name in grids else "",
            "layers": list(map(layer_name, findings.says[name].layers)),
            "says": list(_said(findings.says[name])),
            **_compared(name, findings),
        }
        for name, result in findings.lens.items()
    ]


def _row(result: LensResult) -> dict[str, Any]:
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
        **cell(ahead, peak),
        "last": float(ahead.value[-1]),
        "others": beaten,
    }


def _figures(name: str, result: LensResult) -> Iterator["go.Figure"]:
    yield titled(result.figure("probability"), f"{name}: probability")
    if "hub" in result.groups:
        yield titled(result.figure("share", group="hub"), f"{name}: how often the hub's word wins")


def _grid(name: str, read: TokenLens) -> Iterator["go.Figure"]:
    yield titled(read.figure(), f"{name}: one prompt, token by token")


def _coloured(read: TokenLens) -> str:
    """How likely each token of the prompt was; nothing where all that follow are features."""
    scores = scores_of(read)
    return scores.to_html() if scores.value.isfinite().any() else ""


def _said(top: TopTokens) -> Iterator[tuple[str, list[str]]]:
    """Each prompt, features as a sign, with the token that is on top at each layer."""
    for prompt, layers in zip(top.prompts, top.tokens[..., 0].tolist(), strict=True):
        yield prompt.replace(SOFT, FEATURE), [legible(top.texts[str(token)]) for token in layers]


def _compared(name: str, findings: Findings) -> dict[str, Any]:
    """The other lenses on a set of read-outs: a row for each, and all of them in one figure."""
    if name not in findings.lenses:
        return {"lenses": [], "lens_figures": []}
    found = findings.lenses[name]
    rows = [{"lens": lens, **_row(result)} for lens, result in found.lenses.items()]
    return {"lenses": rows, "lens_figures": page_figures(_overlays(name, found))}


def _overlays(name: str, found: LensComparison) -> Iterator["go.Figure"]:
    groups = next(iter(found.lenses.values())).groups
    group = "hub" if "hub" in groups else None
    for measure in ("probability", "share"):
        yield titled(found.figure(measure, group=group), f"{name}: {measure} by lens")
