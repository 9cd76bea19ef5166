"""AUC: share of mismatches that a match beats, both ways.

Every comparison is of cosines within one row or one column of all x against all y, so nothing that
all states have in common, and no change of scale, moves it. Cosines that float32 cannot tell apart
are a tie, which counts one half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.alignment.normalized import standardized, standardized_as
from semantic_hub.alignment.states import PairedStates, States, paired_states, row_blocks
from semantic_hub.plotting.values import short_repr
from semantic_hub.statistics.intervals import Interval, bootstrap_interval
from semantic_hub.statistics.margins import Cell, CellMargins, item_margins, unseen_share
from semantic_hub.statistics.p_values import RESOLUTION
from semantic_hub.statistics.resampling import Resampling

AUC = "AUC"
"""Name of the measure, of which the margins of a similarity are."""

LEAD = "AUC above the strongest control"
"""Unit of these margins."""

CHANCE = 0.5
"""AUC of states that say nothing of their pair, with any number of pairs."""

_BLOCK = 2**22  # entries of a float64 block of cosines


class Comparison(NamedTuple):
    """What the AUC is compared with, pair by pair; NaN where a control is no other pair.

    ``share`` is how often each pair wins: A_i from `match_wins`, or w_i from `control_wins` for a
    control that is made of the pairs. ``other`` is chance, or A_i of another model.
    """

    share: Float[Tensor, "pair layer"]
    other: Float[Tensor, "pair layer"] | float
    __repr__ = short_repr

    def reach(self, confidence: float) -> Interval:
        """Least interval of the mean lead over the other, were all pairs to agree."""
        known = ~self.share[:, 0].isnan()
        share = self.share[known].mean(dim=0)
        lead = (self.share - self.other)[known].mean(dim=0)
        unseen = unseen_share(int(known.sum()), confidence)
        return Interval(lead - unseen * share, lead + unseen * (1 - share))


def auc(x: States, y: States) -> Float[Tensor, " layer"]:
    """Share of mismatches that a match beats, both ways, at each layer, of `standardized` states.

    ``A = 1/(2n(n−1)) Σ_{i≠j} [s_ii > s_ij] + [s_ii > s_ji]`` with s_ij the cosine of x_i and y_j
    after each side has mean 0 and deviation 1 in every dimension; in [0, 1]. Chance level 0.5 with
    any number of pairs, 1 where every state is nearer to its partner than to all others. It does
    not change when the cosines go through any increasing function, when a vector is added to all
    states of one side, or when one dimension of a side is scaled. Cost O(n² · layer · d_model), in
    blocks.

    Args:
        x: States of one side, torch or numpy.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.

    Returns:
        A at each layer, float64.

    Raises:
        SemanticHubError: As `standardized_cosine`.

    Example:
        >>> x = torch.randn(50, 1, 8, generator=torch.Generator().manual_seed(0))
        >>> auc(x, 3 * x + 100).item(), auc(x, x.flip(0)).item() < 0.6
        (1.0, True)

    Source:
        Hanley and McNeil 1982, The meaning and use of the area under a receiver operating
        characteristic (ROC) curve, doi 10.1148/radiology.143.1.7063747; within one row or column at
        a time, as in retrieval.
    """
    return match_wins(paired_states(*standardized(x, y), "auc")).mean(dim=0)


def match_wins(states: PairedStates) -> Float[Tensor, "pair layer"]:
    """What each pair adds to the AUC: the mean over pairs is the AUC.

    With w_ij the mean of ``[s_ii > s_ij]`` and ``[s_ii > s_ji]``, pair i adds
    ``Σ_{j≠i} (w_ij + w_ji) / (n − 1) − A``: how often its match wins, and how often others win
    against its states. A bootstrap over these is that of the AUC to first order, since the AUC is a
    mean over two pairs at a time (a U-statistic).

    Args:
        states: Both sides, checked and scaled.

    Source:
        Hoeffding 1948, A class of statistics with asymptotically normal distribution,
        doi 10.1214/aoms/1177730196.
    """
    won, lost_by_others = torch.zeros(2, *states.cosine.shape, dtype=torch.float64)
    n = len(states.x)
    for layer in range(states.cosine.shape[1]):
        sides = states.units(layer)
        own = _steps(states.cosine[:, layer])
        for first, second in (sides, sides[::-1]):
            for rows in row_blocks(n, n, _BLOCK):
                beaten = _wins(own[rows, None], _steps(first[rows] @ second.T))
                beaten[:, rows].fill_diagonal_(0)
                won[rows, layer] += beaten.sum(dim=1)
                lost_by_others[:, layer] += beaten.sum(dim=0)
    area = won.sum(dim=0) / (2 * n * (n - 1))
    return (won + lost_by_others) / (2 * (n - 1)) - area


def auc_under_pairings(
    states: PairedStates, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, "pairing layer"]:
    """AUC under each pairing of x with y, less the mean over all pairings, which is 0.5.

    A pairing leaves all cosines as they are. It moves the match of x_i to another place of row i,
    and of its column; the share of the row or column that lies below a place is known once for all.

    Args:
        states: Both sides.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.
    """
    n = len(states.x)
    values = torch.zeros(len(ways), states.cosine.shape[1], dtype=torch.float64)
    there, back = ways.long(), ways.argsort(dim=1)
    for layer in range(values.shape[1]):
        sides = states.units(layer)
        for (first, second), way in ((sides, there), (sides[::-1], back)):
            for rows in row_blocks(n, n, _BLOCK):
                below = _share_below(_steps(first[rows] @ second.T))
                values[:, layer] += below[torch.arange(len(below)), way[:, rows]].sum(dim=1)
    return values / (2 * n) - CHANCE


def share_interval(wins: Float[Tensor, "pair layer"], resampling: Resampling) -> Interval:
    """Percentile bootstrap interval of a mean of shares, which keeps a width where all agree.

    A bootstrap of pairs that all win has no width. With u the `unseen_share`, the interval of a
    mean A reaches at least from ``A − u A`` to ``A + u (1 − A)``.

    Args:
        wins: A share for each pair.
        resampling: Resamples, coverage and seed.
    """
    low, high = bootstrap_interval(wins, resampling=resampling)
    value, unseen = wins.mean(dim=0), unseen_share(len(wins), resampling.confidence)
    low = torch.minimum(low, value * (1 - unseen)).clamp(min=0)
    return Interval(low, torch.maximum(high, value + unseen * (1 - value)).clamp(max=1))


def control_wins(
    x: Float[Tensor, "pair layer d_model"],
    y: Float[Tensor, "pair layer d_model"],
    other_x: Float[Tensor, "pair layer d_model"],
    other_y: Float[Tensor, "pair layer d_model"],
    changed: Bool[Tensor, "pair side"],
) -> Float[Tensor, "pair layer"]:
    """How often a match beats the control made of its own pair: 1, 0, or 0.5 for a tie.

    Compares s(x_i, y_i) with s(x_i, y'_i) where the control has another y, and with s(x'_i, y_i)
    where it has another x; the mean where it has both. The control's states are standardized as
    those of the pairs.

    Args:
        x: States of one side.
        y: States of the other side; ``y[i]`` has the meaning of ``x[i]``.
        other_x: The control's states of the x side; row i is made from pair i.
        other_y: Those of the y side.
        changed: Whether the control's prompt is another one, on each side.

    Returns:
        NaN for pairs that the control leaves as they are.

    Example:
        >>> x, y = torch.eye(3)[:, None], torch.eye(3)[:, None]
        >>> changed = torch.tensor([[False, True]]).expand(3, 2)
        >>> control_wins(x, y, x, y[[1, 2, 0]], changed)[:, 0].tolist()
        [1.0, 1.0, 1.0]
    """
    wins = torch.empty(x.shape[:2], dtype=torch.float64)
    weight = changed.double() / changed.double().sum(dim=1, keepdim=True)
    for layer in range(x.shape[1]):
        one, other, new_one, new_other = (
            torch.nn.functional.normalize(standardized_as(states[:, layer], side[:, layer]), dim=-1)
            for states, side in ((x, x), (y, y), (other_x, x), (other_y, y))
        )
        own = _steps(torch.linalg.vecdot(one, other))
        against = [torch.linalg.vecdot(new_one, other), torch.linalg.vecdot(one, new_other)]
        each = torch.stack([_wins(own, _steps(cosine)) for cosine in against], dim=1)
        wins[:, layer] = (each * weight).sum(dim=1)
    return wins


def lead_margins(
    comparisons: Mapping[str, Comparison], layers: Sequence[int], resampling: Resampling
) -> CellMargins:
    """AUC above the strongest control at each layer: the smallest mean lead over a control.

    The interval is a bootstrap over pairs, and keeps a width where all pairs agree: with A the
    share of a comparison, L its lead and u the `unseen_share` of its pairs, it reaches at least
    from the smallest ``L − u A`` to the smallest ``L + u (1 − A)``.

    Args:
        comparisons: Control to what is compared with it.
        layers: Of the comparisons.
        resampling: Resamples, coverage and seed.

    Example:
        >>> wins = torch.ones(8, 1).double()
        >>> found = lead_margins({"chance": Comparison(wins, 0.5)}, [3], Resampling())
        >>> found.value.item(), round(found.low.item(), 2), found.high.item()
        (0.5, 0.13, 0.5)
    """
    below = {name: each.other - each.share for name, each in comparisons.items()}
    nothing = torch.zeros_like(next(iter(below.values())))
    found = item_margins(tuple(map(Cell, layers)), nothing, below, LEAD, resampling)
    reaches = [each.reach(resampling.confidence) for each in comparisons.values()]
    lowest, highest = (torch.stack(ends).amin(dim=0) for ends in zip(*reaches, strict=True))
    return replace(
        found,
        low=torch.minimum(found.low, lowest),
        high=torch.maximum(found.high, highest),
    )


def _steps(cosines: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Cosines as whole numbers of steps that float32 can tell apart."""
    return (cosines / RESOLUTION).round_()


def _wins(value: Float[Tensor, "..."], other: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """1 where the value is larger, 0.5 where they are equal."""
    return (torch.sign(value - other) + 1) / 2


def _share_below(steps: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
    """Share of its row's others that lie below each entry; a tie counts one half."""
    n = steps.shape[1]
    columns = torch.arange(n)
    # One whole number for step and column: numpy sorts these many times faster than torch ranks.
    ordered = torch.from_numpy(np.sort((steps.long() * n + columns).numpy(), axis=1))
    step, column = ordered // n, ordered % n
    new = step.diff(dim=1) != 0
    first = (columns[1:] * new).cummax(dim=1).values
    last = torch.where(new, columns[:-1], n - 1).flip(1).cummin(dim=1).values.flip(1)
    lower = torch.nn.functional.pad(first, (1, 0))
    upper = torch.nn.functional.pad(last, (0, 1), value=n - 1)
    below = (lower + upper).double() / (2 * (n - 1))
    return torch.empty_like(below).scatter_(1, column, below)
