"""New tokens of many changed runs of few prompts, from where each run is changed.

Each prompt is read once. The changed runs then join one growing pass, as in
`semantic_hub.activations.growing`, which keeps the keys and values of each run; from these all runs
go on together, a token at a time, and those whose text has ended leave.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.batches import equal_length_batches, halved_to_fit
from semantic_hub.activations.growing import (
    ReadPrompts,
    of_bounded_length,
    read_prompts,
    runs_at_once,
)
from semantic_hub.models.conventions import end_tokens
from semantic_hub.models.key_values import KeyValues, RowKeyValues, growing_pass
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.output import final_norm, unembed
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import measuring
from semantic_hub.prompts.prompt import Encoding

_LOGITS = 2**24
"""Logits that are held at a time: 64 MiB in float32."""


class ChangedRun(NamedTuple):
    """A run of a prompt that may differ from it from a layer and a position on.

    One that differs in nothing but its new tokens starts at the last layer and position.
    """

    prompt: int
    layer: int
    start: int


Edit = Callable[
    [Sequence[int], range, Float[Tensor, "run pos d_model"]], Float[Tensor, "run pos d_model"]
]
"""From some runs, positions of their texts and the stream there to the changed stream."""

Choose = Callable[
    [Sequence[int], Int[Tensor, "run pos"], Float[Tensor, "run d_vocab"]], Int[Tensor, " run"]
]
"""From some runs, all tokens of each so far and the logits after them to each one's next token."""


def likeliest(
    runs: Sequence[int], tokens: Int[Tensor, "run pos"], logits: Float[Tensor, "run d_vocab"]
) -> Int[Tensor, " run"]:
    """Choose the token of the highest logit.

    Args:
        runs: The runs.
        tokens: All tokens of each so far.
        logits: After them.

    Example:
        >>> likeliest([0], torch.tensor([[5]]), torch.tensor([[0.0, 2.0, 1.0]]))
        tensor([1])
    """
    return logits.argmax(dim=-1)


def generate_changed(
    model: HookedModel,
    encodings: Sequence[Encoding],
    runs: Sequence[ChangedRun],
    edits: Mapping[int, Edit],
    *,
    max_new_tokens: int,
    choose: Choose = likeliest,
    batch_size: int | Literal["auto"] = "auto",
) -> list[tuple[int, ...]]:
    """Generate new tokens for changed runs of prompts.

    Args:
        model: A model on which `semantic_hub.activations.growing.starts_where_it_acts`.
        encodings: The prompts' tokens, and their features.
        runs: Where each run starts.
        edits: Layer to how the stream is changed there, in the prompts and in what is generated.
        max_new_tokens: How far to generate; a text ends before an end token.
        choose: How the next token is chosen; called for some runs at a time, at each step.
        batch_size: Prompts, and runs, per batch; ``"auto"`` fills a fixed number of tokens, and
            halves batches that do not fit into the GPU's memory.

    Returns:
        New tokens of each run, in the order of `runs`.

    Raises:
        SemanticHubError: NaN or infinity in the logits.

    Example:
        >>> from semantic_hub.prompts.prompt import encode
        >>> encodings = encode(model, ["the dog is"])
        >>> last = ChangedRun(0, model.cfg.n_layers, len(encodings[0]) - 1)
        >>> len(generate_changed(model, encodings, [last], {}, max_new_tokens=2))
        1
    """
    of_prompt = defaultdict(list)
    for index, run in enumerate(runs):
        of_prompt[run.prompt].append(index)
    bases = list(of_prompt)
    joining = sorted({run.layer for run in runs})
    texts = _Texts(model, encodings, runs, edits, max_new_tokens, choose)
    lengths = [len(encodings[base]) for base in bases]

    def read_part(some: Sequence[int]) -> ReadPrompts:
        return read_prompts(model, encodings, some, joining, model.cfg.n_layers)

    found: dict[int, tuple[int, ...]] = {}
    with torch.inference_mode(), measuring(model):
        for batch, _ in equal_length_batches(lengths, max_new_tokens, batch_size):
            for part in of_bounded_length([bases[i] for i in batch], lengths[batch[0]]):
                for read in halved_to_fit(read_part, part, batch_size):
                    members = [
                        (row, index) for row, base in enumerate(read.bases)
                        for index in of_prompt[base]
                    ]  # fmt: skip
                    for some in texts.batches(members, batch_size):
                        for new in halved_to_fit(
                            lambda part, read=read, some=some: texts.of(
                                read, [some[i] for i in part]
                            ),
                            range(len(some)),
                            batch_size,
                        ):
                            found.update(new)
    return [found[index] for index in range(len(runs))]


@dataclass(frozen=True, eq=False)
class _Texts:
    """What changed runs of prompts of one length go on with."""

    model: HookedModel
    encodings: Sequence[Encoding]
    runs: Sequence[ChangedRun]
    edits: Mapping[int, Edit]
    max_new_tokens: int
    choose: Choose

    def batches(
        self, members: Sequence[tuple[int, int]], batch_size: int | Literal["auto"]
    ) -> list[list[tuple[int, int]]]:
        """Runs, each with its prompt's row, that differ from the same position on, by layer."""
        groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for row, index in sorted(members, key=lambda member: self.runs[member[1]].layer):
            groups[self.runs[index].start].append((row, index))
        found = []
        for start, some in groups.items():
            stop = len(self.encodings[self.runs[some[0][1]].prompt]) + self.max_new_tokens - 1
            limit = runs_at_once(start, stop) if batch_size == "auto" else batch_size
            found += [some[first : first + limit] for first in range(0, len(some), limit)]
        return found

    def of(
        self, read: ReadPrompts, members: Sequence[tuple[int, int]]
    ) -> dict[int, tuple[int, ...]]:
        """New tokens of some runs that differ from the same position on."""
        sources = torch.tensor([row for row, _ in members])
        live = [index for _, index in members]
        tokens = torch.tensor([self.encodings[self.runs[index].prompt].tokens for index in live])
        layers = [self.runs[index].layer for index in live]
        start, stop = self.runs[live[0]].start, tokens.shape[1]
        kept = None
        if self.max_new_tokens > 1:
            kept = RowKeyValues(read.key_values, sources, stop + self.max_new_tokens - 1)
        states = self._pass(
            live,
            range(start, stop),
            read.joining(sources, layers, slice(start, stop)),
            key_values=[(keys[:, :start], values[:, :start]) for keys, values in read.key_values],
            sources=sources,
            first_layer=layers[0],
            kept=kept,
        )
        found: dict[int, list[int]] = {index: [] for index in live}
        end = torch.tensor(end_tokens(self.model), dtype=tokens.dtype)
        for step in range(1, self.max_new_tokens + 1):
            new = self._chosen(live, tokens, states)
            going_on = (~torch.isin(new, end)).nonzero()[:, 0]
            if len(going_on) < len(live):
                live, tokens, new = [live[i] for i in going_on], tokens[going_on], new[going_on]
                if kept is not None:
                    kept.keep(going_on)
            for index, token in zip(live, new.tolist(), strict=True):
                found[index].append(token)
            if not live or kept is None or step == self.max_new_tokens:
                break
            column = tokens.shape[1]
            tokens = torch.cat([tokens, new[:, None]], dim=1)
            states = self._pass(
                live,
                range(column, column + 1),
                [],
                key_values=kept.before(column),
                sources=torch.arange(len(live)),
                first_layer=0,
                kept=kept,
                tokens=new[:, None],
            )
        return {index: tuple(new) for index, new in found.items()}

    def _pass(
        self,
        live: Sequence[int],
        columns: range,
        joining: Sequence[tuple[str, Callable[..., Tensor]]],
        *,
        key_values: KeyValues,
        sources: Int[Tensor, " run"],
        first_layer: int,
        kept: RowKeyValues | None,
        tokens: Int[Tensor, "run 1"] | None = None,
    ) -> Float[Tensor, "run d_model"]:
        """Read some columns of all runs; the last layer's state at the last of them."""
        last = self.model.cfg.n_layers
        states: list[Tensor] = []

        def edited(edit: Edit) -> Callable[..., Tensor]:
            return lambda value, hook: edit(live[: len(value)], columns, value)

        hooks = [
            *joining,
            *((layer_hook(k), edited(edit)) for k, edit in self.edits.items() if k >= first_layer),
            (layer_hook(last), lambda value, hook: states.append(value[:, -1])),
        ]
        with growing_pass(
            self.model,
            key_values,
            sources,
            len(columns),
            first_layer=first_layer,
            last_layer=last,
            hooks=hooks,
            kept=kept,
            tokens=tokens,
        ) as run:
            run()
        return states[-1]

    def _chosen(
        self, live: Sequence[int], tokens: Int[Tensor, "run pos"], states: Tensor
    ) -> Int[Tensor, " run"]:
        """Each run's next token, some runs at a time."""
        size = max(1, _LOGITS // self.model.cfg.d_vocab)
        chosen = []
        for first in range(0, len(live), size):
            some = slice(first, first + size)
            logits = unembed(self.model, final_norm(self.model, states[some]))
            chosen.append(self.choose(live[some], tokens[some], logits).cpu())
        return torch.cat(chosen)
