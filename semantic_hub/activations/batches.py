"""Padded batches of prompts of similar length."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Encoding

Result = TypeVar("Result")

AUTO_BATCH_TOKENS = 4096
"""Tokens, padding included, in one batch of ``batch_size="auto"``."""

_PADDING_SHARE, _PADDING_FLOOR = 0.1, 128
"""An automatic batch ends before its padding would pass this share of it, and this many positions:
another forward pass reads all weights again, which costs about as much as 100 positions on a CPU.
"""


@dataclass(frozen=True)
class Batch:
    """Prompts padded to one length.

    Args:
        prompts: Indices into the caller's list.
        tokens: Token ids, padding included.
        attention_mask: 1 for real tokens, 0 for padding.
        offsets: For each row the column of its first real token.
    """

    prompts: tuple[int, ...]
    tokens: Int[Tensor, "batch pos"]
    attention_mask: Int[Tensor, "batch pos"]
    offsets: tuple[int, ...]
    __repr__ = short_repr


def batch_indices(
    lengths: Sequence[int], batch_size: int | Literal["auto"] = "auto"
) -> Iterator[list[int]]:
    """Group prompts of similar length, longest first, so that running out of memory shows early.

    Args:
        lengths: Tokens in each prompt.
        batch_size: Prompts in a batch, or ``"auto"``: as many as fit in
            :data:`AUTO_BATCH_TOKENS` tokens, and are similar enough in length that little of the
            batch is padding.

    Yields:
        Indices into ``lengths``.

    Raises:
        SemanticHubError: If ``batch_size`` is neither ``"auto"`` nor at least 1.

    Example:
        >>> list(batch_indices([2, 5, 3], batch_size=2))
        [[1, 2], [0]]
    """
    check_batch_size(batch_size)
    batch: list[int] = []
    padding = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        longest = lengths[batch[0]] if batch else lengths[index]
        padding += longest - lengths[index]
        if batch and not _fits(len(batch) + 1, longest, padding, batch_size):
            yield batch
            batch, padding = [], 0
        batch.append(index)
    if batch:
        yield batch


def _fits(size: int, longest: int, padding: int, batch_size: int | Literal["auto"]) -> bool:
    """Whether a batch may have this many prompts, the longest of so many tokens, and padding."""
    if batch_size != "auto":
        return size <= batch_size
    tokens = size * longest
    return tokens <= AUTO_BATCH_TOKENS and padding <= max(_PADDING_FLOOR, _PADDING_SHARE * tokens)


def check_batch_size(batch_size: int | Literal["auto"]) -> None:
    """Raise unless a batch size is ``"auto"`` or at least 1.

    Raises:
        SemanticHubError: For any other.
    """
    if batch_size != "auto" and not (isinstance(batch_size, Integral) and batch_size >= 1):
        raise SemanticHubError(
            "batch_size",
            got=repr(batch_size),
            expected='"auto" or a whole number of at least 1',
            fix='Leave it at "auto".',
        )


def equal_length_batches(
    lengths: Sequence[int], new_tokens: int, batch_size: int | Literal["auto"] = "auto"
) -> Iterator[tuple[list[int], int]]:
    """Group prompts of exactly the same length, so that generation needs no padding.

    Args:
        lengths: Tokens in each prompt.
        new_tokens: Tokens that will be added to each.
        batch_size: Prompts in a batch, or ``"auto"``: as many as fit in
            :data:`AUTO_BATCH_TOKENS` tokens.

    Yields:
        Indices into ``lengths``, and the most rows that a batch of such prompts may have.

    Raises:
        SemanticHubError: As :func:`batch_indices`.

    Example:
        >>> [indices for indices, _ in equal_length_batches([2, 5, 2], new_tokens=1)]
        [[0, 2], [1]]
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for index, length in enumerate(lengths):
        groups[length].append(index)
    for length, members in groups.items():
        fitting = max(1, AUTO_BATCH_TOKENS // (length + new_tokens))
        limit = fitting if batch_size == "auto" else batch_size
        for rows in batch_indices([length] * len(members), limit):
            yield [members[row] for row in rows], limit


def halved_to_fit(
    run: Callable[[Sequence[int]], Result],
    indices: Sequence[int],
    batch_size: int | Literal["auto"] = "auto",
) -> Iterator[Result]:
    """Run a batch; if it does not fit into the GPU's memory, each half of it, and so on.

    Args:
        run: From the members of a batch to what comes of it.
        indices: The members.
        batch_size: A number that was asked for is not halved.

    Yields:
        What came of each batch that fitted.

    Example:
        >>> list(halved_to_fit(sum, [1, 2, 3]))
        [6]
    """
    result: list[Result] = []
    try:
        result.append(run(indices))
    except torch.cuda.OutOfMemoryError:
        if batch_size != "auto" or len(indices) == 1:
            raise
    if result:
        yield result[0]
        return
    half = len(indices) // 2  # after the except block, so that the failed pass's memory is free
    yield from halved_to_fit(run, indices[:half])
    yield from halved_to_fit(run, indices[half:])


def pad(
    model: HookedModel,
    encodings: Sequence[Encoding],
    indices: Sequence[int],
    side: Literal["left", "right"] = "right",
) -> Batch:
    """Make one padded batch of the encodings at some indices.

    Args:
        model: Its tokenizer's padding token is used where it has one (masked out in any case).
        encodings: All prompts of the caller.
        indices: The prompts of this batch.
        side: Where the padding goes.

    Returns:
        Tokens and attention mask, ``[batch, pos]``, on the CPU.

    Raises:
        SemanticHubError: If ``side`` is neither ``"left"`` nor ``"right"``.
    """
    if side not in ("left", "right"):
        raise SemanticHubError(
            "padding_side",
            got=repr(side),
            expected='"left" or "right"',
            fix='Leave it at "right".',
        )
    rows = [list(encodings[index].tokens) for index in indices]
    longest = max(map(len, rows))
    gaps = [longest - len(row) for row in rows]
    offsets = gaps if side == "left" else [0] * len(rows)
    padding = _padding_id(model)
    before_after = [(offset, gap - offset) for offset, gap in zip(offsets, gaps, strict=True)]
    tokens = [
        [padding] * before + row + [padding] * after
        for row, (before, after) in zip(rows, before_after, strict=True)
    ]
    mask = [
        [0] * before + [1] * len(row) + [0] * after
        for row, (before, after) in zip(rows, before_after, strict=True)
    ]
    return Batch(tuple(indices), torch.tensor(tokens), torch.tensor(mask), tuple(offsets))


def _padding_id(model: HookedModel) -> int:
    """The tokenizer's padding token if the model has an embedding for it, else 0."""
    padding = getattr(model.tokenizer, "pad_token_id", None)
    return padding if padding is not None and 0 <= padding < model.cfg.d_vocab else 0
