"""Lens with one affine map for each layer, the form of tuned, Jacobian and fitted lenses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.lens import Lens
from semantic_hub.models.protocol import HookedModel
from semantic_hub.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class AffineLens(Result, Lens):
    """A lens with one affine map for each layer: A_l h + b_l estimates the last layer's stream.

    For ``logit_lens(model, readouts, lens=lens)``: what it returns goes through the model's final
    norm and unembedding. The last layer needs no map and is left as it is, so that every lens reads
    the model's own prediction there. ``save`` and ``load`` keep it in safetensors and JSON.

    Args:
        name: Name in manifests and figures.
        n_layers: Number of blocks of the model that it was made for.
        layers: The layers with a map; 0 is the embedding, k the stream after block k.
        weight: A_l, a row for each coordinate of the result.
        bias: b_l.
        manifest: Where the maps come from.

    Raises:
        SemanticHubError: Maps with NaN or infinity in them.

    Example:
        >>> import torch
        >>> lens = AffineLens(name="twice", n_layers=2, layers=(1,), weight=2 * torch.eye(3)[None],
        ...                   bias=torch.zeros(1, 3), manifest={})
        >>> lens(1, torch.ones(1, 3)).tolist(), lens(2, torch.ones(1, 3)).tolist()
        ([[2.0, 2.0, 2.0]], [[1.0, 1.0, 1.0]])
    """

    coordinates = {"layer": "layers"}

    name: str
    n_layers: int
    layers: tuple[int, ...]
    weight: Float[Tensor, "layer d_model d_model"]
    bias: Float[Tensor, "layer d_model"]

    def __post_init__(self) -> None:
        super().__post_init__()
        finite = self.weight.isfinite().all(dim=(1, 2)) & self.bias.isfinite().all(dim=1)
        if not finite.all():
            layer = self.layers[int(finite.logical_not().nonzero()[0])]
            raise SemanticHubError(
                "AffineLens",
                got=f"NaN or infinity in the map of layer {layer} of the {self.name}",
                expected="finite numbers",
                fix="Train, fit or download it again.",
            )

    def __call__(
        self, layer: int, residual: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch width"]:
        """Map states of one layer to estimates of the last layer's.

        Args:
            layer: One of ``layers``, or the last layer, whose states come back as they are.
            residual: States of that layer.

        Raises:
            SemanticHubError: A layer without a map, or states of another width.
        """
        self._check_width(residual.shape[-1])
        if layer == self.n_layers:
            return residual
        index = self._index(layer)
        return residual @ self.weight[index].to(residual).T + self.bias[index].to(residual)

    def to_frame(self) -> "pd.DataFrame":
        """Distance of each layer's map from the identity, and length of its bias, as a tidy frame.

        Returns:
            Columns ``layer row value``: of the row ``map`` the value is ‖A_l − I‖ / ‖I‖
            (Frobenius), of the row ``bias`` ‖b_l‖ / √d_model; both are 0 for a lens that leaves
            states as they are, as at the last layer.
        """
        import pandas as pd

        identity = torch.eye(self.weight.shape[-1], dtype=torch.float32)
        sizes = {
            "map": torch.linalg.matrix_norm(self.weight.cpu() - identity),
            "bias": self.bias.cpu().norm(dim=-1),
        }
        scale = self.weight.shape[-1] ** 0.5
        return pd.DataFrame(
            {"layer": layer, "row": row, "value": value}
            for row, values in sizes.items()
            for layer, value in zip(
                [*self.layers, self.n_layers], [*(values / scale).tolist(), 0.0], strict=True
            )
        )

    def figure(self) -> "go.Figure":
        """Distance of each layer's map from the identity, and length of its bias."""
        from semantic_hub.plotting.curves import layer_curve

        y_title = "norm over that of the identity"
        return layer_curve(self.to_frame(), y_title=y_title).update_yaxes(rangemode="tozero")

    def check_model(self, model: HookedModel, operation: str) -> None:
        """Raise if the model has another width or number of layers than the lens.

        Raises:
            SemanticHubError: In that case.
        """
        shape = (self.bias.shape[-1], self.n_layers)
        if shape != (model.cfg.d_model, model.cfg.n_layers):
            raise SemanticHubError(
                operation,
                got=f"a lens for a model of width {shape[0]} with {shape[1]} layers",
                expected=f"width {model.cfg.d_model} and {model.cfg.n_layers} layers, "
                "as the model has",
                fix="Give the lens that was made for this model.",
            )

    def record(self) -> dict[str, Any]:
        """Entries for a result's manifest: the lens' name and the lens' own manifest."""
        return {"lens": self.name, "lens_manifest": self.manifest}

    def _check_width(self, width: int) -> None:
        if width != self.bias.shape[-1]:
            raise SemanticHubError(
                self.name,
                got=f"states of width {width}",
                expected=f"{self.bias.shape[-1]}, the width that this lens was made for",
                fix="Use it with the model that it belongs to.",
            )

    def _index(self, layer: int) -> int:
        if layer not in self.layers:
            known = [*self.layers, self.n_layers]
            raise SemanticHubError(
                self.name,
                got=f"layer {layer}",
                expected=f"a layer that this lens can read: {', '.join(map(str, known))}",
                fix=f"Read these alone, as layers={known}.",
            )
        return self.layers.index(layer)
