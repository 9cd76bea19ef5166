"""Positions in a prompt: the last token, all of them, a span, or a function of the tokens."""

from collections.abc import Callable, Sequence
from typing import Literal

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding, Prompt, encode, special_token_ids
from semantic_hub.prompts.soft_tokens import SoftPositions

PositionRule = Callable[[list[int]], int | Sequence[int]]
"""A function from the tokens that the model reads, BOS included, to one index or several."""

Positions = (
    Literal["last", "content", "mean"]
    | tuple[int | None, int | None]
    | slice
    | SoftPositions
    | PositionRule
)
"""What ``positions=`` accepts; see :func:`read_positions`."""

Span = tuple[int | None, int | None] | SoftPositions
"""A slice ``(start, stop)`` of a prompt's own tokens, or the positions of its features."""


def read_positions(
    prompts: Sequence[Prompt],
    encodings: Sequence[Encoding],
    positions: Positions = "last",
    model: HookedModel | None = None,
) -> list[tuple[int, ...]]:
    """Convert a ``positions`` argument to indices into each prompt's tokens.

    - ``"last"``: the last own token, or the prompt's own ``position`` where it has one.
    - ``"content"``: the last own token with a letter or digit in it, or the last feature; the
      prompt's own ``position`` where it has one. A full stop is passed over.
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
        model: Whose tokens they are; ``"mean"`` and ``"content"`` ask what each of them is.

    Returns:
        At least one index per prompt.

    Raises:
        SemanticHubError: If a position is outside its prompt, a span is empty, or nothing is left.
    """
    empty = _ids_without_content(encodings, positions, model) if model else frozenset()
    chosen = [
        _read_one(prompt, encoding, positions, empty)
        for prompt, encoding in zip(prompts, encodings, strict=True)
    ]
    for index, (indices, encoding) in enumerate(zip(chosen, encodings, strict=True)):
        if not indices and positions == "content":
            raise SemanticHubError(
                "positions",
                got=f"positions 'content' for prompt {index}",
                expected="a token with a letter or digit",
                fix='Leave this prompt out, or read at "last".',
            )
        if not indices or not all(0 <= i < len(encoding) for i in indices):
            raise SemanticHubError(
                "positions",
                got=f"{_described(prompts[index], positions)} for prompt {index}",
                expected=f"a position among its {len(encoding.own_positions)} tokens"
                f"{_feature_note(encoding)}",
                fix="Count from 0, or from the end with negative numbers, without the BOS token.",
            )
    return chosen


def last_token_spans(
    model: HookedModel, prompts: Sequence[Prompt], texts: Sequence[str]
) -> tuple[tuple[int, int], ...]:
    """Find the last token of a prefix of each prompt, as a span of one token.

    Args:
        model: The model whose tokenizer applies.
        prompts: The prompts.
        texts: For each prompt a text that it begins with.

    Returns:
        ``(start, stop)`` among each prompt's own tokens, one token long.

    Raises:
        SemanticHubError: A text whose tokens are not the first ones of its prompt.

    Example:
        >>> last_token_spans(model, [Prompt("the dog is black")], ["the dog"])
        ((1, 2),)
    """
    wholes, beginnings = encode(model, prompts), encode(model, texts)
    return tuple(
        _last_token_span(whole, beginning, text)
        for whole, beginning, text in zip(wholes, beginnings, texts, strict=True)
    )


def _last_token_span(whole: Encoding, beginning: Encoding, text: str) -> tuple[int, int]:
    """The span of the last token of a text that is the beginning of another."""
    size = len(beginning.own_positions)
    if whole.tokens[whole.own][:size] != beginning.tokens[beginning.own]:
        raise SemanticHubError(
            "last_token_spans",
            got=f"{text!r}, whose last token goes on in its prompt",
            expected="a text that ends where a token of the prompt does",
            fix="Leave this prompt out, or cut it elsewhere.",
        )
    return size - 1, size


def _read_one(
    prompt: Prompt, encoding: Encoding, positions: Positions, empty: frozenset[int]
) -> tuple[int, ...]:
    """Indices into one prompt's tokens; empty where a position does not exist."""
    own = encoding.own_positions
    if positions == "last" or (positions == "content" and prompt.position is not None):
        return _last(prompt, encoding)
    if positions in ("mean", "content"):
        soft = {i for span in encoding.spans for i in span}
        full = tuple(i for i in own if i in soft or encoding.tokens[i] not in empty)
        return full if positions == "mean" else full[-1:]
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
        expected='"last", "content", "mean", (start, stop), SoftPositions or a function',
        fix='Leave it at "last".',
    )


def _ids_without_content(
    encodings: Sequence[Encoding], positions: Positions, model: HookedModel
) -> frozenset[int]:
    """Special tokens; where the last content is asked for, also those without letter or digit."""
    special = special_token_ids(model)
    if positions != "content" or model.tokenizer is None:
        return special
    known = {token for encoding in encodings for token in encoding.tokens} - special
    texts = {token: model.tokenizer.decode([token]) for token in known}
    return special | {
        token
        for token, text in texts.items()
        if not any(letter.isalnum() or letter == "\ufffd" for letter in text)
    }


def _last(prompt: Prompt, encoding: Encoding) -> tuple[int, ...]:
    """The prompt's own ``position`` if it has one, else its last token."""
    position = -1 if prompt.position is None else prompt.position
    if not isinstance(position, SoftPositions):
        own = encoding.own_positions
        return (own[position],) if -len(own) <= position < len(own) else ()
    indices = position.among(encoding.spans)
    return indices if len(indices) == 1 else ()


def _from_rule(rule: PositionRule, encoding: Encoding) -> tuple[int, ...]:
    """Indices that a function of the tokens gives; negative ones count from the end."""
    result = rule(list(encoding.tokens))
    indices = list(result) if isinstance(result, Sequence) else [result]
    length = len(encoding)
    return tuple(int(i) + length if -length <= i < 0 else int(i) for i in indices)


def _feature_note(encoding: Encoding) -> str:
    """Lengths of the spans of features, for an error; empty if there are none."""
    rows = ", ".join(str(len(span)) for span in encoding.spans)
    return f" (spans of features: {rows})" if rows else ""


def _described(prompt: Prompt, positions: Positions) -> str:
    """The positions in words, for an error."""
    if positions == "last":
        return f"position {prompt.position}"
    return "positions from a function" if callable(positions) else f"positions {positions!r}"
