"""What prompts are continued with: the likeliest next tokens, steered or not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import torch

from semantic_hub.activations.batches import equal_length_batches, pad
from semantic_hub.activations.features import FeatureInjector
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import is_span_of_each, steer
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding
from semantic_hub.prompts.words import decode


class Continuations:
    """Greedy continuations of a list of prompts, as often as they are asked for.

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
        _check_room(model, encodings, max_new_tokens)
        self.model, self.encodings, self.max_new_tokens = model, encodings, max_new_tokens
        self.batches = list(_batches(encodings, max_new_tokens, batch_size))

    def unsteered(self) -> list[str]:
        """One text for each prompt, its new tokens alone."""
        texts = [""] * len(self.encodings)
        for batch in self.batches:
            for index, text in zip(batch.prompts, self._continued(batch.prompts), strict=True):
                texts[index] = text
        return texts

    def steered(
        self, by: Sequence[tuple[Sequence[Direction], float]], how: Mapping[str, Any]
    ) -> list[list[str]]:
        """The same under each of several steerings at the same layers, as many as fit in a batch.

        Args:
            by: Of each the direction of every layer, and the strength; prompt i is steered by row
                i of each direction.
            how: ``positions`` and ``mode`` of `semantic_hub.interventions.steering.hook.steer`; where each prompt has
                positions of its own, prompt i has those at i.

        Returns:
            For each steering one text for each prompt.
        """
        texts = [[""] * len(self.encodings) for _ in by]
        for batch in self.batches:
            at_once = max(1, batch.limit // len(batch.prompts))
            for start in range(0, len(by), at_once):
                found = self._steered(batch, by[start : start + at_once], how)
                for (row, index), text in found.items():
                    texts[start + row][index] = text
        return texts

    def _steered(
        self,
        batch: "_Batch",
        by: Sequence[tuple[Sequence[Direction], float]],
        how: Mapping[str, Any],
    ) -> dict[tuple[int, int], str]:
        """One batch of every prompt under every steering, steering by steering."""
        n_prompts = len(batch.prompts)
        strengths = torch.tensor([strength for _, strength in by]).repeat_interleave(n_prompts)
        spans = how["positions"]
        if is_span_of_each(spans):
            how = {**how, "positions": tuple(spans[index] for index in batch.prompts) * len(by)}
        with ExitStack() as steers:
            for at_layer in zip(*(directions for directions, _ in by), strict=True):
                together = self._together(at_layer, batch.prompts)
                steers.enter_context(steer(self.model, together, strengths, **how))
            texts = self._continued(batch.prompts * len(by))
        return dict(zip(product(range(len(by)), batch.prompts), texts, strict=True))

    def _together(self, directions: Sequence[Direction], prompts: Sequence[int]) -> Direction:
        """Each direction with a row for every prompt, one below the other."""
        shape = len(prompts), self.model.cfg.d_model
        rows = [direction.rows(prompts).vector.expand(shape) for direction in directions]
        return replace(directions[0], vector=torch.cat(rows))

    def _continued(self, prompts: Sequence[int]) -> list[str]:
        """Prompts of the same number of tokens, of which some may come more than once."""
        tokenizer = self.model.tokenizer
        end = tokenizer.eos_token_id
        batch, injector = (
            pad(self.model, self.encodings, prompts),
            FeatureInjector(self.model, self.encodings),
        )
        with torch.inference_mode(), injector.injecting():
            injector.start(batch)
            output = self.model.generate(
                batch.tokens.to(self.model.cfg.device),
                max_new_tokens=self.max_new_tokens,
                stop_at_eos=end is not None,
                do_sample=False,
                verbose=False,
            )
        new = output[:, batch.tokens.shape[1] :].tolist()
        return [decode(tokenizer, row[: row.index(end)] if end in row else row) for row in new]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Prompts of the same number of tokens, and the most rows that a batch of such may have."""

    prompts: tuple[int, ...]
    limit: int


def _batches(
    encodings: Sequence[Encoding], max_new_tokens: int, batch_size: int | Literal["auto"]
) -> Iterator[_Batch]:
    lengths = [len(encoding) for encoding in encodings]
    for prompts, limit in equal_length_batches(lengths, max_new_tokens, batch_size):
        yield _Batch(tuple(prompts), limit)


def _check_room(model: HookedModel, encodings: Sequence[Encoding], max_new_tokens: int) -> None:
    if model.tokenizer is None:
        raise SemanticHubError(
            "steering_sweep",
            got="a model without a tokenizer",
            expected="one whose tokens have a text",
            fix="Set model.tokenizer.",
        )
    longest = max(map(len, encodings))
    if max_new_tokens < 1 or longest + max_new_tokens > model.cfg.n_ctx:
        raise SemanticHubError(
            "steering_sweep",
            got=f"a prompt of {longest} tokens and max_new_tokens={max_new_tokens}",
            expected=f"at least 1 new token, and at most {model.cfg.n_ctx}, the context, in all",
            fix="Shorten the prompt, or generate less.",
        )
