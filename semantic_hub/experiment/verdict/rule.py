"""The rule that calls a set, and then a spoke, supported, not supported, or undecided.

docs/measures.md explains it in words, and says which parts were added after its first use.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.margins import CellMargins, least_p
from semantic_hub.statistics.p_values import holm

SUPPORTED, NOT_SUPPORTED, CANNOT_TELL = "supported", "not supported", "cannot tell"
NOT_MEASURED = "not measured"


class Judgment(NamedTuple):
    """The verdict on one set, and the cells that it rests on.

    ``supporting_cells`` are the cells that support it. ``reported_cell`` is the one with the
    largest margin, of those that support the set if any does; None where nothing was measured.
    """

    verdict: str
    supporting_cells: tuple[int, ...]
    reported_cell: int | None
    __repr__ = short_repr


def decide(
    margins: CellMargins, adjusted: Float[Tensor, " cell"], *, alpha: float, smallest: float
) -> Judgment:
    """Judge one set: ``"supported"``, ``"not supported"`` or ``"cannot tell"``.

    **Supported** if in one cell or more the adjusted p ≤ alpha and the interval lies above 0. Else
    **not supported** if in every cell the interval lies below the smallest effect of interest. Else
    **cannot tell**; so are all sets of so few items that no p could be ≤ alpha (`least_p`).

    Args:
        margins: The set's margins.
        adjusted: Their p-values as `adjusted_p_values` gives them.
        alpha: Accepted chance of an error in a family of sets.
        smallest: The smallest margin of interest, in the unit of the margin.

    Example:
        >>> from semantic_hub.statistics.margins import Cell
        >>> one = torch.ones(1).double()
        >>> margins = CellMargins(cells=(Cell(3),), value=0.5 * one, low=0.2 * one, high=0.8 * one,
        ...                       p=0.01 * one, strongest=("placebo",), n=40, unit="share")
        >>> decide(margins, margins.p, alpha=0.05, smallest=0.1).verdict
        'supported'
        >>> decide(margins, 3 * margins.high, alpha=0.05, smallest=0.1).verdict
        'cannot tell'
    """
    supports = (adjusted <= alpha) & (margins.low > 0)
    if supports.any():
        cells = tuple(torch.nonzero(supports)[:, 0].tolist())
        return Judgment(SUPPORTED, cells, max(cells, key=lambda cell: margins.value[cell]))
    measured = bool(margins.value.isfinite().any())
    largest = int(margins.value.nan_to_num(nan=-torch.inf).argmax()) if measured else None
    enough_items = len(margins.cells) > 0 and least_p(margins.n, len(margins.cells)) <= alpha
    all_small = enough_items and bool((margins.high < smallest).all())
    return Judgment(NOT_SUPPORTED if all_small else CANNOT_TELL, (), largest)


def adjusted_p_values(family: Sequence[CellMargins]) -> list[Float[Tensor, " cell"]]:
    """Correct each cell's p by Holm's method over all sets of one kind of evidence.

    A set is in the family with its smallest p, which already is corrected over its cells. A cell's
    adjusted p is what Holm's method gives the set if that cell's p stands for it. Sets without any
    p are no test, and do not count.

    Args:
        family: The margins of every set.

    Returns:
        For each set, in [0, 1], NaN where the cell has no p. The chance that even one set without
        any effect has an adjusted p ≤ α is at most α.

    Source:
        Holm 1979 (`semantic_hub.statistics.p_values.holm`).
    """
    tested = [index for index, set_ in enumerate(family) if set_.p.isfinite().any()]
    smallest = [family[index].p[family[index].p.isfinite()].amin()[None] for index in tested]
    adjusted = [set_.p for set_ in family]
    for place, index in enumerate(tested):
        adjusted[index] = _adjusted(family[index].p, torch.cat(smallest), place)
    return adjusted


def majority(verdicts: Sequence[str]) -> str:
    """The verdict of more than half of several sets, else ``"cannot tell"``.

    Args:
        verdicts: Of each set; none at all are ``"not measured"``.

    Example:
        >>> majority(["supported", "supported", "cannot tell"]), majority([])
        ('supported', 'not measured')
        >>> majority(["supported", "not supported"])
        'cannot tell'
    """
    if not verdicts:
        return NOT_MEASURED
    for verdict in (SUPPORTED, NOT_SUPPORTED):
        if 2 * sum(one == verdict for one in verdicts) > len(verdicts):
            return verdict
    return CANNOT_TELL


def _adjusted(
    p: Float[Tensor, " cell"], smallest: Float[Tensor, " test"], place: int
) -> Float[Tensor, " cell"]:
    """Holm's p of one set, with each of its cells' p in the place of its smallest one."""
    adjusted = torch.full_like(p, torch.nan)
    for value in p[p.isfinite()].unique():
        family = torch.cat([smallest[:place], value[None], smallest[place + 1 :]])
        adjusted[p == value] = holm(family)[place]
    return adjusted
