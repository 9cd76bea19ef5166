"""Everything that the page shows of one spoke: the numbers of its tables, and its figures."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

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
from semantic_hub.reporting.causal import causal_parts, parts_of
from semantic_hub.reporting.figures import MARGIN, cell, page_figures, plain_title, titled

if TYPE_CHECKING:
    import plotly.graph_objects as go


def section(
    findings: Findings,
    pictures: "Mapping[str, go.Figure]",
    grids: Mapping[str, TokenLens],
    scores: Mapping[str, TokenScores],
) -> dict[str, Any]:
    """Collect everything that the page's template shows of one spoke.

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
                "figures": page_figures(_similarity_figures(name, result)),
            }
            for name, result in findings.similarity.items()
        ],
        "lens": [_lens_set(name, findings, grids.get(name)) for name in findings.lens],
        "left_out": dict(findings.left_out),
        "pictures": page_figures(_pictures(pictures)),
        "mass": [
            {"name": name, **_mass_row(result)} for name, result in findings.language_mass.items()
        ],
        "mass_figures": page_figures(
            figure
            for name, result in findings.language_mass.items()
            for figure in _mass_figures(name, result)
        ),
        "interventions": causal_parts(findings, scores),
    }


class SectionFigure(NamedTuple):
    """One figure of a section, and what it is about."""

    evidence: str
    set: str
    caption: str
    drawn: "go.Figure"


def section_figures(
    findings: Findings, pictures: "Mapping[str, go.Figure]"
) -> Iterator[SectionFigure]:
    """Every figure of a spoke that draws numbers, in the order of the page.

    Args:
        findings: Of the spoke.
        pictures: Figures that only this spoke can draw, by title.

    Example:
        >>> found = Findings("mine", {"similarity": {"few": sh.similarity(
        ...     model, sh.spokes.language.pairs("en", "es")[:5])}})
        >>> [one.caption for one in section_figures(found, {})]
        ['few: en – es']
    """
    groups: dict[str, tuple[Mapping[str, Any], Callable[[str, Any], Iterator[go.Figure]]]] = {
        "similarity": (findings.similarity, _similarity_figures),
        "lens": (findings.lens, _lens_figures),
        "lens_comparison": (findings.lens_comparison, _comparison_figures),
        "language_mass": (findings.language_mass, _mass_figures),
        **{
            kind: (findings.results[kind], part.figures)
            for kind, part in parts_of(findings).items()
        },
    }
    for evidence, (results, figures) in groups.items():
        for name, result in results.items():
            for figure in figures(name, result):
                yield SectionFigure(evidence, name, plain_title(figure), figure)
    for figure in _pictures(pictures):
        yield SectionFigure("", "", plain_title(figure), figure)


def _pictures(pictures: "Mapping[str, go.Figure]") -> "Iterator[go.Figure]":
    return (titled(figure, name) for name, figure in pictures.items())


def _similarity_figures(name: str, result: SimilarityResult) -> "Iterator[go.Figure]":
    yield titled(result.figure(), f"{name}: {result.row}")


def _mass_figures(name: str, result: LanguageMassResult) -> "Iterator[go.Figure]":
    yield titled(result.figure(), f"Language mass: {name}")


def _similarity_row(result: SimilarityResult) -> dict[str, Any]:
    """The layer where the AUC is highest, and the control there."""
    [peak] = result.best_cell()
    twin = result.controls.get(RANDOM_TWIN)
    strongest = result.strongest[peak] if result.strongest else ""
    return {
        "n": result.n_pairs,
        "embedding": float(result.auc.value[0]),
        "layer": layer_name(result.layers[peak]),
        **cell(result.auc, peak),
        "p": float(result.auc.p_corrected[peak]),
        "similarity": float(result.similarity[peak]),
        "twin": None if twin is None else cell(twin.auc, peak),
        "margin": {**cell(result, peak, MARGIN), "strongest": strongest},
    }


def _lens_set(name: str, findings: Findings, grid: TokenLens | None) -> dict[str, Any]:
    """One set of read-outs: its row, its figures, its top tokens, and other lenses."""
    result, top = findings.lens[name], findings.top_tokens.get(name)
    return {
        "name": name,
        **_lens_row(result),
        "figures": page_figures(_lens_figures(name, result)),
        "grid": page_figures(
            [titled(grid.figure(), f"{name}: one prompt, token by token")] if grid else []
        ),
        "tokens": _colored_tokens(grid) if grid else "",
        "layers": list(map(layer_name, top.layers)) if top else [],
        "top_tokens": list(_top_tokens(top)) if top else [],
        **_other_lenses(name, findings.lens_comparison.get(name)),
    }


def _lens_row(result: LensResult) -> dict[str, Any]:
    """The layer where the hub's word most often beats the surface word, and the last one."""
    row: dict[str, Any] = {"n": len(result.kept), "dropped": dict(result.dropped), "layer": None}
    best = result.best_cell()
    if best is None:
        return row
    [peak], ahead = best, result.share(HUB, SURFACE)
    return row | {
        "layer": layer_name(result.layers[peak]),
        **cell(ahead, peak),
        "last": float(ahead.value[-1]),
        "others": {
            group: float(result.share(HUB, group).value[peak])
            for group in result.groups
            if group not in (HUB, SURFACE)
        },
    }


def _lens_figures(name: str, result: LensResult) -> "Iterator[go.Figure]":
    yield titled(result.figure("probability"), f"{name}: probability")
    if HUB in result.groups:
        yield titled(result.figure("share", group=HUB), f"{name}: how often the hub's word wins")


def _colored_tokens(grid: TokenLens) -> str:
    """How likely each token of the prompt was; nothing where all that follow are features."""
    scores = scores_of(grid)
    return scores.to_html() if scores.value.isfinite().any() else ""


def _top_tokens(top: TopTokens) -> Iterator[tuple[str, list[str]]]:
    """Each prompt, features as a sign, with the top token of each layer."""
    for prompt, layers in zip(top.prompts, top.tokens[..., 0].tolist(), strict=True):
        tokens = [display_token(top.texts[str(token)]) for token in layers]
        yield prompt.replace(SOFT, FEATURE), tokens


def _other_lenses(name: str, comparison: LensComparison | None) -> dict[str, Any]:
    """A row for each lens on a set of read-outs, and all of them in one figure."""
    if comparison is None:
        return {"lenses": [], "lens_figures": []}
    rows = [{"lens": lens, **_lens_row(result)} for lens, result in comparison.lenses.items()]
    return {"lenses": rows, "lens_figures": page_figures(_comparison_figures(name, comparison))}


def _comparison_figures(name: str, comparison: LensComparison) -> "Iterator[go.Figure]":
    groups = next(iter(comparison.lenses.values())).groups
    for measure in ("probability", "share"):
        figure = comparison.figure(measure, group=HUB if HUB in groups else None)
        yield titled(figure, f"{name}: {measure} by lens")


def _mass_row(result: LanguageMassResult) -> dict[str, Any]:
    """Layer by layer: the dominant language, the mass of the texts' language, and the entropy."""
    language = result.text_language or ""
    mass = result.mean_mass().value
    return {
        "language": language,
        "n": len(result.mass),
        "layers": list(map(layer_name, result.layers)),
        "dominant": [leader or "–" for leader in result.dominant],
        "own": mass[:, result.languages.index(language)].tolist() if language else [],
        "entropy": result.entropy().value.tolist(),
        "crossover": _crossover(result, language) if language else "",
    }


def _crossover(result: LanguageMassResult, language: str) -> str:
    """Where the texts' own language overtakes another, in words."""
    layer = result.crossover(language)
    if layer is not None:
        return f"at {layer_name(layer)}"
    return "dominant throughout" if set(result.dominant) == {language} else "never"
