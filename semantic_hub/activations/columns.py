"""Columns of a batch: which are padding, BOS, a prompt's own tokens, or features.

A hook sees activations by row and column of a batch, a researcher counts tokens of a prompt. This
module translates between the two.

The features of the batch that a model reads next are kept here per model (`_batch_features`), and
not passed as an argument: hooks that need them, such as those of `semantic_hub.steer`, are called
by the model, which hands them activations alone. `expect_batch_features` limits that to a context.
"""

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
    """Features of the prompts in a batch, with the row and column of each.

    Args:
        shape: Rows and columns of the batch.
        spans: For each row the columns of each of its spans.
        rows: For each feature its row.
        columns: For each feature its column.
        features: The features, span by span.
    """

    shape: tuple[int, int]
    spans: tuple[tuple[range, ...], ...]
    rows: Int[Tensor, " position"]
    columns: Int[Tensor, " position"]
    features: Float[Tensor, "position d_model"]

    @classmethod
    def of(
        cls, soft: Sequence[Sequence[PlacedSoftTokens]], offsets: Sequence[int], width: int
    ) -> "SoftColumns":
        """Compute the row and column of each feature of a batch's prompts.

        Args:
            soft: Each prompt's spans.
            offsets: Each prompt's first column.
            width: Columns of the batch.
        """
        spans = tuple(
            tuple(range(offset + p.positions.start, offset + p.positions.stop) for p in placed)
            for placed, offset in zip(soft, offsets, strict=True)
        )
        cells = [
            (row, column)
            for row, row_spans in enumerate(spans)
            for span in row_spans
            for column in span
        ]
        features = [place.span.features for placed in soft for place in placed]
        rows, columns = torch.tensor(cells, dtype=torch.long).reshape(-1, 2).T
        together = torch.cat(features) if features else torch.empty(0, 0)
        return cls((len(spans), width), spans, rows, columns, together)


_batch_features: "weakref.WeakKeyDictionary[Any, SoftColumns | None]" = weakref.WeakKeyDictionary()
"""Model to the features of the batch that it reads next; see the module's text."""


@contextmanager
def expect_batch_features(model: HookedModel) -> Iterator[None]:
    """Context that starts without batch features, and restores the former ones on exit."""
    before = _batch_features.get(model)
    try:
        _batch_features[model] = None
        yield
    finally:
        _batch_features[model] = before


def set_batch_features(model: HookedModel, soft: SoftColumns) -> None:
    """Set the features of the batch that the model reads next."""
    _batch_features[model] = soft


def current_batch_features(model: HookedModel, shape: Sequence[int]) -> SoftColumns | None:
    """Get the features that were set for the batch that the model reads; None if none were set.

    Args:
        model: The model.
        shape: Rows and columns of the forward pass.

    Raises:
        SemanticHubError: The shape is not that of the batch whose features were set.
    """
    soft = _batch_features.get(model)
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
    """Padding, BOS and features of a batch of prompts, by column.

    Args:
        real: False for padding.
        bos: Whether a row's first real token is a BOS or ``[CLS]``, which is none of the prompt's
            own tokens.
        soft: Where the prompts' features are; None if they have none.
    """

    real: Bool[Tensor, "batch pos"]
    bos: Bool[Tensor, " batch"]
    soft: SoftColumns | None = None

    def own(self, row: int) -> list[int]:
        """Columns of a row that hold the prompt's own tokens, not padding or BOS."""
        return self.real[row].nonzero().flatten().tolist()[int(self.bos[row]) :]

    def spans(self, row: int) -> tuple[range, ...]:
        """Columns of each span of features in a row."""
        return () if self.soft is None else self.soft.spans[row]


def prompt_columns(model: HookedModel, arguments: Mapping[str, Any]) -> PromptColumns:
    """Find padding, BOS and features in the arguments of a forward pass.

    Padding is taken from the attention mask if one is passed, else from the tokens as
    TransformerLens does it; a single prompt has none.

    Args:
        model: The model.
        arguments: Arguments of its ``forward``, by name.

    Raises:
        SemanticHubError: A row that is all padding, or a batch other than the one whose features
            were set.
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
    soft = current_batch_features(model, real.shape)
    return PromptColumns(real, _starts_with_bos(model, tokens, real), soft)


def input_tokens(model: HookedModel, arguments: Mapping[str, Any]) -> Tensor:
    """Get the tokens ``[batch pos]`` of a call's ``input``; text is tokenized by the model.

    Embeddings, ``[batch pos d_model]``, are returned as they are unless ``tokens`` are passed too.

    Args:
        model: The model.
        arguments: Arguments of its ``forward`` or ``generate``, by name.
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
    """Whether an input is a tensor of embeddings rather than tokens or text."""
    return isinstance(given, Tensor) and given.is_floating_point()


def _mask(
    model: HookedModel, tokens: Int[Tensor, "batch pos"], arguments: Mapping[str, Any]
) -> Int[Tensor, "batch pos"]:
    """The attention mask that TransformerLens makes of the tokens; all ones for a single prompt."""
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
    """Whether the first real token of each row is a BOS or ``[CLS]``."""
    if model.tokenizer is None or tokens.ndim > 2:
        return torch.zeros(len(real), dtype=torch.bool)
    marks = {model.tokenizer.bos_token_id, model.tokenizer.cls_token_id} - {None}
    first = tokens.gather(1, real.int().argmax(dim=1, keepdim=True))
    return torch.isin(first.flatten(), torch.tensor(sorted(marks), dtype=first.dtype))
