"""Scorers of generated texts: sentiment and relevance, by models of the user's choice.

A scorer is any function from generations to one number each; NaN means that a text has no score,
as an empty one has no sentiment. More of them: `semantic_hub.interventions.text.likelihood` and
`semantic_hub.spokes.language.share`.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation
from semantic_hub.models.bars import without_bars_in_logs

Scorer = Callable[[Sequence[Generation]], Sequence[float]]
"""From generations to one number for each, NaN where there is none."""

Name = str | PathLike[str]
"""Name or folder of a model."""

Loaded = TypeVar("Loaded")

LABELS: Mapping[str, float] = {
    "positive": 1.0,
    "pos": 1.0,
    "neutral": 0.0,
    "neu": 0.0,
    "negative": -1.0,
    "neg": -1.0,
}
"""Sentiment that a classifier's label stands for, in lower case."""


def sentiment_classifier(
    name_or_path: Name,
    labels: Mapping[str, float] | None = None,
    *,
    device: str | torch.device | None = None,
    batch_size: int = 16,
) -> Scorer:
    """Make a scorer of sentiment from a transformers classifier: P(positive) − P(negative).

    Args:
        name_or_path: A text classification model, by name or folder.
        labels: The value of each of its labels, such as ``{"1 star": -1, "5 stars": 1}``; the
            score is then Σ P(label) · value. None where the labels are called as in `LABELS`.
        device: Where it runs; None leaves the choice to transformers.
        batch_size: Texts per batch.

    Returns:
        A scorer, −1 to 1 (with values of your own, between the least and the greatest of them);
        NaN for an empty continuation. Texts that are too long for the classifier are cut.

    Raises:
        SemanticHubError: No such model, or labels whose sentiment is unknown.
    """
    from transformers import pipeline

    classifier: Any = _load(
        "sentiment_classifier",
        name_or_path,
        lambda name: pipeline("text-classification", model=name, device=device, top_k=None),
    )
    values = _label_values(list(classifier.model.config.id2label.values()), labels)
    cut = {"truncation": True, "max_length": _longest(classifier.tokenizer, classifier.model)}

    def score(generations: Sequence[Generation]) -> list[float]:
        texts = _texts(generations)
        outputs = classifier([text for _, text in texts], batch_size=batch_size, **cut)
        scores = [float("nan")] * len(generations)
        for (index, _), labeled in zip(texts, outputs, strict=True):
            scores[index] = sum(values[label["label"]] * label["score"] for label in labeled)
        return scores

    return score


def relevance(
    name_or_path: Name,
    *,
    prefix: str = "",
    device: str | torch.device = "cpu",
    batch_size: int = 16,
) -> Scorer:
    """Make a scorer of relevance to the prompt: cosine of two sentence embeddings.

    An embedding is the mean of the encoder's last states over all tokens that are not padding.

    Args:
        name_or_path: A sentence encoder of transformers, by name or folder, such as one of the
            multilingual ones of sentence-transformers.
        prefix: What the encoder wants before every text, as ``"query: "`` for the E5 models.
        device: Where it runs.
        batch_size: Texts per batch.

    Returns:
        A scorer, −1 to 1; NaN for an empty continuation. Texts that are too long are cut.

    Raises:
        SemanticHubError: No such model.

    Source:
        Reimers and Gurevych 2019, arXiv 1908.10084 (mean pooling).
    """
    from transformers import AutoModel, AutoTokenizer

    tokenizer = _load("relevance", name_or_path, AutoTokenizer.from_pretrained)
    encoder = _load("relevance", name_or_path, AutoModel.from_pretrained).to(device).eval()

    def score(generations: Sequence[Generation]) -> list[float]:
        texts = _texts(generations)
        continuations = [prefix + text for _, text in texts]
        prompts = [prefix + generations[index].prompt_text for index, _ in texts]
        embeddings = _embeddings(tokenizer, encoder, [*prompts, *continuations], batch_size)
        before, after = embeddings[: len(texts)], embeddings[len(texts) :]
        cosines = torch.cosine_similarity(before, after, dim=-1).tolist()
        scores = [float("nan")] * len(generations)
        for (index, _), cosine in zip(texts, cosines, strict=True):
            scores[index] = cosine
        return scores

    return score


def _texts(generations: Sequence[Generation]) -> list[tuple[int, str]]:
    """Index and text of the continuations that are not empty."""
    texts = [(index, generation.text.strip()) for index, generation in enumerate(generations)]
    return [(index, text) for index, text in texts if text]


@torch.no_grad()
def _embeddings(
    tokenizer: Any, encoder: Any, texts: Sequence[str], batch_size: int
) -> Float[Tensor, "text d_model"]:
    """Mean of the encoder's last states over the tokens of each text."""
    means = []
    length = _longest(tokenizer, encoder)
    options = {"padding": True, "truncation": True, "max_length": length, "return_tensors": "pt"}
    for start in range(0, len(texts), batch_size):
        inputs = tokenizer(list(texts[start : start + batch_size]), **options)
        states = encoder(**inputs.to(encoder.device)).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None].to(states)
        means.append(((states * mask).sum(dim=1) / mask.sum(dim=1)).cpu())
    return torch.cat(means) if means else torch.empty(0, 1)


def _longest(tokenizer: Any, network: Any) -> int:
    """Largest number of tokens that a model reads; its tokenizer may not know it."""
    positions = getattr(network.config, "max_position_embeddings", tokenizer.model_max_length)
    return min(tokenizer.model_max_length, positions)


def _label_values(names: Sequence[str], labels: Mapping[str, float] | None) -> dict[str, float]:
    """Value of each of a classifier's labels; raise where one is unknown."""
    known = LABELS if labels is None else {key.lower(): value for key, value in labels.items()}
    unknown = [name for name in names if name.lower() not in known]
    values = {name: known[name.lower()] for name in names if name not in unknown}
    if unknown or len(set(values.values())) < 2:
        raise SemanticHubError(
            "sentiment_classifier",
            got=f"a classifier with the labels {', '.join(names)}",
            expected="labels that say which is positive and which negative",
            fix='Say what each label means, as labels={"LABEL_0": -1, "LABEL_1": 1}.',
        )
    return values


@without_bars_in_logs()
def _load(operation: str, name: Name, load: Callable[[str], Loaded]) -> Loaded:
    """Load a model or tokenizer; raise if there is none of this name."""
    try:
        return load(str(name))
    except (OSError, ValueError) as error:
        raise SemanticHubError(
            operation,
            got=f"{name}: {str(error).splitlines()[0]}",
            expected="a model that transformers can load",
            fix="Give the name of a model that is on this machine, or its folder.",
        ) from None
