"""Steered runs of prompts, each from the layer and position on where its steering acts."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.activations.generating import ChangedRun, Edit
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    is_span_per_prompt,
    prompt_positions,
    steered_states,
)
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding


class SteeringOptions(NamedTuple):
    """Where and how to steer; see `semantic_hub.interventions.steering.hook.steer`."""

    positions: SteeredPositions
    mode: Mode

    def rows(self, indices: Sequence[int]) -> "SteeringOptions":
        """Options for the prompts with the given indices; selects spans where each has its own."""
        if not is_span_per_prompt(self.positions):
            return self
        return self._replace(positions=tuple(self.positions[index] for index in indices))


class Steered(NamedTuple):
    """Directions, each at its own layer, and their factor; no directions for no steering.

    Prompt i is steered by row i of a direction that has rows.
    """

    directions: tuple[Direction, ...]
    strength: float


class SteeredRuns:
    """Where steered runs of prompts start, and what is changed in them.

    Args:
        model: A decoder.
        encodings: The prompts' tokens.
        steerings: What is steered by.
        options: Where and how; prompt i has span i where each has its own.
        cells: For each run the index of its steering, and of its prompt.

    Example:
        >>> from semantic_hub.prompts.prompt import encode
        >>> ones = Direction(torch.ones(model.cfg.d_model), 4, "ones")
        >>> steered = SteeredRuns(model, encode(model, ["the dog is"]), [Steered((ones,), 2.0)],
        ...                       SteeringOptions("last", "add"), cells=[(0, 0)])
        >>> steered.runs
        [ChangedRun(prompt=0, layer=4, start=4)]
    """

    def __init__(
        self,
        model: HookedModel,
        encodings: Sequence[Encoding],
        steerings: Sequence[Steered],
        options: SteeringOptions,
        cells: Sequence[tuple[int, int]],
    ) -> None:
        self.encodings, self.steerings, self.options = encodings, steerings, options
        self.cells, self.last_layer = cells, model.cfg.n_layers
        self.positions = prompt_positions("steer", encodings, options.positions)

    @property
    def runs(self) -> list[ChangedRun]:
        """Where each run starts."""
        found = []
        for steering, prompt in self.cells:
            layers = [direction.layer or 0 for direction in self.steerings[steering].directions]
            start = min(self.positions[prompt], default=None)
            if not layers or start is None:
                run = ChangedRun(prompt, self.last_layer, len(self.encodings[prompt]) - 1)
            else:
                run = ChangedRun(prompt, min(layers), start)
            found.append(run)
        return found

    @property
    def edits(self) -> dict[int, Edit]:
        """Layer to what is changed there."""
        layers = {d.layer or 0 for steering in self.steerings for d in steering.directions}
        return {layer: partial(self._edit, layer) for layer in sorted(layers)}

    @cached_property
    def _in_prompts(self) -> Bool[Tensor, "prompt pos"]:
        """Which positions of the prompts are steered."""
        steered = torch.zeros(len(self.encodings), max(map(len, self.encodings)), dtype=torch.bool)
        for prompt, positions in enumerate(self.positions):
            steered[prompt, list(positions)] = True
        return steered

    def _edit(
        self,
        layer: int,
        runs: Sequence[int],
        positions: range,
        stream: Float[Tensor, "run pos d_model"],
    ) -> Float[Tensor, "run pos d_model"]:
        rows: list[int] = []
        vectors: list[Tensor] = []
        strengths: list[float] = []
        where: list[Tensor] = []
        for row, run in enumerate(runs):
            steering, prompt = self.cells[run]
            for direction in self.steerings[steering].directions:
                if direction.layer == layer:
                    vector = direction.vector
                    rows.append(row)
                    vectors.append(vector if vector.ndim == 1 else vector[prompt])
                    strengths.append(self.steerings[steering].strength)
                    where.append(self._steered(prompt, positions))
        if not rows or not (mask := torch.stack(where)[..., None].to(stream.device)).any():
            return stream
        part = stream[rows]
        factors = torch.tensor(strengths, dtype=torch.float32)[:, None, None]
        new = steered_states(part, torch.stack(vectors)[:, None], factors, self.options.mode)
        changed = stream.clone()
        changed[rows] = torch.where(mask, new, part)
        return changed

    def _steered(self, prompt: int, positions: range) -> Bool[Tensor, " pos"]:
        """Which of some positions of a text are steered."""
        n_prompt = len(self.encodings[prompt])
        if positions.start < n_prompt:
            return self._in_prompts[prompt, positions.start : positions.stop]
        is_steered = self.options.positions in ("all", "generated")
        return torch.full((len(positions),), is_steered)
