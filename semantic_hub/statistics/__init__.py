"""How sure is a number?

`resampling` draws bootstrap resamples, `intervals` makes intervals of them, `summaries` means and
shares with intervals. `p_values` are permutation and max-t tests and Holm's correction; `margins`
is an effect above its strongest control. `least_squares` fits affine maps.
"""

from semantic_hub.statistics.intervals import Interval, bootstrap_interval, proportion_interval
from semantic_hub.statistics.margins import (
    Cell,
    CellMargins,
    item_margins,
    margin,
    middle_cells,
    share_margins,
)
from semantic_hub.statistics.p_values import holm, max_t_p_values, permutation_p_values
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary, ratio_summary, share_summary

__all__ = [
    "Cell",
    "CellMargins",
    "Interval",
    "Resampling",
    "Summary",
    "bootstrap_interval",
    "holm",
    "item_margins",
    "margin",
    "max_t_p_values",
    "mean_summary",
    "middle_cells",
    "permutation_p_values",
    "proportion_interval",
    "ratio_summary",
    "share_margins",
    "share_summary",
]
