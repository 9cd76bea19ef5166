"""Write every table and every figure of a report as files, for a paper."""

import re
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from semantic_hub.errors import SemanticHubError, SemanticHubWarning, require, writing
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.plotting.images import for_print, write_images
from semantic_hub.plotting.tables import latex_table
from semantic_hub.reporting.figures import plain_title
from semantic_hub.reporting.render import readable
from semantic_hub.reporting.sections import SectionFigure, section_figures
from semantic_hub.reporting.storage import ReportParts

if TYPE_CHECKING:
    import pandas as pd

WIDTHS = (3.25, 6.75)
"""Inches of a column and of a page of two columns."""

_LONGEST_NAME = 60


class _Written(NamedTuple):
    """A line of the list of contents."""

    file: str
    what: str
    spoke: str = ""
    evidence: str = ""
    set: str = ""
    caption: str = ""


def export(
    report: ReportParts, verdicts: Verdicts, directory: str | Path, *, figures: bool = True
) -> Path:
    """Write every table and every figure of a report into a new folder.

    Args:
        report: What was measured.
        verdicts: On it.
        directory: Must not exist, or be empty. It appears when all is written.
        figures: Whether figures are written too.

    Returns:
        The folder.

    Raises:
        SemanticHubError: Something is at the place, or writing failed.
    """
    import pandas as pd

    target = Path(directory)
    with writing("Report.export", target):
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise SemanticHubError(
                "Report.export",
                got=f"{target}, where something is",
                expected="a folder that does not exist yet, or an empty one",
                fix="Name another folder, or remove that one.",
            )
        fresh = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
        fresh.mkdir(parents=True)
        try:
            written = [*_tables(report, verdicts, fresh)]
            if figures:
                written += _figures(report, verdicts, fresh)
            (fresh / "manifest.json").write_text(readable(report.manifest), encoding="utf-8")
            written.append(_Written("manifest.json", "model, versions and settings"))
            pd.DataFrame(written).to_csv(fresh / "contents.csv", index=False)
            if target.exists():
                target.rmdir()
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return target


def _tables(report: ReportParts, verdicts: Verdicts, folder: Path) -> Iterator[_Written]:
    """Write the verdicts, and every number of each spoke with a table of its sets in LaTeX."""
    of_verdicts = {
        "verdicts": (verdicts.to_frame(), "verdict on each spoke and kind of evidence"),
        "sets": (verdicts.sets_frame(), "verdict on each set"),
        "margins": (verdicts.profiles_frame(), "margin of each set at each middle layer"),
        "depth": (verdicts.depth_frame(), "layers where supported effects begin, peak and end"),
    }
    for name, (frame, what) in of_verdicts.items():
        yield from _numbers(folder, name, frame, what)
        yield _latex(folder, name, latex_table(frame), what)
    for number, found in enumerate(report.findings, start=1):
        name = f"spoke-{number}-{_slug(found.spoke)}"
        yield from _numbers(folder, name, found.to_frame(), "all numbers", found.spoke)
        yield _latex(folder, name, found.to_latex(), "highest effect of each set", found.spoke)


def _numbers(
    folder: Path, name: str, frame: "pd.DataFrame", what: str, spoke: str = ""
) -> Iterator[_Written]:
    """Write a frame as CSV and as parquet."""
    frame.to_csv(folder / f"{name}.csv", index=False)
    yield _Written(f"{name}.csv", what, spoke)
    frame.to_parquet(folder / f"{name}.parquet", index=False)
    yield _Written(f"{name}.parquet", what, spoke)


def _latex(folder: Path, name: str, table: str, what: str, spoke: str = "") -> _Written:
    """Write a table in LaTeX."""
    (folder / f"{name}.tex").write_text(table, encoding="utf-8")
    return _Written(f"{name}.tex", what, spoke)


def _figures(report: ReportParts, verdicts: Verdicts, folder: Path) -> Iterator[_Written]:
    """Write every figure as SVG and PDF in both widths."""
    try:
        require("kaleido")
    except SemanticHubError as error:
        warnings.warn(f"figures are not exported: {error}", SemanticHubWarning, stacklevel=4)
        return
    shown, files = [], []
    for number, (spoke, figure) in enumerate(_drawn(report, verdicts), start=1):
        name = f"figure-{number:03d}-{_slug(figure.caption)}"
        for width in WIDTHS:
            shown.append(for_print(figure.drawn, width))
            files.append(folder / f"{name}-{width}in")
            about = (spoke, figure.evidence, figure.set, figure.caption)
            yield from (
                _Written(f"{files[-1].name}{ending}", "figure", *about)
                for ending in (".svg", ".pdf")
            )
    for ending in (".svg", ".pdf"):
        write_images(shown, [file.with_name(f"{file.name}{ending}") for file in files])


def _drawn(report: ReportParts, verdicts: Verdicts) -> Iterator[tuple[str, SectionFigure]]:
    """Every figure with its spoke, that of depth first."""
    depth = verdicts.depth_figure(report.n_layers)
    if depth.data:
        yield "", SectionFigure("", "", plain_title(depth), depth)
    for found in report.findings:
        pictures = report.pictures.get(found.spoke, {})
        yield from ((found.spoke, figure) for figure in section_figures(found, pictures))


def _slug(name: str) -> str:
    """A name as part of a file's name: letters, digits and hyphens."""
    return re.sub(r"[\W_]+", "-", name).strip("-")[:_LONGEST_NAME].strip("-")
