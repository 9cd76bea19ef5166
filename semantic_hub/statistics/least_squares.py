"""Ridge-regularized affine maps from moments that are summed over batches.

For states x_l of each layer and y at the same N places, minimise

    Σ |A_l x_l + b_l − y|²  +  ρ N Σ_ij σ_i² (A_l − 1)_ji²

with σ_i² the variance of coordinate i of x_l. The penalty draws A_l towards the identity, and means
the same in whatever scale the coordinates are.
"""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError


class Moments:
    """Running means and second moments of states x and targets y, for a least-squares fit.

    Kept are those of x, ``[place, layer, d_model]``, and of y − x; a place is one token position.

    Everything is float64, and centered at each batch's own mean before it is added (Chan, Golub and
    LeVeque 1979), so that large means cost no digits.

    Args:
        n_layers: Layers of x.
        d_model: Their width.

    Example:
        >>> x = torch.randn(20, 1, 3)
        >>> moments = Moments(1, 3)
        >>> moments.add(x, 2 * x[:, 0] + 1)
        >>> weight, bias = moments.affine_map(ridge=0.0)
        >>> torch.allclose(weight[0], 2 * torch.eye(3).double(), atol=1e-6)
        True
    """

    def __init__(self, n_layers: int, d_model: int) -> None:
        self.count = 0
        self.mean_x, self.mean_change = torch.zeros(2, n_layers, d_model, dtype=torch.float64)
        self.xx, self.x_change = torch.zeros(2, n_layers, d_model, d_model, dtype=torch.float64)

    @property
    def mean_y(self) -> Float[Tensor, " d_model"]:
        """Mean of the targets y over all places added so far."""
        return (self.mean_x + self.mean_change)[0]

    def add(
        self, x: Float[Tensor, "place layer d_model"], y: Float[Tensor, "place d_model"]
    ) -> None:
        """Add the states x and targets y of one batch to the running moments.

        Args:
            x: Streams of the fitted layers.
            y: Streams of the last layer at the same places.
        """
        x = x.to(self.xx)
        change = y.to(self.xx)[:, None] - x
        step_x = x.mean(dim=0) - self.mean_x
        step_change = change.mean(dim=0) - self.mean_change
        total = self.count + len(x)
        between = self.count * len(x) / total
        x, change = x - x.mean(dim=0), change - change.mean(dim=0)
        self.xx += _products(x, x) + between * _products(step_x[None], step_x[None])
        self.x_change += _products(x, change) + between * _products(step_x[None], step_change[None])
        self.mean_x += step_x * len(x) / total
        self.mean_change += step_change * len(x) / total
        self.count = total

    def affine_map(
        self, ridge: float
    ) -> tuple[Float[Tensor, "layer d_model d_model"], Float[Tensor, "layer d_model"]]:
        """Solve the ridge regression of y on x at each layer for weight A and bias b, float64.

        Args:
            ridge: ρ, 0 or more. With 0, the A nearest to the identity where several serve.

        Raises:
            SemanticHubError: A ridge below 0, ridge 0 with fewer places than d_model + 1, or NaN or
                infinity in the states.
        """
        self._check(ridge)
        scale = self.xx.diagonal(dim1=-2, dim2=-1).sqrt()
        scale = scale.where(scale > 0, 1)[:, :, None]
        identity = torch.eye(scale.shape[1]).to(self.xx)
        correlation = self.xx / (scale * scale.mT) + ridge * identity
        inverse = torch.linalg.pinv(correlation, hermitian=True)
        weight = identity + (inverse @ (self.x_change / scale) / scale).mT
        moved = einsum(weight, self.mean_x, "layer out d_model, layer d_model -> layer out")
        return weight, self.mean_x + self.mean_change - moved

    def _check(self, ridge: float) -> None:
        if not ridge >= 0:
            raise _error(f"ridge={ridge}", "0 or more", "Leave it out.")
        unknowns = self.xx.shape[-1] + 1
        if ridge == 0 and self.count < unknowns:
            raise _error(
                f"{self.count} positions and ridge=0",
                f"at least {unknowns} positions, one for each of the unknowns d_model + 1",
                "Pass more prompts, or a ridge above 0.",
            )
        if not (self.xx.isfinite().all() and self.x_change.isfinite().all()):
            raise _error(
                "NaN or infinity in the residual stream",
                "finite activations",
                "Load the model in float32 or bfloat16, and check its weights.",
            )


def _products(
    x: Float[Tensor, "place layer d_model"], y: Float[Tensor, "place layer d_model"]
) -> Float[Tensor, "layer d_model d_model"]:
    return einsum(x, y, "place layer row, place layer column -> layer row column")


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("fit_affine_lens", got=got, expected=expected, fix=fix)
