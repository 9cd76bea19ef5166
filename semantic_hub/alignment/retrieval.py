"""Retrieval: share of states whose nearest state on the other side is their partner."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.alignment.neighbors import nearest_others
from semantic_hub.alignment.states import PairedStates, States, paired_states
from semantic_hub.statistics.p_values import RESOLUTION


def retrieval(x: States, y: States) -> Float[Tensor, " layer"]:
    """Share of states x_i whose nearest y, by cosine, is their partner y_i, at each layer.

    ``R = 1/n Σ_i [cos(x_i, y_i) > max_{j≠i} cos(x_i, y_j)]``, in [0, 1]: accuracy@1 of finding
    y_i by x_i among all y. The other way is ``retrieval(y, x)``. Chance level ``1/n``, which
    shrinks as pairs are added: compare values at the same n only. A tie is a miss, and cosines that
    float32 cannot tell apart are tied. It does not change when both sides are rotated together, or
    when any single state is scaled. Cost O(n² · layer · d_model), in blocks; memory O(n · d_model).

    Args:
        x: States to search with, torch or numpy.
        y: States to find; ``y[i]`` has the meaning of ``x[i]``.

    Returns:
        R at each layer, float64.

    Raises:
        SemanticHubError: As `paired_similarity`.

    Example:
        >>> x = torch.eye(3)[:, None]
        >>> y = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.1]])[:, None]
        >>> retrieval(x, y).item(), retrieval(y, x).item()
        (1.0, 0.6666666666666666)

    Source:
        Artetxe and Schwenk 2019, Massively Multilingual Sentence Embeddings, arXiv 1812.10464
        (similarity search).
    """
    return retrieval_hits(paired_states(x, y, "retrieval")).double().mean(dim=0)


def retrieval_hits(states: PairedStates) -> Bool[Tensor, "pair layer"]:
    """Whether the nearest y of each x_i, by cosine, is its partner y_i, at each layer.

    Args:
        states: Both sides; x searches, y is to be found.
    """
    hits = torch.empty_like(states.cosine, dtype=torch.bool)
    for layer in range(hits.shape[1]):
        rivals, _ = nearest_others(*states.units(layer), number=1)
        hits[:, layer] = _beats(states.cosine[:, layer], rivals[:, 0])
    return hits


def mutual_hits(states: PairedStates) -> Bool[Tensor, "pair layer"]:
    """Whether x_i and its partner y_i each find the other first, at each layer.

    The mean over pairs is MEXA's score. For states that say nothing of their pair it is about
    ``1 / (2n − 1)``: the cosine of i's own pair would have to be the largest of its row and column.

    Args:
        states: Both sides.

    Source:
        Kargaran et al. 2025, MEXA: Multilingual Evaluation of English-Centric LLMs via
        Cross-Lingual Alignment, arXiv 2410.05873.
    """
    return retrieval_hits(states) & retrieval_hits(states.swapped())


def mutual_retrieval_under_pairings(
    states: PairedStates, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, "pairing layer"]:
    """Share of `mutual_hits` under each pairing of x with y, less the mean over all pairings.

    Args:
        states: Both sides.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.
    """
    n = len(states.cosine)
    values = torch.empty(len(ways), states.cosine.shape[1], dtype=torch.float64)
    back = states.swapped()
    for layer in range(values.shape[1]):
        nearest, own = _nearest(states, layer), _nearest(back, layer)
        mutual = (nearest >= 0) & (own[nearest] == torch.arange(n))
        found = ((ways == nearest) & mutual).sum(dim=1)
        values[:, layer] = (found - mutual.double().mean()) / n
    return values


def retrieval_under_pairings(
    states: PairedStates, ways: Int[Tensor, "pairing pair"]
) -> Float[Tensor, "pairing layer"]:
    """`retrieval` under each pairing of x with y, less the mean over all pairings.

    The nearest y of each x does not depend on the pairing: π scores the queries with
    ``π(i) = argmax_j cos(x_i, y_j)``, if there is one largest. The mean is the share of these over
    n.

    Args:
        states: Both sides; x searches, y is to be found.
        ways: Row π pairs x_i with y_π(i), as `pairings` gives them.
    """
    n = len(states.cosine)
    values = torch.empty(len(ways), states.cosine.shape[1], dtype=torch.float64)
    for layer in range(values.shape[1]):
        nearest = _nearest(states, layer)
        found = (ways == nearest).sum(dim=1)
        values[:, layer] = (found - (nearest >= 0).double().mean()) / n
    return values


def _nearest(states: PairedStates, layer: int) -> Int[Tensor, " pair"]:
    """Index of the nearest y of each x, partner included; -1 on a tie."""
    rivals, whose = nearest_others(*states.units(layer), number=2)
    own, (first, second) = states.cosine[:, layer], rivals.T
    nearest = torch.where(_beats(first, torch.maximum(own, second)), whose[:, 0], -1)
    return torch.where(_beats(own, first), torch.arange(len(own)), nearest)


def _beats(cosine: Float[Tensor, "..."], rival: Float[Tensor, "..."]) -> Bool[Tensor, "..."]:
    """Whether a cosine is larger by more than float32 rounding."""
    return cosine - rival > RESOLUTION
