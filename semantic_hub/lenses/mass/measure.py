"""Language mass: how much of a layer's next-token probability lies in each language.

It needs no named candidates: the probability of every token of the vocabulary is split among the
languages in whose words the token occurs.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture_layers
from semantic_hub.errors import SemanticHubError, as_list, check_choice, check_kinds
from semantic_hub.lenses.lens import LOGIT, Lens, LensLike, covered_layers, resolve_lens
from semantic_hub.lenses.mass.cache import language_table
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.mass.table import REASONS, THRESHOLD
from semantic_hub.lenses.mass.word_lists import check_languages
from semantic_hub.lenses.projection import lens_logits
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import Positions, read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, Prompts, as_prompts, encode
from semantic_hub.results.result import manifest
from semantic_hub.statistics.resampling import Resampling

Prior = Literal["uniform"] | Mapping[str, float]
"""``"uniform"``, or a weight π(L) for each language, in any unit."""


def language_mass(
    model: HookedModel,
    texts: Prompts,
    languages: Sequence[str],
    *,
    prior: Prior = "uniform",
    threshold: float = THRESHOLD,
    lens: LensLike = LOGIT,
    layers: int | Sequence[int] | None = None,
    positions: Positions = "mean",
    text_language: str | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
    cache_dir: str | Path | None = None,
) -> LanguageMassResult:
    """Next-token probability in each language, read at every layer through a lens.

        mass_l(L) = mean over positions of Σ_v p_l(v) P(L | v)

    p_l is the lens' distribution (see `semantic_hub.logit_lens`). P(L | v) comes from word
    frequencies of each language, tokenized by the model's own tokenizer, by Bayes' rule with the
    prior. Tokens that belong to no language (digits, punctuation, special tokens, tokens in no word
    list, tokens that several languages use) make up a separate bucket, ``shared``, by reason: see
    `semantic_hub.lenses.mass.table.LanguageTable`. Languages and bucket sum to 1.

    Even a uniform distribution has mass: each language's share of the vocabulary. The result holds
    that baseline as `LanguageMassResult.vocabulary`. The word lists are folded to
    lower case, German "ß" to "ss" and Chinese to simplified characters; tokens of traditional ones
    are unlisted, or Japanese where that is among the languages.

    Args:
        model: A decoder.
        texts: Texts, prompts or token ids, usually of one language.
        languages: At least two of the 42 codes of
            `semantic_hub.lenses.mass.word_lists.known_languages`. Mass in a language that is not
            among them is shared, or goes to related languages.
        prior: π(L), ``"uniform"`` or a positive number for each language, in any unit. It decides
            how tokens are split between languages, not which tokens are shared.
        threshold: Smallest share of the evidence, 0 to 1, at which a token counts as a language's;
            below it the token is shared as ambiguous.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        layers: Which layers, 0..n_layers; None for all that the lens covers. The
            result has them in ascending order.
        positions: As in `residual_stream`, but where that averages states, this averages masses:
            every position is read by itself.
        text_language: The language of the texts, one of `languages`, if it is to be followed: see
            `LanguageMassResult.effect_curve`.
        batch_size: Texts per forward pass.
        resampling: Resamples, coverage and seed of the intervals.
        cache_dir: Where language tables are kept; None for the folder of the environment variable
            ``SEMANTIC_HUB_CACHE``, or else the platform's cache folder.

    Returns:
        Mass of every text, layer and language, and shared mass by reason.

    Raises:
        SemanticHubError: An unknown language or fewer than two, no texts, a prior that misses a
            language or is not positive, a threshold out of range, a model without a tokenizer or
            an unembedding (an encoder), a layer or position out of range, NaN or infinity.

    Example:
        >>> import semantic_hub as sh
        >>> mass = language_mass(sh.load_model("hub-mini"), ["el perro es"], ["en", "es"])
        >>> mass.mass.shape, mass.languages
        (torch.Size([1, 9, 2]), ('en', 'es'))
    """
    check_decoder(model, "language_mass")
    lens = resolve_lens(model, lens, "language_mass")
    texts = as_prompts("language_mass", "texts", texts)
    _check_texts(texts)
    languages = as_list("language_mass", "languages", languages, str)
    check_languages(languages, "language_mass")
    check_kinds(
        "language_mass",
        prior=(prior, (str, Mapping)),
        threshold=(threshold, float),
        resampling=(resampling, Resampling),
        cache_dir=(cache_dir, (str, PathLike, None)),
    )
    if text_language is not None:
        check_choice("language_mass", "text_language", text_language, languages)
    weights = _normalized(prior, languages)
    _check_threshold(threshold)
    layers = sorted(set(covered_layers(model, lens, layers, "language_mass")))
    encodings = encode(model, texts)
    positions_read = read_positions(texts, encodings, positions, model)
    table = language_table(model.tokenizer, languages, model.cfg.d_vocab, cache_dir=cache_dir)
    posterior = table.posterior(weights, threshold)
    mass = _read_mass(model, encodings, positions_read, layers, posterior, lens, batch_size)
    n_languages, tokens = len(languages), posterior.mean(dim=0)
    return LanguageMassResult(
        n_layers=model.cfg.n_layers,
        layers=tuple(layers),
        languages=tuple(languages),
        reasons=REASONS,
        mass=mass[..., :n_languages],
        shared=mass[..., n_languages:],
        vocabulary=tokens[:n_languages],
        vocabulary_shared=tokens[n_languages:],
        text_language=text_language,
        resampling=resampling,
        manifest=manifest(
            model,
            measure="language_mass",
            **lens.record(),
            prior=dict(zip(languages, weights, strict=True)),
            threshold=threshold,
            positions=positions if isinstance(positions, str) else repr(positions),
            n_texts=len(texts),
            resampling=resampling,
        ),
    )


def _read_mass(
    model: HookedModel,
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
    layers: Sequence[int],
    posterior: Float[Tensor, "token bucket"],
    lens: Lens,
    batch_size: int | Literal["auto"],
) -> Float[Tensor, "text layer bucket"]:
    """Mean mass over the positions of each text, in every language and shared by reason."""
    mass = torch.empty(len(encodings), len(layers), posterior.shape[1], dtype=torch.float32)

    def keep(captured: Captured, states: Float[Tensor, "position layer d_model"]) -> None:
        at_positions = _lens_mass(model, states, layers, posterior, lens)
        mass[list(captured.prompts)] = captured.prompt_means(at_positions)

    capture_layers(model, encodings, positions, layers, keep, batch_size=batch_size)
    return mass


def _lens_mass(
    model: HookedModel,
    states: Float[Tensor, "position layer d_model"],
    layers: Sequence[int],
    posterior: Float[Tensor, "token bucket"],
    lens: Lens,
) -> Float[Tensor, "position layer bucket"]:
    """Mass Σ_v p(v) P(bucket | v) at each position, one block of logits at a time."""
    mass = torch.empty(*states.shape[:2], posterior.shape[1], dtype=torch.float32)
    for index, block, logits in lens_logits(model, states, layers, lens):
        probabilities = logits.softmax(dim=-1)
        mass[block, index] = (probabilities @ posterior.to(probabilities)).cpu()
    return mass


def _check_texts(texts: Sequence[Prompt]) -> None:
    if not texts:
        raise SemanticHubError(
            "language_mass",
            got="no texts",
            expected="at least one text",
            fix="Pass a list of texts, such as ['The dog barks.'].",
        )


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise SemanticHubError(
            "language_mass",
            got=f"threshold={threshold}",
            expected="a share of the evidence, 0 to 1",
            fix=f"Leave it out for {THRESHOLD}.",
        )


def _normalized(prior: Prior, languages: Sequence[str]) -> list[float]:
    """Prior of each language, in the order of `languages`, scaled to sum to 1."""
    given = dict.fromkeys(languages, 1.0) if prior == "uniform" else prior
    if isinstance(given, str) or set(given) != set(languages):
        raise _prior_error(prior, f"exactly the languages {', '.join(languages)}")
    if not all(isfinite(weight) and weight > 0 for weight in given.values()):
        raise _prior_error(prior, "positive numbers")
    total = sum(given.values())
    return [given[language] / total for language in languages]


def _prior_error(prior: object, expected: str) -> SemanticHubError:
    fix = 'Leave it out for a uniform prior, or give each language a weight, as {"en": 3, "es": 1}.'
    expected = f'"uniform" or a mapping with {expected}'
    return SemanticHubError("language_mass", got=f"prior={prior!r}", expected=expected, fix=fix)
