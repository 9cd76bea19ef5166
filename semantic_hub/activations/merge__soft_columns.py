"""Which columns of the batch that a model is about to read hold features, and which features."""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.soft_tokens import PlacedSoftTokens


@dataclass(frozen=True, eq=False)
class SoftColumns:
    """The features of a batch.

    Args:
        shape: Rows and columns of the batch.
        spans: For each row the columns of each of its spans.
        rows: The row of every feature.
        columns: Its column.
        features: The features, span by span.
    """

    shape: tuple[int, int]
    spans: tuple[tuple[range, ...], ...]
    rows: Int[Tensor, " place"]
    columns: Int[Tensor, " place"]
    features: Float[Tensor, "place d_model"]

    @classmethod
    def of(
        cls, soft: Sequence[Sequence[PlacedSoftTokens]], offsets: Sequence[int], width: int
    ) -> "SoftColumns":
        """Where a batch holds its prompts' features.

        Args:
            soft: Each prompt's spans.
            offsets: Each prompt's first column.
            width: Columns of the batch.
        """
        spans = tuple(
            tuple(range(offset + p.positions.start, offset + p.positions.stop) for p in placed)
            for placed, offset in zip(soft, offsets, strict=True)
        )
        where = [(row, column) for row, of in enumerate(spans) for span in of for column in span]
        features = [place.span.features for placed in soft for place in placed]
        rows, columns = torch.tensor(where, dtype=torch.long).reshape(-1, 2).T
        together = torch.cat(features) if features else torch.empty(0, 0)
        return cls((len(spans), width), spans, rows, columns, together)


_announced: "weakref.WeakKeyDictionary[Any, SoftColumns | None]" = weakref.WeakKeyDictionary()


@contextmanager
def announcing(model: HookedModel) -> Iterator[None]:
    """For the time of the context, `announce` tells what the model reads; then as it was before."""
    before = _announced.get(model)
    _announced[model] = None
    try:
        yield
    finally:
        _announced[model] = before


def announce(model: HookedModel, soft: SoftColumns) -> None:
    """Say what the model reads next."""
    _announced[model] = soft


def announced(model: HookedModel, shape: Sequence[int]) -> SoftColumns | None:
    """The features of the batch that the model reads; None if it has none.

    Args:
        model: The model.
        shape: Rows and columns that it reads.

    Raises:
        SemanticHubError: A batch of another shape than the announced one.
    """
    soft = _announced.get(model)
    if soft is not None and soft.shape != tuple(shape):
        raise SemanticHubError(
            "soft tokens",
            got=f"a forward pass over {tuple(shape)} tokens",
            expected=f"{soft.shape}, the prompts whose features are in place",
            fix="Pass the batch's own tokens, or leave the context first.",
        )
    return soft
