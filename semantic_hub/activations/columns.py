"""Which columns of a batch are padding, which a BOS, and which its prompts' own tokens."""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
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


@dataclass(frozen=True, eq=False)
class PromptColumns:
    """The columns of a batch of prompts.

    Args:
        real: False for padding.
        bos: Whether a row's first real token is a BOS, or ``[CLS]``, which are no token of its own.
        soft: Where their features are; None if they have none.
    """

    real: Bool[Tensor, "batch pos"]
    bos: Bool[Tensor, " batch"]
    soft: SoftColumns | None = None

    def own(self, row: int) -> list[int]:
        """The columns of a prompt's own tokens."""
        return self.real[row].nonzero().flatten().tolist()[int(self.bos[row]) :]

    def spans(self, row: int) -> tuple[range, ...]:
        """The columns of each of a prompt's spans of features."""
        return () if self.soft is None else self.soft.spans[row]


def prompt_columns(model: HookedModel, arguments: Mapping[str, Any]) -> PromptColumns:
    """The columns of the prompts that a forward pass is given.

    Padding is what the pass's own attention mask says, else what TransformerLens reads off the
    tokens; a prompt by itself has none.

    Args:
        model: The model.
        arguments: What its ``forward`` is called with, by name.

    Raises:
        SemanticHubError: A row that is padding throughout, or a batch other than the one whose
            features are in place.
    """
    tokens, mask = input_tokens(model, arguments), arguments.get("attention_mask")
    if mask is None or mask.ndim != 2:
        mask = torch.ones(tokens.shape[:2]) if tokens.ndim > 2 else _mask(model, tokens, arguments)
    real = mask.bool().cpu()
    if not real.any(dim=1).all():
        raise SemanticHubError(
            "steer",
            got="a prompt that is padding throughout",
            expected="at least one real token in each row",
            fix="Mend the attention mask, or leave the row out.",
        )
    soft = announced(model, real.shape)
    return PromptColumns(real, _starts_with_bos(model, tokens, real), soft)


def input_tokens(model: HookedModel, arguments: Mapping[str, Any]) -> Tensor:
    """The ``input`` of a call: ``[batch pos]`` tokens, made as the model itself makes them.

    Embeddings, ``[batch pos d_model]``, are returned as they are unless their ``tokens`` are given.

    Args:
        model: The model.
        arguments: What its ``forward`` or ``generate`` is called with, by name.
    """
    given = arguments.get("input", "")
    if isinstance(given, str | list):
        options = {
            name: arguments[name] for name in ("prepend_bos", "padding_side") if name in arguments
        }
        return model.to_tokens(given, **options).cpu()
    if is_embedded(given):
        known = arguments.get("tokens")
        return given if known is None else known.cpu()
    tokens = torch.as_tensor(given).cpu()
    return tokens[None] if tokens.ndim == 1 else tokens


def is_embedded(given: object) -> bool:
    """Whether an input is embeddings and not tokens or text."""
    return isinstance(given, Tensor) and given.is_floating_point()


def _mask(
    model: HookedModel, tokens: Int[Tensor, "batch pos"], arguments: Mapping[str, Any]
) -> Int[Tensor, "batch pos"]:
    """The mask that TransformerLens reads off the tokens; all true for one prompt."""
    from transformer_lens.utilities.tokenize_utils import get_attention_mask

    if len(tokens) == 1 or getattr(model.tokenizer, "pad_token_id", None) is None:
        return torch.ones_like(tokens)
    return get_attention_mask(
        model.tokenizer,
        tokens,
        bool(model.cfg.default_prepend_bos),
        arguments.get("padding_side"),
    )


def _starts_with_bos(
    model: HookedModel, tokens: Tensor, real: Bool[Tensor, "batch pos"]
) -> Bool[Tensor, " batch"]:
    if model.tokenizer is None or tokens.ndim > 2:
        return torch.zeros(len(real), dtype=torch.bool)
    marks = {model.tokenizer.bos_token_id, model.tokenizer.cls_token_id} - {None}
    first = tokens.gather(1, real.int().argmax(dim=1, keepdim=True))
    return torch.isin(first.flatten(), torch.tensor(sorted(marks), dtype=first.dtype))
