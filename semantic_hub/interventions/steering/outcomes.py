"""Rules that classify steered continuations as success, unchanged or other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from semantic_hub.errors import check_kinds, set_tuples
from semantic_hub.plotting.values import short_repr

Outcome = Literal["success", "unchanged", "other"]
"""The effect that was meant, none, or something else."""

OUTCOMES: tuple[Outcome, ...] = ("success", "unchanged", "other")
"""All outcomes, in the order in which results number them."""

OutcomeRule = Callable[[int, str], Outcome]
"""From a prompt's index and the text that was generated for it to its outcome."""


@dataclass(frozen=True)
class ExpectedAnswer:
    """Rule for prompts with known answers: the new one is success, the old one unchanged.

    Args:
        new: The answer that counts as success, one for all prompts or one for each.
        old: The answer that counts as unchanged, likewise.
        parse: From a text to the answer that it gives, None where it gives none.
        may_be_cut: A text that ends inside of an answer counts as this answer, if it begins just
            one of the two: generation may stop in the middle of a name.

    Example:
        >>> color = ExpectedAnswer(("green", "pink"), ("red", "blue"), lambda text: text.strip())
        >>> color(0, " green"), color(1, "blue"), color(1, "a pink one")
        ('success', 'unchanged', 'other')
        >>> ExpectedAnswer("Anna", "Bo", str.strip, may_be_cut=True)(0, "Ann")
        'success'
    """

    new: str | tuple[str, ...]
    old: str | tuple[str, ...]
    parse: Callable[[str], str | None]
    may_be_cut: bool = False
    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name in ("new", "old"):
            if not isinstance(getattr(self, name), str):
                set_tuples(self, **{name: str})
        check_kinds(
            "ExpectedAnswer", parse=(self.parse, Callable), may_be_cut=(self.may_be_cut, bool)
        )

    def __call__(self, index: int, text: str) -> Outcome:
        """Outcome of the prompt with this index and continuation."""
        answer = self.parse(text)
        if not answer:
            return "other"
        new, old = (a if isinstance(a, str) else a[index] for a in (self.new, self.old))
        expected: dict[Outcome, str] = {"success": new, "unchanged": old}
        matching: list[Outcome] = [o for o, word in expected.items() if word == answer]
        ends_inside = text.find(answer) + len(answer) == len(text)
        if not matching and self.may_be_cut and ends_inside:
            matching = [o for o, word in expected.items() if word.startswith(answer)]
        return matching[0] if len(matching) == 1 else "other"


@dataclass(frozen=True)
class RelativeOutcome:
    """Rule that compares a steered continuation with the unsteered one of the same prompt.

    Args:
        compare: From the unsteered and the steered continuation of a prompt to its outcome.
        is_usable: Whether a prompt with this unsteered continuation is steered at all.
        drop_reason: Reason under which the other prompts are counted.

    Example:
        >>> shorter = RelativeOutcome(
        ...     lambda unsteered, steered: "success" if len(steered) < len(unsteered) else "other",
        ...     is_usable=lambda unsteered: len(unsteered) > 0, drop_reason="nothing to shorten")
        >>> shorter.compare("two words", "one")
        'success'
    """

    compare: Callable[[str, str], Outcome]
    is_usable: Callable[[str], bool]
    drop_reason: str
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds(
            "RelativeOutcome",
            compare=(self.compare, Callable),
            is_usable=(self.is_usable, Callable),
            drop_reason=(self.drop_reason, str),
        )
