"""Prepare directions for a sweep: one at every layer, and a random control of equal norm."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from numbers import Integral
from typing import Literal, TypeGuard, cast

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, as_list, check_kinds
from semantic_hub.interventions.controls import PLACEBO
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.models.layers import check_layers
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike, as_prompt

LayerDirection = Direction | Mapping[int, Direction]
"""A direction without a layer, which goes to any, or a mapping from layer to direction."""

Directions = LayerDirection | Mapping[str, LayerDirection]
"""What sweeps accept: one direction, or several by name."""

DirectionsByLayer = Mapping[str, Mapping[int, Direction]]
"""Name to layer to direction, all with the same layers."""

DIRECTION = "direction"
"""Name of a direction that was given without one."""


def with_placebo(
    operation: str,
    directions: Directions,
    layers: Sequence[int],
    *,
    n_prompts: int | None = None,
    seed: int = 0,
) -> dict[str, dict[int, Direction]]:
    """Expand directions to all layers, and append a random control of equal norm.

    The placebo is as long as the first direction. Where that is zero, as prompts' differences
    often are at the embedding, so is the placebo.

    Args:
        operation: The call that errors name.
        directions: Directions by name, or one, which is then called ``"direction"``.
        layers: Where they are applied.
        n_prompts: Number of prompts to steer; None to accept no direction per prompt.
        seed: Of the placebo.

    Returns:
        Mapping from name to layer to direction, ``"placebo"`` last.

    Raises:
        SemanticHubError: No directions, one called ``"placebo"``, one that lacks a layer or belongs
            to another, or rows of another number than there are prompts.

    Example:
        >>> ones = Direction(torch.ones(2), None, "ones")
        >>> expanded = with_placebo("example", {"ones": ones}, [3, 4])
        >>> list(expanded), expanded["placebo"][4].layer
        (['ones', 'placebo'], 4)
    """
    check_kinds(operation, directions=(directions, (Direction, Mapping)))
    named = (
        {DIRECTION: directions}
        if _is_one_direction(directions)
        else cast(Mapping[str, LayerDirection], directions)
    )
    if not named or PLACEBO in named:
        raise SemanticHubError(
            operation,
            got=f"directions {list(named)}",
            expected=f"at least one, none of them called {PLACEBO!r}",
            fix="The placebo is added automatically.",
        )
    expanded = {
        name: {layer: _at(operation, name, direction, layer, n_prompts) for layer in layers}
        for name, direction in named.items()
    }
    first = next(iter(expanded.values()))
    placebo = {
        layer: random_direction(direction, seed) if direction.vector.any() else direction
        for layer, direction in first.items()
    }
    return {**expanded, PLACEBO: placebo}


def with_unsteered(
    operation: str, strengths: float | int | Sequence[float | int]
) -> tuple[float, ...]:
    """Strengths in order, with 0 (no steering) among them.

    Args:
        operation: The user's call, for the error.
        strengths: Factors of a direction, or a single one.

    Raises:
        SemanticHubError: No strengths, or one that is not finite.

    Example:
        >>> with_unsteered("steering_sweep", [2, -1])
        (-1.0, 0.0, 2.0)
    """
    given = as_list(operation, "strengths", strengths, float)
    if not given or not all(map(isfinite, given)):
        raise SemanticHubError(
            operation,
            got=f"strengths {given}",
            expected="at least one, all finite",
            fix="Pass factors, such as [0.5, 1, 2].",
        )
    return tuple(sorted({0.0, *map(float, given)}))


def relative_norms(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    directions: DirectionsByLayer,
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, "direction layer"]:
    """Norm of each direction, over the mean norm of the prompts' states at their last position.

    Args:
        model: The model.
        prompts: The prompts that are steered.
        directions: As `with_placebo` gives them.
        batch_size: Prompts per batch.
    """
    layers = list(next(iter(directions.values())))
    norms = [[by_layer[layer].norm for layer in layers] for by_layer in directions.values()]
    return torch.tensor(norms, dtype=torch.float32) / _stream_norms(
        model, prompts, layers, batch_size
    )


def scale_to_stream(
    model: HookedModel, direction: Direction, prompts: Sequence[PromptLike]
) -> dict[int, Direction]:
    """Scale a direction without a layer to the mean norm of the stream at each layer.

    Args:
        model: The model.
        direction: One vector, such as a difference of unembeddings, or a row for each prompt.
        prompts: The prompts that are steered; their states at the last position count.

    Returns:
        Mapping from layer to direction; a strength then counts in norms of the stream.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`.

    Example:
        >>> scaled = scale_to_stream(model, Direction(torch.ones(model.cfg.d_model), None, "ones"),
        ...                          ["the dog is"])
        >>> round(scaled[3].relative_norm, 4)
        1.0
    """
    layers = check_layers(model, None)
    norms = _stream_norms(model, prompts, layers).tolist()
    unit = torch.nn.functional.normalize(direction.vector, dim=-1)
    description = f"{direction.description}, scaled to the stream"
    return {
        layer: Direction(unit * norm, layer, description, norm)
        for layer, norm in zip(layers, norms, strict=True)
    }


def _is_one_direction(directions: Directions) -> TypeGuard[LayerDirection]:
    """Whether it is one direction: a `Direction`, or a mapping from layers."""
    return isinstance(directions, Direction) or any(
        isinstance(layer, Integral) for layer in directions
    )


def _at(
    operation: str, name: str, directions: LayerDirection, layer: int, n_prompts: int | None
) -> Direction:
    """Direction for one layer; raise if there is none that fits."""
    direction = directions.get(layer) if isinstance(directions, Mapping) else directions
    if direction is None or direction.layer not in (None, layer):
        has = "no direction" if direction is None else f"a direction of layer {direction.layer}"
        raise SemanticHubError(
            operation,
            got=f"{name!r} with {has} for layer {layer}",
            expected="a direction for each layer, made there or without a layer",
            fix="Make it with mean_differences or paired_differences, or move it with .at(layer).",
        )
    if direction.n_rows not in (None, n_prompts):
        raise SemanticHubError(
            operation,
            got=f"{name!r} with {direction.n_rows} rows",
            expected="a single vector" + (f", or {n_prompts} rows" if n_prompts else ""),
            fix="Make it from as many pairs as there are prompts, or take its mean().",
        )
    return direction.at(layer)


def _stream_norms(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    layers: Sequence[int],
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, " layer"]:
    """Mean norm of the prompts' states at their last position, at each layer."""
    at_end = [replace(as_prompt(prompt), position=None) for prompt in prompts]
    states = residual_stream(model, at_end, layers=layers, batch_size=batch_size)
    return states.norm(dim=-1).mean(dim=0)
