"""Perplexity of generated texts, computed on the very tokens that were generated."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from semantic_hub.activations.batches import Batch, batch_indices, pad
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import check_predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding


def perplexity(
    scoring_model: HookedModel, generated_by: HookedModel, *, batch_size: int = 8
) -> Scorer:
    """Make a scorer of perplexity given the prompt: exp(−mean log p(token | all before it)).

    The mean is over the new tokens alone. The generated ids themselves are scored, so that the
    boundary between prompt and continuation is exact; text is never tokenized again.

    Args:
        scoring_model: The model that scores. It may be the generating one, without its hooks.
        generated_by: The model that wrote the texts.
        batch_size: Texts per batch.

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

    def score(generations: Sequence[Generation]) -> list[float]:
        encodings = [_whole(generation) for generation in generations]
        _check_features(encodings, scoring_model is generated_by)
        _check_context(scoring_model, encodings)
        scores = [float("nan")] * len(generations)
        for index, log_probs in _log_probs(scoring_model, encodings, batch_size).items():
            new = log_probs[len(generations[index].prompt_tokens) - 1 : len(encodings[index]) - 1]
            scores[index] = float(new.double().mean().neg().exp())
        return scores

    return score


def _whole(generation: Generation) -> Encoding:
    """Prompt and continuation as one encoding."""
    tokens = generation.prompt_tokens + generation.new_tokens
    return Encoding(tokens, slice(0, len(tokens)), generation.soft)


def _log_probs(
    model: HookedModel, encodings: Sequence[Encoding], batch_size: int
) -> dict[int, Float[Tensor, " next"]]:
    """Mapping from text to log-probabilities of its tokens, and of the padding behind them."""
    injector, log_probs = FeatureInjector(model, encodings), {}
    with injector.injecting():
        for indices in batch_indices([len(encoding) for encoding in encodings], batch_size):
            batch = pad(model, encodings, indices)
            injector.start(batch)
            log_probs.update(zip(indices, _batch_log_probs(model, batch), strict=True))
    return log_probs


@torch.no_grad()
def _batch_log_probs(model: HookedModel, batch: Batch) -> Float[Tensor, "batch next"]:
    """Log-probability of every token but the first, given all before it; on the CPU."""
    device = model.cfg.device
    tokens = batch.tokens.to(device)
    logits = model(tokens, attention_mask=batch.attention_mask.to(device), return_type="logits")
    rows = zip(logits[:, :-1], tokens[:, 1:].to(logits.device), strict=True)
    losses = [cross_entropy(row.float(), target, reduction="none") for row, target in rows]
    return -torch.stack(losses).cpu()


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
