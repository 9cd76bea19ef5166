"""Tuned lenses from checkpoints of the tuned-lens package, which need not be installed.

A checkpoint is a folder with ``config.json`` and ``params.pt``, the state dict of one linear layer
for each block: ``0.weight``, ``0.bias``, ``1.weight``, … Translator i reads the *input* of block i,
which is layer i here, and its output is added to that: h + W_i h + b_i goes through the
model's final norm and unembedding. There is none for the last layer.

Source: Belrose et al. 2023, Eliciting Latent Predictions from Transformers with the Tuned Lens,
https://arxiv.org/abs/2303.08112; format of https://github.com/AlignmentResearch/tuned-lens.
"""

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, SemanticHubWarning, expanded, is_file, reading
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import unembedding
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.provenance import processed
from semantic_hub.results.result import manifest

_FILES = ("params.pt", "params.safetensors", "model.safetensors")
_KIND = "linear_tuned_lens"
_EXPECTED = f"config.json of a {_KIND} and its parameters"
_FIX = "Give a folder as tuned_lens.TunedLens.save writes it."


def tuned_lens(path: str | PathLike[str], model: HookedModel) -> AffineLens:
    """Load a tuned-lens checkpoint as an `AffineLens` for ``logit_lens(..., lens=lens)``.

    Args:
        path: The checkpoint's folder, or its file of parameters, ``.pt`` or ``.safetensors``, with
            ``config.json`` beside it.
        model: The model that it was trained for, with unprocessed weights.

    Returns:
        A lens with a map for every layer but the last, in float32.

    Raises:
        SemanticHubError: Files that are missing or damaged, parameters in another layout, a lens
            for a model of another width or depth, or a model whose weights were processed.

    Warns:
        SemanticHubWarning: The unembedding's hash is not the one in the configuration, as when
            the lens belongs to another model of the same size.

    Example:
        >>> from pathlib import Path
        >>> d_model, layers = model.cfg.d_model, range(model.cfg.n_layers)
        >>> state = {f"{i}.weight": torch.zeros(d_model, d_model) for i in layers}
        >>> Path("lens").mkdir()
        >>> torch.save(state, "lens/params.pt")
        >>> config = {"base_model_name_or_path": "hub-mini", "d_model": d_model,
        ...           "num_hidden_layers": len(layers), "bias": False}
        >>> _ = Path("lens/config.json").write_text(json.dumps(config))
        >>> tuned_lens("lens", model).layers
        (0, 1, 2, 3, 4, 5, 6, 7)
    """
    _check_unprocessed(check_model(model))
    file = _parameter_file(expanded(path))
    config = _read_config(file.parent / "config.json")
    lens = _lens(_read_parameters(file), config, file, model)
    lens.check_model(model, "tuned_lens")
    _check_unembedding(config.get("unembed_hash"), model)
    return lens


def _check_unprocessed(model: HookedModel) -> None:
    if changes := processed(model):
        raise SemanticHubError(
            "tuned_lens",
            got=f"a model with {', '.join(changes)}",
            expected="weights as they were trained, since a lens reads the raw stream",
            fix="Load the model with semantic_hub.load_model.",
        )


def _lens(
    state: Mapping[str, Tensor], config: Mapping[str, Any], file: Path, model: HookedModel
) -> AffineLens:
    n_layers, d_model, bias = config["num_hidden_layers"], config["d_model"], config["bias"]
    some_layers = range(min(n_layers, len(state) + 1))  # enough to see that tensors are missing
    shapes = {f"{i}.weight": (d_model, d_model) for i in some_layers}
    shapes |= {f"{i}.bias": (d_model,) for i in some_layers if bias}
    state_shapes = {name: tuple(value.shape) for name, value in state.items()}
    if state_shapes != shapes:
        raise _shape_error(file, state_shapes, shapes)
    _check_finite(state, file)
    zero = torch.zeros(d_model, dtype=torch.float32)
    return AffineLens(
        name="tuned lens",
        n_layers=n_layers,
        layers=tuple(range(n_layers)),
        weight=torch.stack([state[f"{i}.weight"].float() for i in range(n_layers)])
        + torch.eye(d_model, dtype=torch.float32),
        bias=torch.stack([state.get(f"{i}.bias", zero).float() for i in range(n_layers)]),
        manifest=manifest(model, lens="tuned lens", file=file.name, config=dict(config)),
    )


def _parameter_file(path: Path) -> Path:
    for file in [path, *(path / name for name in _FILES)]:
        if is_file(file):
            return file
    raise _file_error(f"{path}, without {' or '.join(_FILES)}")


def _read_config(path: Path) -> dict[str, Any]:
    with reading("tuned_lens", path, expected=_EXPECTED, fix=_FIX):
        config = json.loads(path.read_text(encoding="utf-8"))
    config = {"bias": True, "lens_type": _KIND, **config} if isinstance(config, dict) else {}
    sizes = (config.get("d_model"), config.get("num_hidden_layers"))
    whole = all(isinstance(size, int) and size > 0 for size in sizes)
    if config.get("lens_type") != _KIND or not whole:
        raise _file_error(
            f"{path}: lens_type {config.get('lens_type')!r}, d_model {sizes[0]!r} and "
            f"num_hidden_layers {sizes[1]!r}"
        )
    return config


def _read_parameters(file: Path) -> dict[str, Tensor]:
    with reading("tuned_lens", file, expected=_EXPECTED, fix=_FIX):
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise _file_error(f"{file}: {type(state).__name__} that is no state dict")
    return state


def _check_finite(state: Mapping[str, Tensor], file: Path) -> None:
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        count = f"{len(broken)} of {len(state)} parameters"
        raise _file_error(f"{file}: NaN or infinity in {broken[0]}, in {count}")


def _check_unembedding(expected: object, model: HookedModel) -> None:
    """Warn if the hash of the unembedding, which ignores dtypes, is not that of the checkpoint."""
    if expected is None or expected == unembedding_hash(unembedding(model)[0]):
        return
    warn(
        "The unembedding of this model is not the one that the tuned lens was trained with: its "
        "hash differs from the checkpoint's unembed_hash. The lens may belong to another model.",
        SemanticHubWarning,
        stacklevel=3,
    )


def unembedding_hash(matrix: Float[Tensor, "d_model d_vocab"]) -> str:
    """SHA-256 of numpy's abbreviated printout of an unembedding, as in the tuned-lens package.

    Example:
        >>> unembedding_hash(torch.eye(2))[:8]
        '47d95351'
    """
    rows = matrix.T.float().cpu().numpy()
    return hashlib.sha256(np.array_str(rows, precision=1).encode()).hexdigest()


def _shape_error(
    file: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> SemanticHubError:
    names = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
    names.sort(key=str)
    name = names[0]
    return SemanticHubError(
        "tuned_lens",
        got=f"{file}: {name} of shape {found.get(name)}, one of {len(names)} that differ",
        expected=f"shape {expected.get(name)}, as its config.json says",
        fix=_FIX,
    )


def _file_error(got: str) -> SemanticHubError:
    return SemanticHubError("tuned_lens", got=got, expected=_EXPECTED, fix=_FIX)
