"""Prepare directions for a sweep: one at every layer, and random controls of equal norm."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from numbers import Integral
from typing import Literal, TypeGuard, cast

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, as_list, as_seed, check_kinds
from semantic_hub.interventions.controls import (
    MIN_STATES,
    PLACEBO,
    STATES_PLACEBO,
    noise_like_states,
)
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.interventions.steering.hook import SteeredPositions, prompt_positions
from semantic_hub.models.layers import check_layers
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, PromptLike, as_prompt, encode

LayerDirection = Direction | Mapping[int, Direction]
"""A direction without a layer, which goes to any, or a mapping from layer to direction."""

Directions = LayerDirection | Mapping[str, LayerDirection]
"""What sweeps accept: one direction, or several by name."""

DirectionsByLayer = Mapping[str, Mapping[int, Direction]]
"""Name to layer to direction, all with the same layers."""

DIRECTION = "direction"
"""Name of a direction that was given without one."""


def at_every_layer(
    operation: str,
    directions: Directions,
    layers: Sequence[int],
    *,
    n_prompts: int | None = None,
) -> dict[str, dict[int, Direction]]:
    """Expand directions to all layers.

    Args:
        operation: The call that errors name.
        directions: Directions by name, or one, which is then called ``"direction"``.
        layers: Where they are applied.
        n_prompts: Number of prompts to steer; None to accept no direction per prompt.

    Returns:
        Mapping from name to layer to direction.

    Raises:
        SemanticHubError: No directions, one called as a control, one that lacks a layer or belongs
            to another, or rows of another number than there are prompts.

    Example:
        >>> ones = Direction(torch.ones(2), None, "ones")
        >>> at_every_layer("example", {"ones": ones}, [3, 4])["ones"][4].layer
        4
    """
    check_kinds(operation, directions=(directions, (Direction, Mapping)))
    named = (
        {DIRECTION: directions}
        if _is_one_direction(directions)
        else cast(Mapping[str, LayerDirection], directions)
    )
    if not named or {PLACEBO, STATES_PLACEBO} & set(named):
        raise SemanticHubError(
            operation,
            got=f"directions {list(named)}",
            expected=f"at least one, none of them called {PLACEBO!r} or {STATES_PLACEBO!r}",
            fix="The placebos are added automatically.",
        )
    return {
        name: {layer: _at(operation, name, direction, layer, n_prompts) for layer in layers}
        for name, direction in named.items()
    }


def placebos(
    by_layer: Mapping[int, Direction],
    states: Float[Tensor, "prompt layer d_model"],
    seed: int = 0,
) -> dict[str, dict[int, Direction]]:
    """Random controls of a direction, as long as it is at each layer and for each prompt.

    Where the direction is zero, as prompts' differences often are at the embedding, so are they.

    Args:
        by_layer: The direction at each layer.
        states: States of the steered prompts at these layers, as `states_where_steered` reads them.
        seed: Of the draws.

    Returns:
        ``"placebo"``, a random direction, and for three prompts or more ``"placebo, states'
        covariance"``, with a row for each prompt: a random combination of all prompts' states less
        their mean, drawn for each prompt, the same at all layers; see
        `semantic_hub.interventions.controls.noise_like_states`. At a layer where all states are
        alike it is the first placebo.

    Example:
        >>> states = torch.tensor([[[1.0, 0.0]], [[2.0, 0.0]], [[6.0, 0.0]]])
        >>> found = placebos({3: Direction(torch.tensor([3.0, 4.0]), 3, "by hand")}, states)
        >>> [(name, round(direction[3].norm, 4)) for name, direction in found.items()]
        [('placebo', 5.0), ("placebo, states' covariance", 5.0)]
        >>> found["placebo, states' covariance"][3].vector[:, 1].tolist()
        [0.0, 0.0, 0.0]
    """
    random = {
        layer: random_direction(direction, seed) if direction.vector.any() else direction
        for layer, direction in by_layer.items()
    }
    if len(states) < MIN_STATES:
        return {PLACEBO: random}
    generator = torch.Generator().manual_seed(as_seed(seed))
    n = len(states)
    coefficients = torch.randn(n, n, generator=generator, dtype=torch.float32)
    like_states = {
        layer: replace(
            direction,
            vector=noise_like_states(
                states[:, place],
                coefficients,
                direction.vector.norm(dim=-1, keepdim=True).expand(n, 1),
                without=random[layer].vector.expand(n, -1),
            ),
            description=f"random states, as long as {direction.description} (seed {seed})",
        )
        for place, (layer, direction) in enumerate(by_layer.items())
    }
    return {PLACEBO: random, STATES_PLACEBO: like_states}


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
    directions: DirectionsByLayer, states: Float[Tensor, "prompt layer d_model"]
) -> Float[Tensor, "direction layer"]:
    """Norm of each direction, over the mean norm of the prompts' states.

    Args:
        directions: As `at_every_layer` and `placebos` give them.
        states: As `states_where_steered` reads them, at these layers.
    """
    norms = [[direction.norm for direction in by.values()] for by in directions.values()]
    return torch.tensor(norms, dtype=torch.float32) / states.norm(dim=-1).mean(dim=0)


def states_where_steered(
    operation: str,
    model: HookedModel,
    prompts: Sequence[Prompt],
    layers: Sequence[int],
    positions: SteeredPositions,
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, "prompt layer d_model"]:
    """State of each prompt at the last of its positions that are steered.

    That is its last position where none is steered but what is generated.

    Args:
        operation: The call that errors name.
        model: The model.
        prompts: The prompts that are steered.
        layers: At which layers.
        positions: Where they are steered.
        batch_size: Prompts per batch.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`, and
            `semantic_hub.interventions.steering.hook.prompt_positions`.

    Example:
        >>> states = states_where_steered("example", model, [Prompt("the dog is")], [3], (1, 2))
        >>> at_second = sh.residual_stream(model, [Prompt("the dog is", position=1)], layers=3)
        >>> torch.equal(states, at_second)
        True
    """
    encodings = encode(model, prompts)
    read = []
    for prompt, encoding, steered in zip(
        prompts, encodings, prompt_positions(operation, encodings, positions), strict=True
    ):
        own = encoding.own_positions
        last = next((own.index(index) for index in reversed(steered) if index in own), None)
        read.append(replace(prompt, position=last))
    return residual_stream(model, read, layers=layers, batch_size=batch_size)


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
    states = states_where_steered(
        "scale_to_stream", model, [*map(as_prompt, prompts)], layers, "last"
    )
    norms = states.norm(dim=-1).mean(dim=0).tolist()
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
