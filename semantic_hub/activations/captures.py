"""Forward passes over many prompts that keep a few activations, and may overwrite others.

`capture` is the only loop over batches of the package: the residual stream, lenses, patching and
language mass all read through it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.batches import Batch, batch_indices, halved_to_fit, pad
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import layer_hook, running_to_layer
from semantic_hub.models.output import predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import hooks_on
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Encoding
from semantic_hub.prompts.soft_tokens import PlacedSoftTokens


@dataclass(frozen=True, eq=False)
class Overwrite:
    """New values for an activation at some positions of one prompt.

    Args:
        positions: Indices into the prompt's tokens, BOS included.
        values: One for each position, of the activation's shape after ``batch pos``; without the
            head axis where ``head`` is given.
        head: The one head to overwrite, for activations ``[batch pos head d_head]``.
    """

    positions: tuple[int, ...]
    values: Float[Tensor, "position ..."]
    head: int | None = None
    __repr__ = short_repr


Overwrites = Mapping[str, Callable[[int], Overwrite | None]]
"""Hook name to a function from the index of a prompt to what is overwritten there."""


@dataclass(frozen=True, eq=False)
class Captured:
    """Activations of one batch at the hooks and positions that `capture` was asked for.

    Args:
        prompts: Indices of the batch's prompts, in the caller's list.
        rows: For each kept position, which of these prompts it belongs to.
        values: Hook name to ``[position *features]``, float32 on the model's device; on the first
            one of a model that spans several.
    """

    prompts: tuple[int, ...]
    rows: Int[Tensor, " position"]
    values: Mapping[str, Tensor]
    __repr__ = short_repr

    def prompt_means(self, values: Float[Tensor, "position ..."]) -> Float[Tensor, "prompt ..."]:
        """Average values over the kept positions of each prompt."""
        n_prompts = len(self.prompts)
        if len(values) == n_prompts:
            return values
        rows = self.rows.to(values.device)
        total = values.new_zeros(n_prompts, *values.shape[1:]).index_add_(0, rows, values)
        counts = rows.bincount(minlength=n_prompts)
        return total / counts.reshape(-1, *[1] * (values.ndim - 1))


def capture(
    model: HookedModel,
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
    hooks: Sequence[str],
    on_batch: Callable[[Captured], None],
    *,
    last_layer: int,
    overwrites: Overwrites | None = None,
    batch_size: int | Literal["auto"] = "auto",
    padding_side: Literal["left", "right"] = "right",
) -> None:
    """Run prompts in batches, and call `on_batch` with each batch's values at hooks and positions.

    A prompt whose tokens begin another prompt's is read in that one's pass (`shared_passes`).

    Args:
        model: The model.
        encodings: The prompts' tokens, and their features.
        positions: For each prompt the indices into its tokens that are kept, at least one.
        hooks: Names of the activations that are kept.
        on_batch: Called once a batch. Batches come longest prompts first.
        last_layer: The forward pass stops after this layer.
        overwrites: Activations to overwrite; a kept activation is read after that.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens, and halves
            batches that do not fit into the GPU's memory.
        padding_side: Where batches are padded.

    Raises:
        SemanticHubError: NaN or infinity in a value that is kept.
    """
    injector = FeatureInjector(model, encodings)
    passes = shared_passes(model, encodings, alone=bool(overwrites))
    writer, keeper = Writer(overwrites or {}), Keeper(model, hooks, positions, passes)

    def run_batch(indices: Sequence[int]) -> Captured:
        batch = pad(model, encodings, indices, padding_side)
        for part in (injector, writer, keeper):
            part.start(batch)
        run(batch.tokens, batch.attention_mask)
        return keeper.captured()

    with (
        torch.inference_mode(),
        injector.injecting(),
        running_to_layer(model, last_layer, [*writer.hooks(), *keeper.hooks()]) as run,
    ):
        longest = list(passes)
        for batch in batch_indices([len(encodings[prompt]) for prompt in longest], batch_size):
            indices = [longest[index] for index in batch]
            for captured in halved_to_fit(run_batch, indices, batch_size):
                on_batch(captured)


def shared_passes(
    model: HookedModel, encodings: Sequence[Encoding], *, alone: bool = False
) -> dict[int, list[int]]:
    """Group prompts that one forward pass reads: the longest, and all that its tokens begin with.

    In a decoder a position knows only those before it, so its states are the same whatever
    follows. Prompts share a pass only where their features are equal, and have a pass each where
    the user's hooks are on the model, since these may act where a prompt ends.

    Args:
        model: The model.
        encodings: The prompts' tokens.
        alone: Give each prompt a pass of its own.

    Returns:
        Index of the prompt whose tokens are run, to the indices of those that are read, itself
        included.

    Example:
        >>> from semantic_hub.prompts.prompt import encode
        >>> shared_passes(model, encode(model, ["the dog", "a cat", "the dog is black"]))
        {1: [1], 2: [2, 0]}
    """
    if alone or not predicts_next_token(model) or hooks_on(model, steering=True):
        return {prompt: [prompt] for prompt in range(len(encodings))}
    passes: dict[int, list[int]] = {}
    longest: dict[tuple[PlacedSoftTokens, ...], int] = {}
    # An extension comes before what it extends, and nothing but its other extensions between them.
    for prompt in sorted(range(len(encodings)), key=lambda prompt: encodings[prompt].tokens)[::-1]:
        tokens, soft = encodings[prompt].tokens, encodings[prompt].soft
        if soft not in longest or encodings[longest[soft]].tokens[: len(tokens)] != tokens:
            longest[soft] = prompt
        passes.setdefault(longest[soft], []).append(prompt)
    return dict(sorted(passes.items()))


def capture_layers(
    model: HookedModel,
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
    layers: Sequence[int],
    on_batch: Callable[[Captured, Float[Tensor, "position layer ..."]], None],
    *,
    hook: Callable[[int], str] = layer_hook,
    reduce: Callable[[Captured, Tensor], Tensor] | None = None,
    overwrites: Overwrites | None = None,
    batch_size: int | Literal["auto"] = "auto",
    padding_side: Literal["left", "right"] = "right",
) -> None:
    """Run prompts as `capture` does; `on_batch` also gets one activation, stacked over layers.

    Args:
        model: The model.
        encodings: The prompts' tokens, and their features.
        positions: For each prompt the indices into its tokens that are kept, at least one.
        layers: Which layers, 0..n_layers; the forward pass stops at the last of them.
        on_batch: Called once a batch with what was captured and, stacked,
            ``[position layer *features]``.
        hook: From a layer to the name of the activation; the residual stream if left out.
        reduce: Applied to each layer's ``[position *features]`` before they are stacked, to save
            memory; see `Captured.prompt_means`.
        overwrites: As for `capture`.
        batch_size: As for `capture`.
        padding_side: As for `capture`.
    """
    hooks = [hook(layer) for layer in layers]

    def stack(captured: Captured) -> None:
        values = [captured.values[name] for name in hooks]
        if reduce is not None:
            values = [reduce(captured, value) for value in values]
        on_batch(captured, torch.stack(values, dim=1))

    capture(
        model,
        encodings,
        positions,
        hooks,
        stack,
        last_layer=max(layers),
        overwrites=overwrites,
        batch_size=batch_size,
        padding_side=padding_side,
    )


class Keeper:
    """Hooks that keep activations at chosen positions of the current batch.

    Args:
        model: The model.
        names: Names of the activations.
        positions: For each of the caller's prompts, the indices into its tokens.
        passes: Which prompts the pass over one prompt reads, as `shared_passes` groups them; None
            for itself alone.
    """

    def __init__(
        self,
        model: HookedModel,
        names: Sequence[str],
        positions: Sequence[Sequence[int]],
        passes: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        self.model, self.names, self.positions = model, names, positions
        self.passes = passes or {prompt: [prompt] for prompt in range(len(positions))}
        self.prompts: tuple[int, ...] = ()
        self.rows = self.batch_rows = self.columns = torch.empty(0, dtype=torch.long)
        self.kept: dict[str, Tensor] = {}

    def start(self, batch: Batch) -> None:
        """Look up the rows and columns that are kept of the coming batch."""
        read = [
            (row, prompt)
            for row, longest in enumerate(batch.prompts)
            for prompt in self.passes[longest]
        ]
        cells = [
            (index, row, batch.offsets[row] + position)
            for index, (row, prompt) in enumerate(read)
            for position in self.positions[prompt]
        ]
        self.rows, self.batch_rows, self.columns = torch.tensor(cells).T
        self.prompts, self.kept = tuple(prompt for _, prompt in read), {}

    def hooks(self) -> list[tuple[str, Callable[..., None]]]:
        """One hook for each activation."""
        return [(name, partial(self._keep, name)) for name in self.names]

    def captured(self) -> Captured:
        """The activations that the hooks have kept, if they are finite."""
        for name, values in self.kept.items():
            if not values.isfinite().all():
                raise self._not_finite(name, values)
        return Captured(self.prompts, self.rows, self.kept)

    def _not_finite(self, name: str, values: Float[Tensor, "position ..."]) -> SemanticHubError:
        """The error for a hook with NaN or infinity, which names the layer and a prompt."""
        layers = {layer_hook(layer): layer for layer in range(self.model.cfg.n_layers + 1)}
        bad = (~values.isfinite()).flatten(1).any(dim=1).cpu()
        return SemanticHubError(
            "capture",
            got=f"NaN or infinity at {f'layer {layers[name]}' if name in layers else name} "
            f"of prompt {self.prompts[int(self.rows[bad][0])]}",
            expected="finite activations",
            fix="Load the model in float32 or bfloat16, and check its weights.",
        )

    def _keep(self, name: str, value: Float[Tensor, "batch pos ..."], hook: Any) -> None:
        device = value.device
        kept = value[self.batch_rows.to(device), self.columns.to(device)].float()
        self.kept[name] = kept.to(self.model.cfg.device)  # one, where the model spans several


class Writer:
    """Hooks that overwrite activations of the current batch.

    Args:
        overwrites: What is overwritten, by hook and prompt.
    """

    def __init__(self, overwrites: Overwrites) -> None:
        self.overwrites = overwrites
        self.current: dict[str, tuple[tuple[Tensor, ...], Tensor]] = {}

    def start(self, batch: Batch) -> None:
        """Gather the overwrites of the coming batch, hook by hook."""
        self.current = {
            name: gathered
            for name, overwrite_of in self.overwrites.items()
            if (gathered := _gathered(batch, overwrite_of)) is not None
        }

    def hooks(self) -> list[tuple[str, Callable[..., Tensor | None]]]:
        """One hook for each activation."""
        return [(name, partial(self._write, name)) for name in self.overwrites]

    def _write(self, name: str, value: Tensor, hook: Any) -> Tensor | None:
        if name not in self.current:
            return None
        index, new = self.current[name]
        changed = value.clone()
        changed[tuple(i.to(value.device) for i in index)] = new.to(value)
        return changed


def _gathered(
    batch: Batch, overwrite_of: Callable[[int], Overwrite | None]
) -> tuple[tuple[Tensor, ...], Tensor] | None:
    """The index (rows, columns and, for single heads, heads) of all overwrites, and the values."""
    overwrites = [
        (row, offset, overwrite)
        for row, (prompt, offset) in enumerate(zip(batch.prompts, batch.offsets, strict=True))
        if (overwrite := overwrite_of(prompt)) is not None
    ]
    if not overwrites:
        return None
    cells = [
        (row, offset + position, overwrite.head)
        for row, offset, overwrite in overwrites
        for position in overwrite.positions
    ]
    rows, columns, heads = zip(*cells, strict=True)
    index = (rows, columns) if heads[0] is None else (rows, columns, heads)
    values = torch.cat([overwrite.values for _, _, overwrite in overwrites])
    return tuple(torch.tensor(axis) for axis in index), values
