"""Forward passes of a patching sweep: each row of a batch is one base prompt with one patch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.captures import Overwrite
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.interventions.patching.components import Component, component_hook
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.result import PATCHED
from semantic_hub.interventions.patching.sources import PatchGrid
from semantic_hub.lenses.projection import Words, compare_words, lens_logits, score_words
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt

_BLOCK = 2**26
"""Numbers in the final states that are held at a time: 256 MiB in float32."""


class PatchedScores(NamedTuple):
    """Scores of each answer in the patched runs of one grid.

    ``place`` runs over position maps, and over heads within each. A control is compared with what
    was patched, and is not scored over the whole vocabulary.

    Attributes:
        value: Log-probability; for a control the logit.
        rank: Rank in the vocabulary, 1 is the top; for a control 1 on top, else 0.
    """

    value: Float[Tensor, "item layer place answer"]
    rank: Int[Tensor, "item layer place answer"]


class UnpatchedScores(NamedTuple):
    """Log-probability and rank of each answer in the runs without a patch, one for each pair."""

    log_prob: Float[Tensor, "item answer"]
    rank: Int[Tensor, "item answer"]


class Scores(NamedTuple):
    """Scores of the answers in the bases, in the references, and under each grid."""

    base: UnpatchedScores
    reference: UnpatchedScores
    patched: Mapping[str, PatchedScores]


class _Row(NamedTuple):
    grid: str
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

    def scores(
        self,
        patches: PatchGrid,
        controls: Mapping[str, PatchGrid],
        sources: Float[Tensor, "item d_model"],
    ) -> Scores:
        """Run bases and references, and each base with each of its patches.

        They are all rows of one call, so that what the patches of a base leave as it was is
        computed once.

        Args:
            patches: What goes into the bases, ``[pair][position map]``.
            controls: What goes there instead, by name, in the same shape.
            sources: Final states of the pairs' first sources, which are the references of those
                that name none.
        """
        grids = {PATCHED: patches, **controls}
        n_places = len(patches[0]) * len(self.heads)
        n_cells = len(self.layers) * n_places
        per_item = 2 + len(grids) * n_cells
        at_once = max(1, _BLOCK // (per_item * self.model.cfg.d_model))
        starts = range(0, len(self.pairs), at_once)
        parts = [
            self._scores(grids, n_cells, sources, range(len(self.pairs))[i : i + at_once])
            for i in starts
        ]
        log_prob, rank = (torch.cat(part) for part in zip(*parts, strict=True))
        shape = (len(self.pairs), len(grids), len(self.layers), n_places, log_prob.shape[-1])
        by_grid = [found[:, 2:].reshape(shape).unbind(dim=1) for found in (log_prob, rank)]
        patched = {name: PatchedScores(*both) for name, *both in zip(grids, *by_grid, strict=True)}
        reference, base = (UnpatchedScores(log_prob[:, k], rank[:, k]) for k in (0, 1))
        return Scores(base, reference, patched)

    def _scores(
        self,
        grids: Mapping[str, PatchGrid],
        n_cells: int,
        sources: Float[Tensor, "item d_model"],
        items: Sequence[int],
    ) -> tuple[Float[Tensor, "item cell answer"], Int[Tensor, "item cell answer"]]:
        """Scores for some pairs: reference, base, and the ``n_cells`` patched runs of each grid."""
        rows: list[_Row | None] = []
        prompts: list[Prompt] = []
        for item in items:
            cells = [
                _Row(name, item, layer, place, head)
                for name, grid in grids.items()
                for layer in self.layers
                for place in range(len(grid[item]))
                for head in self.heads
            ]
            rows += [None, *cells]
            prompts += [self.pairs[item].base] * (1 + len(cells))
        references = {item: given for item in items if (given := self.pairs[item].reference)}
        last = [self.model.cfg.n_layers]
        overwrites = {
            component_hook(self.component, layer): self._overwrite(grids, rows, layer)
            for layer in self.patched_layers
        }
        states, of_references = residual_stream(
            self.model,
            [*prompts, *references.values()],
            layers=last,
            batch_size=self.batch_size,
            overwrites=overwrites,
        )[:, 0].split([len(prompts), len(references)])
        reference = sources.clone()
        reference[list(references)] = of_references
        by_item = states.reshape(len(items), len(rows) // len(items), -1)
        by_item = torch.cat([reference[list(items), None], by_item], dim=1)
        words = [self.words[item] for item in items]
        read, controls = by_item.split([2 + n_cells, (len(grids) - 1) * n_cells], dim=1)
        log_prob, rank = score_words(self.model, read, last * read.shape[1], words)
        if not controls.shape[1]:
            return log_prob, rank
        unpatched = lens_logits(self.model, read[:, :2], last * 2)
        tops = torch.cat([logits.argmax(dim=-1) for _, _, logits in unpatched])
        logit, on_top = compare_words(self.model, controls, words, tops.unique().tolist())
        return torch.cat([log_prob, logit], dim=1), torch.cat([rank, on_top.long()], dim=1)

    def _overwrite(
        self, grids: Mapping[str, PatchGrid], rows: Sequence[_Row | None], layer: int
    ) -> Callable[[int], Overwrite | None]:
        """Function from a row's index to what is overwritten in it at a layer."""
        index = list(self.patched_layers).index(layer)

        def overwrite_of(row_index: int) -> Overwrite | None:
            row = rows[row_index] if row_index < len(rows) else None
            if row is None:
                return None
            if row.layer != layer and not (self.all_later_layers and row.layer < layer):
                return None
            patch = grids[row.grid][row.item][row.place]
            values = patch.values[:, index]
            chosen = values if row.head is None else values[:, row.head]
            return Overwrite(patch.positions, chosen, row.head)

        return overwrite_of
