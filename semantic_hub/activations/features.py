"""Put features of images or sounds in place of token embeddings during forward passes.

The output of the model's embedding is overwritten at the placeholders, so that ``hook_embed`` holds
the features. A hook at ``hook_embed`` itself would not do: the ``generate`` of a
``HookedTransformer`` embeds its prompts without it. The output is overwritten whenever prompts are
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
    current_batch_features,
    expect_batch_features,
    set_batch_features,
)
from semantic_hub.activations.forward_passes import PassFollower
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import embedding_module
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.shared_state import measuring
from semantic_hub.prompts.prompt import Encoding, Prompts, encode


@contextmanager
def injecting_features(
    model: HookedModel,
    prompts: Prompts,
    padding_side: Literal["left", "right"] = "right",
) -> Iterator[Batch]:
    """Context for your own forward passes over one batch of prompts with features.

    For forward passes of your own; functions of this package that take prompts do this themselves.

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
        >>> with injecting_features(model, [Prompt(f"{SOFT} the dog is", soft=(span,))]) as batch:
        ...     logits = model(batch.tokens)
        >>> logits.shape[1] == batch.tokens.shape[1]
        True
    """
    encodings = encode(model, prompts)
    injector = FeatureInjector(model, encodings)
    with injector.injecting():
        batch = pad(model, encodings, range(len(encodings)), padding_side)
        injector.start(batch)
        yield batch


class FeatureInjector:
    """Write the features of prompts over the model's token embeddings, batch by batch.

    Args:
        model: The model.
        encodings: All prompts that batches will be made of.
    """

    def __init__(self, model: HookedModel, encodings: Sequence[Encoding]) -> None:
        self.model, self.encodings = model, encodings
        self._any_features = any(encoding.soft for encoding in encodings)
        self._follower = PassFollower(model)

    @contextmanager
    def injecting(self) -> Iterator[None]:
        """Context of forward passes that read the features; every pass of this package is in one.

        See `semantic_hub.models.shared_state.measuring` for what else holds there.
        """
        with measuring(self.model), expect_batch_features(self.model):
            if not self._any_features:
                yield
                return
            hook = None
            try:
                hook = embedding_module(self.model).register_forward_hook(self._write)
                with self._follower.following():
                    yield
            finally:
                if hook is not None:
                    hook.remove()

    def start(self, batch: Batch) -> None:
        """Set the batch that the next forward passes read."""
        if self._any_features:
            soft = [self.encodings[prompt].soft for prompt in batch.prompts]
            width = batch.tokens.shape[1]
            set_batch_features(self.model, SoftColumns.of(soft, batch.offsets, width))

    def _write(
        self, module: torch.nn.Module, inputs: Any, output: Float[Tensor, "batch pos d_model"]
    ) -> Float[Tensor, "batch pos d_model"] | None:
        soft = self._features_to_write(output.shape[:2])
        if soft is None or not len(soft.rows):
            return None
        changed = output.clone()
        cells = soft.rows.to(output.device), soft.columns.to(output.device)
        changed[cells] = soft.features.to(output)
        return changed

    def _features_to_write(self, shape: Sequence[int]) -> SoftColumns | None:
        """The prompts' features, if the embedding is of the prompts and not of later tokens."""
        current = self._follower.current
        if current is None:
            before_first_pass = self._follower.before_first_pass
            if before_first_pass is None:
                raise _unknown_pass()
            return current_batch_features(self.model, shape) if before_first_pass else None
        if current.prompts is None:
            return None
        n_columns = current.prompts.real.shape[1] + current.n_generated
        return current.prompts.soft if shape[1] == n_columns else None


def _unknown_pass() -> SemanticHubError:
    """The error for a pass whose prompts are unknown."""
    return SemanticHubError(
        "soft tokens",
        got="a forward pass that did not enter through the model itself (hf_generate?)",
        expected="model(...), run_with_cache, run_with_hooks or generate",
        fix="Use one of these: for other calls it is unknown which prompts are read.",
    )
