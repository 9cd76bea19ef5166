"""Numbers with the ends of their intervals, as a page's tables hold them."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

Cell = dict[str, float]
"""``value``, ``low`` and ``high``."""

_SUMMARY = {"value": "value", "low": "low", "high": "high"}
SIMILARITY = {"value": "similarity", "low": "low", "high": "high"}
MARGIN = {"value": "margin", "low": "margin_low", "high": "margin_high"}
"""Where a `SimilarityResult` has the numbers of its own curve, and of its margin."""


@runtime_checkable
class HasArrays(Protocol):
    """A result or a summary."""

    @property
    def low(self) -> Tensor:
        """Lower ends."""
        ...


def cell(
    result: HasArrays, index: int | tuple[int, ...], names: Mapping[str, str] = _SUMMARY
) -> Cell:
    """One number of a result or summary, with its interval.

    Args:
        result: What has the arrays.
        index: Which place of them.
        names: Key of the cell to the array's name.

    Example:
        >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20])
        >>> sorted(cell(lens.share("hub", "surface"), 4))
        ['high', 'low', 'value']
    """
    return {key: float(getattr(result, name)[index]) for key, name in names.items()}
