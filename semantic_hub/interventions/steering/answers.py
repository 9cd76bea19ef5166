"""How the probability of the next token is shared by two answers, under steering."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Mode, SteeredPositions
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import is_span_of_each, steer
from semantic_hub.interventions.steering.per_layer import LayerDirection, with_placebo
from semantic_hub.lenses.projection import score
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, Readout, encode
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.results import Result, manifest
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BATCH = 64
_FEATURES = SoftPositions()


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerCurve(Result):
    """The normalised probability of one answer against another, for every prompt.

    Args:
        layers: The steered layers; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions, ascending, 0 (no steering) among them.
        directions: Names of the directions; the last is ``"placebo"``.
        answers: The two answers; the first is the one whose probability it is.
        p_first: P(first) / (P(first) + P(second)), 0 to 1.
        dropped: Number of prompts, by reason, that could not be steered.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"direction": "directions", "layer": "layers", "strength": "strengths"}

    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    directions: tuple[str, ...]
    answers: tuple[str, str]
    p_first: Float[Tensor, "direction layer strength prompt"] = field(
        metadata={"unit": "probability"}
    )
    dropped: Mapping[str, int] = field(default_factory=dict)
    resampling: Resampling = Resampling()

    def mean(self, direction: str) -> Summary:
        """The mean over prompts under a direction, ``[layer strength]``, with its interval.

        Raises:
            SemanticHubError: No such direction.
        """
        if direction not in self.directions:
            raise SemanticHubError(
                "AnswerCurve",
                got=f"the direction {direction!r}",
                expected=f"one of {', '.join(map(repr, self.directions))}",
                fix="Name one of these.",
            )
        return mean_summary(
            self.p_first[self.directions.index(direction)].permute(2, 0, 1),
            resampling=self.resampling,
        )

    def to_frame(self) -> "pd.DataFrame":
        """All means as a tidy frame.

        Returns:
            Columns ``direction layer strength outcome value low high n``; ``outcome`` is the first
            answer.
        """
        import pandas as pd

        return pd.DataFrame([row for name in self.directions for row in self._rows(name)])

    def figure(self, layer: int) -> "go.Figure":
        """Means over strengths at one layer; see `semantic_hub.plotting.curves.dose_response`.

        Raises:
            SemanticHubError: A layer that was not steered.
        """
        from semantic_hub.plotting.curves import dose_response

        first, second = self.answers
        figure = dose_response(self.to_frame(), layer, outcome=first)
        return figure.update_yaxes(title_text=f"P({first}) / (P({first}) + P({second}))")

    def _rows(self, direction: str) -> Iterator[dict[str, Any]]:
        mean = self.mean(direction)
        for i, layer in enumerate(self.layers):
            for j, strength in enumerate(self.strengths):
                yield {
                    "direction": direction,
                    "layer": layer,
                    "strength": strength,
                    "outcome": self.answers[0],
                    "value": mean.value[i, j].item(),
                    "low": mean.low[i, j].item(),
                    "high": mean.high[i, j].item(),
                    "n": self.p_first.shape[-1],
                }


def answer_curve(
    model: HookedModel,
    prompts: Sequence[Prompt],
    directions: Mapping[str, LayerDirection],
    *,
    answers: tuple[str, str] = ("yes", "no"),
    layers: Sequence[int] | None = None,
    strengths: Sequence[float | int] = (0.0, 0.5, 1.0, 1.5, 2.0),
    positions: SteeredPositions = _FEATURES,
    mode: Mode = "add",
    resampling: Resampling = Resampling(),
) -> AnswerCurve:
    """Steer prompts, and read how the next token's probability is shared by two answers.

    With p the probability of the likeliest spelling of each answer, P(first) / (P(first) +
    P(second)): what counts is which of the two it is, however likely either may be.

    Args:
        model: A decoder with a tokenizer.
        prompts: Questions, up to the answer.
        directions: Directions by name, as `semantic_hub.interventions.steering.sweep` takes them.
        answers: Two words.
        layers: Which layers, 0..n_layers; None for all.
        strengths: Factors; 0 is added.
        positions: Where to steer; by default at the prompts' features.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        One share for each direction, layer, strength and prompt, the placebo's last.

    Raises:
        SemanticHubError: No prompts or directions, or answers that no token tells apart.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import unembedding_difference
        >>> directions = {"dog": unembedding_difference(model, "dog", "cat")}
        >>> found = answer_curve(model, [Prompt("the dog is")], directions, answers=("dog", "cat"),
        ...                      layers=[4], strengths=[8], positions="last")
        >>> found.p_first.shape, bool(found.p_first[0, 0, 1, 0] > found.p_first[0, 0, 0, 0])
        (torch.Size([2, 1, 2, 1]), True)

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 5 (audio).
    """
    check_decoder(model, "answer_curve")
    wanted = check_layers(model, layers)
    factors = tuple(sorted({0.0, *map(float, strengths)}))
    placed = with_placebo(
        "answer_curve", directions, wanted, n_prompts=len(prompts), seed=resampling.seed
    )
    asking = _Asking(model, tuple(prompts), answers, positions, mode)
    own = asking.unsteered()
    p_first = own.repeat(len(placed), len(wanted), len(factors), 1)
    for row, by_layer in enumerate(placed.values()):
        for column, direction in enumerate(by_layer.values()):
            for place, strength in enumerate(factors):
                if strength:
                    p_first[row, column, place] = asking.steered(direction, strength)
    return AnswerCurve(
        layers=tuple(wanted),
        strengths=factors,
        directions=tuple(placed),
        answers=answers,
        p_first=p_first,
        resampling=resampling,
        manifest=manifest(model, measure="answer_curve", seed=resampling.seed, mode=mode),
    )


class _Asking:
    """Prompts and the two answers, asked as often as needed, in batches of equal length."""

    def __init__(
        self,
        model: HookedModel,
        prompts: tuple[Prompt, ...],
        answers: tuple[str, str],
        positions: SteeredPositions,
        mode: Mode,
    ) -> None:
        readouts = [Readout(prompt, {a: (a,) for a in answers}) for prompt in prompts]
        self.tokens = candidate_tokens(model.tokenizer, readouts).tokens
        self.model, self.prompts, self.positions = model, prompts, positions
        self.mode: Mode = mode
        self.batches = list(_equal_batches(model, prompts))

    def unsteered(self) -> Float[Tensor, " prompt"]:
        """The share of the first answer, prompt by prompt."""
        found = torch.empty(len(self.prompts))
        for batch in self.batches:
            found[batch] = self._share(batch)
        return found

    def steered(self, direction: Direction, strength: float) -> Float[Tensor, " prompt"]:
        """The same under a direction; one with rows steers prompt i by row i."""
        found = torch.empty(len(self.prompts))
        for batch in self.batches:
            where: Any = self.positions
            if is_span_of_each(where):
                where = tuple(where[index] for index in batch)
            rows = direction.rows(batch)
            with steer(self.model, rows, strength, positions=where, mode=self.mode):
                found[batch] = self._share(batch)
        return found

    def _share(self, batch: list[int]) -> Float[Tensor, " prompt"]:
        last = [self.model.cfg.n_layers]
        prompts = [self.prompts[index] for index in batch]
        states = residual_stream(self.model, prompts, layers=last, batch_size=len(batch))
        log_prob, _ = score(self.model, states, last, [self.tokens[index] for index in batch])
        return (log_prob[:, 0, 0] - log_prob[:, 0, 1]).sigmoid()


def _equal_batches(model: HookedModel, prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    """Prompts of one length stay in their order, so that rows of a direction find them."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, encoding in enumerate(encode(model, prompts)):
        by_length[len(encoding)].append(index)
    for same in by_length.values():
        yield from (same[start : start + _BATCH] for start in range(0, len(same), _BATCH))
