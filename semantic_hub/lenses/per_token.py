"""The lens at every token of one prompt, in one forward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semantic_hub.activations.captures import Captured, capture_layers
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.lens import LOGIT, Lens, LensLike, covered_layers, resolve_lens
from semantic_hub.lenses.projection import lens_logits
from semantic_hub.lenses.topk import check_k
from semantic_hub.models.loading import check_decoder
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Encoding, PromptLike, check_word_groups, encode
from semantic_hub.prompts.words import token_text, word_tokens
from semantic_hub.results.result import Result, manifest

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from semantic_hub.lenses.grid_figure import CellColor

FEATURE = "▪"
"""Text shown for a position of features, which has none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenLens(Result):
    """Result of `token_lens`: likeliest next tokens at each token and layer.

    Args:
        pieces: Text of each of the prompt's own tokens; `FEATURE` for features.
        layers: The layers; 0 is the embedding, k the stream after block k.
        tokens: Ids of the likeliest tokens, the likeliest first.
        log_prob: Their log-probabilities, natural log.
        next_log_prob: Log-probability of the token that really follows; NaN at the end.
        next_rank: Its rank in the vocabulary, 1 is the top; 0 where none follows.
        candidates: Group of candidates to the ids of its tokens.
        texts: Text of each token, by its id written as a string.
        manifest: Where the numbers come from.
    """

    coordinates = {"pos": "pieces", "layer": "layers"}

    pieces: tuple[str, ...]
    layers: tuple[int, ...]
    tokens: Int[Tensor, "pos layer top"]
    log_prob: Float[Tensor, "pos layer top"] = field(metadata={"unit": "nat"})
    next_log_prob: Float[Tensor, "pos layer"] = field(metadata={"unit": "nat"})
    next_rank: Int[Tensor, "pos layer"] = field(metadata={"unit": "1 = top"})
    candidates: Mapping[str, tuple[int, ...]]
    texts: Mapping[str, str]

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame.

        Returns:
            Columns ``pos piece layer rank token text probability group next_probability
            next_rank``. ``group`` names the candidates that the token is among, or is empty; the
            last two, of the token that really follows, are NaN at the end.
        """
        import pandas as pd

        group = {token: name for name, ids in self.candidates.items() for token in ids}
        following = self.next_log_prob.exp().tolist()
        return pd.DataFrame(
            {
                "pos": pos,
                "piece": self.pieces[pos],
                "layer": self.layers[index],
                "rank": rank + 1,
                "token": token,
                "text": self.texts[str(token)],
                "probability": self.log_prob[pos, index, rank].exp().item(),
                "group": group.get(token, ""),
                "next_probability": following[pos][index],
                "next_rank": self.next_rank[pos, index].item() or float("nan"),
            }
            for pos, layers in enumerate(self.tokens.tolist())
            for index, top in enumerate(layers)
            for rank, token in enumerate(top)
        )

    def figure(self, color: "CellColor" = "probability") -> "go.Figure":
        """The grid of tokens by layers; see `semantic_hub.lenses.grid_figure.lens_grid`.

        Args:
            color: ``"probability"`` of the top token, or ``"next"`` and ``"rank"``: probability
                and rank of the token that really follows.
        """
        from semantic_hub.lenses.grid_figure import lens_grid

        return lens_grid(self.to_frame(), self.pieces, color=color)


def token_lens(
    model: HookedModel,
    prompt: PromptLike,
    *,
    k: int = 5,
    candidates: Mapping[str, tuple[str, ...]] | None = None,
    lens: LensLike = LOGIT,
    layers: int | Sequence[int] | None = None,
) -> TokenLens:
    """The k likeliest next tokens after every token of a prompt, at every layer.

    Args:
        model: A decoder.
        prompt: One prompt; all of its own tokens are read, whatever its ``position``.
        k: Number of tokens.
        candidates: Words by group, such as ``{"surface": ("negro",), "hub": ("black",)}``, to be
            marked wherever they are among the k. A word of several tokens is marked by its first.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        layers: Which layers, 0..n_layers; None for all that the lens covers.

    Raises:
        SemanticHubError: A model without a tokenizer or an unembedding, k out of range, a candidate
            that the tokenizer cannot begin, two groups that begin with one token, or as
            `semantic_hub.activations.residuals.residual_stream`.

    Example:
        >>> result = token_lens(model, "the dog is", k=3, candidates={"hub": ("black",)})
        >>> result.pieces[:2], tuple(result.tokens.shape[1:])
        (('the', ' dog'), (9, 3))
    """
    check_decoder(model, "token_lens")
    lens = resolve_lens(model, lens, "token_lens")
    check_k(k, model.cfg.d_vocab, "token_lens")
    layers = covered_layers(model, lens, layers, "token_lens")
    marked = _marked(model, candidates or {})
    [encoding] = encode(model, [prompt])
    arrays = _read(model, encoding, layers, k, lens)
    return TokenLens(
        pieces=tuple(_pieces(model, encoding)),
        layers=tuple(layers),
        candidates=marked,
        texts={
            str(token): token_text(model.tokenizer, token)
            for token in arrays["tokens"].unique().tolist()
        },
        manifest=manifest(model, measure="token_lens", **lens.record()),
        **arrays,
    )


@torch.inference_mode()
def _read(
    model: HookedModel, encoding: Encoding, layers: Sequence[int], k: int, lens: Lens
) -> dict[str, Tensor]:
    """Read all tokens through the lens: the arrays of the result, by field."""
    states = _states(model, encoding, layers)
    following, missing = _following(encoding)
    shape = (len(states), len(layers))
    tokens, log_prob = torch.empty(*shape, k, dtype=torch.long), torch.empty(*shape, k)
    next_log_prob, next_rank = torch.empty(shape), torch.empty(shape, dtype=torch.long)
    for index, block, logits in lens_logits(model, states, layers, lens):
        log_probs = logits.log_softmax(dim=-1).cpu()
        log_prob[block, index], tokens[block, index] = log_probs.topk(k, dim=-1)
        true = log_probs.gather(-1, following[block, None])
        next_log_prob[block, index] = true[:, 0]
        next_rank[block, index] = 1 + (log_probs > true).sum(dim=-1)
    return {
        "tokens": tokens,
        "log_prob": log_prob,
        "next_log_prob": next_log_prob.masked_fill(missing[:, None], torch.nan),
        "next_rank": next_rank.masked_fill(missing[:, None], 0),
    }


def _states(
    model: HookedModel, encoding: Encoding, layers: Sequence[int]
) -> Float[Tensor, "pos layer d_model"]:
    """Residual stream at all of a prompt's own positions."""
    kept: list[Tensor] = []

    def keep(captured: Captured, states: Float[Tensor, "pos layer d_model"]) -> None:
        kept.append(states.cpu())

    capture_layers(model, [encoding], [encoding.own_positions], layers, keep)
    return kept[0]


def _following(encoding: Encoding) -> tuple[Int[Tensor, " pos"], Bool[Tensor, " pos"]]:
    """The token after each own token, and where there is none: at the end, before features."""
    own = encoding.own_positions
    soft = {position for span in encoding.spans for position in span}
    missing = [
        position not in own or position in soft for position in range(own.start + 1, own.stop + 1)
    ]
    tokens = [*encoding.tokens[own.start + 1 : own.stop], 0]
    return torch.tensor(tokens), torch.tensor(missing)


def _pieces(model: HookedModel, encoding: Encoding) -> list[str]:
    soft = {position for span in encoding.spans for position in span}
    return [
        FEATURE if position in soft else token_text(model.tokenizer, encoding.tokens[position])
        for position in encoding.own_positions
    ]


def _marked(
    model: HookedModel, candidates: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[int, ...]]:
    """Ids of the tokens that the words of each group begin with."""
    check_word_groups("token_lens", "candidates", candidates)
    words = {
        group: [word_tokens(model.tokenizer, word) for word in of_group]
        for group, of_group in candidates.items()
    }
    problems = [f"{w.word!r}: {w.problem}" for group in words.values() for w in group if w.problem]
    ids = {
        group: tuple(dict.fromkeys(token for word in of_group for token in word.tokens))
        for group, of_group in words.items()
    }
    all_ids = [token for tokens in ids.values() for token in tokens]
    if problems or len(set(all_ids)) < len(all_ids):
        raise SemanticHubError(
            "token_lens",
            got="; ".join(problems) or "two groups of candidates that begin with one token",
            expected="words that this tokenizer can begin, each group with tokens of its own",
            fix="Leave these candidates out.",
        )
    return ids
