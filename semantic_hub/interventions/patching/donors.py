"""Donors' activations, captured once and laid out for the recipients' positions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture_layers
from semantic_hub.interventions.patching.components import Component, component_hook
from semantic_hub.interventions.patching.exchange import LAST, Alignment, Exchange, Moves, align
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, encode


@dataclass(frozen=True, eq=False)
class Transplant:
    """What goes into one recipient under one alignment.

    Args:
        positions: Indices into the recipient's tokens.
        values: What each of them gets at each layer, ``[position layer *features]``; for heads the
            features are ``[head d_head]``.
    """

    positions: tuple[int, ...]
    values: Float[Tensor, "position layer ..."]

    def placebo(self, generator: torch.Generator) -> "Transplant":
        """Random values of the same norm at every position and layer (and head)."""
        noise = torch.randn(self.values.shape, generator=generator)
        lengths = self.values.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
        return replace(self, values=noise * lengths)


def transplants(
    model: HookedModel,
    exchanges: Sequence[Exchange],
    alignments: Sequence[Alignment],
    component: Component,
    layers: Sequence[int],
) -> list[list[Transplant]]:
    """Capture all donors in one pass, each at the positions that some alignment reads.

    Args:
        model: The model.
        exchanges: Donors and recipients.
        alignments: Which of the donors' positions go where.
        component: What is captured.
        layers: At which layers.

    Returns:
        ``[exchange][alignment]``.

    Raises:
        SemanticHubError: An alignment that does not fit its prompts.
    """
    recipients = encode(model, [exchange.recipient for exchange in exchanges])
    donors = encode(model, [donor for exchange in exchanges for donor in exchange.donors])
    owners = [i for i, exchange in enumerate(exchanges) for _ in exchange.donors]
    read = _up_to_read([d for exchange in exchanges for d in exchange.donors], donors)
    asked = _up_to_read([exchange.recipient for exchange in exchanges], recipients)
    moves = [
        [
            align(LAST, read[donor], asked[owner])
            if alignment == LAST
            else align(alignment, donors[donor], recipients[owner])
            for alignment in alignments
        ]
        for donor, owner in enumerate(owners)
    ]
    states = _states(model, donors, moves, component, layers)
    return [
        [
            _mean([_moved(moves[donor][a], states[donor]) for donor in _owned(owners, item)])
            for a in range(len(alignments))
        ]
        for item in range(len(exchanges))
    ]


def _up_to_read(prompts: Sequence[Prompt], encodings: Sequence[Encoding]) -> list[Encoding]:
    """The same tokens; of its own, a prompt has those up to the position that is read."""
    places = read_positions(prompts, encodings, "last", frozenset())
    return [
        replace(encoding, own=slice(encoding.own_positions.start, place + 1))
        for encoding, (place,) in zip(encodings, places, strict=True)
    ]


def _owned(owners: Sequence[int], item: int) -> Iterator[int]:
    return (donor for donor, owner in enumerate(owners) if owner == item)


def _states(
    model: HookedModel,
    donors: Sequence[Encoding],
    moves: Sequence[Sequence[Moves]],
    component: Component,
    layers: Sequence[int],
) -> list[dict[int, Float[Tensor, "layer ..."]]]:
    """For each donor: position to its activations."""
    places = [
        sorted({source for alignment in of_donor for sources, _ in alignment for source in sources})
        for of_donor in moves
    ]
    found: list[dict[int, Tensor]] = [{} for _ in donors]

    def keep(captured: Captured, values: Float[Tensor, "place layer ..."]) -> None:
        order = [(donor, place) for donor in captured.prompts for place in places[donor]]
        for (donor, place), value in zip(order, values.cpu(), strict=True):
            found[donor][place] = value

    hook = partial(component_hook, component)
    capture_layers(model, donors, places, layers, keep, hook=hook)
    return found


def _moved(moves: Moves, states: dict[int, Float[Tensor, "layer ..."]]) -> Transplant:
    """Each move's mean over its sources, at every place that it goes to."""
    values = [
        torch.stack([states[source] for source in sources]).mean(dim=0)
        for sources, places in moves
        for _ in places
    ]
    return Transplant(tuple(place for _, places in moves for place in places), torch.stack(values))


def _mean(parts: Sequence[Transplant]) -> Transplant:
    values = torch.stack([part.values for part in parts]).mean(dim=0)
    return Transplant(parts[0].positions, values)
