"""Keys and values of what a model has read, and forward passes that go on from there.

The classes keep them in different objects: a ``HookedTransformer`` in a cache of TransformerLens, a
bridge in the one of transformers. Here they are, for both, one pair of tensors for each block.

A pass that goes on may *grow*: it enters with one row, and hooks on the residual stream add rows on
the way up. So a block finds keys and values for the rows that have come so far, the first ones of
those that will come.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.checkpoints import bridge_class
from semantic_hub.models.layers import hooked, stopping_after
from semantic_hub.models.protocol import HookedModel, first_parameter

KeyValues = Sequence[tuple[Float[Tensor, "row pos head d_head"], Float[Tensor, "row pos head d_v"]]]
"""Keys and values at each block."""


class Recorder:
    """Options for a forward pass over prompts, and the keys and values that it made.

    Args:
        model: A decoder.
        n_rows: Number of prompts in the batch.

    Example:
        >>> recorder = Recorder(model, n_rows=1)
        >>> logits = model(torch.tensor([[3, 4, 5]]), **recorder.options)
        >>> keys, values = recorder.key_values(n_blocks=1)[0]
        >>> keys.shape[:2]
        torch.Size([1, 3])
    """

    def __init__(self, model: HookedModel, n_rows: int) -> None:
        self.is_bridge = isinstance(model, bridge_class())
        if self.is_bridge:
            from transformers import DynamicCache

            self._cache: Any = DynamicCache()  # without a config it drops nothing beyond a window
            self.options: dict[str, Any] = {"past_key_values": self._cache, "use_cache": True}
        else:
            from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache

            device = model.cfg.device
            self._cache = TransformerLensKeyValueCache.init_cache(model.cfg, device, n_rows)
            self.options = {"past_kv_cache": self._cache}

    def key_values(self, n_blocks: int) -> KeyValues:
        """Keys and values of every position, padding included, at the blocks that were run.

        Args:
            n_blocks: How many were.

        Raises:
            SemanticHubError: A block that gave none.
        """
        if self.is_bridge:
            layers = [at for at in self._cache.layers[:n_blocks] if at.is_initialized]
            kept = [(at.keys.transpose(1, 2), at.values.transpose(1, 2)) for at in layers]
        else:
            entries = self._cache.entries[:n_blocks]
            kept = [(entry.past_keys, entry.past_values) for entry in entries]
        if len(kept) != n_blocks:
            raise _unkept(f"keys and values of {len(kept)} blocks")
        return kept


class RowKeyValues:
    """Keys and values of rows that go on from texts, with room for the columns that will come.

    Args:
        key_values: Of the texts.
        sources: For each row the text that it goes on from.
        n_columns: Columns of a row in the end; the first ones are those of its text.

    Example:
        >>> texts = [(torch.zeros(2, 3, 4, 8), torch.zeros(2, 3, 4, 8))]
        >>> rows = RowKeyValues(texts, torch.tensor([0, 1, 1]), n_columns=5)
        >>> keys, values = rows.before(3)[0]
        >>> tuple(keys.shape)
        (3, 3, 4, 8)
    """

    def __init__(self, key_values: KeyValues, sources: Int[Tensor, " run"], n_columns: int) -> None:
        self._blocks = [
            (_with_room(keys, sources, n_columns), _with_room(values, sources, n_columns))
            for keys, values in key_values
        ]

    def before(self, column: int) -> KeyValues:
        """Keys and values of all columns before one.

        Args:
            column: The first column that is left out.
        """
        return [(keys[:, :column], values[:, :column]) for keys, values in self._blocks]

    def write(self, block: int, column: int, new_keys: Tensor, new_values: Tensor) -> KeyValues:
        """Write new columns of the first rows, and return all that these rows have so far.

        Args:
            block: The block.
            column: The first new column.
            new_keys: ``[row pos head d_head]``.
            new_values: ``[row pos head d_v]``.
        """
        n_rows, n_new = new_keys.shape[:2]
        both = []
        for room, new in zip(self._blocks[block], (new_keys, new_values), strict=True):
            room[:n_rows, column : column + n_new] = new
            both.append(room[:n_rows, : column + n_new])
        return [tuple(both)]

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Drop all rows but some.

        Args:
            rows: Those that stay.
        """
        self._blocks = [
            (keys[rows.to(keys.device)], values[rows.to(values.device)])
            for keys, values in self._blocks
        ]


@contextmanager
def growing_pass(
    model: HookedModel,
    key_values: KeyValues,
    sources: Int[Tensor, " run"],
    n_columns: int,
    *,
    first_layer: int,
    last_layer: int,
    hooks: Sequence[tuple[str, Callable[..., Any]]],
    kept: RowKeyValues | None = None,
    tokens: Int[Tensor, "run column"] | None = None,
) -> Iterator[Callable[[], None]]:
    """Context with a function that runs a growing pass over what follows the positions kept.

    Args:
        model: A decoder.
        key_values: Of the positions before.
        sources: For each row that comes, in the order in which they do, the row of `key_values`
            that it goes on from.
        n_columns: Positions that the pass reads; what they hold below the layer at which a row
            comes does not matter.
        first_layer: The first rows come at this layer.
        last_layer: The pass stops after this layer.
        hooks: ``(hook name, function)``; those that add rows put the first ones in the place of the
            single row with which the pass enters.
        kept: Where the rows' own keys and values are kept, with what was before them; `key_values`
            are then those before the pass, and `sources` are not read.
        tokens: What the pass reads, where all rows enter with tokens; None where they come on the
            way.

    Raises:
        SemanticHubError: When it is run, a block that did not ask for the keys and values kept.
    """
    is_bridge = isinstance(model, bridge_class())
    parameter = first_parameter(model)
    asked: list[int] = []

    axis = 2 if is_bridge else 1

    def append(block: int, *tensors: Tensor, **_: Any) -> tuple[Tensor, Tensor]:
        asked.append(block)
        if kept is None or block < first_layer:
            return _appended(*tensors[:4], sources=sources, axis=axis)
        before, new = tensors[0], [tensor.transpose(1, axis) for tensor in tensors[2:4]]
        [(keys, values)] = kept.write(block, before.shape[axis], *new)
        return keys.transpose(1, axis), values.transpose(1, axis)

    def run() -> None:
        asked.clear()
        run_once()
        missing = set(range(first_layer, last_layer)) - set(asked)
        if missing:
            raise _unkept(f"block {min(missing)}, which did not ask for keys and values")

    def run_once() -> None:
        device = model.cfg.device
        if is_bridge:
            given = torch.zeros(1, n_columns, dtype=torch.long) if tokens is None else tokens
            cache = _growing_cache(key_values, append)
            model(given.to(device), return_type=None, past_key_values=cache, use_cache=True)
            return
        if tokens is not None:
            entries = _growing_entries(key_values, append)
            cache = _hooked_cache(entries, len(tokens), key_values[0][0].shape[1], device)
            model(
                tokens.to(device),
                attention_mask=torch.ones_like(tokens).to(device),
                return_type=None,
                stop_at_layer=max(last_layer, 1),
                past_kv_cache=cache,
            )
            return
        model(
            parameter.new_zeros(1, n_columns, model.cfg.d_model),
            return_type=None,
            start_at_layer=max(first_layer - 1, 0),
            stop_at_layer=max(last_layer, 1),
            past_kv_cache=_growing_entries(key_values, append),
        )

    with hooked(model, [*hooks, *stopping_after(model, last_layer)]):
        yield run


def _growing_cache(key_values: KeyValues, append: Callable[..., Any]) -> Any:
    """A cache of transformers whose layers hand out keys and values for the rows that ask."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache()
    for block, both in enumerate(key_values):
        keys, values = (tensor.transpose(1, 2) for tensor in both)
        layer: Any = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        layer.update = partial(append, block, keys, values)
        cache.layers.append(layer)
    return cache


def _growing_entries(key_values: KeyValues, append: Callable[..., Any]) -> list[Any]:
    """Entries of TransformerLens' cache that hand out keys and values for the rows that ask."""
    from transformer_lens.cache.key_value_cache_entry import TransformerLensKeyValueCacheEntry

    entries = []
    for block, (keys, values) in enumerate(key_values):
        entry: Any = TransformerLensKeyValueCacheEntry(keys, values)
        entry.append = partial(append, block, keys, values)
        entries.append(entry)
    return entries


def _hooked_cache(entries: list[Any], n_rows: int, n_columns: int, device: Any) -> Any:
    """A cache of TransformerLens of entries, after so many columns without padding."""
    from transformer_lens.cache.key_value_cache import TransformerLensKeyValueCache

    mask = torch.ones(n_rows, n_columns, dtype=torch.int, device=device)
    return TransformerLensKeyValueCache(entries, previous_attention_mask=mask)


def _with_room(
    tensor: Float[Tensor, "text pos head d"], sources: Int[Tensor, " row"], n_columns: int
) -> Float[Tensor, "row column head d"]:
    """Each row's text, and room for the columns after it."""
    rows = sources.to(tensor.device)
    room = tensor.new_empty(len(rows), n_columns, *tensor.shape[2:])
    room[:, : tensor.shape[1]] = tensor[rows]
    return room


def _appended(
    keys: Tensor,
    values: Tensor,
    new_keys: Tensor,
    new_values: Tensor,
    *,
    sources: Int[Tensor, " run"],
    axis: int,
) -> tuple[Tensor, Tensor]:
    """Keys and values of the positions before, and the new ones, for the rows that have come."""
    rows = sources[: len(new_keys)].to(keys.device)
    return (
        torch.cat([keys[rows], new_keys], dim=axis),
        torch.cat([values[rows], new_values], dim=axis),
    )


def _unkept(got: str) -> SemanticHubError:
    """Error for a model that does not keep the keys and values of what it reads."""
    return SemanticHubError(
        "growing_pass",
        got=got,
        expected="a model that keeps them for every block",
        fix="Run its prompts from the start.",
    )
