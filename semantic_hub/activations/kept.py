"""States that several measurements of one model read, kept so that each prompt runs once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.models.kept import KeptForModel
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import hooks_on
from semantic_hub.prompts.prompt import Encoding, kept_encodings
from semantic_hub.prompts.soft_tokens import PlacedSoftTokens

Key = tuple[tuple[int, ...], tuple[PlacedSoftTokens, ...], tuple[int, ...]]
"""Tokens of a prompt, its features, and the positions whose states are averaged."""

Read = Callable[[Sequence[int]], Float[Tensor, "prompt layer d_model"]]
"""From indices of prompts to their states at all layers."""

_kept: KeptForModel[Key, Tensor] = KeptForModel()


@contextmanager
def keeping_states(model: HookedModel) -> Iterator[None]:
    """Context in which `residual_stream` runs a model on each prompt once, and keeps its states.

    The states of all layers are kept, ``(n_layers + 1) · d_model`` float32 a prompt, until the
    context is left. Nothing is kept or looked up while hooks of the user or a steering vector are
    on the model; its weights must not be changed in the context.

    Args:
        model: The model.

    Example:
        >>> import semantic_hub as sh
        >>> with keeping_states(model):
        ...     first = sh.residual_stream(model, ["the dog", "a cat"], layers=[2])
        ...     second = sh.residual_stream(model, ["a cat"], layers=[2])  # no forward pass
        >>> torch.equal(first[1:], second)
        True
    """
    with _kept.keeping(model), kept_encodings.keeping(model):
        yield


def keeps_states(model: HookedModel) -> bool:
    """Whether states of a model are kept now: in `keeping_states`, and under no hook.

    Args:
        model: The model.
    """
    return _kept.keeps(model) and not hooks_on(model, steering=True)


def read_once(
    model: HookedModel,
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
    read: Read,
) -> Float[Tensor, "prompt layer d_model"]:
    """States of prompts, of which only those are read that are not kept yet.

    Args:
        model: A model in `keeping_states`.
        encodings: The prompts' tokens.
        positions: The positions of each whose states are averaged.
        read: Reads those that are missing.
    """
    kept = _kept.of(model)
    keys = [
        (encoding.tokens, encoding.soft, tuple(where))
        for encoding, where in zip(encodings, positions, strict=True)
    ]
    missing = {key: index for index, key in enumerate(keys) if key not in kept}
    if missing:
        kept.update(zip(missing, read(list(missing.values())), strict=True))
    return torch.stack([kept[key] for key in keys])
