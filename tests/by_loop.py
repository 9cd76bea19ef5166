"""Similarity computed the slow and obvious way, on states made up."""

import math

import numpy as np
import torch


def related_states(
    n_pairs: int = 12, n_layers: int = 3, d_model: int = 8, signal: float = 0.5, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sides that share a part, around a common mean: anisotropic, as real states are."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_pairs, n_layers, d_model)
    shared, x, y = (torch.randn(shape, generator=generator) for _ in range(3))
    return 1 + signal * shared + x, 1 + signal * shared + y


def cosine_of(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt((a @ a) * (b @ b)))


def similarity_by_loop(x: torch.Tensor, y: torch.Tensor) -> tuple[list[float], list[float]]:
    """Eq. 1 as the paper writes it: loops over pairs."""
    matched, mismatched = [], []
    for layer in range(x.shape[1]):
        a, b = x[:, layer].double().numpy(), y[:, layer].double().numpy()
        n = range(len(a))
        matched.append(np.mean([cosine_of(a[i], b[i]) for i in n]))
        others = [cosine_of(a[i], b[j]) for i in n for j in n if i != j]
        mismatched.append(np.mean(others))
    return matched, mismatched


def cosine_matrix(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """All n² cosines by broadcasting, ``[layer, pair, pair]``."""
    x, y = x.double().transpose(0, 1), y.double().transpose(0, 1)
    return torch.cosine_similarity(x[:, :, None], y[:, None, :], dim=-1)
