"""How two runs differ in more than the model: what a reader of a comparison should know."""

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from semantic_hub.reporting.cautions import Caution

if TYPE_CHECKING:
    import pandas as pd

    from semantic_hub.reporting.document import Report

_MODEL_ALONE = ("model", "spokes")
"""Parts of a manifest that say what was measured, not how."""


def differences(reports: "Mapping[str, Report]", frame: "pd.DataFrame") -> list[Caution]:
    """Settings and versions that differ, sets that not every run has, and sets of unlike items.

    Args:
        reports: The runs.
        frame: ``Comparison.to_frame()`` of them.

    Returns:
        The cautions that apply, none if none does.
    """
    told = {
        "Settings that differ between the runs:": _settings(reports),
        "Sets that not every run has:": _not_in_all(frame, len(reports)),
        "Sets with another number of items in each run, since what a tokenizer splits is dropped, "
        "or the data differ:": _other_items(frame),
        "Strengths that were chosen by looking, in each run its own:": _chosen(frame),
    }
    found = [Caution(says, tuple(items)) for says, items in told.items()]
    return [caution for caution in found if caution.sets]


def _settings(reports: "Mapping[str, Report]") -> Iterator[str]:
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
            yield f"{name}: only in {_told(runs, '')}"


def _other_items(frame: "pd.DataFrame") -> Iterator[str]:
    for name, runs in _sets(frame):
        if len({run["n"] for run in runs}) > 1:
            yield f"{name}: {_told(runs, 'n')}"


def _chosen(frame: "pd.DataFrame") -> Iterator[str]:
    for name, runs in _sets(frame.loc[frame["note"] != ""]):
        yield f"{name}: {_told(runs, 'note')}"


def _told(runs: list[dict[Hashable, Any]], column: str) -> str:
    return ", ".join(f"{run['model']} {run.get(column, '')}".strip() for run in runs)
