"""Evidence 3: every direction at every layer and strength, and what the model then says.

Always with two controls: strength 0, and a placebo, a random direction of the same length.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, cast

import torch
from jaxtyping import Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import OUTCOMES, Mode, Outcome, SteeredPositions
from semantic_hub.interventions.steering.continuations import Continuations
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import is_span_of_each, steer
from semantic_hub.interventions.steering.per_layer import (
    LayerDirection,
    relative_norms,
    with_placebo,
)
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike, encode
from semantic_hub.prompts.soft_tokens import recorded_positions
from semantic_hub.results import manifest
from semantic_hub.statistics.resampling import Resampling


def steering_sweep(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    direction: LayerDirection | Mapping[str, LayerDirection],
    layers: Sequence[int] | None,
    strengths: Sequence[float | int],
    outcome: Outcome,
    *,
    positions: SteeredPositions = "last",
    mode: Mode = "add",
    max_new_tokens: int = 1,
    from_layer_on: bool = False,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> SteeringResult:
    """Steer prompts in one or several directions, and count what becomes of them.

    Every prompt is continued greedily, under each direction at each layer and strength. Prompts
    of the same number of tokens share a batch, so that nothing is padded; so do directions and
    strengths at one layer.

    Args:
        model: A decoder with a tokenizer.
        prompts: What is continued: text, `Prompt` objects or token ids.
        direction: One direction, or several by name. Each is a mapping from layers, as
            `paired_differences` and `mean_differences` give it, or a `Direction`, which goes to
            every layer if it belongs to none. A direction with a row for each prompt (a *direction
            per prompt*) steers prompt i with row i: what each is to be moved towards may differ.
        layers: Which layers, 0..n_layers; None for all.
        strengths: Factors; 0 is added.
        outcome: From a prompt's index and the text of its new tokens to ``"success"``,
            ``"unchanged"`` or ``"other"``.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`. A tuple of spans has one for each
            prompt.
        mode: How; see there.
        max_new_tokens: How far to generate; a text ends before its end-of-text token.
        from_layer_on: Steer every layer from each on, not it alone, each by its own direction.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        One outcome for each direction, layer, strength and prompt, the placebo's last.

    Raises:
        SemanticHubError: No prompts, directions or strengths; a direction that lacks a layer,
            belongs to another one or is of another width, or has another number of rows than there
            are prompts; a prompt that leaves too little of the context; an outcome that is none of
            the three; no tokenizer, or no decoder.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import mean_differences
        >>> directions = mean_differences(model, ["good"], ["bad"], [3, 4])
        >>> says = lambda index, text: "success" if "good" in text else "other"
        >>> found = steering_sweep(model, ["the dog is"], directions, [3, 4], [1, 2], says)
        >>> found.directions, found.strengths, tuple(found.outcome.shape)
        (('direction', 'placebo'), (0.0, 1.0, 2.0), (2, 2, 3, 1))

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 4 (arithmetic: success, unchanged, other).
    """
    check_predicts_next_token(check_model(model), "steering_sweep")
    wanted = check_layers(model, layers)
    encodings = encode(model, prompts)
    named = _named(direction)
    reached = range(min(wanted), model.cfg.n_layers + 1) if from_layer_on else wanted
    directions = with_placebo(
        "steering_sweep", named, reached, n_prompts=len(encodings), seed=resampling.seed
    )
    factors = _check_strengths(strengths)
    _check_spans(positions, len(encodings))
    how = {"positions": positions, "mode": mode}
    _check_steerable(model, directions, how)
    about = manifest(
        model,
        seed=resampling.seed,
        parameters={
            "positions": recorded_positions(positions),
            "mode": mode,
            "max_new_tokens": max_new_tokens,
            "from_layer_on": from_layer_on,
            "made": {name: by_layer[wanted[0]].made for name, by_layer in directions.items()},
        },
    )
    texts = Continuations(model, encodings, max_new_tokens, batch_size)
    steered = {
        layer: [at for at in reached if at >= layer] if from_layer_on else [layer]
        for layer in wanted
    }
    own = {name: {at: by_layer[at] for at in wanted} for name, by_layer in directions.items()}
    return SteeringResult(
        layers=tuple(wanted),
        strengths=factors,
        directions=tuple(directions),
        outcome=_sweep(texts, directions, steered, factors, outcome, how),
        relative_norm=relative_norms(model, prompts, own, batch_size),
        resampling=resampling,
        manifest=about,
    )


def _named(direction: LayerDirection | Mapping[str, LayerDirection]) -> Mapping[str, Any]:
    """One direction is called ``"direction"``; a mapping by names is one already."""
    by_name = isinstance(direction, Mapping) and all(isinstance(key, str) for key in direction)
    return cast(Mapping[str, Any], direction) if by_name else {"direction": direction}


def _sweep(
    texts: Continuations,
    directions: Mapping[str, Mapping[int, Direction]],
    layers: Mapping[int, Sequence[int]],
    strengths: Sequence[float | int],
    outcome: Outcome,
    how: Mapping[str, Any],
) -> Int[Tensor, "direction layer strength prompt"]:
    """Each layer with all those that are then steered; without steering texts are made once."""
    unsteered = _outcomes(outcome, texts.unsteered())
    found = unsteered.repeat(len(directions), len(layers), len(strengths), 1)
    for column, reached in enumerate(layers.values()):
        cells = {
            (row, place): ([by_layer[layer] for layer in reached], strength)
            for row, by_layer in enumerate(directions.values())
            for place, strength in enumerate(strengths)
            if strength
        }
        for (row, place), steered in zip(
            cells, texts.steered(list(cells.values()), how), strict=True
        ):
            found[row, column, place] = _outcomes(outcome, steered)
    return found


def _outcomes(outcome: Outcome, texts: Sequence[str]) -> Int[Tensor, " prompt"]:
    answers = [outcome(index, text) for index, text in enumerate(texts)]
    for index, answer in enumerate(answers):
        if answer not in OUTCOMES:
            raise _error(
                f"{answer!r} from outcome({index}, {texts[index]!r})",
                f"one of {', '.join(map(repr, OUTCOMES))}",
                "Let the outcome return one of these.",
            )
    return torch.tensor([OUTCOMES.index(answer) for answer in answers])


def _check_strengths(strengths: Sequence[float | int]) -> tuple[float, ...]:
    if not len(strengths) or not all(isfinite(strength) for strength in strengths):
        raise _error(
            f"strengths {list(strengths)}",
            "at least one, all finite",
            "Pass factors, such as [0.5, 1, 2].",
        )
    return tuple(sorted({0.0, *map(float, strengths)}))


def _check_spans(positions: SteeredPositions, n_prompts: int) -> None:
    if is_span_of_each(positions) and len(positions) != n_prompts:
        raise _error(
            f"{len(positions)} spans for {n_prompts} prompts",
            "one for each prompt",
            "Give each prompt its span, or one span for all.",
        )


def _check_steerable(
    model: HookedModel,
    directions: Mapping[str, Mapping[int, Direction]],
    how: Mapping[str, Any],
) -> None:
    """Let `steer` look at everything before anything runs."""
    for by_layer in directions.values():
        for direction in by_layer.values():
            with steer(model, direction, 0.0, **how):
                pass


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("steering_sweep", got=got, expected=expected, fix=fix)
