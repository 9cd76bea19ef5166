"""How far an effect stands above the strongest of its null controls."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.statistics.intervals import percentile_interval
from semantic_hub.statistics.merge__simultaneous import max_t_p_values


class Resampled(NamedTuple):
    """A value at each layer, and the same in each bootstrap resample of pairs or other items."""

    value: Float[Tensor, " layer"]
    replicates: Float[Tensor, "resample layer"]


class Margin(NamedTuple):
    """Effect less the largest control, with interval, in the unit of the effect.

    ``p_corrected`` is the p-value that it is above 0, corrected over layers. ``strongest`` names
    that control at each layer; without controls it is empty, the rest NaN.
    """

    value: Float[Tensor, " layer"]
    low: Float[Tensor, " layer"]
    high: Float[Tensor, " layer"]
    p_corrected: Float[Tensor, " layer"]
    strongest: tuple[str, ...]


def margin(
    effect: Resampled, controls: Mapping[str, Resampled], confidence: float = 0.95
) -> Margin:
    """Effect above the strongest null control at each layer: ``M = S − max_c S_c``.

    The interval is a percentile bootstrap of M over pairs. Row i of each control is made from pair
    i, so effect and controls see the same resamples, and what they have in common cancels. The
    strongest control is chosen anew in each resample: the largest of several is high by chance
    too, so the interval leans downwards, never towards the effect. The p-value is that of
    `max_t_p_values`, from the same resamples.

    Args:
        effect: Value and replicates of the pairs.
        controls: The same of each null control, from the same resamples.
        confidence: Share of the resamples inside the interval.

    Raises:
        SemanticHubError: ``confidence`` is not between 0 and 1.

    Example:
        >>> effect = Resampled(torch.tensor([0.5]), torch.tensor([[0.25], [0.75]]))
        >>> control = Resampled(torch.tensor([0.25]), torch.tensor([[0.0], [0.5]]))
        >>> above = margin(effect, {"random twin": control})
        >>> above.value, above.strongest
        (tensor([0.2500]), ('random twin',))

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    """
    if not controls:
        return no_margin(len(effect.value))
    names, rows = list(controls), list(controls.values())
    highest = torch.stack([row.value for row in rows]).max(dim=0)
    above = effect.replicates - torch.stack([row.replicates for row in rows]).amax(dim=0)
    low, high = percentile_interval(above, confidence)
    strongest = tuple(names[index] for index in highest.indices.tolist())
    value = effect.value - highest.values
    return Margin(value, low, high, max_t_p_values(value, above), strongest)


def no_margin(n_layers: int) -> Margin:
    """The margin of what has no null controls.

    Args:
        n_layers: Number of layers.
    """
    nothing = torch.full((n_layers,), torch.nan, dtype=torch.float64)
    return Margin(nothing, nothing, nothing, nothing, ())
