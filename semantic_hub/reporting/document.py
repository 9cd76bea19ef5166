"""One self-contained page of everything that was measured on a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from semantic_hub.errors import check_names
from semantic_hub.experiment.across import compare_concepts, concept_items
from semantic_hub.experiment.run_folder import run_findings, run_status
from semantic_hub.experiment.runner import RunSettings, check_any_sets, measuring_sets, sets_of
from semantic_hub.experiment.spoke import Spoke
from semantic_hub.experiment.verdict.depth import extents
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.experiment.verdict.lines import SpokeVerdict
from semantic_hub.experiment.verdict.picture import verdict_html
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.lenses.lens import LensLike
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.progress import Progress
from semantic_hub.plotting.values import Displayable
from semantic_hub.reporting.cautions import cautions
from semantic_hub.reporting.defaults import chosen_spokes
from semantic_hub.reporting.examples import read_grids, steered_tokens
from semantic_hub.reporting.export import export
from semantic_hub.reporting.figures import PageFigure, page_figures, titled
from semantic_hub.reporting.render import readable, render, write_page
from semantic_hub.reporting.sections import section
from semantic_hub.reporting.storage import ReportParts, holds_report, read_report, write_report
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import pandas as pd


_WHOLE = "report"
"""Folder of a finished report in that of its run."""


@dataclass(frozen=True, kw_only=True)
class Report(Displayable, ReportParts):
    """Findings of several spokes on one model, as a page.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=4)
        >>> few = sh.Resampling(resamples=20)
        >>> measured = sh.report(model, [spoke], resampling=few, permutations=20)
        >>> again = Report.load(measured.save_findings("run"))
        >>> again.to_html() == measured.to_html()
        True
    """

    def _lines(self) -> Iterator[str]:
        yield f"Report on {self.manifest['model']['name']}, layers emb–{self.n_layers}"
        for found in self.findings[:3]:
            kinds = ", ".join(f"{kind} {len(sets)}" for kind, sets in found.results.items())
            yield f"{found.spoke}: {kinds}"
        yield 'verdicts  summary()  save("page.html")  export("paper")  save_findings("run")'

    def _table(self) -> "pd.DataFrame":
        return self.verdicts.to_frame()

    @cached_property
    def verdicts(self) -> Verdicts:
        """Verdicts on all findings, one line for each spoke and kind of evidence."""
        return verdicts(self.findings, resampling=self.resampling)

    def to_html(self) -> str:
        """Render the page: one HTML document with its figures and plotly's script inside.

        Everything that comes from data or from the model is escaped. It loads nothing.
        """
        model = self.manifest["model"]
        forms = [] if self.forms is None else [self.forms.figure()]
        return render(
            "report.html.jinja",
            model=model,
            verdicts=self.verdicts,
            picture=verdict_html(self.verdicts.lines, self._address),
            depth=self._depth(),
            extents=extents(self.verdicts.lines),
            n_layers=self.n_layers,
            forms=page_figures(titled(f, "Forms against forms, layer by layer") for f in forms),
            sections=[
                section(
                    found,
                    self.pictures.get(found.spoke, {}),
                    self.grids.get(found.spoke, {}),
                    self.scores.get(found.spoke, {}),
                )
                for found in self.findings
            ],
            cautions=cautions(self.findings, model, self.verdicts),
            manifest=readable(self.manifest),
        )

    def _depth(self) -> list[PageFigure]:
        """The page's figure of depth; none where no set has a profile."""
        figure = self.verdicts.depth_figure(self.n_layers)
        return page_figures([figure] if figure.data else [])

    def _address(self, line: SpokeVerdict) -> str:
        """Where the page has what a line of the verdicts is about."""
        number = [found.spoke for found in self.findings].index(line.spoke) + 1
        return f"#spoke-{number}-{line.evidence}"

    def _repr_html_(self) -> str:
        return verdict_html(self.verdicts.lines)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; an existing file is replaced atomically.

        Raises:
            SemanticHubError: The folder does not exist, something other than a file is at the
                path, or writing failed.
        """
        return write_page(path, self.to_html(), "Report.save")

    def export(self, directory: str | Path, *, figures: bool = True) -> Path:
        """Write every table and every figure as files for a paper, into a new folder.

        Tables are CSV and parquet with all numbers, and LaTeX (booktabs) with a row for each
        verdict or set. Figures are SVG and PDF, on white, with letters of 8 points, 3.25 and 6.75
        inches wide; they need the extra ``images``, and a warning says where it is missing.
        ``contents.csv`` lists every file with what it shows; ``manifest.json`` has the settings.

        Args:
            directory: Must not exist, or be empty. It appears when all is written.
            figures: Whether figures are written too, about two seconds for each.

        Returns:
            The folder.

        Raises:
            SemanticHubError: Something is at the place, writing failed, or kaleido finds no Chrome.
        """
        return export(self, self.verdicts, directory, figures=figures)

    def save_findings(self, directory: str | Path) -> Path:
        """Write every number into a folder, for `load` and `compare`.

        Args:
            directory: Made if it does not exist. A report that is there is replaced in one step.

        Raises:
            SemanticHubError: A result holds something that JSON cannot, or writing failed.
        """
        return write_report(directory, self)

    @classmethod
    def load(cls, directory: str | Path) -> "Report":
        """Read back what `save_findings` wrote.

        Raises:
            SemanticHubError: No report there, one of another format, or one that is damaged.
        """
        parts = read_report(directory)
        return cls(**{field.name: getattr(parts, field.name) for field in fields(parts)})


def report(
    model: HookedModel,
    spokes: Spoke | str | Sequence[Spoke | str] | None = None,
    *,
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    lenses: Mapping[str, LensLike] | None = None,
    folder: str | Path | None = None,
    progress: Progress | bool = True,
) -> Report:
    """Measure every spoke on a model as `run` does, and collect the findings in a `Report`.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, or `States`.
        spokes: What to measure: a spoke or several, or their names as
            `semantic_hub.reporting.defaults.known_spokes` has them; None for the defaults.
        resampling: Resamples and coverage of the intervals, and the seed of everything random.
        permutations: Pairings of the permutation test.
        lenses: Other lenses by name, laid over the logit lens in every set of read-outs.
        folder: Where each result is kept as soon as it is measured, so that a killed report goes on
            from there; see `run` and `report_of_run`.
        progress: Whether to show a bar over the sets of all spokes, or in a log a line for each
            with the time left; a function is called with each line.

    Raises:
        SemanticHubError: No spokes, a name that is no spoke's, two spokes of one name, or as `run`.

    Example:
        >>> import semantic_hub as sh
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=4)
        >>> few = {"resampling": sh.Resampling(resamples=100), "permutations": 100}
        >>> sh.report(sh.load_model("hub-mini"), [spoke], **few).save("report.html").name
        'report.html'
    """
    settings = RunSettings("report", model, resampling, permutations, lenses, folder)
    chosen = chosen_spokes(model, spokes)
    sets = [sets_of("report", model, spoke) for spoke in chosen]
    check_names("report", "spoke", [spoke.name for spoke in chosen])
    for of_spoke in sets:
        if not of_spoke.spoke.concepts():
            check_any_sets("report", of_spoke)
    concept_items(chosen)  # their names are checked before anything is measured
    with measuring_sets(model, sets, settings, progress=progress, more_steps=1) as measuring:
        measured = [(of_spoke.spoke, measuring.findings(of_spoke)) for of_spoke in sets]
        measuring.step("report: examples token by token, forms against forms")
        made = Report(
            findings=tuple(found for _, found in measured),
            manifest=settings.manifest(model, [spoke.name for spoke in chosen]),
            resampling=resampling,
            n_layers=model.cfg.n_layers,
            pictures={spoke.name: spoke.figures(found) for spoke, found in measured},
            grids={spoke.name: read_grids(model, spoke, found) for spoke, found in measured},
            scores={spoke.name: steered_tokens(model, spoke, found) for spoke, found in measured},
            forms=compare_concepts(model, chosen, resampling=resampling),
        )
        if folder is not None:
            made.save_findings(Path(folder) / _WHOLE)
        return made


def report_of_run(folder: str | Path) -> Report:
    """The report of a run on disk, without its model.

    Args:
        folder: As `report` was given it.

    Returns:
        The whole report where the run is finished. Else what there is: sets that are not measured
        yet are named as left out, and pictures and examples token by token are missing.

    Raises:
        SemanticHubError: No run there, or results that are damaged.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=2)
        >>> few = {"resampling": sh.Resampling(resamples=20), "permutations": 20}
        >>> measured = sh.report(model, [spoke], folder="runs/few", **few)
        >>> report_of_run("runs/few").to_html() == measured.to_html()
        True
    """
    status = run_status(folder)
    whole = Path(folder) / _WHOLE
    if not status.left and holds_report(whole):
        return Report.load(whole)
    settings = {name: status.manifest[name] for name in ("resamples", "confidence", "seed")}
    return Report(
        findings=tuple(run_findings(folder)),
        manifest=status.manifest,
        resampling=Resampling(**settings),
        n_layers=status.manifest["model"]["n_layers"],
    )
