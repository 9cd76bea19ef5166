"""A report's numbers on disk: every spoke's findings, its grids and pictures, and the manifest."""

import json
import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.between_forms import FormSimilarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.lenses.per_token import TokenLens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.results import Result, to_json, write_atomically

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.reporting.document import Report

INDEX = "report.json"
_FORMAT = 1
_ACROSS = "across"
_EXTRA: Mapping[str, type[Result]] = {"grids": TokenLens, "scores": TokenScores}
"""What a report has of each spoke besides its findings and figures: results by set name."""


def write_report(directory: str | Path, report: "Report") -> Path:
    """Write a report's numbers into a folder; what is there is replaced in one step.

    New results are written beside the old ones, then the index is moved into place, then the old
    ones go. Killed before that step, the folder still holds the old report.

    Args:
        directory: Made if it does not exist.
        report: What to write.

    Raises:
        SemanticHubError: A file is in the folder's place, or a result holds something that JSON
            cannot.
    """
    directory = check_save_folder(directory)
    results = _fresh(directory)
    for number, found in enumerate(report.findings):
        found.save(results / f"{number}")
        for kind in _EXTRA:
            for place, result in enumerate(getattr(report, kind).get(found.spoke, {}).values()):
                result.save(results / f"{number}" / f"{kind}-{place}")
    if report.across is not None:
        report.across.save(results / _ACROSS)
    index = {
        "format": _FORMAT,
        "results": results.name,
        "spokes": len(report.findings),
        **{kind: _names(getattr(report, kind)) for kind in _EXTRA},
        "pictures": {spoke: _as_json(drawn) for spoke, drawn in report.pictures.items()},
        "across": report.across is not None,
        "manifest": dict(report.manifest),
    }
    write_atomically(directory / INDEX, to_json(index, "Report.save_findings").encode())
    for old in set(directory.glob("results-*")) - {results}:
        shutil.rmtree(old, ignore_errors=True)
    return directory


def read_report(directory: str | Path) -> dict[str, Any]:
    """Read back what `write_report` wrote.

    Args:
        directory: The folder.

    Returns:
        ``findings manifest pictures grids scores across``, as a `Report` has them.

    Raises:
        SemanticHubError: No report there, or one that is damaged.
    """
    directory = Path(directory)
    index = _read_index(directory / INDEX)
    results = directory / Path(index["results"]).name
    places = [results / f"{n}" for n in range(index["spokes"])]
    findings = tuple(Findings.load(place) for place in places)
    return {
        "findings": findings,
        "manifest": index["manifest"],
        "across": FormSimilarity.load(results / _ACROSS) if index["across"] else None,
        "pictures": {spoke: _drawn(drawn) for spoke, drawn in index["pictures"].items()},
        **{
            kind: {
                found.spoke: _loaded(place, kind, index[kind].get(found.spoke, []))
                for found, place in zip(findings, places, strict=True)
            }
            for kind in _EXTRA
        },
    }


def check_save_folder(directory: str | Path) -> Path:
    """Where a report can be saved; worth asking before hours of measuring.

    Args:
        directory: Made, with the folders above it, if it does not exist.

    Raises:
        SemanticHubError: A file is in its place.
    """
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SemanticHubError(
            "Report.save_findings",
            got=f"{directory}, where a file is in the way",
            expected="a folder, or a place for one",
            fix="Name another folder.",
        ) from None
    return Path(directory)


def holds_report(directory: str | Path) -> bool:
    """Whether a folder has the index of a saved report.

    Example:
        >>> holds_report("nowhere")
        False
    """
    return (Path(directory) / INDEX).is_file()


def _fresh(directory: Path) -> Path:
    """A folder for results under a number that none bears."""
    numbered = (directory / f"results-{number}" for number in count())
    return next(place for place in numbered if not place.exists())


def _as_json(drawn: "Mapping[str, go.Figure]") -> dict[str, Any]:
    return {title: json.loads(str(figure.to_json())) for title, figure in drawn.items()}


def _drawn(drawn: Mapping[str, Any]) -> "dict[str, go.Figure]":
    import plotly.graph_objects as go

    return {title: go.Figure(content) for title, content in drawn.items()}


def _names(results: Mapping[str, Mapping[str, Result]]) -> dict[str, list[str]]:
    return {spoke: list(named) for spoke, named in results.items()}


def _loaded(place: Path, kind: str, names: list[str]) -> dict[str, Result]:
    return {
        name: _EXTRA[kind].load(place / f"{kind}-{number}") for number, name in enumerate(names)
    }


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _load_error(f"{path}: {type(error).__name__}") from None
    if not isinstance(index, dict) or index.get("format") != _FORMAT or set(index) != _KEYS:
        raise _load_error(f"{path}: an index that Report.save_findings did not write")
    return index


_KEYS = {"format", "results", "spokes", "pictures", "across", "manifest", *_EXTRA}


def _load_error(got: str) -> SemanticHubError:
    return SemanticHubError(
        "Report.load",
        got=got,
        expected="the folder that Report.save_findings wrote",
        fix="Measure again with save_findings(folder), or report --save folder.",
    )
