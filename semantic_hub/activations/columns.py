"""Which columns of a batch are padding, which a BOS, and which its prompts' own tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from semantic_hub.activations.merge__soft_columns import SoftColumns, announced
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.protocol import HookedModel


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
