"""Several runs side by side: their verdicts, and their effects over relative depth."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semantic_hub.errors import SemanticHubError, check_kinds, check_names
from semantic_hub.experiment.verdict.picture import verdict_html
from semantic_hub.plotting.values import Displayable
from semantic_hub.reporting.cautions import Caution
from semantic_hub.reporting.document import Report
from semantic_hub.reporting.figures import page_figures
from semantic_hub.reporting.render import readable, render, write_page
from semantic_hub.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_MODEL_ALONE = ("model", "spokes")
"""Parts of a manifest that say what was measured, not how."""

_COLUMNS = (
    "model", "spoke", "kind", "set", "unit", "note", "layer", "n_layers", "depth", "value", "low",
    "high", "n",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison(Displayable):
    """Reports on several models, or on several checkpoints of one.

    Nothing here tests whether two models differ: each curve has its own interval, and each verdict
    was corrected within its own run.

    Attributes:
        reports: What each is called to its report.
    """

    reports: Mapping[str, Report]

    def _lines(self) -> Iterator[str]:
        yield f"Comparison of {', '.join(self.reports)}"
        spokes = dict.fromkeys(found.spoke for r in self.reports.values() for found in r.findings)
        yield f"spokes: {', '.join(spokes)}"
        yield 'to_frame()  verdicts_frame()  figure(spoke, kind)  summary()  save("page.html")'

    def _table(self) -> "pd.DataFrame":
        return self.verdicts_frame()

    def to_frame(self) -> "pd.DataFrame":
        """The effect of every set over layers (``Result.effect_curve``) as a frame.

        Returns:
            Columns ``model spoke kind set unit note layer n_layers depth value low high n``;
            ``depth`` is the layer over the number of layers, ``note`` what was chosen by looking.
        """
        import pandas as pd

        rows = [row for name, report in self.reports.items() for row in _rows(name, report)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def verdicts_frame(self) -> "pd.DataFrame":
        """The verdicts of every run as a frame: `Verdicts.to_frame` with a column ``model``."""
        import pandas as pd

        frames = [
            report.verdicts.to_frame().assign(model=name) for name, report in self.reports.items()
        ]
        columns = ["model", *frames[0].columns.drop("model")]
        return pd.concat(frames, ignore_index=True).reindex(columns=columns)

    def figure(self, spoke: str, kind: str = "similarity") -> "go.Figure":
        """Draw one kind of result of one spoke: a panel for each set, a curve for each model.

        Args:
            spoke: The spoke's name.
            kind: A kind of result that has an effect over layers, such as ``"lens"``.

        Raises:
            SemanticHubError: Nothing was measured under these names.
        """
        frame = self.to_frame()
        rows = frame.loc[(frame["spoke"] == spoke) & (frame["kind"] == kind)]
        if rows.empty:
            known = frame[["spoke", "kind"]].drop_duplicates().agg(": ".join, axis=1)
            raise SemanticHubError(
                "Comparison.figure",
                got=f"{spoke!r}, {kind!r}",
                expected=f"one of {', '.join(known)}",
                fix="Name a spoke and a kind that were measured.",
            )
        return _panels(rows, f"{spoke}: {kind}")

    def to_html(self) -> str:
        """Render the page: one self-contained HTML document, with all content escaped."""
        frame = self.to_frame()
        parts: Any = frame.groupby(["spoke", "kind"], sort=False)
        sections: dict[str, dict[str, Any]] = {}
        for (spoke, kind), rows in parts:
            drawn = page_figures([_panels(rows, f"{spoke}: {kind}")])
            sections.setdefault(spoke, {})[kind] = drawn
        return render(
            "compare.html.jinja",
            names=list(self.reports),
            models={name: report.manifest["model"] for name, report in self.reports.items()},
            lines=list(_lines(self.reports)),
            pictures={name: verdict_html(r.verdicts.lines) for name, r in self.reports.items()},
            sections=sections,
            differences=differences(self.reports, frame),
            manifests={name: readable(r.manifest) for name, r in self.reports.items()},
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file; an existing file is replaced atomically.

        Raises:
            SemanticHubError: The folder does not exist, or the path is itself a folder.
        """
        return write_page(path, self.to_html(), "Comparison.save")


def compare(reports: Mapping[str, Report]) -> Comparison:
    """Compare reports on several models.

    Args:
        reports: What each model is called to its report, such as `Report.load` reads it.

    Raises:
        SemanticHubError: Fewer than two reports, no spoke that all of them have, or a name that is
            no text, is empty or has control characters.

    Example:
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=sh.spokes.arithmetic.problems("+")[::80], at_most=4)
        >>> few = {"resampling": sh.Resampling(resamples=20), "permutations": 20}
        >>> both = compare({"trained": sh.report(model, [spoke], **few),
        ...                 "twin": sh.report(sh.random_twin(model), [spoke], **few)})
        >>> sorted(set(both.to_frame()["kind"]))
        ['lens', 'patching', 'similarity', 'steering']
        >>> both.save("compare.html").name
        'compare.html'
    """
    check_kinds("compare", reports=(reports, Mapping))
    check_names("compare", "report", reports)
    for report in reports.values():
        check_kinds("compare", reports=(report, Report))
    spokes = [{found.spoke for found in report.findings} for report in reports.values()]
    if len(reports) < 2 or not set.intersection(*spokes):
        listed = [
            f"{name}: {', '.join(sorted(s))}" for name, s in zip(reports, spokes, strict=True)
        ]
        raise SemanticHubError(
            "compare",
            got="; ".join(listed) or "no reports",
            expected="two reports or more that have a spoke in common",
            fix="Measure the same spokes on each model.",
        )
    return Comparison(dict(reports))


def _rows(name: str, report: Report) -> Iterator[dict[str, Any]]:
    for found in report.findings:
        for kind, sets in found.results.items():
            for label, result in sets.items():
                about = {"model": name, "spoke": found.spoke, "kind": kind, "set": label}
                yield from _points(about, result, report.n_layers)


def _points(about: Mapping[str, Any], result: Result, n_layers: int) -> Iterator[dict[str, Any]]:
    curve = result.effect_curve()
    if curve is None:
        return
    values = (getattr(curve.summary, end).tolist() for end in ("value", "low", "high"))
    shared = {**about, "unit": curve.unit, "note": curve.note, "n": curve.n, "n_layers": n_layers}
    for layer, value, low, high in zip(curve.layers, *values, strict=True):
        place = {"layer": layer, "depth": layer / n_layers}
        yield {**shared, **place, "value": value, "low": low, "high": high}


def _panels(rows: "pd.DataFrame", title: str) -> "go.Figure":
    from semantic_hub.plotting.multiples import small_multiples

    units = "; ".join(dict.fromkeys(rows["unit"]))
    return small_multiples(rows, panel="set", curve="model", y_title=units, title=title)


def _lines(reports: Mapping[str, Report]) -> Iterator[dict[str, Any]]:
    """Each spoke and kind of evidence, with the verdict of each run; None where it has none."""
    lines_of = {
        name: {(line.spoke, line.evidence): line for line in report.verdicts.lines}
        for name, report in reports.items()
    }
    keys = dict.fromkeys(key for lines in lines_of.values() for key in lines)
    for spoke, evidence in keys:
        verdicts = [lines.get((spoke, evidence)) for lines in lines_of.values()]
        yield {"spoke": spoke, "evidence": evidence, "verdicts": verdicts}


def differences(reports: Mapping[str, Report], frame: "pd.DataFrame") -> list[Caution]:
    """List what differs between runs besides the model, such as settings, sets and item counts.

    Args:
        reports: The runs.
        frame: ``Comparison.to_frame()`` of them.

    Returns:
        The cautions that apply, none if none does.
    """
    items_by_message = {
        "Settings that differ between the runs:": _settings(reports),
        "Sets that not every run has:": _not_in_all(frame, len(reports)),
        "Sets with another number of items in each run, since what a tokenizer splits is dropped, "
        "or the data differ:": _other_items(frame),
        "Strengths that were chosen by looking, in each run its own:": _chosen(frame),
    }
    listed = [Caution(message, tuple(items)) for message, items in items_by_message.items()]
    return [caution for caution in listed if caution.sets]


def _settings(reports: Mapping[str, Report]) -> Iterator[str]:
    flat = {name: dict(_flat(report.manifest)) for name, report in reports.items()}
    for key in dict.fromkeys(key for settings in flat.values() for key in settings):
        values = {name: settings.get(key) for name, settings in flat.items()}
        if len(set(map(str, values.values()))) > 1:
            yield f"{key}: " + ", ".join(f"{name} {value}" for name, value in values.items())


def _flat(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of each setting; ``libraries torch`` for a value inside another."""
    for key, value in manifest.items():
        if key not in _MODEL_ALONE and isinstance(value, Mapping):
            yield from ((f"{key} {name}", inner) for name, inner in value.items())
        elif key not in _MODEL_ALONE:
            yield key, value


def _sets(frame: "pd.DataFrame") -> Iterator[tuple[str, list[dict[Hashable, Any]]]]:
    """Each set's name, and the first row of each run that has it."""
    groups: Any = frame.groupby(["spoke", "kind", "set"], sort=False)
    for names, rows in groups:
        yield ", ".join(names), rows.drop_duplicates("model").to_dict("records")


def _not_in_all(frame: "pd.DataFrame", n_runs: int) -> Iterator[str]:
    for name, runs in _sets(frame):
        if len(runs) < n_runs:
            yield f"{name}: only in {_by_model(runs, '')}"


def _other_items(frame: "pd.DataFrame") -> Iterator[str]:
    for name, runs in _sets(frame):
        if len({run["n"] for run in runs}) > 1:
            yield f"{name}: {_by_model(runs, 'n')}"


def _chosen(frame: "pd.DataFrame") -> Iterator[str]:
    for name, runs in _sets(frame.loc[frame["note"] != ""]):
        yield f"{name}: {_by_model(runs, 'note')}"


def _by_model(runs: list[dict[Hashable, Any]], column: str) -> str:
    return ", ".join(f"{run['model']} {run.get(column, '')}".strip() for run in runs)
