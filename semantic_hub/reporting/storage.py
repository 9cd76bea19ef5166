"""Saving a report's numbers to a folder, and reading them back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.between_forms import FormSimilarity
from semantic_hub.errors import check_kinds, is_file, reading, set_tuples
from semantic_hub.experiment.findings import Findings
from semantic_hub.lenses.per_token import TokenLens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.results.files import read_folder, replacing_folder
from semantic_hub.results.result import Result
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import plotly.graph_objects as go

INDEX = "report.json"
_FORMS = "forms"
_GRIDS, _SCORES = "grids", "scores"


@dataclass(frozen=True, kw_only=True)
class ReportParts:
    """Contents of a report: findings, manifest, figures and per-token examples.

    Attributes:
        findings: One entry for each spoke.
        manifest: What was measured, with which versions and settings.
        resampling: Resamples, coverage and seed of the verdicts.
        n_layers: The model's number of blocks.
        pictures: Spoke's name to the figures that only this spoke can draw, by title.
        grids: Spoke's name to one prompt of each set of read-outs, read at every token.
        scores: Spoke's name to one text of each set of steered texts: what steering did to the
            probability of each token.
        forms: Every form of every spoke against every other, on the concepts that both name; None
            where there are none.
    """

    findings: tuple[Findings, ...]
    manifest: Mapping[str, Any]
    resampling: Resampling
    n_layers: int
    pictures: "Mapping[str, Mapping[str, go.Figure]]" = field(default_factory=dict)
    grids: Mapping[str, Mapping[str, TokenLens]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, TokenScores]] = field(default_factory=dict)
    forms: FormSimilarity | None = None

    def __post_init__(self) -> None:
        set_tuples(self, findings=Findings)
        check_kinds(
            type(self).__name__,
            manifest=(self.manifest, Mapping),
            resampling=(self.resampling, Resampling),
            n_layers=(self.n_layers, int),
            pictures=(self.pictures, Mapping),
            grids=(self.grids, Mapping),
            scores=(self.scores, Mapping),
            forms=(self.forms, (FormSimilarity, None)),
        )


def write_report(directory: str | Path, parts: ReportParts) -> Path:
    """Write a report's numbers into a folder; an earlier report is replaced atomically.

    Args:
        directory: Made if it does not exist.
        parts: What to write.

    Raises:
        SemanticHubError: A result holds something that JSON cannot, or writing failed.
    """
    path = Path(directory) / INDEX
    with replacing_folder(path, "Report.save_findings") as (folder, write_index):
        for number, found in enumerate(parts.findings):
            place = folder / f"{number}"
            found.save(place)
            _save_each(parts.grids.get(found.spoke, {}), place, _GRIDS)
            _save_each(parts.scores.get(found.spoke, {}), place, _SCORES)
        if parts.forms is not None:
            parts.forms.save(folder / _FORMS)
        index = {
            "spokes": len(parts.findings),
            _GRIDS: {spoke: list(named) for spoke, named in parts.grids.items()},
            _SCORES: {spoke: list(named) for spoke, named in parts.scores.items()},
            "pictures": {
                spoke: {title: json.loads(str(figure.to_json())) for title, figure in drawn.items()}
                for spoke, drawn in parts.pictures.items()
            },
            _FORMS: parts.forms is not None,
            "manifest": dict(parts.manifest),
            "resampling": asdict(parts.resampling),
            "n_layers": parts.n_layers,
        }
        write_index(index)
    return path.parent


def read_report(directory: str | Path) -> ReportParts:
    """Read back what `write_report` wrote.

    Raises:
        SemanticHubError: No report there, one of another format, or one that is damaged.
    """
    import plotly.graph_objects as go

    path = Path(directory) / INDEX
    about: dict[str, Any] = {
        "expected": "the folder that Report.save_findings wrote",
        "fix": "Measure again with save_findings(folder), or report --save folder.",
    }
    index, folder = read_folder(path, "Report.load", **about)
    with reading("Report.load", path, **about):
        places = [folder / f"{number}" for number in range(index["spokes"])]
        findings = tuple(Findings.load(place) for place in places)
        grids, scores = {}, {}
        for found, place in zip(findings, places, strict=True):
            grids[found.spoke] = {
                name: TokenLens.load(place / f"{_GRIDS}-{number}")
                for number, name in enumerate(index[_GRIDS].get(found.spoke, []))
            }
            scores[found.spoke] = {
                name: TokenScores.load(place / f"{_SCORES}-{number}")
                for number, name in enumerate(index[_SCORES].get(found.spoke, []))
            }
        return ReportParts(
            findings=findings,
            manifest=index["manifest"],
            resampling=Resampling(**index["resampling"]),
            n_layers=index["n_layers"],
            pictures={
                spoke: {title: go.Figure(content) for title, content in drawn.items()}
                for spoke, drawn in index["pictures"].items()
            },
            grids=grids,
            scores=scores,
            forms=FormSimilarity.load(folder / _FORMS) if index[_FORMS] else None,
        )


def holds_report(directory: str | Path) -> bool:
    """Whether a folder has the index of a saved report.

    Example:
        >>> holds_report("nowhere")
        False
    """
    return is_file(Path(directory) / INDEX)


def _save_each(results: Mapping[str, Result], place: Path, prefix: str) -> None:
    for number, result in enumerate(results.values()):
        result.save(place / f"{prefix}-{number}")
