"""Result of the language mass: probability in each language, and summaries over texts."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import check_choice
from semantic_hub.results.result import Counts, EffectCurve, Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHARED = "shared"
"""Name of the bucket of tokens that belong to no language, in frames and figures."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LanguageMassResult(Result):
    """Probability of each language's tokens and of tokens of no language, by text and layer.

    Args:
        n_layers: The model's number of blocks.
        layers: The layers, ascending; 0 is the embedding, k the stream after block k.
        languages: Language codes.
        reasons: Why tokens are in the shared bucket.
        mass: Probability in each language.
        shared: Probability in the shared bucket, by reason. With `mass` it makes 1.
        vocabulary: The `mass` of a uniform distribution: each language's share of the vocabulary,
            the baseline of a lens that reads nothing.
        vocabulary_shared: The shared bucket's part of the vocabulary, by reason.
        text_language: The language of the texts, one of `languages`; None if not stated.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "language": "languages", "reason": "reasons"}
    kind = "language_mass"

    n_layers: int
    layers: tuple[int, ...]
    languages: tuple[str, ...]
    reasons: tuple[str, ...]
    mass: Float[Tensor, "text layer language"] = field(metadata={"unit": "probability"})
    shared: Float[Tensor, "text layer reason"] = field(metadata={"unit": "probability"})
    vocabulary: Float[Tensor, " language"] = field(metadata={"unit": "share of tokens"})
    vocabulary_shared: Float[Tensor, " reason"] = field(metadata={"unit": "share of tokens"})
    text_language: str | None = None
    resampling: Resampling = Resampling()

    def mean_mass(self) -> Summary:
        """Mean probability of each language over texts, ``[layer language]``, with intervals."""
        return mean_summary(self.mass, resampling=self.resampling)

    def mean_shared(self) -> Summary:
        """Mean probability of tokens of no language over texts, ``[layer]``, with intervals."""
        return mean_summary(self.shared.sum(dim=-1), resampling=self.resampling)

    def entropy(self) -> Summary:
        """Entropy of a text's mass over the languages, ``[layer]``, 0 to log n_languages nat.

        H = −Σ_L q(L) log q(L), with q a text's mass over the languages alone, scaled to 1; the
        mean is over texts. Texts without mass in any language are left out; NaN where none is left.
        """
        layers = [self._mean_of_finite(values) for values in self._entropies().T]
        parts = [(summary.value, summary.low, summary.high) for summary in layers]
        value, low, high = (torch.stack(column) for column in zip(*parts, strict=True))
        return Summary(value=value, low=low, high=high)

    @property
    def dominant(self) -> tuple[str | None, ...]:
        """The language with the largest mean mass at each layer; None where no language has any.

        The shared bucket is left aside, and may well hold more. Even a uniform distribution has a
        dominant language, the one with most of the `vocabulary`: check that the mass is above
        that before calling the language the model's.
        """
        best = self.mass.double().mean(dim=0).max(dim=-1)
        leaders = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return tuple(self.languages[index] if mass > 0 else None for mass, index in leaders)

    def crossover(self, language: str) -> int | None:
        """Layer at which a language becomes `dominant` after another, and stays so to the last.

        The first layer from which on `language` is `dominant` up to the last one, where another
        language was dominant before. It is taken from the means alone; the intervals of the frame
        say how sure it is.

        Args:
            language: One of `languages`.

        Returns:
            The layer; None if the language is not dominant at the last layer, or no other language
            is dominant at any layer.

        Raises:
            SemanticHubError: The mass of that language was not measured.
        """
        check_choice("LanguageMassResult.crossover", "language", language, self.languages)
        leaders = self.dominant
        lost = [index for index, leader in enumerate(leaders) if leader != language]
        overtaken = any(leaders[index] for index in lost) and leaders[-1] == language
        return self.layers[lost[-1] + 1] if overtaken else None

    def effect_curve(self) -> EffectCurve | None:
        """Mean probability of the texts' own language; None if `text_language` is not set."""
        if self.text_language is None:
            return None
        column = self.languages.index(self.text_language)
        mean = self.mean_mass()
        summary = Summary(
            value=mean.value[:, column], low=mean.low[:, column], high=mean.high[:, column]
        )
        unit = "probability of the texts' own language"
        return EffectCurve(self.layers, summary, len(self.mass), unit)

    def counts(self) -> Counts:
        """Number of texts; none is ever dropped."""
        return Counts(len(self.mass), {})

    def to_frame(self) -> "pd.DataFrame":
        """All summaries as a tidy frame.

        Returns:
            Columns ``measure layer group value low high n vocabulary``. ``measure`` is ``mass``
            (``group`` is a language or ``shared``), ``shared`` (``group`` is the reason) or
            ``entropy`` (no group). ``n`` is the number of texts; ``vocabulary`` what the mass would
            be were all tokens equally likely, None for the entropy.
        """
        import pandas as pd

        n_texts = [len(self.mass)] * len(self.layers)
        n_with_mass = self._entropies().isfinite().sum(dim=0).tolist()
        languages = dict(zip(self.languages, self.vocabulary.tolist(), strict=True))
        reasons = dict(zip(self.reasons, self.vocabulary_shared.tolist(), strict=True))
        by_reason = mean_summary(self.shared, resampling=self.resampling)
        parts = [
            ("mass", self.mean_mass(), languages, n_texts),
            ("mass", self.mean_shared(), {SHARED: sum(reasons.values())}, n_texts),
            ("shared", by_reason, reasons, n_texts),
            ("entropy", self.entropy(), {"": None}, n_with_mass),
        ]
        return pd.DataFrame(
            [
                row | {"n": n, "vocabulary": vocabulary[row["group"]]}
                for measure, summary, vocabulary, counts in parts
                for rows in [summary.rows(measure=measure, layer=self.layers, group=[*vocabulary])]
                for row, n in zip(rows, np.repeat(counts, len(vocabulary)).tolist(), strict=True)
            ]
        )

    def figure(self) -> "go.Figure":
        """Mean masses, stacked, over layers; see `semantic_hub.lenses.mass.figures`."""
        from semantic_hub.lenses.mass.figures import language_areas

        return language_areas(self.to_frame())

    def _entropies(self) -> Float[Tensor, "text layer"]:
        mass = self.mass.double()
        shares = mass / mass.sum(dim=-1, keepdim=True)
        return -torch.special.xlogy(shares, shares).sum(dim=-1)

    def _mean_of_finite(self, values: Float[Tensor, " text"]) -> Summary:
        kept = values[values.isfinite()]
        if len(kept):
            return mean_summary(kept, resampling=self.resampling)
        nothing = torch.tensor(torch.nan, dtype=torch.float64)
        return Summary(value=nothing, low=nothing, high=nothing)
