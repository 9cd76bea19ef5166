"""What to patch from where to where, as data: exchanges and alignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Encoding, Prompt, check_word_groups
from semantic_hub.prompts.soft_tokens import SoftPositions

How = Literal["last-to-last", "mean-to-each", "one-to-one"]
Span = tuple[int | None, int | None] | SoftPositions


@dataclass(frozen=True)
class Exchange:
    """Activations of one run (or the mean of several) moved into another, and the words to compare.

    With D the logit of the first target minus that of the second one, both read where the
    recipient's next word is, the effect of a patch is

        (D_patched − D_recipient) / (D_reference − D_recipient):

    0 is the recipient's own run, 1 the reference's.

    Args:
        donors: Prompts that activations come from; several are averaged, as one prompt in each of
            several languages (a language-averaged donor).
        recipient: The prompt that they go to; its ``position`` is where the next word is read.
        targets: Words under free names, at least two. First the word that would say the donor's
            concept in the recipient's language, then what it is compared with: the recipient's
            own word, or a third concept's. What follows is only counted.
        reference: The run that counts as 1: the donor's concept in the recipient's language.
            None for the first donor's own run.

    Raises:
        SemanticHubError: No donor, or fewer than two targets.

    Example:
        >>> Exchange((Prompt("el perro"),), Prompt("le chat"), {"donor": ("chien",),
        ...          "recipient": ("chat",)}).reference is None
        True
    """

    donors: tuple[Prompt, ...]
    recipient: Prompt
    targets: Mapping[str, tuple[str, ...]]
    reference: Prompt | None = None

    def __post_init__(self) -> None:
        check_word_groups("Exchange", self.targets)
        if not self.donors or len(self.targets) < 2:
            raise SemanticHubError(
                "Exchange",
                got=f"{len(self.donors)} donors and targets {list(self.targets)}",
                expected="at least one donor, and at least two groups of target words",
                fix='Name the words, as {"donor": ("chien",), "recipient": ("chat",)}.',
            )


@dataclass(frozen=True)
class Alignment:
    """Which of the donor's positions goes to which of the recipient's.

    Spans are Python slices of the prompts' own tokens (without BOS), or `SoftPositions` of their
    features, and may differ in length unless they are matched one to one.

    Args:
        donor: Span of the donor.
        recipient: Span of the recipient.
        how: ``"last-to-last"``: the last position of either span; ``"mean-to-each"``: the mean
            over the donor's span, to every position of the recipient's; ``"one-to-one"``.

    Raises:
        SemanticHubError: Another ``how``.

    Example:
        >>> Alignment((0, 2), (1, 4), how="mean-to-each").recipient
        (1, 4)
    """

    donor: Span = (None, None)
    recipient: Span = (None, None)
    how: How = "last-to-last"

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise SemanticHubError(
                "Alignment",
                got=f"how={self.how!r}",
                expected=f"one of {', '.join(map(repr, get_args(How)))}",
                fix='Leave it at "last-to-last".',
            )


LAST = Alignment()
"""The donor's last position to the recipient's; a prompt's own ``position`` counts as its last."""

EVERY = Alignment(how="one-to-one")
"""Every position to the one at the same place; donor and recipient must be of equal length."""


def single_positions(positions: Sequence[int]) -> dict[str, Alignment]:
    """One alignment for each position, which goes to the same position of the recipient.

    Args:
        positions: Among the prompts' own tokens, from the end if negative.

    Returns:
        By name: the position as text.

    Example:
        >>> list(single_positions([-2, -1]))
        ['-2', '-1']
    """
    spans = {str(position): (position, position + 1 or None) for position in positions}
    return {name: Alignment(span, span) for name, span in spans.items()}


Moves = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
"""Pairs of donor positions, to be averaged, and the recipient positions that their mean goes to."""


def align(alignment: Alignment, donor: Encoding, recipient: Encoding) -> Moves:
    """The positions of two prompts that an alignment joins, as indices into their tokens.

    Raises:
        SemanticHubError: A span that is empty in its prompt, or spans of different length matched
            one to one.
    """
    sources = _span(alignment.donor, donor, "donor")
    places = _span(alignment.recipient, recipient, "recipient")
    if alignment.how == "last-to-last":
        return ((sources[-1:], places[-1:]),)
    if alignment.how == "mean-to-each":
        return ((sources, places),)
    if len(sources) != len(places):
        raise SemanticHubError(
            "alignment",
            got=f"{len(sources)} positions of the donor and {len(places)} of the recipient",
            expected="as many of one as of the other, to match them one to one",
            fix='Choose spans of equal length, or how="mean-to-each".',
        )
    return tuple(((source,), (place,)) for source, place in zip(sources, places, strict=True))


def _span(span: Span, encoding: Encoding, role: str) -> tuple[int, ...]:
    found = (
        span.among(encoding.spans)
        if isinstance(span, SoftPositions)
        else tuple(encoding.own_positions[slice(*span)])
    )
    if not found:
        raise SemanticHubError(
            "alignment",
            got=f"span {span} of the {role}, which has {len(encoding.own_positions)} tokens"
            f" and {len(encoding.spans)} spans of features",
            expected="at least one position",
            fix="Count from 0, or from the end with negative numbers, without the BOS token.",
        )
    return found
