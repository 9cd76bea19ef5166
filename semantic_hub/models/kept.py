"""What several calls on one model share, kept for it in a context."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from semantic_hub.models.protocol import HookedModel

Key = TypeVar("Key")
Value = TypeVar("Value")


class KeptForModel(Generic[Key, Value]):
    """Values of each model by key, kept while a context of that model is entered.

    Example:
        >>> kept = KeptForModel()
        >>> with kept.keeping(model):
        ...     kept.of(model)["one"] = 1
        ...     kept.of(model)
        {'one': 1}
        >>> kept.keeps(model), kept.of(model)
        (False, {})
    """

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[Any, dict[Key, Value]] = weakref.WeakKeyDictionary()

    @contextmanager
    def keeping(self, model: HookedModel) -> Iterator[None]:
        """Context in which values are kept; the outermost one of a model drops them at its end.

        Args:
            model: The model.
        """
        outermost = not self.keeps(model)
        if outermost:
            self._of[model] = {}
        try:
            yield
        finally:
            if outermost:
                del self._of[model]

    def keeps(self, model: HookedModel) -> bool:
        """Whether a context of the model is entered.

        Args:
            model: The model.
        """
        return model in self._of

    def of(self, model: HookedModel) -> dict[Key, Value]:
        """The values of a model, to be read and added to; outside its context nothing is kept.

        Args:
            model: The model.
        """
        return self._of.get(model, {})
