"""What a verdict takes from each kind of result: its effect above the strongest control, by cell.

A *cell* is a middle layer, in patching a layer and a place, in steering a layer and a strength.
"""

from collections.abc import Sequence
from functools import singledispatch
from itertools import product

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.spec import OUTCOMES
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.results import Result
from semantic_hub.statistics.margins import (
    NO_CONTROLS,
    NO_MIDDLE,
    Cell,
    CellMargins,
    item_margins,
    share_margins,
)
from semantic_hub.statistics.resampling import Resampling


@singledispatch
def cell_margins(result: Result, draws: Resampling) -> CellMargins:
    """The margin of a result at each of its cells, by the kind of result.

    - `SimilarityResult`: similarity less that of the null controls. Its p is the larger of the
      permutation p-value of the pairs and the margin's own.
    - `LensResult`: share of read-outs in which ``hub`` beats ``surface``, less the shares in which
      each other group does.
    - `PatchResult`: share of exchanges that say the first target, less those of the control rows.
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


@cell_margins.register
def _(result: PatchResult, draws: Resampling) -> CellMargins:
    places = result.places if len(result.places) > 1 else ("",)
    unit, cells, rows = "share of exchanges", *_middle(result, result.layers, places)
    if not result.controls or not cells:
        return CellMargins.none(unit, NO_CONTROLS if cells else NO_MIDDLE)
    says = _says_first(result, rows)
    controls = {name: _says_first(control, rows) for name, control in result.controls.items()}
    return share_margins(cells, says, controls, unit, draws)


@cell_margins.register
def _(result: SteeringResult, draws: Resampling) -> CellMargins:
    unit, cells, rows = "share of prompts", *_middle(result, result.layers, _named(result))
    if not cells:
        return CellMargins.none(unit, NO_MIDDLE)
    success = (result.outcome == OUTCOMES.index("success")).double()
    effect, placebo = _first_and_placebo(success, rows, result.strengths)
    return share_margins(cells, effect, {result.directions[-1]: placebo}, unit, draws)


@cell_margins.register
def _(result: TextSteeringResult, draws: Resampling) -> CellMargins:
    unit = f"change of {result.scorers[0]}"
    cells, rows = _middle(result, result.layers, _named(result))
    if not cells:
        return CellMargins.none(unit, NO_MIDDLE)
    change = result.change[:, :, :, 0].double().nanmean(dim=-1)
    effect, placebo = _first_and_placebo(change, rows, result.strengths)
    return item_margins(cells, effect, {result.directions[-1]: placebo}, unit, draws)


def _middle(
    result: Result, layers: Sequence[int], where: Sequence[str] = ("",)
) -> tuple[tuple[Cell, ...], list[int]]:
    """The cells at middle layers, and the rows of these layers among those measured."""
    last = result.manifest["model"]["n_layers"]
    rows = [row for row, layer in enumerate(layers) if 0 < layer < last]
    return tuple(Cell(layers[row], name) for row, name in product(rows, where)), rows


def _says_first(result: PatchResult, rows: list[int]) -> Float[Tensor, "item cell"]:
    first: Int[Tensor, "item layer place"] = result.rank[:, rows, :, 0]
    return rearrange((first == 1).double(), "item layer place -> item (layer place)")


def _named(result: SteeringResult | TextSteeringResult) -> list[str]:
    return [f"strength {strength:g}" for strength in result.strengths if strength]


def _first_and_placebo(
    values: Float[Tensor, "direction layer strength prompt"],
    rows: list[int],
    strengths: Sequence[float],
) -> tuple[Float[Tensor, "prompt cell"], Float[Tensor, "prompt cell"]]:
    """The first and the last direction, without strength 0."""
    steered = [column for column, strength in enumerate(strengths) if strength]
    cells = values[[0, -1]][:, rows][:, :, steered]
    by_prompt = rearrange(cells, "two layer strength prompt -> two prompt (layer strength)")
    return by_prompt[0], by_prompt[1]
