"""A model is shared state: who may run it now, whether dropout is on, and whose hooks are on it.

Hooks, wrapped methods and the features of the batch in place all live on the one model object. So
one thread at a time has it: whoever measures or steers holds the model's lock, and another thread
waits until that is done.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn import Module

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel

_LIBRARIES = ("semantic_hub", "transformer_lens", "transformers", "accelerate", "torch")
"""Packages whose hooks are part of a model, or of a measurement, and not left on it by a user."""

STEERING = "steering"
"""Attribute of a hook that steers: how a manifest names it."""

_locks: "weakref.WeakKeyDictionary[Any, threading.RLock]" = weakref.WeakKeyDictionary()  # type: ignore[reportInvalidTypeForm]


@contextmanager
def exclusive(model: HookedModel) -> Iterator[None]:
    """Context in which this thread alone measures or steers a model; others wait.

    It may be entered again by the thread that is in it. Leave it in the thread that entered it.

    Example:
        >>> with exclusive(model):
        ...     logits = model("the dog")
    """
    with _locks.setdefault(model, threading.RLock()):
        yield


@contextmanager
def evaluating(model: HookedModel) -> Iterator[None]:
    """Context in which every module of a model is in evaluation mode, so that nothing is dropped.

    Each module is set back to its own mode on exit.

    Example:
        >>> with evaluating(model.train()):
        ...     model.training
        False
        >>> model.training, model.eval().training
        (True, False)
    """
    training = [module for module in _modules(model) if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def measuring(model: HookedModel) -> Iterator[None]:
    """Context of a measurement's forward passes: alone on the model, no dropout, finite logits.

    Raises:
        SemanticHubError: In a forward pass, where logits are NaN or infinite.
    """
    handle = None
    with exclusive(model), evaluating(model):
        try:
            if isinstance(output := getattr(model, "unembed", None), Module):
                handle = output.register_forward_hook(_check_output)
            yield
        finally:
            if handle is not None:
                handle.remove()


def check_finite_logits(logits: Float[Tensor, "*axes d_vocab"]) -> None:
    """Raise if logits are NaN or infinite; a token that is ruled out may have minus infinity.

    Raises:
        SemanticHubError: For such logits.
    """
    if logits.numel() and not logits.amax(dim=-1).isfinite().all():
        raise SemanticHubError(
            "logits",
            got="NaN or infinity in what the model predicts",
            expected="finite logits",
            fix="Load the model in float32 or bfloat16, and check its weights.",
        )


def hooks_on(model: HookedModel, *, steering: bool = False) -> list[str]:
    """Name every hook that users left on a model.

    Args:
        model: The model.
        steering: Whether to name this package's own `semantic_hub.steer` too.

    Example:
        >>> with model.hooks(fwd_hooks=[("blocks.0.hook_resid_post", print)]):
        ...     [name.endswith(": print") for name in hooks_on(model)]
        [True]
    """
    hooks: list[tuple[str, Any]] = []
    for module in _modules(model):
        of = getattr(module, "name", None) or type(module).__name__
        for handle in (*getattr(module, "fwd_hooks", ()), *getattr(module, "bwd_hooks", ())):
            hooks.append((of, handle.user_hook))
        for added in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            hooks += [(of, hook) for hook in added.values()]
    return [
        f"{of}: {_named(hook)}"
        for of, hook in hooks
        if _is_foreign(hook) or (steering and hasattr(hook, STEERING))
    ]


def _modules(model: Any) -> list[Module]:
    """Every module of a model, those of a network that a bridge wraps included; each once."""
    inside = getattr(model, "original_model", None)
    both = [*model.modules(), *(inside.modules() if isinstance(inside, Module) else ())]
    return list(dict.fromkeys(both))


def _check_output(module: Module, inputs: Any, logits: Tensor) -> None:
    """Hook on the unembedding that refuses NaN and infinity."""
    check_finite_logits(logits)


def _is_foreign(hook: Any) -> bool:
    """Whether a hook is a user's."""
    return _origin(hook).partition(".")[0] not in _LIBRARIES


def _origin(hook: Any) -> str:
    """Module in which a hook is defined."""
    hook = hook.func if isinstance(hook, partial) else hook
    return str(getattr(hook, "__module__", None) or type(hook).__module__)


def _named(hook: Any) -> str:
    """A hook's own name."""
    if hasattr(hook, STEERING):
        return str(getattr(hook, STEERING))
    hook = hook.func if isinstance(hook, partial) else hook
    return str(getattr(hook, "__name__", type(hook).__name__))
