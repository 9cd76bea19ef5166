"""Greedy continuations of prompts, unsteered or steered."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product, takewhile
from typing import Literal

import torch

from semantic_hub.activations.batches import equal_length_batches, pad
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.activations.generating import generate_changed
from semantic_hub.activations.growing import starts_where_it_acts
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.runs import Steered, SteeredRuns, SteeringOptions
from semantic_hub.models.conventions import end_tokens
from semantic_hub.models.output import last_logits_alone
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding
from semantic_hub.prompts.words import decode


class Continuations:
    """Greedy continuations of a list of prompts, unsteered or under any steering.

    Prompts of the same number of tokens share a batch, so that nothing is padded.

    Args:
        model: A decoder with a tokenizer.
        encodings: The prompts' tokens, and their features.
        max_new_tokens: How far to generate; a text ends before its end-of-text token.
        batch_size: Prompts per batch; ``"auto"`` fills a fixed number of tokens.

    Raises:
        SemanticHubError: No tokenizer, or a prompt that leaves too little of the context.

    Example:
        >>> from semantic_hub.prompts.prompt import encode
        >>> len(Continuations(model, encode(model, ["the dog is"]), 2).unsteered())
        1
    """

    def __init__(
        self,
        model: HookedModel,
        encodings: Sequence[Encoding],
        max_new_tokens: int,
        batch_size: int | Literal["auto"] = "auto",
    ) -> None:
        check_room("steering_sweep", model, encodings, max_new_tokens)
        self.model, self.encodings, self.max_new_tokens = model, encodings, max_new_tokens
        self.batch_size: int | Literal["auto"] = batch_size
        self.batches = list(_batches(encodings, max_new_tokens, batch_size))

    def unsteered(self) -> list[str]:
        """Text of each prompt's new tokens, without steering."""
        [texts] = self.steered([Steered((), 0.0)], SteeringOptions("last", "add"))
        return texts

    def steered(self, steerings: Sequence[Steered], options: SteeringOptions) -> list[list[str]]:
        """Continue every prompt under each of several steerings.

        Each prompt is read once, and a steered one from where its steering acts, on a model where
        that gives the same; see `semantic_hub.activations.generating`.

        Args:
            steerings: By what; prompt i is steered by row i of each direction.
            options: Where and how; prompt i has span i where each has its own.

        Returns:
            ``[steering][prompt]``.
        """
        n_prompts = len(self.encodings)
        if not starts_where_it_acts(self.model):
            return self._from_the_start(steerings, options)
        cells = list(product(range(len(steerings)), range(n_prompts)))
        steered = SteeredRuns(self.model, self.encodings, steerings, options, cells)
        new = generate_changed(
            self.model,
            self.encodings,
            steered.runs,
            steered.edits,
            max_new_tokens=self.max_new_tokens,
            batch_size=self.batch_size,
        )
        texts = [decode(self.model.tokenizer, list(tokens)) for tokens in new]
        return [texts[first : first + n_prompts] for first in range(0, len(texts), n_prompts)]

    def _from_the_start(
        self, steerings: Sequence[Steered], options: SteeringOptions
    ) -> list[list[str]]:
        """The same by passes over whole prompts, for steerings of the same layers at a time."""
        texts = [[""] * len(self.encodings) for _ in steerings]
        of_layers: dict[tuple[int | None, ...], list[int]] = defaultdict(list)
        for row, steering in enumerate(steerings):
            of_layers[tuple(d.layer for d in steering.directions)].append(row)
        for rows, batch in product(of_layers.values(), self.batches):
            at_once = max(1, batch.limit // len(batch.prompts))
            for start in range(0, len(rows), at_once):
                some = rows[start : start + at_once]
                found = self._steered_batch(batch, [steerings[row] for row in some], options)
                for (place, index), text in found.items():
                    texts[some[place]][index] = text
        return texts

    def _steered_batch(
        self, batch: "_Batch", steerings: Sequence[Steered], options: SteeringOptions
    ) -> dict[tuple[int, int], str]:
        """Texts of one batch under every steering, by steering and prompt."""
        n_prompts = len(batch.prompts)
        strengths = torch.tensor([strength for _, strength in steerings], dtype=torch.float32)
        positions, mode = options.rows(batch.prompts * len(steerings))
        with ExitStack() as contexts:
            for at_layer in zip(*(directions for directions, _ in steerings), strict=True):
                direction = self._stacked(at_layer, batch.prompts)
                context = steer(
                    self.model,
                    direction,
                    strengths.repeat_interleave(n_prompts),
                    positions=positions,
                    mode=mode,
                )
                contexts.enter_context(context)
            texts = self._generate(batch.prompts * len(steerings))
        return dict(zip(product(range(len(steerings)), batch.prompts), texts, strict=True))

    def _stacked(self, directions: Sequence[Direction], prompts: Sequence[int]) -> Direction:
        """All directions in one, with a row for every prompt under each."""
        shape = len(prompts), self.model.cfg.d_model
        rows = [direction.rows(prompts).vector.expand(shape) for direction in directions]
        return replace(directions[0], vector=torch.cat(rows))

    def _generate(self, prompts: Sequence[int]) -> list[str]:
        """Continue prompts of the same number of tokens; some may come more than once."""
        tokenizer = self.model.tokenizer
        end = end_tokens(self.model)
        batch, injector = (
            pad(self.model, self.encodings, prompts),
            FeatureInjector(self.model, self.encodings),
        )
        with torch.inference_mode(), injector.injecting(), last_logits_alone(self.model):
            injector.start(batch)
            output = self.model.generate(
                batch.tokens.to(self.model.cfg.device),
                max_new_tokens=self.max_new_tokens,
                stop_at_eos=bool(end),
                eos_token_id=end or None,
                do_sample=False,
                verbose=False,
            )
        new = output[:, batch.tokens.shape[1] :].tolist()
        return [decode(tokenizer, before_end(row, end)) for row in new]


def before_end(tokens: list[int], end: Sequence[int]) -> list[int]:
    """Tokens before the first end token.

    Example:
        >>> before_end([5, 0, 7], end=(0, 2))
        [5]
    """
    return list(takewhile(lambda token: token not in end, tokens))


def check_room(
    operation: str, model: HookedModel, encodings: Sequence[Encoding], max_new_tokens: int
) -> None:
    """Raise unless the model has a tokenizer and enough context to continue the prompts.

    Args:
        operation: The user's call, for the error.
        model: The model.
        encodings: The prompts' tokens.
        max_new_tokens: How far to generate.

    Raises:
        SemanticHubError: No tokenizer, or a prompt that leaves too little of the context.
    """
    if model.tokenizer is None:
        raise SemanticHubError(
            operation,
            got="a model without a tokenizer",
            expected="one whose tokens have a text",
            fix="Set model.tokenizer.",
        )
    longest = max(map(len, encodings))
    if max_new_tokens < 1 or longest + max_new_tokens > model.cfg.n_ctx:
        raise SemanticHubError(
            operation,
            got=f"a prompt of {longest} tokens and max_new_tokens={max_new_tokens}",
            expected=f"at least 1 new token, and at most {model.cfg.n_ctx}, the context, in all",
            fix="Shorten the prompt, or generate less.",
        )


@dataclass(frozen=True, eq=False)
class _Batch:
    """Prompts of the same number of tokens, and the most rows that a batch of such may have."""

    prompts: tuple[int, ...]
    limit: int


def _batches(
    encodings: Sequence[Encoding], max_new_tokens: int, batch_size: int | Literal["auto"]
) -> Iterator[_Batch]:
    """Batches of prompts of the same number of tokens."""
    lengths = [len(encoding) for encoding in encodings]
    for prompts, limit in equal_length_batches(lengths, max_new_tokens, batch_size):
        yield _Batch(tuple(prompts), limit)
