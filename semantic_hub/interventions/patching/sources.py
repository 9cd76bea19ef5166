"""Capture the activations of source prompts, and arrange them by the base's positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.controls import MIN_STATES, noise_like_states
from semantic_hub.interventions.patching.components import Component, component_hook
from semantic_hub.interventions.patching.pairs import (
    LAST_TO_LAST,
    PatchPair,
    PositionMap,
    PositionPairs,
    position_pairs,
)
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, encode


@dataclass(frozen=True, eq=False)
class PatchValues:
    """Activations that are patched into one base prompt under one position map.

    Args:
        positions: Indices into the base's tokens.
        values: New activation of each position at each layer, ``[position layer *features]``; for
            heads the features are ``[head d_head]``.
    """

    positions: tuple[int, ...]
    values: Float[Tensor, "position layer ..."]

    def placebo(self, generator: torch.Generator) -> "PatchValues":
        """Random values of the same norm at every position and layer (and head)."""
        noise = torch.randn(self.values.shape, generator=generator, dtype=torch.float32)
        lengths = self.values.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
        return replace(self, values=noise * lengths)


PatchGrid = Sequence[Sequence[PatchValues]]
"""``[pair][position map]``."""


def states_placebo(patches: PatchGrid, generator: torch.Generator) -> PatchGrid | None:
    """Random values of the same norm, from the covariance of the other pairs' own activations.

    Each is a random combination Σ_j g_j (x_j − mean_j x_j), with normal g_j, over the activations
    x_j that the *other* pairs patch in by the same position map, scaled to the norm of what it
    stands for at each layer (and head); see
    `semantic_hub.interventions.controls.noise_like_states`. A pair's own source has no part in its
    placebo.

    Args:
        patches: What goes into the bases.
        generator: Of the coefficients: for each position map a matrix ``[value value]``.

    Returns:
        Patches of the same shape; None for fewer than three pairs, whose others do not vary. Where
        all values of a layer are alike (the embedding of one and the same last token), they stay.
    """
    if len(patches) < MIN_STATES:
        return None
    by_map = [_combined(values, generator) for values in zip(*patches, strict=True)]
    return [list(row) for row in zip(*by_map, strict=True)]


def _combined(patches: Sequence[PatchValues], generator: torch.Generator) -> list[PatchValues]:
    """Placebo of each pair's values under one position map."""
    values = torch.cat([patch.values for patch in patches])
    owner = torch.cat([torch.full((len(p.values),), i) for i, p in enumerate(patches)])
    others = (owner[:, None] != owner).float()
    drawn = torch.randn(others.shape, generator=generator, dtype=torch.float32) * others
    coefficients = drawn - others * (drawn.sum(dim=1) / others.sum(dim=1))[:, None]
    lengths = values.norm(dim=-1, keepdim=True)
    scaled = noise_like_states(values, coefficients, lengths, without=values)
    return [
        replace(patch, values=part)
        for patch, part in zip(patches, scaled.split([len(p.values) for p in patches]), strict=True)
    ]


class SourceActivations(NamedTuple):
    """What one run of the source prompts gives.

    Attributes:
        patches: What goes into each base, ``[pair][position map]``, averaged over the pair's
            sources.
        final: State of the last layer of each pair's first source, where its next word is read.
    """

    patches: PatchGrid
    final: Float[Tensor, "pair d_model"]


def collect_source_activations(
    model: HookedModel,
    pairs: Sequence[PatchPair],
    position_maps: Sequence[PositionMap],
    component: Component,
    layers: Sequence[int],
) -> SourceActivations:
    """Run the source prompts once, and collect the activations to patch into each base.

    Args:
        model: The model.
        pairs: Sources and bases.
        position_maps: Which of the sources' positions go where.
        component: What is captured.
        layers: At which layers.

    Raises:
        SemanticHubError: A position map that does not fit its prompts, or whose positions of a base
            all stand behind the one where its answer is read.
    """
    bases = encode(model, [pair.base for pair in pairs])
    prompts = [source for pair in pairs for source in pair.sources]
    sources = encode(model, prompts)
    pair_of_source = [i for i, pair in enumerate(pairs) for _ in pair.sources]
    cut_sources = _cut_at_position(prompts, sources)
    cut_bases = _cut_at_position([pair.base for pair in pairs], bases)
    joined = [
        [
            position_pairs(position_map, cut_sources[source], cut_bases[pair])
            if position_map == LAST_TO_LAST
            else position_pairs(position_map, sources[source], bases[pair])
            for position_map in position_maps
        ]
        for source, pair in enumerate(pair_of_source)
    ]
    for source, pair in enumerate(pair_of_source):
        for position_map, of_map in zip(position_maps, joined[source], strict=True):
            _check_reaches(position_map, of_map, pair, cut_bases[pair])
    read = [position for (position,) in read_positions(prompts, sources)]
    activations, final = _capture(model, sources, joined, read, component, layers)
    by_pair: list[list[list[PatchValues]]] = [[] for _ in pairs]
    for source, pair in enumerate(pair_of_source):
        by_pair[pair].append([_patch_values(m, activations[source]) for m in joined[source]])
    first = [pair_of_source.index(pair) for pair in range(len(pairs))]
    return SourceActivations(
        [[_mean(values) for values in zip(*rows, strict=True)] for rows in by_pair], final[first]
    )


def _check_reaches(
    position_map: PositionMap, joined: PositionPairs, pair: int, base: Encoding
) -> None:
    """Raise where a map patches nothing up to where the base's answer is read, its last token."""
    first, read = min(position for _, goes_to in joined for position in goes_to), base.own.stop - 1
    if first > read:
        raise SemanticHubError(
            "patch",
            got=f"{position_map}, which patches base {pair} from token {first} on, and an answer"
            f" that is read at token {read}",
            expected="a position that is patched where the answer is read, or before it",
            fix="Leave the base's position out, or patch earlier.",
        )


def _cut_at_position(prompts: Sequence[Prompt], encodings: Sequence[Encoding]) -> list[Encoding]:
    """The same tokens, of which those up to the prompt's ``position`` count as its own."""
    positions = read_positions(prompts, encodings)
    return [
        replace(encoding, own=slice(encoding.own_positions.start, position + 1))
        for encoding, (position,) in zip(encodings, positions, strict=True)
    ]


def _capture(
    model: HookedModel,
    sources: Sequence[Encoding],
    joined: Sequence[Sequence[PositionPairs]],
    read: Sequence[int],
    component: Component,
    layers: Sequence[int],
) -> tuple[list[dict[int, Float[Tensor, "layer ..."]]], Float[Tensor, "source d_model"]]:
    """For each source its activations by position, and its final state where it is read."""
    positions = [
        sorted({last, *(position for pairs in of_source for used, _ in pairs for position in used)})
        for of_source, last in zip(joined, read, strict=True)
    ]
    activations: list[dict[int, Tensor]] = [{} for _ in sources]
    final = torch.empty(len(sources), model.cfg.d_model, dtype=torch.float32)
    last_layer = model.cfg.n_layers
    hooks = [component_hook(component, layer) for layer in layers]

    def keep(captured: Captured) -> None:
        order = [
            (source, position) for source in captured.prompts for position in positions[source]
        ]
        values = torch.stack([captured.values[name] for name in hooks], dim=1).cpu()
        states = captured.values[layer_hook(last_layer)].cpu()
        for (source, position), value, state in zip(order, values, states, strict=True):
            activations[source][position] = value
            if position == read[source]:
                final[source] = state

    kept = list(dict.fromkeys([*hooks, layer_hook(last_layer)]))
    capture(model, sources, positions, kept, keep, last_layer=last_layer)
    return activations, final


def _patch_values(
    joined: PositionPairs, activations: dict[int, Float[Tensor, "layer ..."]]
) -> PatchValues:
    """Mean over the source positions, at every base position that it goes to."""
    values = [
        torch.stack([activations[position] for position in used]).mean(dim=0)
        for used, goes_to in joined
        for _ in goes_to
    ]
    positions = tuple(position for _, goes_to in joined for position in goes_to)
    return PatchValues(positions, torch.stack(values))


def _mean(parts: Sequence[PatchValues]) -> PatchValues:
    values = torch.stack([part.values for part in parts]).mean(dim=0)
    return PatchValues(parts[0].positions, values)
