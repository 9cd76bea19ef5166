"""Calibrate the tests and intervals: ``python -m semantic_hub.zoo.calibration --out PAGE``.

Writes a page of Markdown with the false-positive rate and coverage of every measure in worlds in
which the null is true, its power in worlds with a hub, the verdicts on both, what the candidates
for the effect read of anisotropic states, the verdicts of the lens where words are split, and those
on steering with one placebo and with two; and two charts of power.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from semantic_hub.errors import SemanticHubError
from semantic_hub.results.files import check_writable, write_atomically
from semantic_hub.zoo.calibration.anisotropy import COMMON, HUGE, measure_anisotropy
from semantic_hub.zoo.calibration.chart import power_chart
from semantic_hub.zoo.calibration.nulls import (
    ALPHA,
    HARMFUL,
    NullOutcome,
    false_positives,
    judgment,
)
from semantic_hub.zoo.calibration.page import FRESH, POWER_SHARE, Nulls, page_text
from semantic_hub.zoo.calibration.power import N_PAIRS, NOISES, power
from semantic_hub.zoo.calibration.split_words import split_verdict_shares
from semantic_hub.zoo.calibration.steered import steering_verdict_shares
from semantic_hub.zoo.calibration.verdict import all_verdict_shares
from semantic_hub.zoo.calibration.worlds import NULL_WORLDS


def calibrate(page: Path, n_worlds: int) -> None:
    """Measure false positives, coverage, power and verdicts; write the page and its chart.

    Args:
        page: Markdown file; the charts have the same name and end in ``.svg`` and
            ``-anisotropy.svg``.
        n_worlds: Number of worlds of each kind; their seeds are 0, 1, ….

    Raises:
        SemanticHubError: Fewer than `POWER_SHARE` worlds, or a folder that cannot be written to.
    """
    if n_worlds < POWER_SHARE:
        raise SemanticHubError(
            "calibrate",
            got=f"{n_worlds} worlds",
            expected=f"at least {POWER_SHARE}",
            fix="Ask for more; with 200, a rate of 0.05 is measured within 0.03.",
        )
    check_writable(page.parent, "calibrate")
    nulls = {name: false_positives(make, range(n_worlds)) for name, make in NULL_WORLDS.items()}
    again = _measure_again(nulls, n_worlds)
    seeds = range(n_worlds // POWER_SHARE)
    hub, hub_folded = power(seeds), power(seeds, fold=True)
    chart = page.with_suffix(".svg")
    verdicts = all_verdict_shares(range(n_worlds))
    anisotropy = measure_anisotropy(seeds, range(n_worlds))
    second = page.with_name(f"{page.stem}-anisotropy.svg")
    text = page_text(
        nulls,
        again,
        hub,
        hub_folded,
        verdicts,
        anisotropy,
        split_verdict_shares(range(n_worlds)),
        steering_verdict_shares(range(n_worlds)),
        n_worlds,
        (chart.name, second.name),
    )
    write_atomically(page, text.encode(), "calibrate")
    candidates = power_chart(
        anisotropy.rejected,
        COMMON,
        HUGE,
        across_name="common direction / stream",
        line_name="huge dimensions",
        alpha=ALPHA,
    )
    write_atomically(second, candidates.encode(), "calibrate")
    panels = {**hub, **{f"{name}, folded": values for name, values in hub_folded.items()}}
    write_atomically(chart, power_chart(panels, NOISES, N_PAIRS, alpha=ALPHA).encode(), "calibrate")


def _measure_again(nulls: Nulls, n_worlds: int) -> Nulls:
    """Outcomes of the suspect measures in fresh worlds."""
    seeds = range(n_worlds, (1 + FRESH) * n_worlds)
    suspects = {world: _suspects(outcomes, n_worlds) for world, outcomes in nulls.items()}
    return {
        world: false_positives(NULL_WORLDS[world], seeds, names)
        for world, names in suspects.items()
        if names
    }


def _suspects(outcomes: Mapping[str, NullOutcome], n_worlds: int) -> list[str]:
    """Measures with a rate outside its interval on the harmful side."""
    return [
        name
        for name, outcome in outcomes.items()
        if any(failure.endswith(HARMFUL) for failure in judgment(outcome, n_worlds))
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the calibration from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the page, a Markdown file")
    parser.add_argument("--seeds", type=int, default=200, help="worlds of each kind")
    options = parser.parse_args(arguments)
    calibrate(options.out, options.seeds)


if __name__ == "__main__":
    main()
