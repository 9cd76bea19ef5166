"""Perplexity of generated texts, computed on the very tokens that were generated."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture_layers
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.lenses.projection import score
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding


def perplexity(
    scoring_model: HookedModel,
    generated_by: HookedModel,
    *,
    batch_size: int | Literal["auto"] = "auto",
) -> Scorer:
    """Make a scorer of perplexity given the prompt: exp(−mean log p(token | all before it)).

    The mean is over the new tokens alone. The generated ids themselves are scored, so that the
    boundary between prompt and continuation is exact; text is never tokenized again. Logits are
    computed where a new token is predicted, a block at a time, so that memory does not grow with
    the texts.

    Args:
        scoring_model: The model that scores. It may be the generating one, without its hooks.
        generated_by: The model that wrote the texts.
        batch_size: Texts per batch; ``"auto"`` fills a fixed number of tokens, and halves batches
            that do not fit into the GPU's memory.

    Returns:
        A scorer, 1 to infinity; NaN for an empty continuation.

    Raises:
        SemanticHubError: A scoring model with another vocabulary, without next-token predictions
            or, when called, with too short a context, or that is not the generating one where a
            prompt holds features: only that model can read them.

    Example:
        >>> from semantic_hub.interventions.text.generation import Sampling, generate_texts
        >>> texts = generate_texts(model, ["bad, sad,"], Sampling(max_new_tokens=8, seeds=(0,)))
        >>> perplexity(model, model)(texts)[0] > 1
        True
    """
    check_model(scoring_model)
    check_predicts_next_token(scoring_model, "perplexity")
    _check_vocabulary(scoring_model, generated_by)

    def perplexities(generations: Sequence[Generation]) -> list[float]:
        written = {
            i: generation for i, generation in enumerate(generations) if generation.new_tokens
        }
        encodings = [_whole(generation) for generation in written.values()]
        _check_features(encodings, scoring_model is generated_by)
        _check_context(scoring_model, encodings)
        starts = [len(generation.prompt_tokens) for generation in written.values()]
        log_probs = _log_probs(scoring_model, encodings, starts, batch_size)
        known = {
            i: float(row.double().mean().neg().exp())
            for i, row in zip(written, log_probs, strict=True)
        }
        return [known.get(index, float("nan")) for index in range(len(generations))]

    return perplexities


def _whole(generation: Generation) -> Encoding:
    """Prompt and continuation as one encoding."""
    tokens = generation.prompt_tokens + generation.new_tokens
    return Encoding(tokens, slice(0, len(tokens)), generation.soft)


def _log_probs(
    model: HookedModel,
    encodings: Sequence[Encoding],
    starts: Sequence[int],
    batch_size: int | Literal["auto"],
) -> list[Float[Tensor, " new"]]:
    """Log-probabilities of each text's tokens from a start on, each given all tokens before it."""
    last = [model.cfg.n_layers]
    new = [encoding.tokens[start:] for encoding, start in zip(encodings, starts, strict=True)]
    before = [range(start - 1, start - 1 + len(n)) for start, n in zip(starts, new, strict=True)]
    log_probs = [torch.empty(0)] * len(encodings)

    def read(captured: Captured, states: Float[Tensor, "position layer d_model"]) -> None:
        targets = [[[token]] for index in captured.prompts for token in new[index]]
        log_prob, _ = score(model, states, last, targets, ranks=False)
        rows = log_prob.flatten().split([len(new[index]) for index in captured.prompts])
        for index, row in zip(captured.prompts, rows, strict=True):
            log_probs[index] = row

    capture_layers(model, encodings, before, last, read, batch_size=batch_size)
    return log_probs


def _check_vocabulary(scoring_model: HookedModel, generated_by: HookedModel) -> None:
    """Raise unless both models have the same vocabulary."""
    if scoring_model is generated_by:
        return
    ours, theirs = scoring_model.tokenizer, generated_by.tokenizer
    if ours is None or theirs is None or ours.get_vocab() != theirs.get_vocab():
        raise SemanticHubError(
            "perplexity",
            got=f"a scoring model ({scoring_model.cfg.model_name}) with another vocabulary than "
            f"the generating one ({generated_by.cfg.model_name})",
            expected="the same vocabulary, since texts are scored by their token ids",
            fix="Score by a model of the same family, or by the generating model itself.",
        )


def _check_context(model: HookedModel, encodings: Sequence[Encoding]) -> None:
    """Raise where a text is longer than the model's context."""
    longest = max(map(len, encodings), default=0)
    if longest > model.cfg.n_ctx:
        raise SemanticHubError(
            "perplexity",
            got=f"a text of {longest} tokens",
            expected=f"at most {model.cfg.n_ctx}, the scoring model's context",
            fix="Generate shorter texts, or score by a model with a longer context.",
        )


def _check_features(encodings: Sequence[Encoding], same_model: bool) -> None:
    """Raise where features would be scored by another model than they were made for."""
    if not same_model and any(encoding.soft for encoding in encodings):
        raise SemanticHubError(
            "perplexity",
            got="prompts with features, and another model than the one that they were made for",
            expected="the generating model",
            fix="Score these texts by the model that wrote them.",
        )
