"""Steer a model: add a direction to its residual stream, replace the stream, or project out."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, Literal, TypeGuard, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.activations.columns import PromptColumns
from semantic_hub.activations.forward_passes import PassFollower
from semantic_hub.errors import SemanticHubError, SemanticHubWarning, check_choice, check_kinds
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.models.layers import check_layers, check_single_stack, hooked, layer_hook
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import exclusive
from semantic_hub.prompts.positions import Span
from semantic_hub.prompts.prompt import Encoding
from semantic_hub.prompts.soft_tokens import SoftPositions

Mode = Literal["add", "replace", "project_out"]
"""How to steer; see `steer`."""

NamedPositions = Literal["all", "last", "prompt", "generated"]
"""Positions that have a name; see `steer`."""

SteeredPositions = NamedPositions | Span | tuple[Span, ...]
"""Where to steer: the same in all prompts, or a span for each; see `steer`."""

Strength = float | int | Float[Tensor, " batch"]
"""Factor of a direction, or one for each prompt of a batch."""


@contextmanager
def steer(
    model: HookedModel,
    direction: Direction | Float[Tensor, "*prompt d_model"],
    strength: Strength = 1.0,
    *,
    layer: int | None = None,
    positions: SteeredPositions | slice = "all",
    mode: Mode = "add",
) -> Iterator[None]:
    """Steer every forward pass and every ``generate`` of the model within the context.

    Several contexts may be left in any order. Other threads that measure, steer or run the model
    wait until the context is left, in the thread that entered it.

    With h the residual stream at the direction's layer, d the direction and s the strength:

    - ``"add"``: ``h + s d``;
    - ``"replace"``: ``h + s (d − h)``, so that 1 puts d in the place of h;
    - ``"project_out"``: ``h − s (h·d̂) d̂`` with ``d̂ = d / ‖d‖``, so that 1 leaves nothing along d.

    Positions are those of the *prompt*, and stay where they are while tokens are generated:

    - ``"all"``: every position, BOS and generated tokens included;
    - ``"last"``: the prompt's last token;
    - ``"prompt"``: every position of the prompt, BOS included;
    - ``"generated"``: every position after the prompt, so the first new token is not steered yet;
    - ``(start, stop)`` or a slice: that span of the prompt's own tokens as Python slices it, which
      leaves out padding and a BOS in front (embeddings instead of tokens have no BOS);
    - `SoftPositions`: those of the prompt's features, wherever they are in it;
    - a tuple of such ``(start, stop)`` or `SoftPositions`, one for each prompt of a batch.

    They are the same with and without a key-value cache, on either side of padding, and for one
    prompt or many. A pass that is given a filled cache reads generated tokens; any other pass
    outside of ``generate`` reads prompts. Contexts nest, and leave nothing behind on the model.
    ``hf_generate`` bypasses the hooks and is refused. A context in which the model ran and no pass
    had a position to steer, such as ``"generated"`` where nothing is generated, ends with a
    warning.

    Args:
        model: The model.
        direction: With a layer, or a plain tensor and `layer`. One vector steers every prompt; one
            with a row for each prompt needs batches of that many prompts, and steers prompt i with
            row i.
        strength: Factor s, or one for each prompt of a batch; the number 0 leaves the model
            untouched. ``direction.relative_norm`` is how long the direction is for 1, as a share of
            the stream's norm.
        layer: Where to apply the direction, 0..n_layers; None for the layer that it names.
        positions: Where.
        mode: How.

    Yields:
        Nothing; the model itself is steered.

    Raises:
        SemanticHubError: As `check_steering`. In a forward pass: a batch of another number of
            prompts, or a span that is empty in some prompt.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.steering.contrasts import activation_difference
        >>> direction = activation_difference(model, "good", "bad", layer=4)
        >>> with steer(model, direction, 2.0, positions="last"):
        ...     text = model.generate("the dog is", max_new_tokens=2, verbose=False)

    Source:
        Turner et al. 2023, Activation Addition, arXiv 2308.10248 (add); Arditi et al. 2024,
        Refusal is mediated by a single direction, arXiv 2406.11717 (project out).
    """
    direction = _with_layer(direction, layer)
    layer = check_steering(model, direction, strength=strength, positions=positions, mode=mode)
    if isinstance(strength, Real) and strength == 0:
        yield
        return
    follower = PassFollower(model)
    edit = _SteeringHook(follower, direction, strength, positions, mode)
    with exclusive(model), follower.following(), hooked(model, [(layer_hook(layer), edit)]):
        yield
    if edit.reached is False:
        warnings.warn(
            f"steer: no forward pass had a position to steer, positions={positions!r}; the model "
            "did what it does unsteered",
            SemanticHubWarning,
            stacklevel=3,
        )


def check_steering(
    model: HookedModel,
    direction: Direction,
    *,
    strength: Strength = 1.0,
    positions: SteeredPositions | slice = "all",
    mode: Mode = "add",
) -> int:
    """Check arguments as `steer` does, and return the layer that the direction belongs to.

    Args:
        model: The model.
        direction: With a layer.
        strength: Factor, or one for each prompt of a batch.
        positions: Where to steer.
        mode: How.

    Raises:
        SemanticHubError: A direction without a layer, of another width, of a layer that the model
            lacks, or zero where it is to be projected out; an unknown mode or position; a strength
            that is not finite, or strengths and rows of different number; an encoder-decoder.

    Example:
        >>> check_steering(model, Direction(torch.ones(model.cfg.d_model), 4, "ones"))
        4
    """
    layer = _check_direction(check_model(model), direction)
    check_choice("steer", "mode", mode, get_args(Mode))
    if not isinstance(strength, Real | Tensor) or not torch.as_tensor(strength).isfinite().all():
        raise _option_error(f"strength={strength!r}", "finite numbers")
    n_rows = _n_rows(direction, strength)
    if direction.n_rows not in (None, n_rows):
        raise _option_error(f"{direction.n_rows} rows and {n_rows} strengths", "as many")
    check_positions("steer", positions)
    if mode == "project_out" and not direction.vector.any(dim=-1).all():
        raise _option_error(f"{direction.description}, which is zero", "a direction with a length")
    return layer


def check_all_steering(
    model: HookedModel,
    directions: Mapping[str, Mapping[int, Direction]],
    *,
    positions: SteeredPositions,
    mode: Mode,
) -> None:
    """Check every direction of a sweep as `steer` does, before the first is used.

    Args:
        model: The model.
        directions: Name to layer to direction.
        positions: Where to steer.
        mode: How.

    Raises:
        SemanticHubError: As `check_steering`.
    """
    for by_layer in directions.values():
        for direction in by_layer.values():
            check_steering(model, direction, positions=positions, mode=mode)


def check_reached(operation: str, positions: SteeredPositions | slice, max_new_tokens: int) -> None:
    """Raise where no position can be steered: no pass reads the last token that is generated.

    Args:
        operation: The user's call, for the error.
        positions: Where to steer.
        max_new_tokens: How far to generate; 0 where prompts are only read.

    Raises:
        SemanticHubError: Generated tokens are to be steered, and fewer than two are generated.

    Example:
        >>> check_reached("steering_sweep", "generated", max_new_tokens=2)
    """
    if positions == "generated" and max_new_tokens < 2:
        raise SemanticHubError(
            operation,
            got=f"positions='generated' with {max_new_tokens} new tokens",
            expected="at least 2: the first is chosen before any generated token is read",
            fix="Generate more, or steer the prompt's last position with positions='last'.",
        )


def check_positions(operation: str, positions: SteeredPositions | slice) -> None:
    """Raise unless positions are such as `steer` takes.

    Raises:
        SemanticHubError: Neither a name, a span, nor a tuple of spans.
    """
    spans: Sequence[Any] = positions if is_span_per_prompt(positions) else (positions,)
    if not all(map(_is_span, spans)) and positions not in get_args(NamedPositions):
        names = ", ".join(map(repr, get_args(NamedPositions)))
        raise SemanticHubError(
            operation,
            got=f"positions={positions!r}",
            expected=f"one of {names}, or a span",
            fix="See semantic_hub.interventions.steering.hook.steer.",
        )


def is_span_per_prompt(positions: object) -> TypeGuard[tuple[Span, ...]]:
    """Whether positions are a span for each prompt, not the same for all.

    Example:
        >>> is_span_per_prompt(((0, 1), (2, 3))), is_span_per_prompt((0, 1))
        (True, False)
    """
    return isinstance(positions, tuple) and any(
        isinstance(span, tuple | SoftPositions) for span in positions
    )


def steered_states(
    states: Float[Tensor, "*axes d_model"],
    vector: Float[Tensor, "... d_model"],
    strength: Float[Tensor, "..."],
    mode: Mode,
) -> Float[Tensor, "*axes d_model"]:
    """The stream as `steer` changes it.

    Args:
        states: The stream.
        vector: The direction, of a shape that goes with the states'.
        strength: Its factor, likewise.
        mode: How.

    Example:
        >>> halved = steered_states(torch.tensor([[4.0, 2.0]]), torch.tensor([0.0, 3.0]),
        ...                         torch.tensor(0.5), "project_out")
        >>> halved.tolist()
        [[4.0, 1.0]]
    """
    if mode == "project_out":
        vector = vector / vector.norm(dim=-1, keepdim=True)
    vector, strength = vector.to(states), strength.to(states)
    if mode == "add":
        return states + strength * vector
    if mode == "replace":
        return states.lerp(vector.expand_as(states), strength)
    return states - strength * (states * vector).sum(dim=-1, keepdim=True) * vector


def prompt_positions(
    operation: str, encodings: Sequence[Encoding], positions: SteeredPositions | slice
) -> list[tuple[int, ...]]:
    """Indices into each prompt's tokens that are steered.

    Args:
        operation: The user's call, for errors.
        encodings: The prompts' tokens.
        positions: Where to steer; a tuple of spans has one for each prompt.

    Raises:
        SemanticHubError: Spans for another number of prompts, or one that is empty in its prompt.

    Example:
        >>> from semantic_hub.prompts.prompt import encode
        >>> prompt_positions("example", encode(model, ["the dog is"]), "last")
        [(4,)]
    """
    spans: list[Any] = [positions] * len(encodings)
    if is_span_per_prompt(positions):
        spans = [*positions]
    if len(spans) != len(encodings):
        raise SemanticHubError(
            operation,
            got=f"{len(encodings)} prompts and {len(spans)} spans to steer",
            expected="one for each prompt, or one for all",
            fix="Give a span for each prompt, in their order.",
        )
    found = []
    for number, (encoding, span) in enumerate(zip(encodings, spans, strict=True)):
        if span in ("all", "prompt"):
            chosen: Sequence[int] = range(len(encoding))
        elif span == "generated":
            chosen = ()
        else:
            chosen = _of_span(span, len(encoding) - 1, encoding.own_positions, encoding.spans)
        if not chosen and span != "generated":
            raise _empty_span(span, number, len(encoding.own_positions), len(encoding.spans))
        found.append(tuple(chosen))
    return found


def _empty_span(span: object, prompt: int, n_tokens: int, n_features: int) -> SemanticHubError:
    """Error for a span that holds none of a prompt's tokens."""
    return SemanticHubError(
        "steer",
        got=f"positions={span!r} in prompt {prompt}, which has {n_tokens} tokens"
        f" and {n_features} spans of features",
        expected="a span with at least one of its tokens",
        fix="Count from 0, or from the end with negative numbers, without the BOS token.",
    )


class _SteeringHook:
    """Hook that changes the steered positions of the current forward pass."""

    def __init__(
        self,
        follower: PassFollower,
        direction: Direction,
        strength: Strength,
        positions: SteeredPositions | slice,
        mode: Mode,
    ) -> None:
        self.follower, self.n_rows = follower, _n_rows(direction, strength)
        self.positions: SteeredPositions | slice = positions
        self.mode: Mode = mode
        self.steering = f"steer({direction.description})"
        vector = direction.vector
        self.vector = vector if direction.n_rows is None else vector[:, None]
        self.strength = torch.as_tensor(strength, dtype=vector.dtype).reshape(-1, 1, 1)
        self.reached: bool | None = None
        """Whether any pass had a position to steer; None before the first pass."""
        self.prompts: PromptColumns | None = None
        self.steered_in_prompts = torch.empty(0, 0, dtype=torch.bool)

    def __call__(
        self, value: Float[Tensor, "batch pos d_model"], hook: Any
    ) -> Float[Tensor, "batch pos d_model"] | None:
        steered = self._steered(len(value), value.shape[1])
        self.reached = bool(self.reached or steered.any())
        if not steered.any():
            return None
        if self.n_rows not in (None, len(value)):
            raise SemanticHubError(
                "steer",
                got=f"a batch of {len(value)} and a direction with {self.n_rows} rows or strengths",
                expected="one for each prompt",
                fix="Pick the batch's rows with direction.rows(...), or use direction.mean().",
            )
        edited = steered_states(value, self.vector, self.strength, self.mode)
        return torch.where(steered[..., None].to(value.device), edited, value)

    def _steered(self, n_rows: int, n_columns: int) -> Bool[Tensor, "batch pos"]:
        """Which columns of this pass are steered; a pass reads the last ones of all."""
        reading = self.follower.current
        if reading is None:
            raise SemanticHubError(
                "steer",
                got="a forward pass that did not enter through the model itself (hf_generate?)",
                expected="model(...), run_with_cache, run_with_hooks or generate",
                fix="Use one of these: only there positions are known.",
            )
        generated = torch.full((n_rows, n_columns), self.positions in ("all", "generated"))
        if reading.prompts is None:
            return generated
        if reading.prompts is not self.prompts:
            self.prompts = reading.prompts
            self.steered_in_prompts = _steered_in_prompts(reading.prompts, self.positions)
        columns = [self.steered_in_prompts, generated[:, :1].expand(-1, reading.n_generated)]
        return torch.cat(columns, dim=1)[:, -n_columns:]


def _steered_in_prompts(
    prompts: PromptColumns, positions: SteeredPositions | slice
) -> Bool[Tensor, "batch prompt"]:
    """Which columns of the prompts are steered."""
    if positions in ("all", "prompt", "generated"):
        return torch.full(prompts.real.shape, positions != "generated")
    steered = torch.zeros_like(prompts.real)
    for row, span in enumerate(_span_of_each(positions, len(steered))):
        last = int(prompts.real[row].nonzero()[-1])
        columns = _of_span(span, last, prompts.own(row), prompts.spans(row))
        if not columns:
            raise _empty_span(span, row, len(prompts.own(row)), len(prompts.spans(row)))
        steered[row, columns] = True
    return steered


def _span_of_each(positions: SteeredPositions | slice, n_prompts: int) -> Sequence[Any]:
    """Where to steer in each prompt of a batch."""
    if not is_span_per_prompt(positions):
        return [positions] * n_prompts
    if len(positions) != n_prompts:
        raise SemanticHubError(
            "steer",
            got=f"a batch of {n_prompts} and {len(positions)} spans",
            expected="one for each prompt",
            fix="Pick the batch's own spans.",
        )
    return positions


def _of_span(span: Any, last: int, own: Sequence[int], features: Sequence[range]) -> Sequence[int]:
    """Places of one prompt that a span or ``"last"`` stands for, given those of its tokens."""
    if span == "last":
        return (last,)
    if isinstance(span, SoftPositions):
        return span.among(features)
    return own[span if isinstance(span, slice) else slice(*span)]


def _with_layer(direction: Direction | Tensor, layer: int | None) -> Direction:
    """A direction, made of the tensor that was given, at a layer; None leaves it where it is."""
    check_kinds("steer", direction=(direction, (Direction, Tensor)), layer=(layer, (int, None)))
    if isinstance(direction, Tensor):
        direction = Direction(direction, None, "a tensor")
    return direction if layer is None else direction.at(layer)


def _check_direction(model: HookedModel, direction: Direction) -> int:
    """Layer of a direction; raise unless the model has it, in this width."""
    if direction.layer is None:
        raise SemanticHubError(
            "steer",
            got=f"{direction.description}, a direction without a layer",
            expected="a direction that names the layer where it is applied",
            fix="Name it: steer(..., layer=4), or direction.at(4).",
        )
    check_layers(model, [direction.layer])
    if direction.d_model != model.cfg.d_model:
        raise SemanticHubError(
            "steer",
            got=f"a direction of width {direction.d_model}",
            expected=f"{model.cfg.d_model}, the model's",
            fix="Make the direction from this model.",
        )
    check_single_stack(model, "steer")
    return direction.layer


def _n_rows(direction: Direction, strength: Strength) -> int | None:
    """Number of prompts that direction or strength has a row for; None if neither has any."""
    n_strengths = len(strength) if isinstance(strength, Tensor) and strength.ndim else None
    return direction.n_rows if n_strengths is None else n_strengths


def _is_span(positions: object) -> bool:
    """Whether positions are one span."""
    is_pair = isinstance(positions, tuple) and len(positions) == 2
    return is_pair or isinstance(positions, slice | SoftPositions)


def _option_error(got: str, expected: str) -> SemanticHubError:
    """Error for an argument of `steer`."""
    fix = "See the docstring of steer."
    return SemanticHubError("steer", got=got, expected=expected, fix=fix)
