"""Changed runs of prompts that start where they are changed.

Where activations are overwritten at position p and layer l, every position before p and every layer
below l is as it was. So each distinct prompt is read once, and its keys, values and states are
kept. One growing pass then goes up through the layers: each changed run joins at the layer of its
change, with the prompt's own states from p on. See `semantic_hub.models.key_values`.

That this gives what whole runs give is tested once on each model (`starts_where_it_acts`).
"""

import re
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.batches import (
    AUTO_BATCH_TOKENS,
    Batch,
    batch_indices,
    halved_to_fit,
    pad,
)
from semantic_hub.activations.captures import (
    Captured,
    Keeper,
    Overwrite,
    Overwrites,
    Writer,
    capture_layers,
)
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.errors import SemanticHubWarning
from semantic_hub.models.key_values import KeyValues, Recorder, RowKeyValues, growing_pass
from semantic_hub.models.layers import layer_hook, running_to_layer
from semantic_hub.models.output import predicts_next_token
from semantic_hub.models.protocol import HookedModel, first_parameter
from semantic_hub.models.shared_state import hooks_on, measuring
from semantic_hub.prompts.prompt import Encoding

_PREFIX_TOKENS = 1024
"""Tokens of distinct prompts whose keys, values and states are kept at a time."""

_LEAST_SHARED = 8
"""Tokens that prompts must begin with alike for these to be read once."""

_READ_TOKENS = 4 * AUTO_BATCH_TOKENS
"""Kept positions, over all rows, that an automatic batch of changed runs may go on from."""

_N_CHECKED = 6
_TOLERANCE, _STEPS = 1e-3, 8
"""Largest error, as a share of a state's largest value: this, or steps of the model's dtype."""

_checked: "weakref.WeakKeyDictionary[Any, bool]" = weakref.WeakKeyDictionary()
"""Model to whether the growing pass gives what whole runs give."""

_BLOCK_HOOK = re.compile(r"blocks\.(\d+)\.(.+)")


def starts_where_it_acts(model: HookedModel, hooks: Sequence[str] = ()) -> bool:
    """Whether changed runs of a model may start where they are changed, tested once on the model.

    A few short runs are computed both ways. States of the last layer must agree to 1e-3 of their
    largest value (in half precision to eight steps of the number format); a model on which they
    do not runs from the start, and a warning says so. While users' hooks or steering are on a
    model, it runs from the start as well.

    Args:
        model: The model.
        hooks: Names of the activations that are overwritten.

    Example:
        >>> starts_where_it_acts(model)
        True
    """
    if not predicts_next_token(model) or hooks_on(model, steering=True):
        return False
    if any(_first_layer(name) is None for name in hooks):
        return False
    if model not in _checked:
        why = _difference(model)
        _checked[model] = why is None
        if why is not None:
            warnings.warn(
                f"interventions on this model run every prompt from its start, which takes longer: "
                f"where they start from kept keys and values, {why}",
                SemanticHubWarning,
                stacklevel=2,
            )
    return _checked[model]


def capture_changed(
    model: HookedModel,
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
    layer: int,
    on_batch: Callable[[Captured, Float[Tensor, "position d_model"]], None],
    *,
    overwrites: Overwrites,
    batch_size: int | Literal["auto"] = "auto",
) -> None:
    """Keep the stream at one layer of changed runs, as `capture_layers` does, but sooner.

    Args:
        model: A model on which `starts_where_it_acts`.
        encodings: The prompts' tokens, and their features; most of them come many times.
        positions: For each prompt the indices into its tokens that are kept, at least one.
        layer: Which layer is kept, 0..n_layers.
        on_batch: Called once a batch with what was captured, and its ``[position d_model]``.
        overwrites: Activations to overwrite; the stream is kept after that.
        batch_size: Distinct prompts, and changed runs, per batch; ``"auto"`` fills a fixed number
            of tokens, and halves batches that do not fit into the GPU's memory.

    Raises:
        SemanticHubError: NaN or infinity in a value that is kept.
    """
    distinct: dict[tuple[Any, ...], int] = {}
    of_prompt = [
        distinct.setdefault((e.tokens, e.soft), index) for index, e in enumerate(encodings)
    ]
    changes = defaultdict(list)
    for index, own in enumerate(of_prompt):
        changes[own].append(_change(index, positions[index], overwrites, layer))
    bases = list(changes)
    lengths = [len(encodings[base]) for base in bases]
    joining = sorted({change.layer for of_base in changes.values() for change in of_base})
    runs = _ChangedRuns(model, encodings, positions, layer, batch_size)

    def read_part(some: Sequence[int]) -> ReadPrompts:
        return read_prompts(model, encodings, some, joining, layer)

    with torch.inference_mode():
        for batch in batch_indices(lengths, batch_size):
            for part in of_bounded_length([bases[i] for i in batch], lengths[batch[0]]):
                for read in halved_to_fit(read_part, part, batch_size):
                    of_read = [
                        (row, change)
                        for row, base in enumerate(read.bases)
                        for change in changes[base]
                    ]
                    for captured in runs.changed(read, of_read):
                        on_batch(captured, captured.values[layer_hook(layer)])


class _Change(NamedTuple):
    """One changed run: from which layer and position on it differs, and up to where it is kept."""

    index: int
    layer: int
    start: int
    stop: int
    overwrites: Mapping[str, Overwrite]


@dataclass(frozen=True, eq=False)
class ReadPrompts:
    """Distinct prompts that were read: keys and values, and the stream at some layers.

    Args:
        bases: Indices of the prompts.
        key_values: At each block that was run.
        streams: Layer to the stream.
    """

    bases: Sequence[int]
    key_values: KeyValues
    streams: Mapping[int, Float[Tensor, "base pos d_model"]] = field(repr=False)

    def joining(
        self, sources: Int[Tensor, " run"], layers: Sequence[int], columns: slice
    ) -> list[tuple[str, Callable[..., Tensor]]]:
        """Hooks with which changed runs join a growing pass, each where it differs first.

        Args:
            sources: For each run its prompt's row, in the order in which the runs join.
            layers: For each run the layer at which it joins, ascending.
            columns: What the pass reads.
        """

        def join(layer: int) -> tuple[str, Callable[..., Tensor]]:
            first, after = layers.index(layer), len(layers) - layers[::-1].index(layer)
            stream = self.streams[layer]
            new = stream[sources[first:after].to(stream.device), columns]
            return layer_hook(
                layer
            ), lambda value, hook: torch.cat([value, new.to(value)]) if first else new.to(value)

        return [join(layer) for layer in dict.fromkeys(layers)]


def read_prompts(
    model: HookedModel,
    encodings: Sequence[Encoding],
    bases: Sequence[int],
    layers: Sequence[int],
    last_layer: int,
) -> ReadPrompts:
    """Run prompts without any change, and keep what changed runs go on from.

    What all of them begin with, such as the examples before a question, is read once.

    Args:
        model: A model on which `starts_where_it_acts`.
        encodings: The caller's prompts.
        bases: Indices of those that are read.
        layers: Where the stream is kept.
        last_layer: The pass stops after this layer.
    """
    n_shared = _n_shared([encodings[base] for base in bases])
    if n_shared >= _LEAST_SHARED:
        return _read_after(model, encodings, bases, n_shared, layers, last_layer)
    batch, streams = pad(model, encodings, bases), _Streams()
    injector = FeatureInjector(model, encodings)
    recorder = Recorder(model, len(bases))
    with (
        injector.injecting(),
        running_to_layer(model, last_layer, streams.hooks(layers)) as run,
    ):
        injector.start(batch)
        run(batch.tokens, batch.attention_mask, **recorder.options)
    return ReadPrompts(bases, recorder.key_values(max(last_layer, 1)), streams)


def _read_after(
    model: HookedModel,
    encodings: Sequence[Encoding],
    bases: Sequence[int],
    n_shared: int,
    layers: Sequence[int],
    last_layer: int,
) -> ReadPrompts:
    """Read what prompts begin with alike, and go on from its keys and values with each."""
    beginning = Encoding(encodings[bases[0]].tokens[:n_shared], slice(0, n_shared))
    before = read_prompts(model, [beginning], [0], layers, last_layer)
    tokens, streams = pad(model, encodings, bases).tokens, _Streams()
    sources = torch.zeros(len(bases), dtype=torch.long)
    rows = RowKeyValues(before.key_values, sources, tokens.shape[1])
    with (
        measuring(model),
        growing_pass(
            model,
            rows.before(n_shared),
            sources,
            tokens.shape[1] - n_shared,
            first_layer=0,
            last_layer=last_layer,
            hooks=streams.hooks(layers),
            kept=rows,
            tokens=tokens[:, n_shared:],
        ) as run,
    ):
        run()
    whole = {
        layer: torch.cat([before.streams[layer].expand(len(bases), -1, -1), rest], dim=1)
        for layer, rest in streams.items()
    }
    return ReadPrompts(bases, rows.before(tokens.shape[1]), whole)


class _Streams(dict[int, Tensor]):
    """Layer to the stream that a forward pass had there."""

    def hooks(self, layers: Sequence[int]) -> list[tuple[str, Callable[..., None]]]:
        """Hooks that keep the stream at these layers."""

        def keep(layer: int) -> Callable[..., None]:
            return lambda value, hook: self.update({layer: value})

        return [(layer_hook(layer), keep(layer)) for layer in layers]


def _n_shared(encodings: Sequence[Encoding]) -> int:
    """Tokens that several prompts begin with alike, but for the last of the shortest."""
    if len(encodings) < 2 or any(encoding.soft for encoding in encodings):
        return 0
    columns = zip(*(encoding.tokens[:-1] for encoding in encodings), strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def of_bounded_length(prompts: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    """Parts of a batch of prompts whose keys, values and states are kept at a time.

    Args:
        prompts: The batch.
        length: Tokens in each.
    """
    size = max(1, _PREFIX_TOKENS // length)
    for start in range(0, len(prompts), size):
        yield prompts[start : start + size]


def runs_at_once(start: int, stop: int) -> int:
    """Changed runs in an automatic batch that differs from one position on.

    Args:
        start: The first position that is run.
        stop: The position after the last.
    """
    return max(1, min(AUTO_BATCH_TOKENS // (stop - start), _READ_TOKENS // stop))


@dataclass(frozen=True, eq=False)
class _ChangedRuns:
    """Forward passes over distinct prompts, and over what changes in them."""

    model: HookedModel
    encodings: Sequence[Encoding]
    positions: Sequence[Sequence[int]]
    last_layer: int
    batch_size: int | Literal["auto"]

    def changed(
        self, read: ReadPrompts, changes: Sequence[tuple[int, _Change]]
    ) -> Iterator[Captured]:
        """Run what changes in the prompts that were read; a change comes with its prompt's row."""
        groups: dict[tuple[int, int], list[tuple[int, _Change]]] = defaultdict(list)
        for row, change in changes:
            groups[change.start, change.stop].append((row, change))
        for (start, stop), members in groups.items():
            limit = runs_at_once(start, stop) if self.batch_size == "auto" else self.batch_size
            for first in range(0, len(members), limit):
                some = members[first : first + limit]
                yield from halved_to_fit(
                    lambda part, some=some: self._grow(read, [some[i] for i in part]),
                    range(len(some)),
                    self.batch_size,
                )

    def _grow(self, read: ReadPrompts, members: Sequence[tuple[int, _Change]]) -> Captured:
        """One growing pass over changed runs that differ from the same position on."""
        members = sorted(members, key=lambda member: member[1].layer)
        sources = torch.tensor([row for row, _ in members])
        layers = [change.layer for _, change in members]
        start, stop = members[0][1].start, members[0][1].stop
        overwrites = {change.index: change.overwrites for _, change in members}
        names = dict.fromkeys(name for of_run in overwrites.values() for name in of_run)
        writer = Writer(
            {name: lambda index, name=name: overwrites[index].get(name) for name in names}
        )
        keeper = Keeper(self.model, [layer_hook(self.last_layer)], self.positions)
        indices, offsets = tuple(overwrites), (-start,) * len(members)
        empty = torch.empty(len(members), 0, dtype=torch.long)
        for part in (writer, keeper):
            part.start(Batch(indices, empty, empty, offsets))

        hooks = [
            *read.joining(sources, layers, slice(start, stop)),
            *writer.hooks(),
            *keeper.hooks(),
        ]
        before = [(keys[:, :start], values[:, :start]) for keys, values in read.key_values]
        with (
            measuring(self.model),
            growing_pass(
                self.model,
                before,
                sources,
                stop - start,
                first_layer=layers[0],
                last_layer=self.last_layer,
                hooks=hooks,
            ) as run,
        ):
            run()
        return keeper.captured()


def _change(index: int, kept: Sequence[int], overwrites: Overwrites, last_layer: int) -> _Change:
    """What is overwritten in one prompt, up to the last position that is kept."""
    stop = max(kept) + 1
    start, layer = min(kept), last_layer
    reaching: dict[str, Overwrite] = {}
    for name, overwrite_of in overwrites.items():
        overwrite, first = overwrite_of(index), _first_layer(name)
        if overwrite is None or first is None or first > last_layer:
            continue
        rows = [row for row, position in enumerate(overwrite.positions) if position < stop]
        if rows:
            at = tuple(overwrite.positions[row] for row in rows)
            reaching[name] = Overwrite(at, overwrite.values[rows], overwrite.head)
            start, layer = min(start, *at), min(layer, first)
    return _Change(index, layer, start, stop, reaching)


def _first_layer(hook: str) -> int | None:
    """The last layer of the stream that an activation comes after, or is; None if it is unknown."""
    found = _BLOCK_HOOK.fullmatch(hook)
    return None if found is None else int(found[1]) + (found[2] == "hook_resid_post")


def _difference(model: HookedModel) -> str | None:
    """What differs between changed runs from the start and from the change; None if nothing."""
    try:
        gap, allowed = _gap(model), max(_TOLERANCE, _STEPS * _step(model))
    except Exception as error:  # what a model raises that cannot go on from a cache is its own
        return f"it raises {type(error).__name__}: {error}"
    return None if gap <= allowed else f"states differ by {gap:.1g} of their largest value"


def _gap(model: HookedModel) -> float:
    """Largest error of a few changed runs, as a share of each state's largest value."""
    last, vocabulary = model.cfg.n_layers, model.cfg.d_vocab - 1
    n_tokens = min(_N_CHECKED, model.cfg.n_ctx)
    tokens = tuple(i * vocabulary // max(1, n_tokens - 1) for i in range(n_tokens))
    prompts = [Encoding(t, slice(0, n_tokens)) for t in (tokens, tokens[::-1])]
    given = torch.empty(2, n_tokens, last + 1, model.cfg.d_model, dtype=torch.float32)

    def keep_all(captured: Captured, values: Float[Tensor, "position layer d_model"]) -> None:
        given[list(captured.prompts)] = values.reshape(-1, n_tokens, *values.shape[1:]).cpu()

    capture_layers(
        model,
        prompts,
        [range(n_tokens)] * 2,
        range(last + 1),
        keep_all,
    )
    cells = [
        (prompt, layer, position)
        for prompt in (0, 1)
        for layer in sorted({0, last // 2, last})
        for position in {n_tokens // 2, n_tokens - 1}
    ]

    def overwrites_at(layer: int) -> Callable[[int], Overwrite | None]:
        def overwrite_of(index: int) -> Overwrite | None:
            prompt, of_cell, position = cells[index]
            values = given[1 - prompt, position, layer][None]
            return Overwrite((position,), values) if of_cell == layer else None

        return overwrite_of

    def states(run: Callable[..., None]) -> Float[Tensor, "cell d_model"]:
        found = torch.empty(len(cells), model.cfg.d_model, dtype=torch.float32)

        def keep(captured: Captured, values: Tensor) -> None:
            found[list(captured.prompts)] = values.reshape(len(values), -1).cpu()

        run(
            model,
            [prompts[prompt] for prompt, _, _ in cells],
            [[n_tokens - 1]] * len(cells),
            on_batch=keep,
            overwrites={layer_hook(layer): overwrites_at(layer) for _, layer, _ in cells},
        )
        return found

    whole = states(lambda *args, **options: capture_layers(*args, layers=[last], **options))
    begun = states(lambda *args, **options: capture_changed(*args, layer=last, **options))
    largest = whole.abs().amax(dim=-1)
    return ((whole - begun).abs().amax(dim=-1) / largest).max().item()


def _step(model: HookedModel) -> float:
    """Step of the model's number format at 1."""
    return torch.finfo(first_parameter(model).dtype).eps
