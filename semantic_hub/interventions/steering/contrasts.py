"""Make directions from the states of contrasting prompts, or from the unembeddings of words."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import unembedding
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, PromptLike, Prompts, as_prompt, as_prompts
from semantic_hub.prompts.words import Tokens, continuation, word_tokens


def activation_difference(
    model: HookedModel, plus: PromptLike, minus: PromptLike, layer: int, position: int = -1
) -> Direction:
    """Difference of two prompts' states at one position: ``h(plus) − h(minus)`` (ActAdd).

    Args:
        model: The model whose states are read.
        plus: What to steer towards.
        minus: What to steer away from.
        layer: Where, 0..n_layers.
        position: Among each prompt's own tokens, from the end if negative; a `Prompt` that has a
            ``position`` keeps it.

    Returns:
        One vector, float32 on the CPU.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`.

    Example:
        >>> direction = activation_difference(model, "good", "bad", layer=4)
        >>> direction.description, tuple(direction.vector.shape) == (model.cfg.d_model,)
        ("h('good') − h('bad')", True)

    Source:
        Turner et al. 2023, Activation Addition, arXiv 2308.10248.
    """
    operation = "activation_difference"
    check_kinds(operation, layer=(layer, int), position=(position, int))
    pair = [
        _at_position(as_prompt(prompt, operation, name), position)
        for name, prompt in (("plus", plus), ("minus", minus))
    ]
    difference = paired_differences(model, pair[:1], pair[1:], [layer])[layer].mean()
    return replace(difference, description=f"h({_describe(pair[0])}) − h({_describe(pair[1])})")


def mean_difference(
    model: HookedModel,
    plus_prompts: Prompts,
    minus_prompts: Prompts,
    layer: int,
) -> Direction:
    """Mean state of some prompts minus the mean state of others, at one layer.

    Args:
        model: The model whose states are read.
        plus_prompts: What to steer towards.
        minus_prompts: What to steer away from; their number may differ.
        layer: Where, 0..n_layers.

    Returns:
        One vector, float32 on the CPU.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`.

    Example:
        >>> mean_difference(model, ["good", "great"], ["bad"], layer=4).layer
        4
    """
    return mean_differences(model, plus_prompts, minus_prompts, [layer])[layer]


def mean_differences(
    model: HookedModel,
    plus_prompts: Prompts,
    minus_prompts: Prompts,
    layers: int | Sequence[int] | None = None,
) -> dict[int, Direction]:
    """`mean_difference` at several layers, from one forward pass of every prompt.

    Args:
        model: The model whose states are read.
        plus_prompts: What to steer towards.
        minus_prompts: What to steer away from.
        layers: 0..n_layers; None for all.

    Returns:
        Mapping from layer to direction.

    Raises:
        SemanticHubError: As `semantic_hub.residual_stream`.
    """
    plus, minus = _states(model, plus_prompts, minus_prompts, layers)
    description = f"mean of h over {len(plus)} prompts − over {len(minus)}"
    vectors = plus.mean(dim=0) - minus.mean(dim=0)
    return _by_layer(model, layers, vectors, torch.cat([plus, minus]), description)


def paired_differences(
    model: HookedModel,
    plus_prompts: Prompts,
    minus_prompts: Prompts,
    layers: int | Sequence[int] | None = None,
) -> dict[int, Direction]:
    """Difference of states for each pair of prompts, ``h(plus_i) − h(minus_i)``, at several layers.

    What a prompt should be moved towards often differs: in a sum from a to a + 1. Such a direction
    steers a batch of exactly as many prompts, prompt i by row i.

    Args:
        model: The model whose states are read, in one forward pass of every prompt.
        plus_prompts: What to steer prompt i towards.
        minus_prompts: What to steer it away from, as many.
        layers: 0..n_layers; None for all.

    Returns:
        Mapping from layer to direction, each with a row for every pair.

    Raises:
        SemanticHubError: Lists of different length, or as `semantic_hub.residual_stream`.

    Example:
        >>> steps = paired_differences(model, ["two", "three"], ["one", "two"], layers=[3, 4])
        >>> steps[3].n_rows, steps[3].mean().n_rows
        (2, None)
    """
    plus_prompts = as_prompts("paired_differences", "plus_prompts", plus_prompts)
    minus_prompts = as_prompts("paired_differences", "minus_prompts", minus_prompts)
    if len(plus_prompts) != len(minus_prompts):
        raise SemanticHubError(
            "paired_differences",
            got=f"{len(plus_prompts)} and {len(minus_prompts)} prompts",
            expected="one minus for each plus",
            fix="Pair them, or take mean_differences.",
        )
    plus, minus = _states(model, plus_prompts, minus_prompts, layers)
    description = f"h(plus) − h(minus) of {len(plus)} pairs"
    vectors = (plus - minus).transpose(0, 1)
    return _by_layer(model, layers, vectors, torch.cat([plus, minus]), description)


def unembedding_difference(
    model: HookedModel,
    plus_word: str,
    minus_word: str,
    *,
    before: Tokens = (),
    exact: bool = False,
) -> Direction:
    """Difference of two words' unembeddings, ``U[plus] − U[minus]``.

    A word's unembedding is the mean over its spellings (with and without a space before it) that
    are one token and can stand in the place. That of a single spelling, as Wu et al. use it, points
    elsewhere: ask for it with `exact`.

    Args:
        model: A decoder with a tokenizer.
        plus_word: The word to make likelier.
        minus_word: The word to make less likely.
        before: The place of both: tokens that they follow, as
            `semantic_hub.prompts.words.places` gives them; none for a line break.
        exact: Take the one token of each word as it is written: ``" good"`` with its space.

    Returns:
        One vector, float32 on the CPU, without a layer: use ``.at(layer)`` to steer.

    Raises:
        SemanticHubError: No tokenizer, or a word that is not one token.

    Example:
        >>> unembedding_difference(model, "good", "bad").at(4).layer
        4
        >>> unembedding_difference(model, " good", " bad", exact=True).description
        'U[ good] − U[ bad]'
    """
    check_kinds(
        "unembedding_difference",
        plus_word=(plus_word, str),
        minus_word=(minus_word, str),
        exact=(exact, bool),
    )
    plus, minus = (
        _word_unembedding(model, word, before, exact) for word in (plus_word, minus_word)
    )
    return Direction(plus - minus, None, f"U[{plus_word}] − U[{minus_word}]")


def word_columns(
    tokenizer: PreTrainedTokenizerBase, word: str, *, before: Tokens, exact: bool
) -> Tokens:
    """Tokens whose unembeddings stand for a word; none where it is several tokens, or unknown.

    Args:
        tokenizer: The model's tokenizer.
        word: The word.
        before: The tokens that it follows.
        exact: Whether it is the one spelling that is written, wherever it stands.

    Example:
        >>> [len(word_columns(model.tokenizer, word, before=(), exact=True))
        ...  for word in (" good", "hippopotamus")]
        [1, 0]
    """
    if not exact:
        return word_tokens(tokenizer, word, before=before).single
    tokens = continuation(tokenizer, word)
    return tokens if len(tokens) == 1 and tokenizer.unk_token_id not in tokens else ()


def _at_position(prompt: Prompt, position: int) -> Prompt:
    """A prompt that is read at a position, unless it has one itself."""
    return prompt if prompt.position is not None else replace(prompt, position=position)


def _describe(prompt: Prompt) -> str:
    """Text or tokens of a prompt, and its features."""
    content = repr(prompt.tokens if prompt.tokens is not None else prompt.shown())
    features = ", ".join(map(repr, prompt.soft))
    return f"{content} with {features}" if features else content


def _states(
    model: HookedModel,
    plus_prompts: Prompts,
    minus_prompts: Prompts,
    layers: int | Sequence[int] | None,
) -> tuple[Float[Tensor, "plus layer d_model"], Float[Tensor, "minus layer d_model"]]:
    """States of both lists of prompts, from one pass."""
    plus_prompts = as_prompts("directions", "plus_prompts", plus_prompts)
    minus_prompts = as_prompts("directions", "minus_prompts", minus_prompts)
    states = residual_stream(model, [*plus_prompts, *minus_prompts], layers=layers)
    return states[: len(plus_prompts)], states[len(plus_prompts) :]


def _by_layer(
    model: HookedModel,
    layers: int | Sequence[int] | None,
    vectors: Float[Tensor, "layer *prompt d_model"],
    states: Float[Tensor, "state layer d_model"],
    description: str,
) -> dict[int, Direction]:
    """One direction for each layer, with the mean norm of the states that it was made from."""
    norms = states.norm(dim=-1).mean(dim=0).tolist()
    return {
        layer: Direction(vector, layer, description, norm)
        for layer, vector, norm in zip(check_layers(model, layers), vectors, norms, strict=True)
    }


def _word_unembedding(
    model: HookedModel, word: str, before: Tokens, exact: bool
) -> Float[Tensor, " d_model"]:
    """Mean unembedding of a word's spellings that are one token, or of the one that is written."""
    if check_model(model).tokenizer is None:
        raise SemanticHubError(
            "unembedding_difference",
            got="a model without a tokenizer",
            expected="one that knows words",
            fix="Set model.tokenizer.",
        )
    tokens = word_columns(model.tokenizer, word, before=before, exact=exact)
    if not tokens:
        problem = word_tokens(model.tokenizer, word, before=before).problem
        raise SemanticHubError(
            "unembedding_difference",
            got=f"{word!r}: {problem or 'longer than one token'}",
            expected="a word that is one token" + " as it is written" * exact,
            fix="Choose words that this tokenizer knows whole.",
        )
    weights, _ = unembedding(model)
    return weights[:, list(tokens)].float().mean(dim=1).cpu()
