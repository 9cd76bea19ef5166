"""Measure the two real models with the text spokes, and put the tables into docs/real-models.md.

    python tests/real/report.py [--so-far] FOLDER [MODEL ...]

FOLDER is where tests/real/fetch.py put the models. Results are kept in FOLDER/runs, set by set: killed,
the same command goes on where it was. The pages are FOLDER/runs/MODEL.html. Hours on two cores.
With --so-far nothing is measured: tables and page show the sets that are there.
"""

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import semantic_hub as sh
from semantic_hub.experiment.run_folder import RunStatus, run_status
from semantic_hub.reporting.document import report_of_run

MODELS = ("gemma-3-270m", "smollm2-135m-instruct")
SPOKES = ("language", "arithmetic", "code", "semantics")
PAGE = Path(__file__).parents[2] / "docs" / "real-models.md"


def memory(line: str) -> int:
    """Megabytes of this process, as Linux counts them on a line of its status."""
    found = re.search(rf"^{line}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def measured(folder: Path, name: str) -> tuple[sh.Report, RunStatus, str]:
    """The report of a model, its run, and what it took in memory."""
    model = sh.load_model(folder / name, device="cpu")
    run = folder / "runs" / name
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, start = memory("VmRSS"), time.monotonic()
    report = sh.report(model, SPOKES, folder=run)
    taken = timedelta(seconds=round(time.monotonic() - start))
    report.save(folder / "runs" / f"{name}.html")
    above = memory("VmHWM") - before
    return (
        report,
        run_status(run),
        f"{above} MB above the model's own {before} MB, {taken} this time",
    )


def so_far(folder: Path, name: str) -> tuple[sh.Report, RunStatus, str]:
    """The report of what a run has measured."""
    run = folder / "runs" / name
    report, status = report_of_run(run), run_status(run)
    report.save(folder / "runs" / f"{name}.html")
    return report, status, "not measured yet"


def rows(name: str, report: sh.Report, status: RunStatus, memory_used: str) -> Iterator[str]:
    """Markdown of one model; of a run that is not finished, the sets that are measured."""
    yield f"### {name}\n"
    if status.left:
        n_done = len(status.done)
        yield f"Not finished: {n_done} of {n_done + len(status.left)} sets are measured.\n"
    yield "| spoke | evidence | verdict | sets supported | not supported | of | time |"
    yield "|---|---|---|---|---|---|---|"
    taken: dict[tuple[str, str], float] = defaultdict(float)
    for step in status.done:
        what = {"intervention": "causal"}.get(step.what, step.what)
        taken[step.spoke, what] += status.seconds_of[step]
    for line in report.verdicts.lines:
        if not line.n_sets and status.left:
            continue
        seconds = timedelta(seconds=round(taken[line.spoke, line.evidence]))
        counts = f"{line.n_supported} | {line.n_not_supported} | {line.n_sets}"
        yield f"| {line.spoke} | {line.evidence} | **{line.verdict}** | {counts} | {seconds} |"
    yield f"\nMemory: {memory_used}.\n"
    yield "| spoke | evidence | set | n | margin | strongest control | where | layers | verdict |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in report.verdicts.sets:
        layers = f"{one.layers[0]}–{one.layers[-1]}" if one.layers else one.reason
        margin = "–" if one.reason else f"{one.margin:.2f} [{one.low:.2f}, {one.high:.2f}]"
        told = (one.spoke, one.evidence, one.name, one.n, margin, one.strongest, one.where, layers)
        yield "| " + " | ".join(map(str, (*told, one.verdict))) + " |"
    yield ""


def main(folder: Path, names: list[str], found: Callable[..., Any]) -> None:
    """Find, and write each model's tables between the two lines that are named after it."""
    for name in names:
        text = "\n".join(rows(name, *found(folder, name)))
        first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(first)
        after = rest.partition(last)[2]
        PAGE.write_text(f"{before}{first}\n\n{text}\n{last}{after}", encoding="utf-8")
        print(f"wrote the tables of {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", nargs="*", default=MODELS)
    parser.add_argument("--so-far", action="store_true")
    given = parser.parse_args()
    main(given.folder, given.model, so_far if given.so_far else measured)
