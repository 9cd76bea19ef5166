"""The forward passes of a patching sweep: each row is one recipient with one patch of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.captures import Overwrite, Overwrites
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.patching.components import Component, component_hook
from semantic_hub.interventions.patching.donors import Transplant
from semantic_hub.interventions.patching.exchange import Exchange
from semantic_hub.lenses.projection import score
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt

Scores = tuple[
    Float[Tensor, "item cell target"],
    Int[Tensor, "item cell target"],
]
"""Log-probability and rank of each target."""


class _Row(NamedTuple):
    item: int
    layer: int
    place: int
    head: int | None


@dataclass(frozen=True, eq=False)
class PatchRuns:
    """One set of recipients, to be run with whatever is transplanted into them.

    Args:
        model: The model.
        exchanges: The recipients and references.
        tokens: Token ids of the targets, as ``tokens[exchange][target]``.
        component: What is overwritten.
        layers: The layers that rows are for.
        reached: The layers that transplants hold, in the order that they hold them.
        heads: The heads that rows are for; a single None where whole activations are overwritten.
        from_layer_on: Whether a row overwrites all reached layers from its own on.
        batch_size: Rows per forward pass.
    """

    model: HookedModel
    exchanges: Sequence[Exchange]
    tokens: Sequence[Sequence[Sequence[int]]]
    component: Component
    layers: Sequence[int]
    reached: Sequence[int]
    heads: Sequence[int | None]
    from_layer_on: bool
    batch_size: int | Literal["auto"]

    def unpatched(self) -> tuple[Float[Tensor, "item target"], Float[Tensor, "item target"]]:
        """Log-probabilities of the targets in the recipients' own runs, and in the references'."""
        runs = [[e.recipient, e.reference or e.donors[0]] for e in self.exchanges]
        states = self._final_states([prompt for both in runs for prompt in both])
        log_prob, _ = self._scores(states)
        return log_prob[:, 0], log_prob[:, 1]

    def patched(
        self, given: Sequence[Sequence[Transplant]]
    ) -> tuple[Float[Tensor, "item layer place target"], Int[Tensor, "item layer place target"]]:
        """Run every exchange with every patch.

        Args:
            given: What goes into it, ``[exchange][alignment]``.

        Returns:
            Log-probability and rank of each target; ``place`` runs over alignments, and over heads
            within each.
        """
        rows = [
            _Row(item, layer, place, head)
            for item, of_item in enumerate(given)
            for layer in self.layers
            for place in range(len(of_item))
            for head in self.heads
        ]
        overwrites = {
            component_hook(self.component, layer): self._overwrite(given, rows, layer)
            for layer in self.reached
        }
        recipients = [self.exchanges[row.item].recipient for row in rows]
        log_prob, rank = self._scores(self._final_states(recipients, overwrites))
        shape = (len(given), len(self.layers), -1, log_prob.shape[-1])
        return log_prob.reshape(shape), rank.reshape(shape)

    def _overwrite(
        self, given: Sequence[Sequence[Transplant]], rows: Sequence[_Row], layer: int
    ) -> Callable[[int], Overwrite | None]:
        """What is overwritten at a layer in the row of an index."""
        index = list(self.reached).index(layer)

        def of(number: int) -> Overwrite | None:
            row = rows[number]
            if row.layer != layer and not (self.from_layer_on and row.layer < layer):
                return None
            transplant = given[row.item][row.place]
            values = transplant.values[:, index]
            chosen = values if row.head is None else values[:, row.head]
            return Overwrite(transplant.positions, chosen, row.head)

        return of

    def _final_states(
        self, prompts: Sequence[Prompt], overwrites: Overwrites | None = None
    ) -> Float[Tensor, "row d_model"]:
        """The last layer where the next word is read."""
        last = [self.model.cfg.n_layers]
        return residual_stream(
            self.model, prompts, layers=last, batch_size=self.batch_size, overwrites=overwrites
        )[:, 0]

    def _scores(self, states: Float[Tensor, "row d_model"]) -> Scores:
        cells = len(states) // len(self.exchanges)
        layers = [self.model.cfg.n_layers] * cells
        by_item = states.reshape(len(self.exchanges), cells, -1)
        return score(self.model, by_item, layers, self.tokens)
