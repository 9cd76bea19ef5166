"""The rule by which a set of margins, and then all sets together, are called supported or not.

docs/measures.md says it in words, and which parts were added after it was first run.
"""

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.statistics.margins import CellMargins, least_p
from semantic_hub.statistics.p_values import holm

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
CANNOT_TELL = "cannot tell"
NOT_MEASURED = "not measured"


class Judgement(NamedTuple):
    """What the rule says of one set.

    ``carrying`` are the cells that support it. ``shown`` is the one with the largest margin, of
    those that support the set if any does; None where nothing was measured.
    """

    verdict: str
    carrying: tuple[int, ...]
    shown: int | None


def judge(
    found: CellMargins, adjusted: Float[Tensor, " cell"], *, alpha: float, smallest: float
) -> Judgement:
    """The verdict on one set.

    **Supported** if in one cell or more the adjusted p ≤ alpha and the interval lies above 0. Else
    **not supported** if in every cell the interval lies below the smallest effect of interest. Else
    **cannot tell**; so are all sets of so few items that no p could be ≤ alpha (`least_p`).

    Args:
        found: The set's margins.
        adjusted: Their p-values as `adjusted_p_values` gives them.
        alpha: Chance of an error that is accepted in a family of sets.
        smallest: The smallest margin of interest, in the unit of the margin.

    Example:
        >>> from semantic_hub.statistics.margins import Cell
        >>> one = torch.ones(1).double()
        >>> found = CellMargins(cells=(Cell(3),), value=0.5 * one, low=0.2 * one, high=0.8 * one,
        ...                     p=0.01 * one, strongest=("placebo",), n=40, unit="share")
        >>> judge(found, found.p, alpha=0.05, smallest=0.1).verdict
        'supported'
        >>> judge(found, 3 * found.high, alpha=0.05, smallest=0.1).verdict
        'cannot tell'
    """
    carries = (adjusted <= alpha) & (found.low > 0)
    if carries.any():
        carrying = tuple(torch.nonzero(carries)[:, 0].tolist())
        return Judgement(SUPPORTED, carrying, max(carrying, key=lambda cell: found.value[cell]))
    measured = found.value.isfinite()
    shown = int(found.value.nan_to_num(nan=-torch.inf).argmax()) if measured.any() else None
    enough = len(found.cells) > 0 and least_p(found.n, len(found.cells)) <= alpha
    small = enough and bool((found.high < smallest).all())
    return Judgement(NOT_SUPPORTED if small else CANNOT_TELL, (), shown)


def adjusted_p_values(family: Sequence[CellMargins]) -> list[Float[Tensor, " cell"]]:
    """Each cell's p, corrected by Holm's method over all sets of one kind of evidence.

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
    smallest = [found.p[found.p.isfinite()].amin()[None] for found in family if _is_test(found)]
    places = count()
    return [
        _adjusted(found.p, torch.cat(smallest), next(places)) if _is_test(found) else found.p
        for found in family
    ]


def majority(verdicts: Sequence[str]) -> str:
    """The verdict on several sets: what more than half of them say, else ``"cannot tell"``.

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


def _is_test(found: CellMargins) -> bool:
    return bool(found.p.isfinite().any())


def _adjusted(
    p: Float[Tensor, " cell"], family: Float[Tensor, " test"], place: int
) -> Float[Tensor, " cell"]:
    found = torch.full_like(p, torch.nan)
    for value in p[p.isfinite()].unique():
        others = torch.cat([family[:place], value[None], family[place + 1 :]])
        found[p == value] = holm(others)[place]
    return found
