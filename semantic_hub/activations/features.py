"""Forward passes that read features: they are put in place of embeddings, for that pass alone.

What the model's embedding gives is overwritten where placeholders are, so that ``hook_embed`` holds
the features. A hook at ``hook_embed`` itself would not do: the ``generate`` of a
``HookedTransformer`` embeds its prompts without it. It is overwritten wherever prompts are
embedded: in every pass of a generation without a key-value cache, in the first one with it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.batches import Batch, pad
from semantic_hub.activations.columns import (
    SoftColumns,
    announce,
    announced,
    announcing,
)
from semantic_hub.activations.forward_passes import PassFollower
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import embedding_module
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding, PromptLike, encode


@contextmanager
def feeding(
    model: HookedModel,
    prompts: Sequence[PromptLike],
    padding_side: Literal["left", "right"] = "right",
) -> Iterator[Batch]:
    """Within the context the model reads these prompts, features included, as one batch.

    For passes of your own; all functions of this package that take prompts do this by themselves.

    Args:
        model: The model.
        prompts: Prompts with or without features.
        padding_side: Where the batch is padded.

    Yields:
        The batch: give its ``tokens`` and ``attention_mask`` to the model. Any other batch is
        refused, except by this package's own functions.

    Raises:
        SemanticHubError: As `semantic_hub.prompts.prompt.encode`. In a forward pass: another batch.

    Example:
        >>> from semantic_hub.prompts.prompt import Prompt
        >>> from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens
        >>> span = SoftTokens(torch.ones(4, model.cfg.d_model))
        >>> with feeding(model, [Prompt(f"{SOFT} the dog is", soft=(span,))]) as batch:
        ...     logits = model(batch.tokens)
        >>> logits.shape[1] == batch.tokens.shape[1]
        True
    """
    encodings = encode(model, prompts)
    feeder = Feeder(model, encodings)
    with feeder.feeding():
        batch = pad(model, encodings, range(len(encodings)), padding_side)
        feeder.start(batch)
        yield batch


class Feeder:
    """Puts the features of prompts in their places, batch by batch.

    Args:
        model: The model.
        encodings: All prompts that batches will be made of.
    """

    def __init__(self, model: HookedModel, encodings: Sequence[Encoding]) -> None:
        self.model, self.encodings = model, encodings
        self._follower = PassFollower(model)

    @contextmanager
    def feeding(self) -> Iterator[None]:
        """For the time of the context; prompts without features cost nothing."""
        with announcing(self.model):
            if not self._any():
                yield
                return
            hook = embedding_module(self.model).register_forward_hook(self._write)
            try:
                with self._follower.following():
                    yield
            finally:
                hook.remove()

    def start(self, batch: Batch) -> None:
        """Say which prompts the coming passes read."""
        if self._any():
            soft = [self.encodings[prompt].soft for prompt in batch.prompts]
            announce(self.model, SoftColumns.of(soft, batch.offsets, batch.tokens.shape[1]))

    def _any(self) -> bool:
        return any(encoding.soft for encoding in self.encodings)

    def _write(
        self, module: torch.nn.Module, inputs: Any, output: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"] | None:
        soft = self._in_reach(output.shape[:2])
        if soft is None or not len(soft.rows):
            return None
        changed = output.clone()
        where = soft.rows.to(output.device), soft.columns.to(output.device)
        changed[where] = soft.features.to(output)
        return changed

    def _in_reach(self, shape: Sequence[int]) -> SoftColumns | None:
        """The features of the prompts, if it is these that are embedded."""
        reading = self._follower.current
        if reading is None:
            if self._follower.first_pass_is_to_come is None:
                raise _unknown_pass()
            return announced(self.model, shape) if self._follower.first_pass_is_to_come else None
        if reading.prompts is None:
            return None
        there_are = reading.prompts.real.shape[1] + reading.n_generated
        return reading.prompts.soft if shape[1] == there_are else None


def _unknown_pass() -> SemanticHubError:
    return SemanticHubError(
        "soft tokens",
        got="a forward pass that did not enter through the model itself (hf_generate?)",
        expected="model(...), run_with_cache, run_with_hooks or generate",
        fix="Use one of these: only there it is known what is read.",
    )
