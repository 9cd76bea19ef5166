"""Mapping by name that users can extend, for models, encoders, measures, lenses and spokes."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from semantic_hub.errors import SemanticHubError, check_kinds, nearest_name

Registered = TypeVar("Registered")


class Registry(Mapping[str, Registered], Generic[Registered]):
    """A mapping from names to values of one kind, which users can extend.

    Whatever users can extend is looked up in one of these. An unknown name raises an error that
    lists the known ones and suggests the nearest.

    Args:
        what: What the values are, for error messages: ``"measure"``.

    Example:
        >>> lenses = Registry[str]("lens")
        >>> lenses.register("logit", "final norm and unembedding")
        >>> list(lenses), lenses["logit"]
        (['logit'], 'final norm and unembedding')
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._values: dict[str, Registered] = {}

    def register(self, name: str, value: Registered, *, replace: bool = False) -> None:
        """Add a value under a name.

        Args:
            name: A name that is not in use.
            value: The value.
            replace: Whether a value that already has the name is replaced, as when a notebook cell
                is run again.

        Raises:
            SemanticHubError: The name is empty, no text, or in use.
        """
        if not isinstance(name, str) or not name.strip():
            raise SemanticHubError(
                f"register a {self.what}",
                got=f"the name {name!r}",
                expected="a name in letters",
                fix="Give it a name.",
            )
        check_kinds(f"register a {self.what}", replace=(replace, bool))
        if name in self._values and not replace:
            raise SemanticHubError(
                f"register a {self.what}",
                got=f"{name!r}, which is in use",
                expected="a name that is not in use",
                fix="Choose another name, or pass replace=True.",
            )
        self._values[name] = value

    def unregister(self, name: str) -> None:
        """Remove the value of a name.

        Raises:
            SemanticHubError: No value of that name.
        """
        self[name]
        del self._values[name]

    def __getitem__(self, name: str) -> Registered:
        """Look up a value by its name.

        Raises:
            SemanticHubError: No value of that name; the message has the nearest names.
        """
        try:
            return self._values[name]
        except (KeyError, TypeError):
            raise SemanticHubError(
                self.what,
                got=repr(name),
                expected=f"one of {', '.join(map(repr, self._values)) or 'none so far'}",
                fix=nearest_name(name, self._values),
            ) from None

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a name, or a default where there is none."""
        return self._values.get(name, default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
