"""Directions by name and layer, with the placebo that every steering experiment has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.models.layers import check_layers
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike, as_prompt

PLACEBO = "placebo"
"""The name of the random direction."""

LayerDirection = Direction | Mapping[int, Direction]
"""A direction that belongs to no layer and goes to any, or one for each layer."""

DirectionsByLayer = Mapping[str, Mapping[int, Direction]]
"""Name to layer to direction, all with the same layers."""


def with_placebo(
    operation: str,
    directions: Mapping[str, LayerDirection],
    layers: Sequence[int],
    *,
    n_prompts: int | None = None,
    seed: int = 0,
) -> dict[str, dict[int, Direction]]:
    """Every direction at every layer, and last a random one as long as the first.

    Where the first direction is zero, as prompts' differences often are at the embedding, so is
    the placebo.

    Args:
        operation: The call that errors name.
        directions: Directions by name.
        layers: Where they are applied.
        n_prompts: Number of prompts to steer; None to accept no direction per prompt.
        seed: Of the placebo.

    Raises:
        SemanticHubError: No directions, one called ``"placebo"``, one that lacks a layer or belongs
            to another, or rows of another number than there are prompts.

    Example:
        >>> ones = Direction(torch.ones(2), None, "ones")
        >>> found = with_placebo("example", {"ones": ones}, [3, 4])
        >>> list(found), found["placebo"][4].layer
        (['ones', 'placebo'], 4)
    """
    if not directions or PLACEBO in directions:
        raise SemanticHubError(
            operation,
            got=f"directions {list(directions)}",
            expected=f"at least one, none of them called {PLACEBO!r}",
            fix="The placebo is added by itself.",
        )
    found = {
        name: {layer: _at(operation, name, given, layer, n_prompts) for layer in layers}
        for name, given in directions.items()
    }
    first = next(iter(found.values()))
    return {**found, PLACEBO: {layer: _placebo(first[layer], seed) for layer in layers}}


def relative_norms(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    directions: DirectionsByLayer,
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, "direction layer"]:
    """Length of each direction over the mean length of the prompts' states at their last position.

    Args:
        model: The model.
        prompts: The prompts that are steered.
        directions: As `with_placebo` gives them.
        batch_size: Prompts per batch.
    """
    layers = list(next(iter(directions.values())))
    norms = [[by_layer[layer].norm for layer in layers] for by_layer in directions.values()]
    return torch.tensor(norms) / _stream_norms(model, prompts, layers, batch_size)


def in_stream_norms(
    model: HookedModel, direction: Direction, prompts: Sequence[PromptLike]
) -> dict[int, Direction]:
    """A direction of no layer, at every layer as long as the prompts' states are there on average.

    Args:
        model: The model.
        direction: One vector, such as a difference of unembeddings, or a row for each prompt.
        prompts: The prompts that are steered; their states at the last position count.

    Returns:
        Layer to direction; a strength then counts in lengths of the stream.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`.

    Example:
        >>> found = in_stream_norms(model, Direction(torch.ones(model.cfg.d_model), None, "ones"),
        ...                         ["the dog is"])
        >>> round(found[3].relative_norm, 4)
        1.0
    """
    layers = check_layers(model, None)
    norms = _stream_norms(model, prompts, layers).tolist()
    unit = torch.nn.functional.normalize(direction.vector, dim=-1)
    return {
        layer: Direction(
            unit * norm,
            layer,
            f"{direction.made}, as long as the stream",
            norm,
        )
        for layer, norm in zip(layers, norms, strict=True)
    }


def _stream_norms(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    layers: Sequence[int],
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, " layer"]:
    ends = [replace(as_prompt(prompt), position=None) for prompt in prompts]
    states = residual_stream(model, ends, layers=layers, batch_size=batch_size)
    return states.norm(dim=-1).mean(dim=0)


def _at(
    operation: str, name: str, given: LayerDirection, layer: int, n_prompts: int | None
) -> Direction:
    found = given.get(layer) if isinstance(given, Mapping) else given
    if found is None or found.layer not in (None, layer):
        has = "no direction" if found is None else f"a direction of layer {found.layer}"
        raise SemanticHubError(
            operation,
            got=f"{name!r} with {has} for layer {layer}",
            expected="a direction for each layer, made there or of no layer",
            fix="Make it with mean_differences or paired_differences, or move it with .at(layer).",
        )
    if found.n_rows not in (None, n_prompts):
        raise SemanticHubError(
            operation,
            got=f"{name!r} with {found.n_rows} rows",
            expected="a single vector" + (f", or {n_prompts} rows" if n_prompts else ""),
            fix="Make it from as many pairs as there are prompts, or take its mean().",
        )
    return found.at(layer)


def _placebo(direction: Direction, seed: int) -> Direction:
    return random_direction(direction, seed) if direction.vector.any() else direction
