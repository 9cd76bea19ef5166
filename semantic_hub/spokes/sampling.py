"""Choose evenly spaced items of a longer sequence."""

from collections.abc import Sequence
from typing import TypeVar

from semantic_hub.errors import SemanticHubError

Item = TypeVar("Item")


def evenly_spaced(items: Sequence[Item], at_most: int) -> tuple[Item, ...]:
    """Choose at most `at_most` items, spread evenly over the whole sequence.

    Raises:
        SemanticHubError: `at_most` below 1.

    Example:
        >>> evenly_spaced("abcdefgh", 3)
        ('a', 'c', 'f')
    """
    if at_most < 1:
        raise SemanticHubError(
            "evenly_spaced", got=f"at_most={at_most}", expected="1 or more", fix="Ask for some."
        )
    count = min(at_most, len(items))
    return tuple(items[index * len(items) // count] for index in range(count))
