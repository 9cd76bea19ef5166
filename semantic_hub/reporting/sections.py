"""What the report shows of one spoke: the numbers of its tables, and its figures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.experiment.findings import Findings
from semantic_hub.lenses.comparison import LensComparison
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.per_token import FEATURE, TokenLens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.token_scores import TokenScores, scores_of
from semantic_hub.lenses.topk import TopTokens
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.text import display_token
from semantic_hub.prompts.prompt import HUB, SURFACE
from semantic_hub.prompts.soft_tokens import SOFT
from semantic_hub.reporting.causal import causal_sets
from semantic_hub.reporting.figures import MARGIN, SIMILARITY, cell, page_figures, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go


def mass_rows(results: Mapping[str, LanguageMassResult]) -> list[dict[str, Any]]:
    """For each set of texts, layer by layer: the dominant language, its mass, and the entropy.

    Args:
        results: Set name to its mass.

    Returns:
        ``name language n layers dominant own entropy crossover``, numbers rounded nowhere.
    """
    return [{"name": name, **_row_of_report_mass(result)} for name, result in results.items()]


def mass_figures(results: Mapping[str, LanguageMassResult]) -> Iterator["go.Figure"]:
    """One stacked figure for each set of texts.

    Args:
        results: Set name to its mass.
    """
    for name, result in results.items():
        yield titled(result.figure(), f"Language mass: {name}")


def _row_of_report_mass(result: LanguageMassResult) -> dict[str, Any]:
    language, curve = result.text_language, result.effect_curve()
    own = [] if curve is None else curve.summary.value.tolist()
    return {
        "language": language,
        "n": len(result.mass),
        "layers": list(map(layer_name, result.layers)),
        "dominant": [leader or "–" for leader in result.dominant],
        "own": own,
        "entropy": result.entropy().value.tolist(),
        "crossover": "" if language is None else _crossover(result, language),
    }


def _crossover(result: LanguageMassResult, language: str) -> str:
    """Where the texts' own language overtakes another, in words."""
    layer = result.crossover(language)
    if layer is not None:
        return f"at {layer_name(layer)}"
    return "dominant throughout" if set(result.dominant) == {language} else "never"


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
    best = result.best_cell()
    if best is None:
        return row
    ahead, (peak,) = result.share(HUB, SURFACE), best
    beaten = {
        group: float(result.share(HUB, group).value[peak])
        for group in result.groups
        if group not in (HUB, SURFACE)
    }
    return row | {
        "layer": layer_name(result.layers[peak]),
        **cell(ahead, peak),
        "last": float(ahead.value[-1]),
        "others": beaten,
    }


def _figures(name: str, result: LensResult) -> Iterator["go.Figure"]:
    yield titled(result.figure("probability"), f"{name}: probability")
    if HUB in result.groups:
        yield titled(result.figure("share", group=HUB), f"{name}: how often the hub's word wins")


def _grid(name: str, read: TokenLens) -> Iterator["go.Figure"]:
    yield titled(read.figure(), f"{name}: one prompt, token by token")


def _coloured(read: TokenLens) -> str:
    """How likely each token of the prompt was; nothing where all that follow are features."""
    scores = scores_of(read)
    return scores.to_html() if scores.value.isfinite().any() else ""


def _said(top: TopTokens) -> Iterator[tuple[str, list[str]]]:
    """Each prompt, features as a sign, with the token that is on top at each layer."""
    for prompt, layers in zip(top.prompts, top.tokens[..., 0].tolist(), strict=True):
        yield (
            prompt.replace(SOFT, FEATURE),
            [display_token(top.texts[str(token)]) for token in layers],
        )


def _compared(name: str, findings: Findings) -> dict[str, Any]:
    """The other lenses on a set of read-outs: a row for each, and all of them in one figure."""
    if name not in findings.lenses:
        return {"lenses": [], "lens_figures": []}
    found = findings.lenses[name]
    rows = [{"lens": lens, **_row(result)} for lens, result in found.lenses.items()]
    return {"lenses": rows, "lens_figures": page_figures(_overlays(name, found))}


def _overlays(name: str, found: LensComparison) -> Iterator["go.Figure"]:
    groups = next(iter(found.lenses.values())).groups
    group = HUB if HUB in groups else None
    for measure in ("probability", "share"):
        yield titled(found.figure(measure, group=group), f"{name}: {measure} by lens")


def section(
    findings: Findings,
    pictures: "Mapping[str, go.Figure]",
    grids: Mapping[str, TokenLens],
    scores: Mapping[str, TokenScores],
) -> dict[str, Any]:
    """Everything that the page's template shows of one spoke.

    Args:
        findings: Of the spoke.
        pictures: Figures that only this spoke can draw, by title.
        grids: Set of read-outs to one of its prompts, read at every token.
        scores: Set of steered texts to one of them, with what steering did to each token.
    """
    return {
        "name": findings.spoke,
        "similarity": [
            {
                "name": name,
                **_similarity_row(result),
                "figures": page_figures([titled(result.figure(), f"{name}: {result.row}")]),
            }
            for name, result in findings.similarity.items()
        ],
        "lens": lens_sets(findings, grids),
        "left_out": dict(findings.left_out),
        "pictures": page_figures(_named(pictures)),
        "mass": mass_rows(findings.mass),
        "mass_figures": page_figures(mass_figures(findings.mass)),
        "causal": causal_sets(findings, scores),
    }


def _similarity_row(result: SimilarityResult) -> dict[str, Any]:
    """The layer where similarity is highest, and what the control reads there."""
    peak = int(result.similarity.argmax())
    twin = result.controls.get(RANDOM_TWIN)
    strongest = result.strongest[peak] if result.strongest else ""
    return {
        "n": result.n_pairs,
        "embedding": float(result.similarity[0]),
        "layer": layer_name(result.layers[peak]),
        **cell(result, peak, SIMILARITY),
        "p": float(result.p_corrected[peak]),
        "twin": None if twin is None else cell(twin, peak, SIMILARITY),
        "margin": {**cell(result, peak, MARGIN), "strongest": strongest},
    }


def _named(pictures: "Mapping[str, go.Figure]") -> Iterator["go.Figure"]:
    for name, figure in pictures.items():
        yield titled(figure, name)
