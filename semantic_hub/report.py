"""One self-contained page of everything that was measured on a model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment import RANDOM_TWIN, Findings, Progress, Spoke, run
from semantic_hub.layers import layer_name
from semantic_hub.legible import escaped, legible
from semantic_hub.lens_result import LensResult
from semantic_hub.models import HookedModel
from semantic_hub.results import manifest
from semantic_hub.similarity import SimilarityResult
from semantic_hub.spokes.arithmetic import ArithmeticSpoke
from semantic_hub.spokes.language import LanguageSpoke
from semantic_hub.storage import write_atomically
from semantic_hub.top_tokens import TopTokens
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
    """

    findings: tuple[Findings, ...]
    manifest: Mapping[str, Any]

    def to_html(self) -> str:
        """The page: one HTML document with its figures and plotly's script inside.

        Everything that comes from data or from the model is escaped. It loads nothing.
        """
        from plotly.offline import get_plotlyjs

        page = _environment().get_template("report.html.jinja")
        return page.render(
            model=self.manifest["model"],
            sections=[_section(findings) for findings in self.findings],
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
    findings = tuple(run(model, spoke, progress=progress, **settings) for spoke in chosen)
    return Report(findings, manifest(model, spokes=[spoke.name for spoke in chosen], **settings))


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


def _section(findings: Findings) -> dict[str, Any]:
    alike, read = findings.similarity, findings.lens
    return {
        "name": findings.spoke,
        "similarity": [
            {"name": name, **_similarity_row(result), "figures": _figures([_titled(name, result)])}
            for name, result in alike.items()
        ],
        "lens": [
            {
                "name": name,
                **_lens_row(result),
                "figures": _figures(_lens_figures(result)),
                "layers": list(map(layer_name, findings.says[name].layers)),
                "says": list(_said(findings.says[name])),
            }
            for name, result in read.items()
        ],
    }


def _titled(name: str, result: SimilarityResult) -> "go.Figure":
    return result.figure().update_layout(title_text=escaped(f"{name}: {result.row}"))


def _said(top: TopTokens) -> Iterator[tuple[str, list[str]]]:
    """Each prompt with the token that is on top at each layer."""
    for prompt, layers in zip(top.prompts, top.tokens[..., 0].tolist(), strict=True):
        yield prompt, [legible(top.texts[str(token)]) for token in layers]


def _lens_figures(result: LensResult) -> Iterator["go.Figure"]:
    yield result.figure("probability")
    if "hub" in result.groups:
        yield result.figure("share", group="hub")


def _similarity_row(result: SimilarityResult) -> dict[str, Any]:
    """The layer where similarity is highest, and what the control reads there."""
    peak = int(result.similarity.argmax())
    row: dict[str, Any] = {
        "n": result.n_pairs,
        "embedding": float(result.similarity[0]),
        "layer": layer_name(result.layers[peak]),
        **_interval(result, peak),
        "p": float(result.p_corrected[peak]),
    }
    twin = result.controls.get(RANDOM_TWIN)
    return row | {"twin": None if twin is None else _interval(twin, peak)}


def _lens_row(result: LensResult) -> dict[str, Any]:
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
        "value": float(ahead.value[peak]),
        "low": float(ahead.low[peak]),
        "high": float(ahead.high[peak]),
        "last": float(ahead.value[-1]),
        "others": beaten,
    }


def _interval(result: SimilarityResult, index: int) -> dict[str, float]:
    names = {"value": "similarity", "low": "low", "high": "high"}
    return {key: float(getattr(result, name)[index]) for key, name in names.items()}


def _figures(figures: Any) -> list[str]:
    """Figures as JSON that is safe inside a script element."""
    return [
        figure.to_json().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        for figure in figures
    ]
