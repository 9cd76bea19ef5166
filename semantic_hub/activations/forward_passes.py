"""Record what a model's forward passes read, so that hooks can find the prompts' columns.

A hook sees ``[batch, column, d_model]`` and nothing else. In a step of ``generate`` with a cache
that is one column, without a cache it is the whole text so far; either may come from a padded
batch. So `PassFollower` wraps the model's methods and keeps count: the first pass of a ``generate``
call reads the prompts, of P columns; P + k columns exist in the k-th pass after it, which reads the
last of them. Any other pass reads new prompts, or, with a filled cache, what comes after prompts.
"""

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from semantic_hub.activations.columns import (
    PromptColumns,
    input_tokens,
    is_embedded,
    prompt_columns,
)
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import exclusive

_ABSENT = object()
"""Stands for a method that the instance did not override."""

_BEFORE = "_before_following"
"""Attribute of a wrapped method: what the instance had in its place."""

_followers: "weakref.WeakKeyDictionary[Any, list[PassFollower]]" = weakref.WeakKeyDictionary()
"""Model to those who follow its passes now."""


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """What a running forward pass reads: the prompts' columns, and how many columns follow them.

    Args:
        prompts: Columns of the prompts; None if an earlier pass that was not followed read them.
        n_generated: Number of columns after the prompts, where they are known.
    """

    prompts: PromptColumns | None
    n_generated: int = 0


class PassFollower:
    """Record which prompts a model's forward passes read, those of ``generate`` included.

    Args:
        model: The model.

    Example:
        >>> follower = PassFollower(model)
        >>> with follower.following():
        ...     follower.current is None
        True
    """

    def __init__(self, model: HookedModel) -> None:
        self._model = model
        self._generation: _Generation | None = None
        self.current: ForwardPass | None = None
        """The pass that is running; None outside of one."""

    @contextmanager
    def following(self) -> Iterator[None]:
        """Context in which calls of ``forward`` and ``generate`` are recorded.

        They are replaced on this instance of the model only, once for all followers, and put back
        when the last one leaves, in whatever order they do.
        """
        followers = _followers.setdefault(self._model, [])
        try:
            followers.append(self)
            _wrap_methods(self._model, followers)
            yield
        finally:
            if self in followers:
                followers.remove(self)
            if not followers:
                _unwrap_methods(self._model)

    @property
    def before_first_pass(self) -> bool | None:
        """Whether the running ``generate`` call has made no pass yet; None if no call runs."""
        return None if self._generation is None else self._generation.last is None

    @contextmanager
    def _passing(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Context of one forward pass."""
        self.current = self._next_pass(arguments)
        try:
            yield
        finally:
            self.current = None

    @contextmanager
    def _generating(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Context of one ``generate`` call."""
        self._generation = _Generation(arguments)
        try:
            yield
        finally:
            self._generation = None

    def _next_pass(self, arguments: Mapping[str, Any]) -> ForwardPass:
        """What a pass with these arguments reads."""
        generation = self._generation
        if generation is None:
            known = _n_cached(arguments) == 0
            return ForwardPass(prompt_columns(self._model, arguments) if known else None)
        if generation.last is None:
            embedded = is_embedded(arguments.get("input"))
            given = (
                {**arguments, "input": generation.prompts(self._model)} if embedded else arguments
            )
            generation.last = ForwardPass(prompt_columns(self._model, given))
        else:
            last = generation.last
            generation.last = ForwardPass(last.prompts, last.n_generated + 1)
        return generation.last


class _Generation:
    """A running ``generate`` call: its arguments, and its last forward pass so far."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments
        self.last: ForwardPass | None = None

    def prompts(self, model: HookedModel) -> Any:
        """The call's prompts as tokens; lists of text are padded left, as ``generate`` does."""
        given = self.arguments.get("input", "")
        several = isinstance(given, list) and len(given) > 1
        side = {"padding_side": "left"} if several else {}
        return input_tokens(model, {**self.arguments, **side})


def _wrap_methods(model: HookedModel, followers: Sequence[PassFollower]) -> None:
    """Wrap an instance's methods so that its followers record their calls, unless they are."""
    for name, context in _FOLLOWED.items():
        method = getattr(model, name, None)
        if method is not None and not hasattr(method, _BEFORE):
            before = vars(model).get(name, _ABSENT)
            wrap = _wrapped_generator if name == "generate_stream" else _wrapped
            wrapped = wrap(method, _recording(model, method, context, followers))
            setattr(wrapped, _BEFORE, before)
            vars(model)[name] = wrapped


def _unwrap_methods(model: HookedModel) -> None:
    """Put back an instance's methods."""
    for name in _FOLLOWED:
        before = getattr(vars(model).get(name), _BEFORE, None)
        if before is _ABSENT:
            del vars(model)[name]
        elif before is not None:
            vars(model)[name] = before


def _recording(
    model: HookedModel,
    method: Callable[..., Any],
    context: Callable[[PassFollower, Mapping[str, Any]], AbstractContextManager[None]],
    followers: Sequence[PassFollower],
) -> Callable[..., AbstractContextManager[None]]:
    """Context of one call of a method: each follower records it, and other threads wait."""
    arguments_of = _arguments(method)

    @contextmanager
    def recording(*args: Any, **kwargs: Any) -> Iterator[None]:
        with exclusive(model), ExitStack() as stack:
            for follower in tuple(followers):
                stack.enter_context(context(follower, arguments_of(*args, **kwargs)))
            yield

    return recording


def _wrapped(
    method: Callable[..., Any], recording: Callable[..., AbstractContextManager[None]]
) -> Callable[..., Any]:
    """A method that runs in a context."""

    @wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with recording(*args, **kwargs):
            return method(*args, **kwargs)

    return wrapped


def _wrapped_generator(
    method: Callable[..., Any], recording: Callable[..., AbstractContextManager[None]]
) -> Callable[..., Any]:
    """A method that yields, all of it in a context."""

    @wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with recording(*args, **kwargs):
            yield from method(*args, **kwargs)

    return wrapped


_FOLLOWED = {
    "forward": PassFollower._passing,
    "generate": PassFollower._generating,
    "generate_stream": PassFollower._generating,
}
"""Method to the context of a follower in which it runs."""


def _arguments(function: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """A function that binds the arguments of a call to their names."""
    signature = inspect.signature(function)

    def arguments(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
        given = signature.bind_partial(*args, **kwargs).arguments
        return {**given, **given.get("kwargs", {})}

    return arguments


def _n_cached(arguments: Mapping[str, Any]) -> int:
    """Number of columns in the key-value cache that a forward pass is called with."""
    if (cache := arguments.get("past_kv_cache")) is not None:
        return cache[0].past_keys.shape[1]
    cache = arguments.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()
