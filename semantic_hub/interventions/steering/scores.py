"""Changes that steering makes to the log-probability of each token of a prompt."""

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.controls import PLACEBO
from semantic_hub.interventions.steering.direction import Direction, random_direction
from semantic_hub.interventions.steering.hook import Mode, SteeredPositions, check_reached, steer
from semantic_hub.lenses.per_token import TokenLens, token_lens
from semantic_hub.lenses.token_scores import TokenScores
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike
from semantic_hub.results.result import manifest


def steering_scores(
    model: HookedModel,
    prompt: PromptLike,
    direction: Direction,
    strength: float = 1.0,
    *,
    positions: SteeredPositions | slice = "all",
    mode: Mode = "add",
    seed: int = 0,
) -> TokenScores:
    """Change of each token's log-probability under steering.

    For each token the change of its log-probability given all tokens before it, steered minus
    unsteered, in nat; beside it the same under a random direction of the same length.

    Args:
        model: A decoder.
        prompt: One prompt, such as a text that the direction should make likelier.
        direction: One vector, with a layer.
        strength: Its factor.
        positions: Where, as in `semantic_hub.interventions.steering.hook.steer`.
        mode: How.
        seed: Of the placebo.

    Returns:
        Two rows, ``"steered"`` and ``"placebo"``. The first token has no number.

    Raises:
        SemanticHubError: As `semantic_hub.interventions.steering.hook.steer`, or a model that
            predicts no next token.

    Example:
        >>> direction = sh.activation_difference(model, "good", "bad", layer=4)
        >>> scores = steering_scores(model, "the dog is good", direction, 2.0)
        >>> scores.rows, scores.value.shape == (2, len(scores.pieces))
        (('steered', 'placebo'), True)
    """
    _check_direction(direction)
    check_reached("steering_scores", positions, max_new_tokens=0)
    plain = _read(model, prompt)
    changes = {}
    for name, given in (("steered", direction), (PLACEBO, random_direction(direction, seed))):
        with steer(model, given, strength, positions=positions, mode=mode):
            changes[name] = _log_prob(_read(model, prompt)) - _log_prob(plain)
    return TokenScores(
        pieces=plain.pieces,
        rows=tuple(changes),
        value=torch.stack([*changes.values()]),
        unit="nat",
        manifest=manifest(
            model,
            measure="steering_scores",
            direction=direction.description,
            layer=direction.layer,
            strength=strength,
            positions=str(positions),
            mode=mode,
            seed=seed,
        ),
    )


def _read(model: HookedModel, prompt: PromptLike) -> TokenLens:
    """The model's own predictions: the lens at the last layer."""
    return token_lens(model, prompt, k=1, layers=[model.cfg.n_layers])


def _log_prob(lens: TokenLens) -> Float[Tensor, " pos"]:
    return torch.cat([torch.tensor([torch.nan], dtype=torch.float32), lens.next_log_prob[:-1, 0]])


def _check_direction(direction: Direction) -> None:
    if direction.n_rows is None:
        return
    raise SemanticHubError(
        "steering_scores",
        got=f"a direction with {direction.n_rows} rows",
        expected="one vector, for one prompt",
        fix="Take its mean(), or a row as Direction(direction.vector[0], ...).",
    )
