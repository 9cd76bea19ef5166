"""One self-contained page of everything that was measured on a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.alignment.between_forms import FormSimilarity
from semantic_hub.experiment.across import compare_concepts
from semantic_hub.experiment.runner import Findings, Progress, Spoke, run
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.lenses.comparison import resolve_lenses
from semantic_hub.lenses.lens import LensLike
from semantic_hub.lenses.per_token import TokenLens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.protocol import HookedModel
from semantic_hub.reporting.cautions import cautions
from semantic_hub.reporting.defaults import chosen_spokes, default_spokes
from semantic_hub.reporting.examples import read_grids, steered_tokens
from semantic_hub.reporting.figures import across_figures
from semantic_hub.reporting.render import check_page_path, readable, render, write_page
from semantic_hub.reporting.sections import section
from semantic_hub.reporting.storage import read_report, write_report
from semantic_hub.results import manifest
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Report", "check_page_path", "default_spokes", "report"]


@dataclass(frozen=True)
class Report:
    """Findings of several spokes on one model, as a page.

    Attributes:
        findings: One entry a spoke.
        manifest: What was measured, with which versions and settings.
        pictures: Spoke's name to the figures that only this spoke can draw, by title.
        grids: Spoke's name to one prompt of each set of read-outs, read at every token.
        scores: Spoke's name to one text of each set of steered texts: what steering did to the
            probability of each token.
        across: Every form of every spoke against every other, on the concepts that both say; None
            where there are none.
    """

    findings: tuple[Findings, ...]
    manifest: Mapping[str, Any]
    resampling: Resampling = Resampling()
    pictures: "Mapping[str, Mapping[str, go.Figure]]" = field(default_factory=dict)
    grids: Mapping[str, Mapping[str, TokenLens]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, TokenScores]] = field(default_factory=dict)
    across: FormSimilarity | None = None

    @cached_property
    def verdicts(self) -> Verdicts:
        """What the findings say together: one line for each spoke and kind of evidence.

        By `semantic_hub.experiment.verdict.judging.verdicts`, with the resamples, seed and confidence of the manifest.
        """
        return verdicts(self.findings, resampling=self.resampling)

    def to_html(self) -> str:
        """The page: one HTML document with its figures and plotly's script inside.

        Everything that comes from data or from the model is escaped. It loads nothing.
        """
        model = self.manifest["model"]
        return render(
            "report.html.jinja",
            model=model,
            verdicts=self.verdicts,
            across=across_figures(self.across),
            sections=[self._section(found) for found in self.findings],
            cautions=cautions(self.findings, model, self.verdicts),
            manifest=readable(self.manifest),
        )

    def save(self, path: str | Path) -> Path:
        """Write the page; a page that is there is replaced in one step.

        Raises:
            SemanticHubError: The folder does not exist, or the path is itself a folder.
        """
        return write_page(path, self.to_html(), "Report.save")

    def save_findings(self, directory: str | Path) -> Path:
        """Write every number into a folder, for `load` and `semantic_hub.reporting.comparison.compare`.

        Args:
            directory: Made if it does not exist. A report that is there is replaced in one step.

        Raises:
            SemanticHubError: A result holds something that JSON cannot.

        Example:
            >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
            ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=4)
            >>> measured = sh.report(model, [spoke], resampling=sh.Resampling(resamples=20), permutations=20)
            >>> again = Report.load(measured.save_findings("run"))
            >>> again.to_html() == measured.to_html()
            True
        """
        return write_report(directory, self)

    @classmethod
    def load(cls, directory: str | Path) -> "Report":
        """Read back what `save_findings` wrote.

        Raises:
            SemanticHubError: No report there, or one that is damaged.
        """
        return cls(**read_report(directory))

    def _section(self, found: Findings) -> dict[str, Any]:
        return section(
            found,
            self.pictures.get(found.spoke, {}),
            self.grids.get(found.spoke, {}),
            self.scores.get(found.spoke, {}),
        )


def report(
    model: HookedModel,
    spokes: Sequence[Spoke | str] | None = None,
    *,
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    lenses: Mapping[str, LensLike] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure every spoke on a model, for one page: `run` for each.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        spokes: What to measure: spokes, or their names as `semantic_hub.reporting.defaults` knows them;
            None for its `default_spokes`.
        resampling: Resamples, coverage and seed of the intervals.
        permutations: Pairings of the permutation test.
        lenses: Other lenses by name, laid over the logit lens in every set of read-outs.
        progress: Called with a line of text before each measurement.

    Raises:
        SemanticHubError: A name that is no spoke's, or as `run`.

    Example:
        >>> import semantic_hub as sh
        >>> problems = sh.spokes.arithmetic.problems("+")[::80]
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=problems, at_most=4)
        >>> sh.report(sh.load_model("hub-mini"), [spoke]).save("report.html").name
        'report.html'
    """
    chosen = chosen_spokes(model, spokes)
    lenses = resolve_lenses(model, lenses or {})
    findings = tuple(
        run(
            model,
            spoke,
            lenses=lenses,
            progress=progress,
            resampling=resampling,
            permutations=permutations,
        )
        for spoke in chosen
    )
    others = {name: lens.name for name, lens in lenses.items()}
    about = {"spokes": [spoke.name for spoke in chosen], "lenses": others}
    measured = list(zip(chosen, findings, strict=True))
    return Report(
        findings,
        manifest(model, **about, resampling=resampling, permutations=permutations),
        resampling,
        {spoke.name: _pictures(spoke, found) for spoke, found in measured},
        {spoke.name: read_grids(model, spoke, found) for spoke, found in measured},
        {spoke.name: steered_tokens(model, spoke, found) for spoke, found in measured},
        compare_concepts(
            model,
            chosen,
            resampling=resampling,
        ),
    )


def _pictures(spoke: Spoke, found: Findings) -> "Mapping[str, go.Figure]":
    """The figures that only this spoke can draw, if it draws any."""
    draw: Any = getattr(spoke, "figures", None)
    return {} if draw is None else draw(found)
