"""What to patch from where to where, as data: pairs of prompts, and maps of positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from semantic_hub.errors import SemanticHubError, as_list, check_kinds, set_tuples
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.positions import Span
from semantic_hub.prompts.prompt import Encoding, Prompt, check_word_groups
from semantic_hub.prompts.soft_tokens import SoftPositions

BASE_ANSWER = "base"
"""Name of the group of answers that holds the base's own answer, where a pair has one."""

MapMode = Literal["last-to-last", "mean-to-each", "one-to-one"]
"""How the positions of two spans are matched; see `PositionMap`."""

PositionPairs = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
"""Source positions, to be averaged, and the base positions that their mean goes to."""


@dataclass(frozen=True)
class PatchPair:
    """Source prompts, a base prompt to patch their activations into, and the answers to score.

    With D the logit of the first answer minus that of the second one, both read where the base
    prompt's next word is, the effect of a patch is the normalized logit difference

        (D_patched − D_base) / (D_reference − D_base):

    0 is the unpatched base, 1 the reference.

    Args:
        sources: Prompts that activations come from; several are averaged, as one prompt in each of
            several languages (a language-averaged source).
        base: The prompt that they go to; its ``position`` is where the next word is read.
        answers: Words under free names, at least two groups. First the word that would say the
            source's concept in the base's language, then what it is compared with: the base's
            own word, or that of a third concept. Further groups are only counted. The group called
            ``"base"`` (`BASE_ANSWER`), if there is one, answers the base itself; see
            `semantic_hub.interventions.patching.result.PatchResult.doable`.
        reference: The run that counts as 1: the source's concept in the base's language. None for
            the first source itself.

    Raises:
        SemanticHubError: No source, or fewer than two groups of answers.

    Example:
        >>> PatchPair((Prompt("el perro"),), Prompt("le chat"), {"source": ("chien",),
        ...           "base": ("chat",)}).reference is None
        True
    """

    sources: tuple[Prompt, ...]
    base: Prompt
    answers: Mapping[str, tuple[str, ...]]
    reference: Prompt | None = None
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, sources=Prompt)
        check_kinds(
            "PatchPair", base=(self.base, Prompt), reference=(self.reference, (Prompt, None))
        )
        check_word_groups("PatchPair", "answers", self.answers)
        if not self.sources or len(self.answers) < 2:
            raise SemanticHubError(
                "PatchPair",
                got=f"{len(self.sources)} sources and answers {list(self.answers)}",
                expected="at least one source, and at least two groups of answers",
                fix='Name the words, as {"source": ("chien",), "base": ("chat",)}.',
            )


@dataclass(frozen=True)
class PositionMap:
    """Which positions of the source go to which positions of the base.

    Spans are Python slices of the prompts' own tokens (without BOS), or `SoftPositions` of their
    features, and may differ in length unless they are matched one to one.

    Args:
        source: Span of the source.
        base: Span of the base.
        mode: ``"last-to-last"``: the last position of either span; ``"mean-to-each"``: the mean
            over the source's span, to every position of the base's; ``"one-to-one"``.

    Raises:
        SemanticHubError: Another ``mode``.

    Example:
        >>> PositionMap((0, 2), (1, 4), mode="mean-to-each").base
        (1, 4)
    """

    source: Span = (None, None)
    base: Span = (None, None)
    mode: MapMode = "last-to-last"
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds(
            "PositionMap",
            source=(self.source, (tuple, SoftPositions)),
            base=(self.base, (tuple, SoftPositions)),
        )
        if self.mode not in get_args(MapMode):
            raise SemanticHubError(
                "PositionMap",
                got=f"mode={self.mode!r}",
                expected=f"one of {', '.join(map(repr, get_args(MapMode)))}",
                fix='Leave it at "last-to-last".',
            )


LAST_TO_LAST = PositionMap()
"""Last position to last position; a prompt's own ``position`` counts as its last."""

ONE_TO_ONE = PositionMap(mode="one-to-one")
"""Every position to the same position; source and base must be of equal length."""


def single_positions(positions: int | Sequence[int]) -> dict[str, PositionMap]:
    """Make one map for each position, from it in the source to the same position in the base.

    Args:
        positions: Among the prompts' own tokens, from the end if negative.

    Returns:
        Mapping from the position as text to its map.

    Example:
        >>> list(single_positions([-2, -1]))
        ['-2', '-1']
    """
    chosen = as_list("single_positions", "positions", positions, int)
    spans = {str(position): (position, position + 1 or None) for position in chosen}
    return {name: PositionMap(span, span) for name, span in spans.items()}


def position_pairs(position_map: PositionMap, source: Encoding, base: Encoding) -> PositionPairs:
    """Token indices of the source and base positions that a map connects.

    Args:
        position_map: The map.
        source: Tokens of the source.
        base: Tokens of the base.

    Raises:
        SemanticHubError: A span that is empty in its prompt, or spans of different length matched
            one to one.
    """
    from_positions = _span_positions(position_map.source, source, "source")
    to_positions = _span_positions(position_map.base, base, "base")
    if position_map.mode == "last-to-last":
        return ((from_positions[-1:], to_positions[-1:]),)
    if position_map.mode == "mean-to-each":
        return ((from_positions, to_positions),)
    if len(from_positions) != len(to_positions):
        raise SemanticHubError(
            "PositionMap",
            got=f"{len(from_positions)} positions of the source "
            f"and {len(to_positions)} of the base",
            expected="as many of one as of the other, to match them one to one",
            fix='Choose spans of equal length, or mode="mean-to-each".',
        )
    return tuple(((i,), (j,)) for i, j in zip(from_positions, to_positions, strict=True))


def _span_positions(span: Span, encoding: Encoding, role: str) -> tuple[int, ...]:
    """Indices into the tokens of one prompt."""
    positions = (
        span.among(encoding.spans)
        if isinstance(span, SoftPositions)
        else tuple(encoding.own_positions[slice(*span)])
    )
    if not positions:
        raise SemanticHubError(
            "PositionMap",
            got=f"span {span} of the {role}, which has {len(encoding.own_positions)} tokens"
            f" and {len(encoding.spans)} spans of features",
            expected="at least one position",
            fix="Count from 0, or from the end with negative numbers, without the BOS token.",
        )
    return positions
