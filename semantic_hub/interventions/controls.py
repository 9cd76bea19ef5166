"""Controls that interventions have beside the effect: their names, and noise like the states."""

import torch
from jaxtyping import Float
from torch import Tensor

PLACEBO = "placebo"
"""Random direction, or random activations, of equal norm."""

STATES_PLACEBO = "placebo, states' covariance"
"""The same, drawn from the covariance of the states that are patched or steered."""

ANOTHER_SOURCE = "another source"
"""Activations of another patch pair's source, whose answer is another one."""

MIN_STATES = 3
"""Items from which on there is a placebo in their states' covariance."""

_ROUNDING = 1e-5
"""Relative deviations of states that are not told from rounding."""


def noise_like_states(
    states: Float[Tensor, "state *features d"],
    coefficients: Float[Tensor, "draw state"],
    lengths: Float[Tensor, "draw *features 1"],
    without: Float[Tensor, "draw *features d"],
) -> Float[Tensor, "draw *features d"]:
    """Random combinations Σ_j g_j (x_j − mean x) of states, scaled to given lengths.

    A few dimensions of a model's states may be 1,000 times as large as the others. A random
    direction hardly moves these, and drowns all others; a combination of states does neither.

    Args:
        states: x; each layer (and head) by itself.
        coefficients: g, such as normal numbers.
        lengths: Norms of the result.
        without: What to take where all states are alike, which then have no covariance: the
            embeddings of one and the same last token.

    Example:
        >>> states = torch.tensor([[0.0, 1.0], [4.0, 1.0]])
        >>> ones, nothing = torch.ones(1, 1), torch.zeros(1, 2)
        >>> noise_like_states(states, torch.tensor([[0.5, 2.0]]), 3 * ones, nothing).tolist()
        [[3.0, 0.0]]
    """
    deviations = (states - states.mean(dim=0)).flatten(start_dim=1)
    combined = (coefficients @ deviations).reshape(without.shape)
    found = combined.norm(dim=-1, keepdim=True)
    usual = states.norm(dim=-1, keepdim=True).mean(dim=0)
    alike = found <= _ROUNDING * len(states) ** 0.5 * usual
    return torch.where(alike, without, combined * (lengths / found))
