"""The Jacobian lens of TransformerLens as a lens of this package.

It multiplies a state by J_l, the mean derivative of the last layer's stream with respect to that of
layer l. Its index i is
the *output* of block i, which is layer i + 1 here; the last layer needs no map, and the embedding,
layer 0, has none.

Source: Gurnee et al. 2026, Verbalizable Representations Form a Global Workspace in Language Models,
https://transformer-circuits.pub/2026/workspace/index.html.
"""

from os import PathLike, fspath
from typing import TYPE_CHECKING

import torch

from semantic_hub.errors import SemanticHubError, reading
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.models.loading import check_model
from semantic_hub.models.protocol import HookedModel
from semantic_hub.results.result import manifest

if TYPE_CHECKING:
    from transformer_lens.tools.analysis import JacobianLens


def jacobian_lens(lens: "JacobianLens | str | PathLike[str]", model: HookedModel) -> AffineLens:
    """Make an `AffineLens` of a TransformerLens Jacobian lens, for ``logit_lens(..., lens=lens)``.

    Args:
        lens: A ``transformer_lens.tools.analysis.JacobianLens`` (``JacobianLens.fit`` and
            ``JacobianLens.from_pretrained`` make one), or the file that its ``save`` wrote.
        model: The ``TransformerBridge`` that it was fitted on, with unprocessed weights.

    Returns:
        A lens for those layers 1..n_layers − 1 that it was fitted for, and the last one.

    Raises:
        SemanticHubError: A file that is no such lens, or a model that it does not fit: another
            width, depth, name or revision, processed weights, or no ``TransformerBridge``.

    Example:
        >>> from transformer_lens.tools.analysis import JacobianLens
        >>> bridge = sh.load_model("hub-mini", backend="bridge", device="cpu")
        >>> width = bridge.cfg.d_model
        >>> fitted = JacobianLens({3: torch.eye(width)}, n_prompts=1, d_model=width)
        >>> jacobian_lens(fitted, bridge).layers
        (4,)
    """
    fitted = _load(lens) if isinstance(lens, str | PathLike) else lens
    try:
        fitted.validate_model(check_model(model))
    except (TypeError, ValueError) as error:
        raise _error(
            f"{error}",
            "the TransformerBridge that the lens was fitted on",
            'Load it with semantic_hub.load_model(name, backend="bridge").',
        ) from None
    return AffineLens(
        name="Jacobian lens",
        n_layers=model.cfg.n_layers,
        layers=tuple(index + 1 for index in fitted.source_layers),
        weight=torch.stack([fitted.jacobians[index] for index in fitted.source_layers]),
        bias=torch.zeros(len(fitted.source_layers), fitted.d_model, dtype=torch.float32),
        manifest=manifest(
            model, lens="Jacobian lens", n_prompts=fitted.n_prompts, fit=fitted.metadata
        ),
    )


def _load(path: str | PathLike[str]) -> "JacobianLens":
    from transformer_lens.tools.analysis import JacobianLens

    expected, fix = "a file that JacobianLens.save wrote", "Check the path."
    with reading("jacobian_lens", fspath(path), expected=expected, fix=fix) as file:
        loaded = JacobianLens.load(str(file))
        broken = [index for index, map_ in loaded.jacobians.items() if not map_.isfinite().all()]
        if broken:
            raise _error(f"{file}: NaN or infinity in the map of block {broken[0]}", expected, fix)
        return loaded


def _error(got: str, expected: str, fix: str) -> SemanticHubError:
    return SemanticHubError("jacobian_lens", got=got, expected=expected, fix=fix)
