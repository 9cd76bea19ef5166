"""Which languages the lens reads at each layer: masses, and their summaries over texts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SHARED = "shared"
"""What frames and figures call the bucket of the tokens that speak for no language."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LanguageMassResult(Result):
    """Next-token probability in each language and in the shared bucket, for texts and layers.

    Args:
        layers: The layers, ascending; 0 is the embedding, k the stream after block k.
        languages: Language codes.
        reasons: Why tokens are in the shared bucket.
        mass: Probability in each language.
        shared: Probability in the shared bucket, by reason. With `mass` it makes 1.
        vocabulary: What `mass` is where all tokens are equally likely: each language's part of
            the vocabulary, the baseline of a lens that reads nothing.
        vocabulary_shared: The shared bucket's part of the vocabulary, by reason.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "language": "languages", "reason": "reasons"}

    layers: tuple[int, ...]
    languages: tuple[str, ...]
    reasons: tuple[str, ...]
    mass: Float[Tensor, "text layer language"] = field(metadata={"unit": "probability"})
    shared: Float[Tensor, "text layer reason"] = field(metadata={"unit": "probability"})
    vocabulary: Float[Tensor, " language"] = field(metadata={"unit": "share of tokens"})
    vocabulary_shared: Float[Tensor, " reason"] = field(metadata={"unit": "share of tokens"})
    resampling: Resampling = Resampling()

    def mean_mass(self) -> Summary:
        """Mean mass over texts, ``[layer language]``, 0 to 1, with bootstrap intervals."""
        return self._summary(self.mass)

    def mean_shared(self) -> Summary:
        """Mean mass of the whole shared bucket over texts, ``[layer]``, 0 to 1."""
        return self._summary(self.shared.sum(dim=-1))

    def entropy(self) -> Summary:
        """How evenly a text's mass lies over the languages, ``[layer]``, 0 to log n_languages nat.

        H = −Σ_L q(L) log q(L), with q a text's mass over the languages alone, scaled to 1; the
        mean is over texts. Texts without mass in any language are left out; NaN where none is left.
        """
        layers = [self._defined(values) for values in self._entropies().T]
        parts = [(summary.value, summary.low, summary.high) for summary in layers]
        value, low, high = (torch.stack(column) for column in zip(*parts, strict=True))
        return Summary(value=value, low=low, high=high)

    @property
    def dominant(self) -> tuple[str | None, ...]:
        """The language with the largest mean mass at each layer; None where no language has any.

        The shared bucket does not compete, and may well hold more. A lens that reads nothing has
        a dominant language too, the one with most of the `vocabulary`: look whether the mass is
        above that before calling it the model's.
        """
        best = self.mass.double().mean(dim=0).max(dim=-1)
        leaders = zip(best.values.tolist(), best.indices.tolist(), strict=True)
        return tuple(self.languages[index] if mass > 0 else None for mass, index in leaders)

    def crossover(self, language: str) -> int | None:
        """The layer at which a language, such as the texts' own, overtakes the one before it.

        The first layer from which on `language` is `dominant` up to the last one, another having
        been so before. It is read off the means alone; the frame's intervals tell how sure it is.

        Args:
            language: One of `languages`.

        Returns:
            The layer; None if the language is not dominant at the last layer, or no other language
            ever was before it.

        Raises:
            SemanticHubError: The mass of that language was not measured.
        """
        if language not in self.languages:
            raise SemanticHubError(
                "LanguageMassResult.crossover",
                got=f"language {language!r}",
                expected=f"one of {', '.join(self.languages)}",
                fix="Name one of these.",
            )
        leaders = self.dominant
        lost = [index for index, leader in enumerate(leaders) if leader != language]
        overtaken = any(leaders[index] for index in lost) and leaders[-1] == language
        return self.layers[lost[-1] + 1] if overtaken else None

    def to_frame(self) -> "pd.DataFrame":
        """All summaries as a tidy frame.

        Returns:
            Columns ``measure layer group value low high n vocabulary``. ``measure`` is ``mass``
            (``group`` is a language or ``shared``), ``shared`` (``group`` is the reason) or
            ``entropy`` (no group). ``n`` is the number of texts; ``vocabulary`` what the mass would
            be were all tokens equally likely, None for the entropy.
        """
        import pandas as pd

        return pd.DataFrame([row for summary in self._summaries() for row in self._rows(*summary)])

    def figure(self) -> "go.Figure":
        """Mean masses, stacked, over layers; see `semantic_hub.lenses.mass.figures.language_areas`."""
        from semantic_hub.lenses.mass.figures import language_areas

        return language_areas(self.to_frame())

    def _entropies(self) -> Float[Tensor, "text layer"]:
        mass = self.mass.double()
        shares = mass / mass.sum(dim=-1, keepdim=True)
        return -torch.special.xlogy(shares, shares).sum(dim=-1)

    def _defined(self, values: Float[Tensor, " text"]) -> Summary:
        kept = values[values.isfinite()]
        if len(kept):
            return self._summary(kept)
        nothing = torch.tensor(torch.nan, dtype=torch.float64)
        return Summary(value=nothing, low=nothing, high=nothing)

    def _summary(self, values: Float[Tensor, "text ..."]) -> Summary:
        return mean_summary(
            values,
            resampling=self.resampling,
        )

    def _summaries(self) -> Iterator[tuple[str, list[str], Summary, list[float | None], list[int]]]:
        """Measure, groups, summary ``[layer group]``, each group's vocabulary, n of each layer."""
        n = [len(self.mass)] * len(self.layers)
        tokens, shared = self.vocabulary.tolist(), self.vocabulary_shared.tolist()
        yield "mass", list(self.languages), self.mean_mass(), tokens, n
        yield "mass", [SHARED], _column(self.mean_shared()), [sum(shared)], n
        yield "shared", list(self.reasons), self._summary(self.shared), shared, n
        told = self._entropies().isfinite().sum(dim=0).tolist()
        yield "entropy", [""], _column(self.entropy()), [None], told

    def _rows(
        self,
        measure: str,
        groups: list[str],
        summary: Summary,
        vocabulary: list[float | None],
        n: list[int],
    ) -> Iterator[dict[str, Any]]:
        cells = torch.stack([summary.value, summary.low, summary.high], dim=-1).tolist()
        for layer, number, row in zip(self.layers, n, cells, strict=True):
            for group, tokens, (value, low, high) in zip(groups, vocabulary, row, strict=True):
                ends = {"value": value, "low": low, "high": high}
                where = {"measure": measure, "layer": layer, "group": group}
                yield where | ends | {"n": number, "vocabulary": tokens}


def _column(summary: Summary) -> Summary:
    """``[layer]`` as ``[layer group]`` with one group."""
    return Summary(
        value=summary.value[:, None], low=summary.low[:, None], high=summary.high[:, None]
    )
