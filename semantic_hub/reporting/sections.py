"""What the report shows of one spoke: the numbers of its tables, and its figures."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.controls import RANDOM_TWIN
from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.experiment.findings import Findings
from semantic_hub.lenses.per_token import TokenLens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.layers import layer_name
from semantic_hub.reporting.causal import causal_sets
from semantic_hub.reporting.figures import page_figures, titled
from semantic_hub.reporting.merge__report_cells import MARGIN, SIMILARITY, cell
from semantic_hub.reporting.merge__report_lens import lens_sets
from semantic_hub.reporting.merge__report_mass import mass_figures, mass_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go


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
