"""Which columns of a forward pass are the prompt's: with padding, with a BOS, while generating.

A hook sees ``[batch, column, d_model]`` and nothing else. In a step of ``generate`` with a cache
that is one column, without a cache it is the whole text so far; either may come from a padded
batch. So the passes are followed from outside: the first one of a ``generate`` call reads the
prompts, of P columns; P + k columns exist in the k-th after it, and it reads the last of them. Any
other pass reads prompts of its own, or, on top of a filled cache, what comes after them.
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


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """What the current pass reads.

    Args:
        prompts: The prompts that all began with; None if another pass, not followed, read them.
        n_generated: Columns that there are after the prompts', if they are known.
    """

    prompts: PromptColumns | None
    n_generated: int = 0


class PassFollower:
    """Follows a model's forward passes; see the module's text.

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
        """The pass that is under way; None outside of one."""

    @contextmanager
    def following(self) -> Iterator[None]:
        """For the time of the context, the model's entrances tell what they are given.

        They are replaced on the instance alone, and put back as they were.
        """
        entrances = {
            "forward": self._told_of_passes,
            "generate": self._told_of_generation,
            "generate_stream": self._told_of_stream,
        }
        with ExitStack() as stack:
            for name, told in entrances.items():
                if hasattr(self._model, name):
                    stack.enter_context(_replaced(self._model, name, told))
            yield

    @property
    def first_pass_is_to_come(self) -> bool | None:
        """Of a ``generate`` call that is under way; None outside of one."""
        return None if self._generation is None else self._generation.last is None

    def _told_of_passes(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        arguments_of = _arguments(forward)

        @wraps(forward)
        def told(*args: Any, **kwargs: Any) -> Any:
            self.current = self._next_pass(arguments_of(*args, **kwargs))
            try:
                return forward(*args, **kwargs)
            finally:
                self.current = None

        return told

    def _told_of_generation(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        arguments_of = _arguments(generate)

        @wraps(generate)
        def told(*args: Any, **kwargs: Any) -> Any:
            with self._generating(arguments_of(*args, **kwargs)):
                return generate(*args, **kwargs)

        return told

    def _told_of_stream(self, generate_stream: Callable[..., Any]) -> Callable[..., Any]:
        arguments_of = _arguments(generate_stream)

        @wraps(generate_stream)
        def told(*args: Any, **kwargs: Any) -> Any:
            with self._generating(arguments_of(*args, **kwargs)):
                yield from generate_stream(*args, **kwargs)

        return told

    @contextmanager
    def _generating(self, arguments: Mapping[str, Any]) -> Iterator[None]:
        self._generation = _Generation(arguments)
        try:
            yield
        finally:
            self._generation = None

    def _next_pass(self, arguments: Mapping[str, Any]) -> ForwardPass:
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
    """A ``generate`` call that is under way, its arguments, and its last forward pass so far."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments
        self.last: ForwardPass | None = None

    def prompts(self, model: HookedModel) -> Any:
        """What was given, as tokens; lists of text are padded on the left, as ``generate`` does."""
        given = self.arguments.get("input", "")
        several = isinstance(given, list) and len(given) > 1
        side = {"padding_side": "left"} if several else {}
        return input_tokens(model, {**self.arguments, **side})


_ABSENT = object()


@contextmanager
def _replaced(
    thing: Any, name: str, told: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """A method replaced on one instance."""
    own = vars(thing)
    before = own.get(name, _ABSENT)
    own[name] = told(getattr(thing, name))
    try:
        yield
    finally:
        del own[name]
        if before is not _ABSENT:
            own[name] = before


def _arguments(function: Callable[..., Any]) -> Callable[..., Mapping[str, Any]]:
    """From a call to the arguments that it passes, by name."""
    signature = inspect.signature(function)

    def arguments(*args: Any, **kwargs: Any) -> Mapping[str, Any]:
        given = signature.bind_partial(*args, **kwargs).arguments
        return {**given, **given.get("kwargs", {})}

    return arguments


def _n_cached(arguments: Mapping[str, Any]) -> int:
    """Columns in the cache that a forward pass is given."""
    if (cache := arguments.get("past_kv_cache")) is not None:
        return cache[0].past_keys.shape[1]
    cache = arguments.get("past_key_values")
    return 0 if cache is None else cache.get_seq_length()
