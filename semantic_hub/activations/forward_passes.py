"""Record what a model's forward passes read, so that hooks can find the prompts' columns.

A hook sees ``[batch, column, d_model]`` and nothing else. In a step of ``generate`` with a cache
that is one column, without a cache it is the whole text so far; either may come from a padded
batch. So `PassFollower` wraps the model's methods and keeps count: the first pass of a ``generate``
call reads the prompts, of P columns; P + k columns exist in the k-th pass after it, which reads the
last of them. Any other pass reads new prompts, or, with a filled cache, what comes after prompts.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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

_ABSENT = object()
"""Marks a method that the instance did not override."""


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

        They are replaced on this instance of the model only, and put back afterwards.
        """
        wrapped_methods = {
            "forward": self._wrap_forward,
            "generate": self._wrap_generate,
            "generate_stream": self._wrap_generate_stream,
        }
        with ExitStack() as stack:
            for name, wrap in wrapped_methods.items():
                if hasattr(self._model, name):
                    stack.enter_context(_replaced(self._model, name, wrap))
            yield

    @property
    def before_first_pass(self) -> bool | None:
        """Whether the running ``generate`` call has made no pass yet; None if no call runs."""
        return None if self._generation is None else self._generation.last is None

    def _wrap_forward(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """``forward``, with its pass recorded in `current`."""
        arguments_of = _arguments(forward)

        @wraps(forward)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.current = self._next_pass(arguments_of(*args, **kwargs))
            try:
                return forward(*args, **kwargs)
            finally:
                self.current = None

        return wrapped

    def _wrap_generate(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        """``generate``, with the call recorded while it runs."""
        arguments_of = _arguments(generate)

        @wraps(generate)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._generating(arguments_of(*args, **kwargs)):
                return generate(*args, **kwargs)

        return wrapped

    def _wrap_generate_stream(self, generate_stream: Callable[..., Any]) -> Callable[..., Any]:
        """``generate_stream``, with the call recorded while it runs."""
        arguments_of = _arguments(generate_stream)

        @wraps(generate_stream)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._generating(arguments_of(*args, **kwargs)):
                yield from generate_stream(*args, **kwargs)

        return wrapped

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


@contextmanager
def _replaced(
    model: HookedModel, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Context in which one instance's method is wrapped."""
    attributes = vars(model)
    before = attributes.get(name, _ABSENT)
    attributes[name] = wrap(getattr(model, name))
    try:
        yield
    finally:
        del attributes[name]
        if before is not _ABSENT:
            attributes[name] = before


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
