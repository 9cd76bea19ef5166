"""Doable items: what the model gets right without an intervention, which alone can tell of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from typing import Any

from semantic_hub.statistics.margins import CellMargins

MIN_DOABLE = 10
"""Doable items that a verdict takes at least: of 10 that all agree, the exact interval of a share
still reaches .31 to the other side (`semantic_hub.statistics.margins.unseen_share`)."""


def enough_doable(n: int, of: int, unit: str, margins: Callable[[], CellMargins]) -> CellMargins:
    """Margins of the doable items; none, with the reason, where these are fewer than `MIN_DOABLE`.

    Args:
        n: Number of doable items.
        of: Number of all items.
        unit: What the margins count.
        margins: Makes them.
    """
    if n < MIN_DOABLE:
        told = f"without an intervention the model gets {n} of {of} right"
        return CellMargins.none(unit, f"{told}; a verdict takes {MIN_DOABLE} at least")
    return margins()


def with_doable(
    rows: Sequence[Mapping[str, Any]],
    n: int,
    doable: Sequence[Mapping[str, Any]] | None,
    n_doable: int,
) -> Iterator[dict[str, Any]]:
    """Rows of a frame with their number of items, and the same numbers of the doable items.

    Args:
        rows: With ``value low high`` of all items.
        n: Number of items.
        doable: The same rows of the doable items; None for NaN, where there are none.
        n_doable: Number of doable items.
    """
    nothing = dict.fromkeys(("value", "low", "high"), nan)
    for row, other in zip(rows, doable or [nothing] * len(rows), strict=True):
        of_doable = {f"{end}_doable": other[end] for end in nothing}
        yield {**row, "n": n, **of_doable, "n_doable": n_doable}
