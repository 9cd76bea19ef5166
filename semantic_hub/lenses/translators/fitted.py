"""Affine lens fitted to the residual streams of a model by least squares.

For each layer, A_l h_l + b_l is fitted to the last layer's stream at the same position, over all
read positions of the prompts; `semantic_hub.statistics.least_squares` has the formula. Its penalty
pulls A_l toward the identity, that is toward the logit lens. Unlike a tuned lens, which is trained
on the divergence of the predictions (Belrose et al. 2023, https://arxiv.org/abs/2303.08112), it
needs no gradient, and coordinates of large variance count most.

A tuned or fitted lens is trained to predict the output. Where the middle layers hold a meaning in
the words of one language and the output has it in another, the lens learns to translate and shows
the output's word at every layer, so that a lens without a hub is no evidence against one. Use it
beside the logit lens, not instead of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture_layers
from semantic_hub.errors import SemanticHubError, as_seed, check_kinds
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import Positions, read_positions
from semantic_hub.prompts.prompt import Prompt, Prompts, as_prompts, encode
from semantic_hub.results.result import manifest
from semantic_hub.statistics.least_squares import Moments

if TYPE_CHECKING:
    import pandas as pd

_Keep = Callable[[Float[Tensor, "place layer d_model"], Float[Tensor, "place d_model"]], None]
"""Called with the streams of one batch: of the layers to fit, and of the last one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedLens(AffineLens):
    """An `AffineLens` with its error on prompts that it was not fitted on.

    Args:
        error: Share of the last layer's variance that A_l h_l + b_l leaves unexplained on the
            held-out prompts, Σ |A h_l + b − h_n|² / Σ |h_n − m|², m the mean over the fitted ones:
            0 is perfect, 1 no better than the mean.
        identity_error: The same for h_l itself, as the logit lens reads it; it may be above 1.
        n_fitted: Positions that it was fitted on.
        n_held_out: Positions that the errors are from.
    """

    error: Float[Tensor, " layer"] = field(metadata={"unit": "share of variance"})
    identity_error: Float[Tensor, " layer"] = field(metadata={"unit": "share of variance"})
    n_fitted: int
    n_held_out: int

    def to_frame(self) -> "pd.DataFrame":
        """Held-out errors of map and identity, as columns ``layer error identity_error``."""
        import pandas as pd

        errors = {"error": self.error.tolist(), "identity_error": self.identity_error.tolist()}
        return pd.DataFrame({"layer": self.layers, **errors})


def fit_affine_lens(
    model: HookedModel,
    prompts: Prompts,
    *,
    layers: int | Sequence[int] | None = None,
    ridge: float = 1e-3,
    positions: Positions = (None, None),
    held_out: float = 0.1,
    batch_size: int | Literal["auto"] = "auto",
    seed: int = 0,
) -> FittedLens:
    """Fit one affine map from each layer to the last one by least squares.

    Prompts are read once and not kept: the sums take 16 d_model² bytes a layer. Equal prompts count
    once, so that none is both fitted on and held out. The formula is that of
    `semantic_hub.statistics.least_squares`.

    Args:
        model: A decoder.
        prompts: Texts like those that the lens will be used on, at least 2 different ones.
        layers: The layers to fit, 0..n_layers; None for all. The last one needs no map.
        ridge: ρ ≥ 0, relative to each coordinate's variance; 0 for plain least squares.
        positions: Which positions of a prompt count, all of its own tokens by default; see
            `semantic_hub.prompts.positions.read_positions`.
        held_out: Share of the prompts that are used only to measure the error, at least one.
        batch_size: Prompts per forward pass.
        seed: Seed of the choice of held-out prompts.

    Returns:
        The lens, for ``logit_lens(..., lens=lens)``.

    Raises:
        SemanticHubError: Fewer than 2 different prompts, no layer below the last, a ridge below 0,
            ridge 0 with fewer positions than the d_model + 1 unknowns of each row, or NaN or
            infinity in the stream.

    Example:
        >>> lens = fit_affine_lens(model, [f"c equals {n} plus two" for n in ("one", "six", "ten")])
        >>> lens.layers, tuple(lens.weight.shape) == (8, model.cfg.d_model, model.cfg.d_model)
        ((0, 1, 2, 3, 4, 5, 6, 7), True)
    """
    fitted_layers = _layers_below_the_last(check_model(model), layers)
    check_kinds("fit_affine_lens", ridge=(ridge, float), held_out=(held_out, float))
    fitted, kept_out = _split(prompts, held_out, seed)
    moments = Moments(len(fitted_layers), model.cfg.d_model)
    _stream(model, fitted, fitted_layers, positions, batch_size, moments.add)
    weight, bias = moments.affine_map(ridge)
    errors = _Errors(weight, bias, moments.mean_y)
    _stream(model, kept_out, fitted_layers, positions, batch_size, errors.add)
    error, identity_error = errors.shares()
    return FittedLens(
        name="fitted affine lens",
        n_layers=model.cfg.n_layers,
        layers=tuple(fitted_layers),
        weight=weight.float(),
        bias=bias.float(),
        error=error,
        identity_error=identity_error,
        n_fitted=moments.count,
        n_held_out=errors.count,
        manifest=manifest(
            model,
            lens="fitted affine lens",
            ridge=ridge,
            positions=positions if isinstance(positions, str | tuple) else repr(positions),
            n_prompts=len(fitted) + len(kept_out),
            held_out=held_out,
            seed=seed,
        ),
    )


class _Errors:
    """Sums of squared errors over held-out states."""

    def __init__(self, weight: Tensor, bias: Tensor, mean_y: Tensor) -> None:
        self.weight, self.bias, self.mean_y = weight, bias, mean_y
        self.lens, self.identity = torch.zeros(2, len(weight), dtype=torch.float64)
        self.variance = torch.zeros((), dtype=torch.float64)
        self.count = 0

    def add(
        self, x: Float[Tensor, "place layer d_model"], y: Float[Tensor, "place d_model"]
    ) -> None:
        """Add the states of one batch."""
        x, y = x.to(self.weight), y.to(self.weight)
        read = einsum(self.weight, x, "layer out d_model, place layer d_model -> place layer out")
        self.lens += (read + self.bias - y[:, None]).square().sum(dim=(0, 2))
        self.identity += (x - y[:, None]).square().sum(dim=(0, 2))
        self.variance += (y - self.mean_y).square().sum()
        self.count += len(x)

    def shares(self) -> tuple[Float[Tensor, " layer"], Float[Tensor, " layer"]]:
        """Errors of the lens and of the identity, as shares of the variance."""
        return self.lens / self.variance, self.identity / self.variance


def _stream(
    model: HookedModel,
    prompts: Sequence[Prompt],
    layers: Sequence[int],
    positions: Positions,
    batch_size: int | Literal["auto"],
    keep: _Keep,
) -> None:
    """Pass the streams at all read positions to `keep`, batch by batch."""
    encodings = encode(model, prompts)
    places = read_positions(prompts, encodings, positions, model)
    last = model.cfg.n_layers

    def split(captured: Captured, states: Float[Tensor, "place layer d_model"]) -> None:
        states = states.cpu()
        keep(states[:, :-1], states[:, -1])

    capture_layers(model, encodings, places, [*layers, last], split, batch_size=batch_size)


def _layers_below_the_last(model: HookedModel, layers: int | Sequence[int] | None) -> list[int]:
    fitted_layers = sorted(set(check_layers(model, layers)) - {model.cfg.n_layers})
    if not fitted_layers:
        raise _error("the last layer alone", "a layer below it", "Leave layers out to fit all.")
    return fitted_layers


def _split(prompts: Prompts, held_out: float, seed: int) -> tuple[list[Prompt], list[Prompt]]:
    distinct = list(dict.fromkeys(as_prompts("fit_affine_lens", "prompts", prompts)))
    if len(distinct) < 2 or not 0 < held_out < 1:
        raise _error(
            f"{len(distinct)} different prompts and held_out={held_out}",
            "at least 2, of which a share between 0 and 1 is held out",
            "Pass more prompts.",
        )
    order = torch.randperm(
        len(distinct), generator=torch.Generator().manual_seed(as_seed(seed))
    ).tolist()
    size = min(len(distinct) - 1, max(1, round(held_out * len(distinct))))
    return [distinct[i] for i in order[size:]], [distinct[i] for i in order[:size]]


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("fit_affine_lens", got=got, expected=expected, fix=fix)
