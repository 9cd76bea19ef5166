"""P-values of several values at once, by bootstrap: the chance of one false positive in all."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.statistics.p_values import RESOLUTION


def max_t_p_values(
    value: Float[Tensor, " cell"], replicates: Float[Tensor, "resample cell"]
) -> Float[Tensor, " cell"]:
    """One-sided p-values that a value is above 0, corrected over cells by the max statistic.

    Cells are what is looked at together, such as layers. With s the standard deviation of a cell's
    replicates and t = value / s,

        p_c = (1 + #{resamples b : max_c' (M*_bc' − M_c') / s_c' ≥ t_c}) / (1 + resamples),

    the largest taken over all cells c' of one resample, so that what cells have in common is
    accounted for. A cell whose replicates do not vary (s within `RESOLUTION` of 0) has t = ∞ where
    its value is above 0, else −∞, and sets no bar for others: it has nothing random to set it with.

    Args:
        value: M, in one unit.
        replicates: M* of each bootstrap resample, the same resamples in each cell.

    Returns:
        In (0, 1], float64; NaN in a cell whose value or replicates are not all finite, which takes
        no part in the maximum.

    Example:
        >>> replicates = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [2.0, 2.0], [0.0, 0.0]])
        >>> max_t_p_values(torch.tensor([0.5, 0.5]), replicates)
        tensor([0.6000, 0.4000], dtype=torch.float64)

    Source:
        Westfall and Young, Resampling-Based Multiple Testing, 1993, section 2.3 (single step);
        Romano and Wolf 2005, Exact and approximate stepdown methods for multiple hypothesis
        testing, doi 10.1198/016214504000000539 (studentised bootstrap).
    """
    value, replicates = value.double(), replicates.double()
    known = value.isfinite() & replicates.isfinite().all(dim=0)
    spread = replicates.std(dim=0, correction=0)
    varies = known & (spread > RESOLUTION)
    scale = torch.where(varies, spread, 1.0)
    highest = torch.where(varies, (replicates - value) / scale, -math.inf).amax(dim=1)
    certain = torch.where(value > RESOLUTION, math.inf, -math.inf)
    t = torch.where(varies, value / scale, certain)
    reached = (highest[:, None] >= t - RESOLUTION).double().sum(dim=0)
    return torch.where(known, (1 + reached) / (1 + len(replicates)), math.nan)
