"""Likeliest next tokens at every layer, from the whole vocabulary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.lenses.lens import LOGIT, LensLike, covered_layers, resolve_lens
from semantic_hub.lenses.projection import lens_logits
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.positions import read_positions
from semantic_hub.prompts.prompt import Prompt, Prompts, as_prompts, encode
from semantic_hub.prompts.words import decode, token_text
from semantic_hub.results.result import Result, manifest

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


_END = 8
"""Number of letters at the end of a prompt that name its column."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TopTokens(Result):
    """Result of `top_tokens`: the k likeliest tokens for each prompt and layer.

    Args:
        prompts: The prompts as text, up to the token that was read.
        layers: The layers; 0 is the embedding, k the stream after block k.
        tokens: Token ids, the likeliest first.
        log_prob: Their log-probabilities, natural log.
        texts: Text of each token, by its id written as a string.
        manifest: Where the numbers come from.
    """

    coordinates = {"prompt": "prompts", "layer": "layers"}
    kind = "top_tokens"

    prompts: tuple[str, ...]
    layers: tuple[int, ...]
    tokens: Int[Tensor, "prompt layer top"]
    log_prob: Float[Tensor, "prompt layer top"] = field(metadata={"unit": "nat"})
    texts: Mapping[str, str]

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame.

        Returns:
            Columns ``prompt layer rank token text probability``; rank 1 is the top.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "prompt": prompt,
                "layer": self.layers[layer],
                "rank": rank + 1,
                "token": token,
                "text": self.texts[str(token)],
                "probability": self.log_prob[prompt, layer, rank].exp().item(),
            }
            for prompt, layers in enumerate(self.tokens.tolist())
            for layer, top in enumerate(layers)
            for rank, token in enumerate(top)
        )

    def figure(self) -> "go.Figure":
        """The grid of prompts by layers; see `semantic_hub.lenses.grid_figure.lens_grid`."""
        from semantic_hub.lenses.grid_figure import lens_grid

        frame = self.to_frame().rename(columns={"prompt": "pos"})
        ends = [prompt if len(prompt) <= _END else f"…{prompt[-_END:]}" for prompt in self.prompts]
        return lens_grid(frame, ends, x_title="prompt read")


def top_tokens(
    model: HookedModel,
    prompts: Prompts,
    *,
    k: int = 10,
    lens: LensLike = LOGIT,
    layers: int | Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
) -> TopTokens:
    """The k likeliest next tokens of each prompt at every layer, through a lens.

    Args:
        model: A decoder.
        prompts: Each is read at its own ``position``, the last one by default.
        k: Number of tokens.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        layers: Which layers, 0..n_layers; None for all that the lens covers.
        batch_size: Prompts per forward pass.

    Returns:
        Token ids, texts and log-probabilities.

    Raises:
        SemanticHubError: A model without a tokenizer or an unembedding, k out of range, or as
            `semantic_hub.activations.residuals.residual_stream`.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.lenses.topk import top_tokens
        >>> top = top_tokens(sh.load_model("hub-mini"), ["the dog is"], k=3, layers=[4])
        >>> tuple(top.tokens.shape)
        (1, 1, 3)
    """
    check_decoder(model, "top_tokens")
    prompts = as_prompts("top_tokens", "prompts", prompts)
    lens = resolve_lens(model, lens, "top_tokens")
    layers = covered_layers(model, lens, layers, "top_tokens")
    check_k(k, model.cfg.d_vocab, "top_tokens")
    states = residual_stream(model, prompts, layers=layers, batch_size=batch_size)
    texts = read_texts(model, prompts)
    provenance = manifest(model, measure="top_tokens", **lens.record())
    return likeliest(
        model, states, k=k, lens=lens, prompts=texts, layers=layers, provenance=provenance
    )


@torch.inference_mode()
def likeliest(
    model: HookedModel,
    states: Float[Tensor, "prompt layer d_model"],
    *,
    k: int,
    lens: LensLike,
    prompts: Sequence[str],
    layers: Sequence[int],
    provenance: Mapping[str, Any],
) -> TopTokens:
    """The k likeliest next tokens that a lens reads from given states.

    Args:
        model: A decoder.
        states: States to read.
        k: Number of tokens.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        prompts: Texts of the prompts, for the result.
        layers: Layers of the states, for the result.
        provenance: Manifest of the result.

    Raises:
        SemanticHubError: k out of range.
    """
    check_k(k, model.cfg.d_vocab, "top_tokens")
    shape = (len(states), len(layers), k)
    tokens, log_prob = torch.empty(shape, dtype=torch.long), torch.empty(shape)
    for index, block, logits in lens_logits(model, states, layers, lens):
        top = logits.log_softmax(dim=-1).topk(k, dim=-1)
        tokens[block, index], log_prob[block, index] = top.indices.cpu(), top.values.cpu()
    return TopTokens(
        prompts=tuple(prompts),
        layers=tuple(layers),
        tokens=tokens,
        log_prob=log_prob,
        texts={
            str(token): token_text(model.tokenizer, token) for token in tokens.unique().tolist()
        },
        manifest=provenance,
    )


def read_texts(model: HookedModel, prompts: Sequence[Prompt]) -> list[str]:
    """Text of each prompt up to the token that is read; `SOFT` stands for a span of features."""
    encodings = encode(model, prompts)
    read = read_positions(prompts, encodings)
    written = partial(decode, model.tokenizer)
    return [
        encoding.text(written, encoding.own_positions.start, position + 1)
        for encoding, (position,) in zip(encodings, read, strict=True)
    ]


def check_k(k: int, d_vocab: int, operation: str) -> None:
    """Raise unless the number of tokens is between 1 and the size of the vocabulary.

    Raises:
        SemanticHubError: For such a number.
    """
    check_kinds(operation, k=(k, int))
    if not 1 <= k <= d_vocab:
        raise SemanticHubError(
            operation,
            got=f"k={k}",
            expected=f"1 to {d_vocab}, the size of the vocabulary",
            fix="Ask for fewer tokens." if k > d_vocab else "Ask for at least one token.",
        )
