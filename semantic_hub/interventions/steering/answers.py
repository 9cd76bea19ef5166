"""Probability of one answer against another, under steering."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import nan
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrite, capture_layers
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, as_list, check_choice
from semantic_hub.interventions.doable import with_doable
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    check_all_steering,
    check_reached,
    prompt_positions,
    steered_states,
)
from semantic_hub.interventions.steering.per_layer import (
    Directions,
    at_every_layer,
    placebos,
    states_where_steered,
    with_unsteered,
)
from semantic_hub.interventions.steering.result import NOT_DOABLE
from semantic_hub.interventions.steering.runs import SteeringOptions
from semantic_hub.interventions.steering.sweep import STRENGTHS
from semantic_hub.lenses.projection import score_words
from semantic_hub.models.layers import check_layers, layer_hook
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Encoding, Prompt, Prompts, Readout, as_prompts, encode
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.prompts.words import candidate_tokens
from semantic_hub.results.result import Counts, EffectCurve, Result, manifest
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import Summary, mean_summary, share_summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_BLOCK = 2**26
"""Numbers in the states that are held at a time: 256 MiB in float32."""

_ALL_FEATURES = SoftPositions()


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswerProbability(Result):
    """Normalized probability of one answer against another, for every prompt.

    No verdict counts it: it shows how a steering works, by the probabilities behind its outcomes.

    Args:
        layers: The steered layers; 0 is the embedding, k the stream after block k.
        strengths: Factors of the directions, ascending, 0 (no steering) among them.
        directions: Names of the directions, and of the controls.
        effect_direction: The direction that is expected to have an effect.
        control_directions: The placebos, random directions of equal norm.
        answers: The two answers; the first is the one whose probability it is.
        p_first: P(first) / (P(first) + P(second)), 0 to 1.
        right: Which of the two answers is right, for each prompt; empty where that is not known.
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
    control_directions: tuple[str, ...]
    answers: tuple[str, str]
    p_first: Float[Tensor, "direction layer strength prompt"] = field(
        metadata={"unit": "probability"}
    )
    right: tuple[str, ...] = ()
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

    def own_accuracy(self) -> dict[str, Summary]:
        """Share of prompts whose `right` answer is the likelier one at strength 0, 0 to 1.

        As ``"unsteered"``; empty where no answer is known to be right.
        """
        if not self.right:
            return {}
        return {"unsteered": share_summary(self.doable(), self.resampling.confidence)}

    def doable(self) -> Bool[Tensor, " prompt"]:
        """Which prompts the model gets right without steering: `right` is the likelier answer.

        No prompt, where no answer is known to be right.
        """
        unsteered = self.p_first[0, 0, self.strengths.index(0.0)]
        first, second = (
            torch.tensor([right == answer for right in self.right] or [False] * len(unsteered))
            for answer in self.answers
        )
        return (first & (unsteered > 0.5)) | (second & (unsteered < 0.5))

    def of_doable(self) -> "AnswerProbability":
        """The same result for the `doable` prompts alone.

        Raises:
            SemanticHubError: There is none.
        """
        doable = self.doable()
        if not doable.any():
            raise SemanticHubError(
                "AnswerProbability.of_doable",
                got=f"{len(doable)} prompts, none of them known to be right without steering",
                expected="one at least",
                fix="Say which answers are right (right=), and ask what this model knows.",
            )
        return replace(
            self,
            p_first=self.p_first[..., doable],
            right=tuple(one for one, kept in zip(self.right, doable, strict=True) if kept),
            dropped={**self.dropped, NOT_DOABLE: int((~doable).sum())},
        )

    def effect_curve(self) -> EffectCurve:
        """Mean under `effect_direction` at each layer, at the strength of `best_cell`."""
        best = self.best_cell()[1]
        doable = self.of_doable()._mean_curve(best) if self.doable().any() else None
        return self._mean_curve(best)._replace(doable=doable)

    def _mean_curve(self, best: int) -> EffectCurve:
        mean = self.mean(self.effect_direction)
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
            Columns ``direction layer strength outcome value low high n``, the last four also of the
            `doable` prompts alone (``value_doable`` …, NaN without any), then ``own_accuracy``
            (NaN where no answer is known to be right); ``outcome`` is the first answer.
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
        n_doable = int(self.doable().sum())
        axes = {"layer": self.layers, "strength": self.strengths}
        mean = self.mean(direction).rows(direction=direction, **axes, outcome=self.answers[0])
        doable = self.of_doable().mean(direction).rows(**axes) if n_doable else None
        n = self.p_first.shape[-1]
        for row in with_doable(mean, n, doable, n_doable):
            yield row | {"own_accuracy": n_doable / n if self.right else nan}


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
    right: Sequence[str] = (),
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
        right: Which of the two answers is right, for each prompt, if that is known: the result
            then shows the model's own accuracy, and the effect on the prompts that it gets right.
        resampling: Resamples, coverage and seed of the intervals.

    Returns:
        One probability for each direction, layer, strength and prompt, the placebos' last (see
        `semantic_hub.interventions.steering.sweep.steering_sweep`); prompts
        after which the answers cannot be scored are dropped and counted (see
        `semantic_hub.prompts.words.candidate_tokens`).

    Raises:
        SemanticHubError: No prompts, directions or strengths, answers that no prompt can be
            followed by or whose tokens do not differ, a prompt read before it is steered, or right
            answers that are not one of the two for each prompt.

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
    chosen_layers = [*dict.fromkeys(check_layers(model, layers))]
    prompts = as_prompts("answer_probability", "prompts", prompts)
    right = check_right("answer_probability", right, answers, len(prompts))
    factors = with_unsteered("answer_probability", strengths)
    given = at_every_layer("answer_probability", directions, chosen_layers, n_prompts=len(prompts))
    check_all_steering(model, given, positions=positions, mode=mode)
    reader = _AnswerReader(model, tuple(prompts), answers, SteeringOptions(positions, mode))
    states = states_where_steered("answer_probability", model, prompts, chosen_layers, positions)
    controls = placebos(next(iter(given.values())), states, resampling.seed)
    expanded = {**given, **controls}
    p_first = reader.p_first(list(expanded.values()), chosen_layers, factors)
    return AnswerProbability(
        layers=tuple(chosen_layers),
        strengths=factors,
        directions=tuple(expanded),
        effect_direction=next(iter(given)),
        control_directions=tuple(controls),
        answers=answers,
        p_first=p_first,
        right=tuple(right[index] for index in reader.candidates.kept if right),
        dropped={reason: n for reason, n in reader.candidates.dropped.items() if n},
        resampling=resampling,
        manifest=manifest(model, measure="answer_probability", seed=resampling.seed, mode=mode),
    )


def check_right(
    operation: str, right: Sequence[str], answers: tuple[str, str], n_prompts: int
) -> tuple[str, ...]:
    """The right answers, one of the two for each prompt, or none at all.

    Args:
        operation: What is called, for the error.
        right: The right answers.
        answers: The two that there are.
        n_prompts: Number of prompts.

    Raises:
        SemanticHubError: Another number of them, or one that is neither.
    """
    right = tuple(as_list(operation, "right", right, str))
    if right and (len(right) != n_prompts or not set(right) <= set(answers)):
        raise SemanticHubError(
            operation,
            got=f"{len(right)} right answers ({', '.join(dict.fromkeys(right))})",
            expected=f"{n_prompts}, each {answers[0]!r} or {answers[1]!r}",
            fix="Give the right one for each prompt, or leave it out.",
        )
    return right


class _AnswerReader:
    """Reads the probability of the first answer at the prompts where it can be scored.

    Steering at one layer of a prompt is an overwrite by what `steer` would make of the stream, so
    all of a prompt's cells are rows of one call, and start where they act.
    """

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
        self.model, self.prompts = model, prompts
        self.mode: Mode = options.mode
        self.encodings = encode(model, prompts)
        self.positions = prompt_positions("answer_probability", self.encodings, options.positions)
        _check_read_after(prompts, self.encodings, self.positions)

    def p_first(
        self,
        directions: Sequence[Mapping[int, Direction]],
        layers: Sequence[int],
        strengths: Sequence[float],
    ) -> Float[Tensor, "direction layer strength prompt"]:
        """Probability of the first answer in every cell, at each prompt where it can be scored."""
        cells = list(product(directions, layers, strengths))
        kept = self.candidates.kept
        n_states = len(cells) + max(map(len, self.positions)) * len(layers)
        at_once = max(1, _BLOCK // (n_states * self.model.cfg.d_model))
        parts = [
            self._read(kept[first : first + at_once], cells, layers)
            for first in range(0, len(kept), at_once)
        ]
        shape = len(directions), len(layers), len(strengths)
        return torch.cat(parts).T.unflatten(0, shape)

    def _read(
        self,
        prompts: Sequence[int],
        cells: Sequence[tuple[Mapping[int, Direction], int, float]],
        layers: Sequence[int],
    ) -> Float[Tensor, "prompt cell"]:
        """Probability of the first answer at some prompts, in every cell."""
        last = [self.model.cfg.n_layers]
        unsteered = self._streams(prompts, layers)
        rows = list(product(range(len(prompts)), cells))

        def overwrites_at(place: int, layer: int) -> Callable[[int], Overwrite | None]:
            def overwrite_of(row: int) -> Overwrite | None:
                number, (by_layer, at, strength) = rows[row]
                if at != layer or not strength:
                    return None
                vector, prompt = by_layer[layer].vector, prompts[number]
                vector = vector if vector.ndim == 1 else vector[prompt]
                states = unsteered[number][:, place]
                factor = torch.tensor(strength, dtype=torch.float32)
                new = steered_states(states, vector, factor, self.mode)
                return Overwrite(self.positions[prompt], new)

            return overwrite_of

        overwrites = {layer_hook(k): overwrites_at(place, k) for place, k in enumerate(layers)}
        read = [self.prompts[prompts[number]] for number, _ in rows]
        states = residual_stream(self.model, read, layers=last, overwrites=overwrites)
        by_prompt = states.reshape(len(prompts), len(cells), -1)
        words = [self.words[index] for index in prompts]
        log_prob, _ = score_words(self.model, by_prompt, last * len(cells), words, ranks=False)
        return (log_prob[..., 0] - log_prob[..., 1]).sigmoid()

    def _streams(
        self, prompts: Sequence[int], layers: Sequence[int]
    ) -> list[Float[Tensor, "position layer d_model"]]:
        """Each prompt's stream at its steered positions."""
        found: dict[int, Tensor] = {}

        def keep(captured: Captured, values: Float[Tensor, "position layer d_model"]) -> None:
            for row, index in enumerate(captured.prompts):
                found[index] = values[captured.rows.to(values.device) == row].cpu()

        capture_layers(
            self.model,
            [self.encodings[index] for index in prompts],
            [self.positions[index] for index in prompts],
            layers,
            keep,
        )
        return [found[index] for index in range(len(prompts))]


def _check_read_after(
    prompts: Sequence[Prompt],
    encodings: Sequence[Encoding],
    positions: Sequence[Sequence[int]],
) -> None:
    """Raise where an answer is read before the first steered position, which cannot change it."""
    reads = read_positions(prompts, encodings)
    for number, (steered, (read,)) in enumerate(zip(positions, reads, strict=True)):
        if read < min(steered):
            raise SemanticHubError(
                "answer_probability",
                got=f"prompt {number}, which is read at token {read} of {len(encodings[number])} "
                f"and steered from token {min(steered)} on",
                expected="an answer that is read at a steered position or after it",
                fix="Leave the prompt's position out, or steer earlier.",
            )
