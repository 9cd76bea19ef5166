"""One self-contained page of everything that was measured on a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment import Findings, Progress, Spoke, run
from semantic_hub.lens import Norm, lens_name
from semantic_hub.models import HookedModel
from semantic_hub.report_section import section
from semantic_hub.results import manifest
from semantic_hub.spokes.arithmetic import ArithmeticSpoke
from semantic_hub.spokes.language import LanguageSpoke
from semantic_hub.storage import write_atomically
from semantic_hub.verdict import verdicts
from semantic_hub.verdict_result import Verdicts
from semantic_hub.zoo.held_out import spokes_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Report:
    """Findings of several spokes on one model, as a page.

    Attributes:
        findings: One entry a spoke.
        manifest: What was measured, with which versions and settings.
        pictures: Spoke's name to the figures that only this spoke can draw, by title.
    """

    findings: tuple[Findings, ...]
    manifest: Mapping[str, Any]
    pictures: Mapping[str, Mapping[str, "go.Figure"]] = field(default_factory=dict)

    @cached_property
    def verdicts(self) -> Verdicts:
        """What the findings say together: one line for each spoke and kind of evidence.

        By `semantic_hub.verdict.verdicts`, with the resamples, seed and confidence of the manifest.
        """
        known = ("resamples", "confidence", "seed")
        return verdicts(
            self.findings, **{name: self.manifest[name] for name in known if name in self.manifest}
        )

    def to_html(self) -> str:
        """The page: one HTML document with its figures and plotly's script inside.

        Everything that comes from data or from the model is escaped. It loads nothing.
        """
        from plotly.offline import get_plotlyjs

        page = _environment().get_template("report.html.jinja")
        return page.render(
            model=self.manifest["model"],
            verdicts=self.verdicts,
            sections=[
                section(findings, self.pictures.get(findings.spoke, {}))
                for findings in self.findings
            ],
            manifest=json.dumps(self.manifest, ensure_ascii=False, indent=2),
            plotly=get_plotlyjs(),
        )

    def save(self, path: str | Path) -> Path:
        """Write the page; a page that is there is replaced in one step.

        Raises:
            SemanticHubError: As `check_page_path`.
        """
        path = check_page_path(path)
        write_atomically(path, self.to_html().encode())
        return path


def check_page_path(path: str | Path) -> Path:
    """Where a page can be written; worth asking before hours of measuring.

    Raises:
        SemanticHubError: The folder does not exist, or the path is itself a folder.
    """
    path = Path(path)
    if path.parent.is_dir() and not path.is_dir():
        return path
    raise SemanticHubError(
        "Report.save",
        got=f"{path}",
        expected="a file in a folder that exists",
        fix="Name a file." if path.is_dir() else f"Make {path.parent} first.",
    )


def report(
    model: HookedModel,
    spokes: Sequence[Spoke] | None = None,
    *,
    resamples: int = 1000,
    permutations: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    lenses: Mapping[str, Norm] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measure every spoke on a model, for one page: `run` for each.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        spokes: What to measure; None for `default_spokes`.
        resamples: Bootstrap resamples.
        permutations: Pairings of the permutation test.
        confidence: Coverage of the intervals.
        seed: Of everything random.
        lenses: Other lenses by name, laid over the logit lens in every set of read-outs.
        progress: Called with a line of text before each measurement.

    Example:
        >>> import semantic_hub as sh
        >>> problems = sh.spokes.arithmetic.problems("+")[::40]
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=problems)
        >>> sh.report(sh.load_model("hub-mini"), [spoke]).save("report.html").name
        'report.html'
    """
    settings: dict[str, Any] = {
        "resamples": resamples,
        "permutations": permutations,
        "confidence": confidence,
        "seed": seed,
    }
    chosen = default_spokes(model) if spokes is None else spokes
    findings = tuple(
        run(model, spoke, lenses=lenses, progress=progress, **settings) for spoke in chosen
    )
    others = {name: lens_name(lens) for name, lens in (lenses or {}).items()}
    about = {"spokes": [spoke.name for spoke in chosen], "lenses": others}
    drawn = {
        spoke.name: draw(found.lens)
        for spoke, found in zip(chosen, findings, strict=True)
        if (draw := getattr(spoke, "pictures", None)) and found.lens
    }
    return Report(findings, manifest(model, **about, **settings), drawn)


def default_spokes(model: HookedModel) -> Sequence[Spoke]:
    """What a report measures unless told otherwise.

    For a model that was trained on a world of the zoo: what that world held out. For any other
    model: the authored sentences and the arithmetic of the package, English as the dominant
    language.
    """
    return spokes_of(model) or (LanguageSpoke(), ArithmeticSpoke())


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
