"""Where in a prompt to read: the last token, the mean, a span, or the caller's own rule."""

from collections.abc import Callable, Sequence
from typing import Literal

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding, Prompt, encode
from semantic_hub.prompts.soft_tokens import SoftPositions

PositionRule = Callable[[list[int]], int | Sequence[int]]
"""From the tokens that the model reads, BOS included, to one index into them or several."""

Positions = (
    Literal["last", "mean"] | tuple[int | None, int | None] | slice | SoftPositions | PositionRule
)
"""What ``positions=`` accepts; see :func:`read_positions`."""


def read_positions(
    prompts: Sequence[Prompt],
    encodings: Sequence[Encoding],
    positions: Positions,
    special_ids: frozenset[int],
) -> list[tuple[int, ...]]:
    """The indices into each prompt's tokens whose states are to be averaged.

    - ``"last"``: the last own token, or the prompt's own ``position`` where it has one.
    - ``"mean"``: every own token that is not a special one (BOS, padding, ``[SEP]``), features
      included.
    - ``(start, stop)`` or a slice: that span of the own tokens, as Python slices it.
    - `SoftPositions`: those of the prompt's features.
    - a callable: gets the list of tokens that the model reads, BOS included, and returns one index
      into it or several.

    Args:
        prompts: The prompts.
        encodings: Their tokens.
        positions: The rule.
        special_ids: Ids that ``"mean"`` leaves out.

    Returns:
        At least one index per prompt.

    Raises:
        SemanticHubError: If a position is outside its prompt, a span is empty, or nothing is left.
    """
    chosen = [
        _read_one(prompt, encoding, positions, special_ids)
        for prompt, encoding in zip(prompts, encodings, strict=True)
    ]
    for index, (indices, encoding) in enumerate(zip(chosen, encodings, strict=True)):
        if not indices or not all(0 <= i < len(encoding) for i in indices):
            raise SemanticHubError(
                "positions",
                got=f"{_asked(prompts[index], positions)} for prompt {index}",
                expected=f"a position among its {len(encoding.own_positions)} tokens"
                f"{_told_of_features(encoding)}",
                fix="Count from 0, or from the end with negative numbers, without the BOS token.",
            )
    return chosen


def ends_of(
    model: HookedModel, prompts: Sequence[Prompt], texts: Sequence[str]
) -> tuple[tuple[int, int], ...]:
    """In each prompt the span of the last token of a text that the prompt begins with.

    Args:
        model: The model whose tokenizer applies.
        prompts: The prompts.
        texts: What each of them begins with.

    Returns:
        ``(start, stop)`` among each prompt's own tokens.

    Raises:
        SemanticHubError: A text whose tokens are not the first ones of its prompt.

    Example:
        >>> ends_of(model, [Prompt("the dog is black")], ["the dog"])
        ((1, 2),)
    """
    wholes, parts = encode(model, prompts), encode(model, texts)
    return tuple(
        _end(whole, part, text) for whole, part, text in zip(wholes, parts, texts, strict=True)
    )


def _end(whole: Encoding, part: Encoding, text: str) -> tuple[int, int]:
    size = len(part.own_positions)
    if whole.tokens[whole.own][:size] != part.tokens[part.own]:
        raise SemanticHubError(
            "ends_of",
            got=f"{text!r}, whose last token goes on in its prompt",
            expected="a text that ends where a token of the prompt does",
            fix="Leave this prompt out, or cut it elsewhere.",
        )
    return size - 1, size


def _read_one(
    prompt: Prompt, encoding: Encoding, positions: Positions, special_ids: frozenset[int]
) -> tuple[int, ...]:
    own = encoding.own_positions
    if positions == "last":
        return _last(prompt, encoding)
    if positions == "mean":
        soft = {i for span in encoding.spans for i in span}
        return tuple(i for i in own if i in soft or encoding.tokens[i] not in special_ids)
    if isinstance(positions, SoftPositions):
        return positions.among(encoding.spans)
    if isinstance(positions, tuple):
        return tuple(own[slice(*positions)])
    if isinstance(positions, slice):
        return tuple(own[positions])
    if callable(positions):
        return _from_rule(positions, encoding)
    raise SemanticHubError(
        "positions",
        got=repr(positions),
        expected='"last", "mean", (start, stop), SoftPositions or a function of the tokens',
        fix='Leave it at "last".',
    )


def _last(prompt: Prompt, encoding: Encoding) -> tuple[int, ...]:
    position = -1 if prompt.position is None else prompt.position
    if not isinstance(position, SoftPositions):
        return _pick(encoding.own_positions, position)
    found = position.among(encoding.spans)
    return found if len(found) == 1 else ()


def _pick(own: range, position: int) -> tuple[int, ...]:
    return (own[position],) if -len(own) <= position < len(own) else ()


def _from_rule(rule: PositionRule, encoding: Encoding) -> tuple[int, ...]:
    answer = rule(list(encoding.tokens))
    indices = list(answer) if isinstance(answer, Sequence) else [answer]
    length = len(encoding)
    return tuple(int(i) + length if -length <= i < 0 else int(i) for i in indices)


def _told_of_features(encoding: Encoding) -> str:
    rows = ", ".join(str(len(span)) for span in encoding.spans)
    return f" (spans of features: {rows})" if rows else ""


def _asked(prompt: Prompt, positions: Positions) -> str:
    if positions == "last":
        return f"position {prompt.position}"
    return "positions from a function" if callable(positions) else f"positions {positions!r}"
