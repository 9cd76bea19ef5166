"""What a checkpoint's own files say of its texts: whether BOS begins them, which tokens end them.

TransformerLens puts a BOS token before every text, and ends one at the tokenizer's end token alone.
Here the checkpoint decides: BOS where its own tokenizer puts one, and every end token that its
``generation_config.json`` names.
"""

import weakref
from collections.abc import Sequence
from typing import Any

from semantic_hub.errors import SemanticHubError, as_list, check_kinds
from semantic_hub.models.protocol import HookedModel

_end_tokens: "weakref.WeakKeyDictionary[Any, tuple[int, ...]]" = weakref.WeakKeyDictionary()
"""Model to the end tokens that its checkpoint names."""


def begins_with_bos(tokenizer: Any) -> bool:
    """Whether a tokenizer puts a BOS or ``[CLS]`` before a text by itself.

    Example:
        >>> begins_with_bos(model.tokenizer)
        True
    """
    marks = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None}
    return bool(marks.intersection(tokenizer("a")["input_ids"][:1]))


def follow_checkpoint(model: HookedModel, tokenizer: Any, generation_config: Any) -> None:
    """Make a model's texts begin and end as its checkpoint says.

    Args:
        model: A model that was just loaded.
        tokenizer: The checkpoint's own tokenizer; TransformerLens reloads it with a BOS.
        generation_config: The checkpoint's, or None.
    """
    if tokenizer is not None and model.tokenizer is not None:
        model.cfg.default_prepend_bos = begins_with_bos(tokenizer)
        model.cfg.tokenizer_prepends_bos = begins_with_bos(model.tokenizer)
    named = getattr(generation_config, "eos_token_id", None)
    _end_tokens[model] = () if named is None else (named,) if isinstance(named, int) else (*named,)


def set_conventions(
    model: HookedModel, prepend_bos: bool | None, end_tokens: int | Sequence[int] | None
) -> None:
    """Set a model's conventions to others than its checkpoint's, where they are not None.

    Raises:
        SemanticHubError: One of a wrong kind, or an end token that is not in the vocabulary.
    """
    check_kinds("load_model", prepend_bos=(prepend_bos, (bool, None)))
    if prepend_bos is not None:
        model.cfg.default_prepend_bos = prepend_bos
    if end_tokens is not None:
        chosen = tuple(as_list("load_model", "end_tokens", end_tokens, int))
        outside = [token for token in chosen if not 0 <= token < model.cfg.d_vocab]
        if outside:
            raise SemanticHubError(
                "load_model",
                got=f"end_tokens with {outside[0]}",
                expected=f"ids from 0 to {model.cfg.d_vocab - 1}",
                fix="Look them up with model.tokenizer.convert_tokens_to_ids.",
            )
        _end_tokens[model] = chosen


def copy_conventions(model: HookedModel, twin: HookedModel) -> None:
    """Give a model the conventions of another one that has the same tokenizer."""
    twin.cfg.default_prepend_bos = model.cfg.default_prepend_bos
    twin.cfg.tokenizer_prepends_bos = model.cfg.tokenizer_prepends_bos
    if model in _end_tokens:
        _end_tokens[twin] = _end_tokens[model]


def end_tokens(model: HookedModel) -> tuple[int, ...]:
    """Tokens that end a text: those that the checkpoint names, and its tokenizer's; sorted.

    Example:
        >>> end_tokens(model) == (model.tokenizer.eos_token_id,)
        True
    """
    own = getattr(model.tokenizer, "eos_token_id", None)
    return tuple(sorted({*_end_tokens.get(model, ()), *(() if own is None else (own,))}))
