"""How a prompt with features becomes token ids: text around markers, and ids that hold a place."""

import copy
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.soft_tokens import SOFT, SOFT_TOKEN, PlacedSoftTokens, SoftTokens

_marked: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


def marked_tokens(tokenizer: Any, text: str) -> list[int]:
    """A text's tokens without any added ones; each marker is `SOFT_TOKEN`.

    The text is split at the markers as this tokenizer splits it at any special token. It does so in
    a copy that knows the marker, made once; the tokenizer itself stays as it is.

    Args:
        tokenizer: The model's tokenizer.
        text: Text with markers.

    Example:
        >>> marked_tokens(model.tokenizer, SOFT)
        [-1]
    """
    from transformers import AddedToken

    if tokenizer not in _marked:
        knowing = copy.deepcopy(tokenizer)
        marker = AddedToken(SOFT, special=True, normalized=False)
        knowing.add_tokens([marker], special_tokens=True)
        _marked[tokenizer] = knowing, knowing.convert_tokens_to_ids(SOFT)
    knowing, marker_id = _marked[tokenizer]
    tokens = knowing(text, add_special_tokens=False)["input_ids"]
    return [SOFT_TOKEN if token == marker_id else token for token in tokens]


def placeholder_id(model: HookedModel) -> int:
    """The id that holds the place of features: neither BOS, EOS nor padding, so no mask leaves it
    out, and one that texts do not have or hardly ever, so no penalty on frequency meets a word.

    That is an embedding which the tokenizer does not use, else the token for unknown words, else
    the last one of the vocabulary.

    Args:
        model: The model; without a tokenizer any id will do, and it is the last one.
    """
    last, tokenizer = model.cfg.d_vocab - 1, model.tokenizer
    if tokenizer is None:
        return last
    names = ("bos_token", "eos_token", "pad_token", "cls_token", "sep_token")
    reserved = {getattr(tokenizer, f"{name}_id", None) for name in names}
    unknown = tokenizer.unk_token_id
    spare = range(len(tokenizer), last + 1)
    preferred = [*spare, *([] if unknown is None else [unknown]), *range(last, -1, -1)]
    return next(token for token in preferred if token not in reserved)


def with_places(
    tokens: Sequence[int], own: slice, soft: Sequence[SoftTokens], placeholder: int
) -> tuple[tuple[int, ...], slice, tuple[PlacedSoftTokens, ...]]:
    """Put as many placeholders in the place of each marker as its span has rows.

    Args:
        tokens: Token ids with a `SOFT_TOKEN` for each span.
        own: Which of them are the prompt's own.
        soft: The spans.
        placeholder: The id that holds their places.

    Returns:
        The token ids, which of them are own, and where each span is.

    Example:
        >>> import torch
        >>> with_places([1, -1, 5], slice(1, 3), [SoftTokens(torch.zeros(2, 4))], 9)[:2]
        ((1, 9, 9, 5), slice(1, 4, None))
    """
    spans, placed, wide = iter(soft), [], []
    for token in tokens:
        if token != SOFT_TOKEN:
            wide.append(token)
            continue
        placed.append(PlacedSoftTokens(len(wide), next(spans)))
        wide.extend([placeholder] * len(placed[-1].span))
    added = len(wide) - len(tokens)
    return tuple(wide), slice(own.start, own.stop + added), tuple(placed)


def with_markers(
    tokens: Sequence[int], soft: Sequence[PlacedSoftTokens]
) -> tuple[tuple[int, ...], tuple[SoftTokens, ...]]:
    """The other way round: a marker for each span, whose rows beyond the last token are cut off.

    Example:
        >>> import torch
        >>> placed = PlacedSoftTokens(1, SoftTokens(torch.zeros(2, 4)))
        >>> with_markers((1, 9, 9, 5), [placed])[0], len(with_markers((1, 9), [placed])[1][0])
        ((1, -1, 5), 1)
    """
    inside = [place for place in soft if place.start < len(tokens)]
    covered = {position for place in inside for position in place.positions}
    starts = {place.start for place in inside}
    marked = [
        SOFT_TOKEN if position in starts else token
        for position, token in enumerate(tokens)
        if position in starts or position not in covered
    ]
    return tuple(marked), tuple(_cut(place, len(tokens)) for place in inside)


def text_with_markers(
    decode: Callable[[Sequence[int]], str], tokens: Sequence[int], soft: Sequence[PlacedSoftTokens]
) -> str:
    """Tokens as text, with one `SOFT` for each span.

    Args:
        decode: Token ids to text.
        tokens: A prompt's tokens, or its first ones.
        soft: Its spans.
    """
    pieces: list[list[int]] = [[]]
    for token in with_markers(tokens, soft)[0]:
        if token == SOFT_TOKEN:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return SOFT.join(decode(piece) if piece else "" for piece in pieces)


def _cut(place: PlacedSoftTokens, n_tokens: int) -> SoftTokens:
    rows = n_tokens - place.start
    return place.span if rows >= len(place.span) else SoftTokens(place.span.features[:rows])
