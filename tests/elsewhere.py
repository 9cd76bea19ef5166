"""A stand-in for a model that spans several devices, where there is but one.

The states of one layer are marked as if they lay on another device: as torch does there, any
operation that takes them together with unmarked ones raises, until ``.to`` brings them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from semantic_hub.models.layers import layer_hook

_OURS = 10**6
"""Level of hooks that no context of TransformerLens removes."""


class Elsewhere(Tensor):
    """A tensor of another device."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            if func is Tensor.to:  # to a device, or to where another tensor is
                kind = type(args[1]) if isinstance(args[1], Tensor) else Tensor
                return func(*args, **(kwargs or {})).as_subclass(kind)
            compared = args[::2] if func in (Tensor.__getitem__, Tensor.__setitem__) else args
            if not all(isinstance(tensor, Elsewhere) for tensor in tensors([compared, kwargs])):
                raise RuntimeError("Expected all tensors to be on the same device")
        result = super().__torch_function__(func, types, args, kwargs or {})
        return result.as_subclass(Tensor) if func is Tensor.cpu else result


def tensors(given: Any) -> Iterator[Tensor]:
    """Every tensor with axes in nested arguments."""
    if isinstance(given, Tensor) and given.ndim:
        yield given
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        for part in given:
            yield from tensors(part)


@contextmanager
def layer_elsewhere(model: Any, layer: int) -> Iterator[None]:
    """Context in which the states after a block lie elsewhere, and the next block fetches them."""
    there = model.hook_dict[layer_hook(layer)]
    back = model.hook_dict[f"blocks.{layer}.hook_resid_pre"]
    there.add_hook(lambda value, hook: value.as_subclass(Elsewhere), level=_OURS)
    back.add_hook(lambda value, hook: value.to("cpu").as_subclass(Tensor), level=_OURS)
    try:
        yield
    finally:
        there.remove_hooks("fwd", level=_OURS)
        back.remove_hooks("fwd", level=_OURS)
