"""What a verdict takes from each kind of result: its effect above the strongest control, by cell.

A *cell* is a middle layer, in patching a layer and a place, in steering a layer and a strength.
"""

from functools import singledispatch

from semantic_hub.results import Result
from semantic_hub.statistics.margins import (
    CellMargins,
)
from semantic_hub.statistics.resampling import Resampling


@singledispatch
def cell_margins(result: Result, draws: Resampling) -> CellMargins:
    """The margin of a result at each of its cells, by the kind of result.

    - `SimilarityResult`: similarity less that of the null controls. Its p is the larger of the
      permutation p-value of the pairs and the margin's own.
    - `LensResult`: share of read-outs in which ``hub`` beats ``surface``, less the shares in which
      each other group does.
    - `PatchResult`: see `PatchResult.cell_margins`.
    - `SteeringResult`: share of success of the first direction, less the placebo's.
    - `TextSteeringResult`: mean change of the first score under the first direction, less the
      placebo's, over prompts.

    Args:
        result: Any of these.
        draws: Resamples over items; a similarity brings its own.

    Returns:
        No cells, with the reason, where there are no controls or no middle layers.

    Raises:
        TypeError: Another kind of result.

    Example:
        >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:40])
        >>> [cell.layer for cell in cell_margins(lens, Resampling()).cells]
        [1, 2, 3, 4, 5, 6, 7]
    """
    margins = result.cell_margins(draws) if isinstance(result, Result) else None
    if margins is None:
        raise TypeError(f"no verdict is defined for a {type(result).__name__}")
    return margins
