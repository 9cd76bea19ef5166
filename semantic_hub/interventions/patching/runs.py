"""Forward passes of a patching sweep: each row of a batch is one base prompt with one patch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.captures import Overwrite, Overwrites
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.patching.components import Component, component_hook
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.sources import PatchGrid
from semantic_hub.lenses.projection import Words, score_words
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt

Scores = tuple[
    Float[Tensor, "item cell answer"],
    Int[Tensor, "item cell answer"],
]
"""Log-probability of each answer, and its rank, 0 unless asked for."""


class _Row(NamedTuple):
    item: int
    layer: int
    place: int
    head: int | None


@dataclass(frozen=True, eq=False)
class PatchRuns:
    """Base prompts of a patching sweep, to run unpatched or with given patches.

    Args:
        model: The model.
        pairs: Bases and references.
        words: Token ids of the answers, as ``words[pair][answer][word]``.
        component: What is overwritten.
        layers: Layers that rows are for.
        patched_layers: Layers that the patches hold, in the order in which they hold them.
        heads: Heads that rows are for; a single None where whole activations are overwritten.
        all_later_layers: Whether a row overwrites all patched layers from its own on.
        batch_size: Rows per forward pass.
    """

    model: HookedModel
    pairs: Sequence[PatchPair]
    words: Words
    component: Component
    layers: Sequence[int]
    patched_layers: Sequence[int]
    heads: Sequence[int | None]
    all_later_layers: bool
    batch_size: int | Literal["auto"]

    def unpatched(self) -> tuple[Float[Tensor, "item answer"], Float[Tensor, "item answer"]]:
        """Log-probabilities of the answers in the unpatched bases, and in the references."""
        prompts = [[pair.base, pair.reference or pair.sources[0]] for pair in self.pairs]
        states = self._final_states([prompt for both in prompts for prompt in both])
        log_prob, _ = self._scores(states, ranks=False)
        return log_prob[:, 0], log_prob[:, 1]

    def patched(
        self, patches: PatchGrid
    ) -> tuple[Float[Tensor, "item layer place answer"], Int[Tensor, "item layer place answer"]]:
        """Run each base prompt with each of its patches, once for every layer (and head).

        Args:
            patches: What goes into it, ``[pair][position map]``.

        Returns:
            Log-probability and rank of each answer; ``place`` runs over position maps, and over
            heads within each.
        """
        rows = [
            _Row(item, layer, place, head)
            for item, of_item in enumerate(patches)
            for layer in self.layers
            for place in range(len(of_item))
            for head in self.heads
        ]
        overwrites = {
            component_hook(self.component, layer): self._overwrite(patches, rows, layer)
            for layer in self.patched_layers
        }
        bases = [self.pairs[row.item].base for row in rows]
        log_prob, rank = self._scores(self._final_states(bases, overwrites), ranks=True)
        shape = (len(patches), len(self.layers), -1, log_prob.shape[-1])
        return log_prob.reshape(shape), rank.reshape(shape)

    def _overwrite(
        self, patches: PatchGrid, rows: Sequence[_Row], layer: int
    ) -> Callable[[int], Overwrite | None]:
        """Function from a row's index to what is overwritten in it at a layer."""
        index = list(self.patched_layers).index(layer)

        def overwrite_of(row_index: int) -> Overwrite | None:
            row = rows[row_index]
            if row.layer != layer and not (self.all_later_layers and row.layer < layer):
                return None
            patch = patches[row.item][row.place]
            values = patch.values[:, index]
            chosen = values if row.head is None else values[:, row.head]
            return Overwrite(patch.positions, chosen, row.head)

        return overwrite_of

    def _final_states(
        self, prompts: Sequence[Prompt], overwrites: Overwrites | None = None
    ) -> Float[Tensor, "row d_model"]:
        """States of the last layer at the position where the next word is read."""
        last = [self.model.cfg.n_layers]
        return residual_stream(
            self.model, prompts, layers=last, batch_size=self.batch_size, overwrites=overwrites
        )[:, 0]

    def _scores(self, states: Float[Tensor, "row d_model"], *, ranks: bool) -> Scores:
        """Log-probabilities and ranks of the answers, item by item."""
        cells = len(states) // len(self.pairs)
        layers = [self.model.cfg.n_layers] * cells
        by_item = states.reshape(len(self.pairs), cells, -1)
        return score_words(self.model, by_item, layers, self.words, ranks=ranks)
