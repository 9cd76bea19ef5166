"""Forward passes over many prompts that keep a few activations, and may overwrite others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.batches import Batch, batch_indices, pad
from semantic_hub.activations.features import Feeder
from semantic_hub.models.layers import running_to_layer
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding


@dataclass(frozen=True, eq=False)
class Overwrite:
    """New values for an activation at some positions of one prompt.

    Args:
        positions: Indices into the prompt's tokens, BOS included.
        values: One for each position, of the activation's own shape after ``batch pos``; without
            the head's axis where ``head`` is given.
        head: The one head to overwrite, for activations ``[batch pos head d_head]``.
    """

    positions: tuple[int, ...]
    values: Float[Tensor, "position ..."]
    head: int | None = None


Overwrites = Mapping[str, Callable[[int], Overwrite | None]]
"""Hook name to what is overwritten there in the prompt of an index."""


@dataclass(frozen=True, eq=False)
class Captured:
    """What one batch left behind.

    Args:
        prompts: Indices of the batch's prompts, in the caller's list.
        rows: Of each place, which of these prompts it belongs to.
        values: Hook name to ``[place *features]``, float32 on the model's device.
    """

    prompts: tuple[int, ...]
    rows: Int[Tensor, " place"]
    values: Mapping[str, Tensor]


def capture(
    model: HookedModel,
    encodings: Sequence[Encoding],
    places: Sequence[Sequence[int]],
    hooks: Sequence[str],
    keep: Callable[[Captured], None],
    *,
    last_layer: int,
    overwrites: Overwrites | None = None,
    batch_size: int | Literal["auto"] = "auto",
    padding_side: Literal["left", "right"] = "right",
) -> None:
    """Run prompts in batches of like length, up to a layer, and hand what was asked for to `keep`.

    Args:
        model: The model.
        encodings: The prompts' tokens, and their features.
        places: For each prompt the indices into its tokens that are kept, at least one.
        hooks: Names of the activations that are kept.
        keep: Called once a batch, in an order of its own.
        last_layer: The forward pass stops after this layer.
        overwrites: What is overwritten on the way; a kept activation is seen as overwritten.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens, and halves
            batches that do not fit into the GPU's memory.
        padding_side: Where batches are padded.
    """
    writer, keeper = _Writer(overwrites or {}), _Keeper(hooks, places)
    prepare = partial(pad, model, encodings, side=padding_side)
    split = batch_size == "auto"
    installed = [*writer.hooks(), *keeper.hooks()]
    feeder = Feeder(model, encodings)
    with (
        torch.inference_mode(),
        feeder.feeding(),
        running_to_layer(model, last_layer, installed) as run,
    ):
        for indices in batch_indices([len(encoding) for encoding in encodings], batch_size):
            for part in _run(run, (feeder, writer, keeper), prepare, indices, split):
                keep(part)


class _Keeper:
    """Keeps what the current batch has at its places."""

    def __init__(self, names: Sequence[str], places: Sequence[Sequence[int]]) -> None:
        self.names, self.places = names, places

    def start(self, batch: Batch) -> None:
        """Set what the hooks keep of the coming batch."""
        self.batch = batch
        where = [
            (row, offset + place)
            for row, (prompt, offset) in enumerate(zip(batch.prompts, batch.offsets, strict=True))
            for place in self.places[prompt]
        ]
        self.rows, self.columns = torch.tensor(where).T
        self.kept: dict[str, Tensor] = {}

    def hooks(self) -> list[tuple[str, Callable[..., None]]]:
        """One for each activation."""
        return [(name, partial(self._keep, name)) for name in self.names]

    def result(self) -> Captured:
        """What the hooks have kept."""
        return Captured(self.batch.prompts, self.rows, self.kept)

    def _keep(self, name: str, value: Float[Tensor, "batch pos ..."], hook: Any) -> None:
        device = value.device
        self.kept[name] = value[self.rows.to(device), self.columns.to(device)].float()


class _Writer:
    """Overwrites, in the current batch, what each of its prompts asks for."""

    def __init__(self, overwrites: Overwrites) -> None:
        self.overwrites = overwrites
        self.current: dict[str, tuple[tuple[Tensor, ...], Tensor]] = {}

    def start(self, batch: Batch) -> None:
        """Gather the coming batch's overwrites, hook by hook."""
        self.current = {
            name: gathered
            for name, of in self.overwrites.items()
            if (gathered := _gathered(batch, of)) is not None
        }

    def hooks(self) -> list[tuple[str, Callable[..., Tensor | None]]]:
        """One for each activation."""
        return [(name, partial(self._write, name)) for name in self.overwrites]

    def _write(self, name: str, value: Tensor, hook: Any) -> Tensor | None:
        if name not in self.current:
            return None
        index, new = self.current[name]
        changed = value.clone()
        changed[tuple(i.to(value.device) for i in index)] = new.to(value)
        return changed


def _gathered(
    batch: Batch, of: Callable[[int], Overwrite | None]
) -> tuple[tuple[Tensor, ...], Tensor] | None:
    """The index (rows, columns and, for single heads, heads) of all overwrites, and the values."""
    found = [
        (row, offset, overwrite)
        for row, (prompt, offset) in enumerate(zip(batch.prompts, batch.offsets, strict=True))
        if (overwrite := of(prompt)) is not None
    ]
    if not found:
        return None
    where = [
        (row, offset + position, overwrite.head)
        for row, offset, overwrite in found
        for position in overwrite.positions
    ]
    rows, columns, heads = zip(*where, strict=True)
    index = (rows, columns) if heads[0] is None else (rows, columns, heads)
    values = torch.cat([overwrite.values for _, _, overwrite in found])
    return tuple(torch.tensor(axis) for axis in index), values


def _run(
    run: Callable[..., None],
    parts: tuple[Feeder, _Writer, _Keeper],
    prepare: Callable[..., Batch],
    indices: list[int],
    split: bool,
) -> list[Captured]:
    """Run one batch, in halves if it does not fit into memory and ``split`` allows it."""
    keeper = parts[-1]
    batch = prepare(indices)
    for part in parts:
        part.start(batch)
    fits = True
    try:
        run(batch.tokens, batch.attention_mask)
    except torch.cuda.OutOfMemoryError:
        if not split or len(indices) == 1:
            raise
        fits = False
    if fits:
        return [keeper.result()]
    keeper.kept.clear()  # out here the failed pass is forgotten, and its memory free
    half = len(indices) // 2
    halves = (indices[:half], indices[half:])
    return [part for some in halves for part in _run(run, parts, prepare, some, split)]
