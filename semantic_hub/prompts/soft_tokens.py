"""Soft tokens: features of an image or a sound that a model reads instead of token embeddings.

A prompt has a marker for each span of features (`SOFT` in text, `SOFT_TOKEN` among token ids). The
model reads as many positions there as the span has rows, and at them ``hook_embed`` holds the
features instead of token embeddings; positional embeddings are added as to any token. This is what
transformers calls ``inputs_embeds``.
"""

import copy
import hashlib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError, check_kinds, set_tuples
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr

SOFT = "\ufffc"
"""Marker of a span of features in a prompt's text (U+FFFC, the object replacement character)."""

SOFT_TOKEN = -1
"""Marker of a span of features among a prompt's token ids."""

_marked: "weakref.WeakKeyDictionary[Any, tuple[Any, int]]" = weakref.WeakKeyDictionary()
"""Tokenizer to a copy that knows the marker, and the marker's id in it."""


@dataclass(frozen=True, eq=False)
class SoftTokens:
    """A span of features that a model reads instead of token embeddings, one row per position.

    The features are copied to the CPU in their dtype, and must not be written to. Two spans are
    equal if their shape, dtype and numbers are, which is decided by a digest.

    Args:
        features: One row for each position, of the width of the model's stream. A pass casts them
            to the dtype of the model's embedding.

    Raises:
        SemanticHubError: No floating-point matrix, no rows or columns, NaN or infinity.

    Example:
        >>> span = SoftTokens(torch.zeros(16, 64))
        >>> len(span), span == SoftTokens(torch.zeros(16, 64))
        (16, True)
    """

    features: Float[Tensor, "pos d_model"]
    digest: str = field(init=False)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check(self.features)
        kept = self.features.detach().to("cpu", copy=True).contiguous()
        object.__setattr__(self, "features", kept)
        object.__setattr__(self, "digest", _digest(kept))

    def __len__(self) -> int:
        return len(self.features)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftTokens) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True)
class PlacedSoftTokens:
    """A span of features, and the index of its first position among a prompt's tokens."""

    start: int
    span: SoftTokens

    @property
    def positions(self) -> range:
        """Indices of the span's positions among the prompt's tokens."""
        return range(self.start, self.start + len(self.span))


@dataclass(frozen=True)
class SoftPositions:
    """A ``positions`` argument that selects a prompt's features, by span and row.

    Accepted wherever positions are: by `semantic_hub.residual_stream`, of a
    `Prompt` (then it must name one position), of `semantic_hub.steer`, and as either span of a
    `PositionMap`.

    Args:
        span: Index of one of the prompt's spans, from the end if negative.
        rows: Indices of rows of that span, from the end if negative; None for all.

    Example:
        >>> SoftPositions().among([range(3, 7)]), SoftPositions(rows=(0, -1)).among([range(3, 7)])
        ((3, 4, 5, 6), (3, 6))
    """

    span: int = 0
    rows: tuple[int, ...] | None = None
    __repr__ = short_repr

    def __post_init__(self) -> None:
        check_kinds("SoftPositions", span=(self.span, int))
        if self.rows is not None:
            set_tuples(self, rows=int)

    def among(self, spans: Sequence[range]) -> tuple[int, ...]:
        """Convert to indices into the tokens of a prompt with these spans; empty if one is missing.

        Args:
            spans: The positions of each span of the prompt.
        """
        if not -len(spans) <= self.span < len(spans):
            return ()
        span = spans[self.span]
        rows = range(len(span)) if self.rows is None else self.rows
        if not all(-len(span) <= row < len(span) for row in rows):
            return ()
        return tuple(span[row] for row in rows)


def recorded_positions(positions: object) -> object:
    """Convert positions for a manifest: `SoftPositions` to text, other values unchanged.

    Example:
        >>> recorded_positions((0, 2)), recorded_positions(SoftPositions(rows=(-1,)))
        ((0, 2), 'SoftPositions(span=0, rows=(-1,))')
    """
    parts = positions if isinstance(positions, tuple) else (positions,)
    return repr(positions) if any(isinstance(p, SoftPositions) for p in parts) else positions


def marked_tokens(tokenizer: Any, text: str) -> list[int]:
    """Tokenize a text, without special tokens; each `SOFT` marker becomes a `SOFT_TOKEN`.

    The text is split at the markers as the tokenizer splits it at any special token. This is done
    by a copy that knows the marker, made once; the tokenizer itself stays unchanged.

    Args:
        tokenizer: The model's tokenizer.
        text: Text with markers.

    Example:
        >>> marked_tokens(model.tokenizer, SOFT)
        [-1]
    """
    from transformers import AddedToken

    if tokenizer not in _marked:
        with_marker = copy.deepcopy(tokenizer)
        marker = AddedToken(SOFT, special=True, normalized=False)
        with_marker.add_tokens([marker], special_tokens=True)
        _marked[tokenizer] = with_marker, with_marker.convert_tokens_to_ids(SOFT)
    with_marker, marker_id = _marked[tokenizer]
    tokens = with_marker(text, add_special_tokens=False)["input_ids"]
    return [SOFT_TOKEN if token == marker_id else token for token in tokens]


def placeholder_id(model: HookedModel) -> int:
    """Choose the token id to put at the positions of features, as a placeholder.

    It is neither BOS, EOS nor padding, so that no mask leaves it out, and rare in texts, so that no
    penalty on frequent tokens applies to a word: an id that the tokenizer does not use, else the
    token for unknown words, else the last of the vocabulary.

    Args:
        model: The model; without a tokenizer the id is the last one.
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


def with_placeholders(
    tokens: Sequence[int], own: slice, soft: Sequence[SoftTokens], placeholder: int
) -> tuple[tuple[int, ...], slice, tuple[PlacedSoftTokens, ...]]:
    """Replace each `SOFT_TOKEN` by placeholders, one for each row of its span of features.

    Args:
        tokens: Token ids with a `SOFT_TOKEN` for each span.
        own: Which of them are the prompt's own.
        soft: The spans.
        placeholder: The id of the placeholders; see `placeholder_id`.

    Returns:
        The token ids, which of them are own, and where each span is.

    Example:
        >>> import torch
        >>> with_placeholders([1, -1, 5], slice(1, 3), [SoftTokens(torch.zeros(2, 4))], 9)[:2]
        ((1, 9, 9, 5), slice(1, 4, None))
    """
    spans, placed, expanded = iter(soft), [], []
    for token in tokens:
        if token != SOFT_TOKEN:
            expanded.append(token)
            continue
        placed.append(PlacedSoftTokens(len(expanded), next(spans)))
        expanded.extend([placeholder] * len(placed[-1].span))
    n_added = len(expanded) - len(tokens)
    return tuple(expanded), slice(own.start, own.stop + n_added), tuple(placed)


def with_markers(
    tokens: Sequence[int], soft: Sequence[PlacedSoftTokens]
) -> tuple[tuple[int, ...], tuple[SoftTokens, ...]]:
    """Replace the placeholders of each span by one `SOFT_TOKEN`, undoing `with_placeholders`.

    Rows of a span beyond the last token are cut off.

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
    """Decode tokens to text, with one `SOFT` marker for each span of features.

    Args:
        decode: Token ids to text.
        tokens: A prompt's tokens, or its first ones.
        soft: Its spans of features.
    """
    pieces: list[list[int]] = [[]]
    for token in with_markers(tokens, soft)[0]:
        if token == SOFT_TOKEN:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return SOFT.join(decode(piece) if piece else "" for piece in pieces)


def _check(features: Tensor) -> None:
    """Raise unless the features are a finite floating-point matrix."""
    matrix = isinstance(features, Tensor) and features.ndim == 2 and features.is_floating_point()
    if matrix and features.numel() and features.isfinite().all():
        return
    raise SemanticHubError(
        "SoftTokens",
        got=_described(features),
        expected="finite floating-point numbers of shape [pos, d_model], at least one row",
        fix="Pass what a projector gives, one row for each position, without a batch axis.",
    )


def _described(features: object) -> str:
    """Type, dtype and shape in words, for an error."""
    if not isinstance(features, Tensor):
        return f"features, a {type(features).__name__}"
    finite = not features.is_floating_point() or bool(features.isfinite().all())
    kind = f"{str(features.dtype).removeprefix('torch.')} of shape {tuple(features.shape)}"
    return kind if finite else f"{kind} with NaN or infinity in it"


def _digest(features: Float[Tensor, "pos d_model"]) -> str:
    """SHA-256 of dtype, shape and numbers."""
    content = hashlib.sha256(f"{features.dtype} {tuple(features.shape)} ".encode())
    content.update(features.flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


def _cut(place: PlacedSoftTokens, n_tokens: int) -> SoftTokens:
    """The rows of a span that lie within the first `n_tokens` tokens."""
    rows = n_tokens - place.start
    return place.span if rows >= len(place.span) else SoftTokens(place.span.features[:rows])
