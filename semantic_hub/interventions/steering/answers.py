"""Probability of one answer against another, under steering."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.batches import equal_length_batches
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, check_choice
from semantic_hub.interventions.controls import PLACEBO
from semantic_hub.interventions.steering.continuations import SteeringOptions
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    check_reached,
    is_span_per_prompt,
    steer,
)
from semantic_hub.interventions.steering.per_layer import Directions, with_placebo, with_unsteered
from semantic_hub.interventions.steering.sweep import STRENGTHS
from semantic_hub.lenses.projection import score_words
from semantic_hub.models.layers import check_layers
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, Prompts, Readout, as_prompts, encode
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.results.result import Counts, EffectCurve, Result, manifest
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BATCH_SIZE = 64
_ALL_FEATURES = SoftPositions()


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerProbability(Result):
    """Normalized probability of one answer against another, for every prompt.

    No verdict counts it: it shows how a steering works, by the probabilities behind its outcomes.

    Args:
        layers: The steered layers; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions, ascending, 0 (no steering) among them.
        directions: Names of the directions, and of the control.
        effect_direction: The direction that is expected to have an effect.
        control_direction: The random direction of equal norm.
        answers: The two answers; the first is the one whose probability it is.
        p_first: P(first) / (P(first) + P(second)), 0 to 1.
        dropped: Number of prompts that could not be steered or read, by reason.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    kind = "answer_probability"
    coordinates = {"direction": "directions", "layer": "layers", "strength": "strengths"}

    layers: tuple[int, ...]
    strengths: tuple[float, ...]
    directions: tuple[str, ...]
    effect_direction: str
    control_direction: str
    answers: tuple[str, str]
    p_first: Float[Tensor, "direction layer strength prompt"] = field(
        metadata={"unit": "probability"}
    )
    dropped: Mapping[str, int] = field(default_factory=dict)
    resampling: Resampling = Resampling()

    def mean(self, direction: str) -> Summary:
        """Mean over prompts under a direction, ``[layer strength]``, with its interval.

        Args:
            direction: Name of a direction, or ``"placebo"``.

        Raises:
            SemanticHubError: No such direction.
        """
        row = check_choice("AnswerProbability.mean", "direction", direction, self.directions)
        return mean_summary(self.p_first[row].permute(2, 0, 1), resampling=self.resampling)

    def effect_curve(self) -> EffectCurve:
        """Mean under `effect_direction` at each layer, at the strength of `best_cell`."""
        mean, (_, best) = self.mean(self.effect_direction), self.best_cell()
        summary = Summary(value=mean.value[:, best], low=mean.low[:, best], high=mean.high[:, best])
        unit = f"probability of {self.answers[0]} against {self.answers[1]}"
        n, note = self.p_first.shape[-1], f"strength {self.strengths[best]:g}"
        return EffectCurve(self.layers, summary, n, unit, note)

    def best_cell(self, direction: str | None = None) -> tuple[int, int]:
        """Indices of the layer and strength where the mean differs most from the unsteered one.

        Args:
            direction: Its name; None for the effect's.

        Raises:
            SemanticHubError: No such direction.
        """
        value = self.mean(self.effect_direction if direction is None else direction).value
        change = (value - value[:, [self.strengths.index(0.0)]]).abs()
        return divmod(int(change.argmax()), len(self.strengths))

    def counts(self) -> Counts:
        """Number of prompts steered, and number dropped for each reason."""
        return Counts(self.p_first.shape[-1], self.dropped)

    def to_frame(self) -> "pd.DataFrame":
        """All means as a tidy frame.

        Returns:
            Columns ``direction layer strength outcome value low high n``; ``outcome`` is the first
            answer.
        """
        import pandas as pd

        return pd.DataFrame([row for name in self.directions for row in self._rows(name)])

    def figure(self, layer: int | None = None) -> "go.Figure":
        """Means over strengths at one layer.

        See `semantic_hub.interventions.steering.figures.dose_response`.

        Args:
            layer: The layer; None for that of `best_cell`.

        Raises:
            SemanticHubError: A layer that was not steered.
        """
        from semantic_hub.interventions.steering.figures import dose_response

        first, second = self.answers
        layer = self.layers[self.best_cell()[0]] if layer is None else layer
        figure = dose_response(self.to_frame(), layer, outcome=first)
        return figure.update_yaxes(title_text=f"P({first}) / (P({first}) + P({second}))")

    def _rows(self, direction: str) -> Iterator[dict[str, Any]]:
        """Rows of the frame for one direction."""
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


def answer_probability(
    model: HookedModel,
    prompts: Prompts,
    directions: Directions,
    *,
    answers: tuple[str, str] = ("yes", "no"),
    layers: int | Sequence[int] | None = None,
    strengths: float | int | Sequence[float | int] = STRENGTHS,
    positions: SteeredPositions = _ALL_FEATURES,
    mode: Mode = "add",
    resampling: Resampling = Resampling(),
) -> AnswerProbability:
    """Steer prompts, and read the probability of one answer against another.

    With p the probability of each answer in the spellings that can stand after the prompt,
    P(first) / (P(first) + P(second)): what counts is which of the two it is, however likely either
    may be.

    Args:
        model: A decoder with a tokenizer.
        prompts: Questions, up to the answer.
        directions: One direction, or several by name, the effect's first; as
            `semantic_hub.interventions.steering.sweep.steering_sweep` takes them.
        answers: Two words.
        layers: Which layers, 0..n_layers; None for all.
        strengths: Factors; 0 is added.
        positions: Where to steer; by default at the prompts' features.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        One probability for each direction, layer, strength and prompt, the placebo's last; prompts
        after which the answers cannot be scored are dropped and counted (see
        `semantic_hub.prompts.words.candidate_tokens`).

    Raises:
        SemanticHubError: No prompts, directions or strengths, answers that no prompt can be
            followed by or whose tokens do not differ, or a prompt read before it is steered.

    Example:
        >>> from semantic_hub.interventions.steering.contrasts import unembedding_difference
        >>> dog = {"dog": unembedding_difference(model, "dog", "cat")}
        >>> result = answer_probability(model, [Prompt("the dog is")], dog, answers=("dog", "cat"),
        ...                             layers=[4], strengths=[8], positions="last")
        >>> unsteered, steered = result.p_first[0, 0, :, 0]
        >>> bool(steered > unsteered)
        True

    Source:
        Wu et al. 2025, arXiv 2411.04986, section 5 (audio).
    """
    check_decoder(model, "answer_probability")
    check_reached("answer_probability", positions, max_new_tokens=0)
    chosen_layers = check_layers(model, layers)
    prompts = as_prompts("answer_probability", "prompts", prompts)
    factors = with_unsteered("answer_probability", strengths)
    expanded = with_placebo(
        "answer_probability", directions, chosen_layers, n_prompts=len(prompts),
        seed=resampling.seed,
    )  # fmt: skip
    reader = _AnswerReader(model, tuple(prompts), answers, SteeringOptions(positions, mode))
    p_first = reader.unsteered().repeat(len(expanded), len(chosen_layers), len(factors), 1)
    for row, by_layer in enumerate(expanded.values()):
        for column, direction in enumerate(by_layer.values()):
            for place, strength in enumerate(factors):
                if strength:
                    p_first[row, column, place] = reader.steered(direction, strength)
    return AnswerProbability(
        layers=tuple(chosen_layers),
        strengths=factors,
        directions=tuple(expanded),
        effect_direction=next(iter(expanded)),
        control_direction=PLACEBO,
        answers=answers,
        p_first=p_first[..., list(reader.candidates.kept)],
        dropped={reason: n for reason, n in reader.candidates.dropped.items() if n},
        resampling=resampling,
        manifest=manifest(model, measure="answer_probability", seed=resampling.seed, mode=mode),
    )


class _AnswerReader:
    """Reads the probability of the first answer at the prompts where it can be scored."""

    def __init__(
        self,
        model: HookedModel,
        prompts: tuple[Prompt, ...],
        answers: tuple[str, str],
        options: SteeringOptions,
    ) -> None:
        readouts = [Readout(prompt, {a: (a,) for a in answers}) for prompt in prompts]
        self.candidates = candidate_tokens(model, readouts)
        self.words = dict(zip(self.candidates.kept, self.candidates.words, strict=True))
        self.model, self.prompts, self.options = model, prompts, options
        encodings = encode(model, prompts)
        _check_read_after(prompts, encodings, options.positions)
        lengths = [len(encoding) for encoding in encodings]
        batches = equal_length_batches(lengths, new_tokens=0, batch_size=_BATCH_SIZE)
        usable = [[index for index in batch if index in self.words] for batch, _ in batches]
        self.batches = [batch for batch in usable if batch]

    def unsteered(self) -> Float[Tensor, " prompt"]:
        """Probability of the first answer at each prompt, without steering."""
        p_first = torch.empty(len(self.prompts), dtype=torch.float32)
        for batch in self.batches:
            p_first[batch] = self._read(batch)
        return p_first

    def steered(self, direction: Direction, strength: float) -> Float[Tensor, " prompt"]:
        """The same under a direction; one with rows steers prompt i by row i."""
        p_first = torch.empty(len(self.prompts), dtype=torch.float32)
        for batch in self.batches:
            positions, mode = self.options.rows(batch)
            rows = direction.rows(batch)
            with steer(self.model, rows, strength, positions=positions, mode=mode):
                p_first[batch] = self._read(batch)
        return p_first

    def _read(self, batch: list[int]) -> Float[Tensor, " prompt"]:
        """Probability of the first answer at some prompts, by the model as it is now."""
        last = [self.model.cfg.n_layers]
        prompts = [self.prompts[index] for index in batch]
        states = residual_stream(self.model, prompts, layers=last, batch_size=len(batch))
        words = [self.words[index] for index in batch]
        log_prob, _ = score_words(self.model, states, last, words, ranks=False)
        return (log_prob[:, 0, 0] - log_prob[:, 0, 1]).sigmoid()


def _check_read_after(
    prompts: Sequence[Prompt], encodings: Sequence[Encoding], positions: SteeredPositions
) -> None:
    """Raise where an answer is read before the first steered position, which cannot change it."""
    spans: list[Any] = [positions] * len(prompts)
    if is_span_per_prompt(positions):
        spans = [*positions]
    if len(spans) != len(prompts):
        raise SemanticHubError(
            "answer_probability",
            got=f"{len(prompts)} prompts and {len(spans)} spans to steer",
            expected="one for each prompt, or one for all",
            fix="Give a span for each prompt, in their order.",
        )
    reads = read_positions(prompts, encodings)
    for number, (prompt, encoding, span, (read,)) in enumerate(
        zip(prompts, encodings, spans, reads, strict=True)
    ):
        first = len(encoding) - 1 if span == "last" else 0
        if not isinstance(span, str):
            first = min(read_positions([prompt], [encoding], span)[0])
        if read < first:
            raise SemanticHubError(
                "answer_probability",
                got=f"prompt {number}, which is read at token {read} of {len(encoding)} and steered"
                f" from token {first} on",
                expected="an answer that is read at a steered position or after it",
                fix="Leave the prompt's position out, or steer earlier.",
            )
