"""States after what goes on from a text, for many continuations of few texts.

Each text is read once, and what goes on from it is read from its keys and values: as a changed run
(`semantic_hub.activations.growing`) in which other tokens enter at layer 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.activations.captures import Captured, Overwrite, capture_layers
from semantic_hub.activations.growing import capture_changed, starts_where_it_acts
from semantic_hub.models.layers import layer_hook
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Prompt, encode

Continuation = tuple[Prompt, tuple[int, ...]]
"""A prompt of tokens, and at least one token that goes on from it."""


def states_after(
    model: HookedModel,
    continuations: Sequence[Continuation],
    *,
    batch_size: int | Literal["auto"] = "auto",
) -> Float[Tensor, "continuation d_model"]:
    """Last layer's state after each continuation, at its last token.

    A model whose runs cannot start where they are changed reads each text and continuation whole.

    Args:
        model: A decoder.
        continuations: Prompts, each with the tokens after it.
        batch_size: Distinct prompts, and continuations, per batch.

    Returns:
        float32 on the CPU, in the order of the continuations.

    Raises:
        SemanticHubError: A continuation past the model's context, NaN or infinity in the stream.

    Example:
        >>> tuple(states_after(model, [(Prompt(tokens=(5, 6)), (7,))]).shape)
        (1, 96)
    """
    last = model.cfg.n_layers
    texts = [replace(prompt, tokens=(prompt.tokens or ()) + new) for prompt, new in continuations]
    encodings = encode(model, texts)
    ends = [[len(encoding) - 1] for encoding in encodings]
    states = torch.empty(len(texts), model.cfg.d_model, dtype=torch.float32)

    def keep(captured: Captured, values: Float[Tensor, "position ..."]) -> None:
        states[list(captured.prompts)] = values.reshape(len(values), -1).cpu()

    if not starts_where_it_acts(model, [layer_hook(0)]):
        capture_layers(model, encodings, ends, [last], keep, batch_size=batch_size)
        return states

    new = [
        range(len(encoding) - len(tokens), len(encoding))
        for encoding, (_, tokens) in zip(encodings, continuations, strict=True)
    ]
    entering: dict[int, Tensor] = {}

    def enter(captured: Captured, values: Float[Tensor, "position layer d_model"]) -> None:
        for row, index in enumerate(captured.prompts):
            entering[index] = values[captured.rows == row, 0]

    capture_layers(model, encodings, new, [0], enter, batch_size=batch_size)
    longest = {
        prompt: index
        for index, (prompt, tokens) in sorted(
            enumerate(continuations), key=lambda of_index: len(of_index[1][1])
        )
    }
    capture_changed(
        model,
        [encodings[longest[prompt]] for prompt, _ in continuations],
        ends,
        last,
        keep,
        overwrites={layer_hook(0): lambda index: Overwrite(tuple(new[index]), entering[index])},
        batch_size=batch_size,
    )
    return states
