"""Digests of values by what they hold, to know again what a result was measured from."""

import copyreg
import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property, partial
from pathlib import Path
from pickle import PicklingError
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor


def content_digest(*values: Any) -> str:
    """Digest of values by their content: equal content gives equal digests in every process.

    Arrays count by shape, dtype and numbers, functions by their code and what they close over,
    other objects by their class and attributes, without what a ``cached_property`` keeps. What only
    stands for something in this process, such as a lock, a weak reference or an open file, counts
    by its class.

    Args:
        values: Anything.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> content_digest({"a": torch.ones(2)}) == content_digest({"a": torch.ones(2)})
        True
        >>> content_digest(("dog",)) == content_digest(("cat",))
        False
    """
    digest = hashlib.blake2b(digest_size=16)
    _feed(digest, values, ())
    return digest.hexdigest()


def _feed(digest: Any, value: Any, inside: tuple[int, ...]) -> None:
    """Add a value to a digest; ``inside`` are the objects that hold it, one of which it may be."""
    digest.update(f"<{type(value).__module__}.{type(value).__qualname__}>".encode())
    if value is None or isinstance(value, (bool, int, float, complex, str, Path)):
        digest.update(f"{value!r};".encode())
    elif isinstance(value, bytes):
        digest.update(value)
    elif isinstance(value, Tensor):
        _feed(digest, (tuple(value.shape), str(value.dtype)), inside)
        plain = value.detach().cpu().contiguous().reshape(-1)
        digest.update(plain.view(torch.uint8).numpy())
    elif isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value))
    elif id(value) in inside:
        digest.update(f"{inside.index(id(value))}".encode())
    else:
        for part in _parts(value):
            _feed(digest, part, (*inside, id(value)))
    digest.update(b"/")


def _parts(value: Any) -> Sequence[Any]:
    """What an object's content is made of."""
    for kinds, parts in _PARTS:
        if isinstance(value, kinds):
            return parts(value)
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name, None)) for field in fields(value)]
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        state = value.__reduce_ex__(2) if reduce is None else reduce(value)
    except (TypeError, PicklingError):
        return []
    return (
        [_given(type(value), part) for part in state[1:3]] if isinstance(state, tuple) else [state]
    )


def _given(kind: type, state: Any) -> Any:
    """An object's state without what is computed from the rest when it is first asked for."""
    if not isinstance(state, dict):
        return state
    return {
        name: part
        for name, part in state.items()
        if not isinstance(getattr(kind, name, None), cached_property)
    }


def _of_function(function: FunctionType) -> Sequence[Any]:
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = (function.__defaults__, function.__kwdefaults__)
    return function.__qualname__, function.__code__, held, defaults


_PARTS: Sequence[tuple[type | tuple[type, ...], Callable[[Any], Sequence[Any]]]] = (
    (Mapping, lambda value: list(value.items())),
    (Set, lambda value: sorted(content_digest(item) for item in value)),
    ((list, tuple, range), list),
    (Enum, lambda value: [value.name]),
    (slice, lambda value: [value.start, value.stop, value.step]),
    ((type, ModuleType), lambda value: [getattr(value, "__module__", ""), value.__name__]),
    (CodeType, lambda value: [value.co_code, value.co_names, value.co_consts]),
    (FunctionType, _of_function),
    (MethodType, lambda value: [value.__func__, value.__self__]),
    (partial, lambda value: [value.func, value.args, value.keywords]),
)
"""What the content of objects is made of, the first of these kinds that an object is of."""
