"""One number for each token of a prompt, such as its probability under a lens."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import check_choice
from semantic_hub.lenses.lens import LOGIT, LensLike
from semantic_hub.lenses.per_token import TokenLens, token_lens
from semantic_hub.models.layers import layer_name
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import PromptLike
from semantic_hub.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from circuitsvis.utils.render import RenderedHTML


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenScores(Result):
    """One number for each token of a prompt, in one or more rows, such as a row for each layer.

    Args:
        pieces: Text of each token.
        rows: Names of the rows.
        value: The numbers; NaN where a token has none.
        unit: Unit of the numbers.
        manifest: Where the numbers come from.
    """

    coordinates = {"row": "rows", "pos": "pieces"}

    pieces: tuple[str, ...]
    rows: tuple[str, ...]
    value: Float[Tensor, "row pos"]
    unit: str

    @property
    def units(self) -> dict[str, str]:
        """Unit of each array."""
        return {"value": self.unit}

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame: columns ``row pos piece value``."""
        import pandas as pd

        return pd.DataFrame(
            {"row": row, "pos": pos, "piece": self.pieces[pos], "value": value}
            for row, values in zip(self.rows, self.value.tolist(), strict=True)
            for pos, value in enumerate(values)
        )

    def figure(self) -> "go.Figure":
        """Heat map of rows by tokens; see `semantic_hub.plotting.tokens.token_map`."""
        from semantic_hub.plotting.tokens import token_map

        return token_map(self.to_frame(), unit=self.unit)

    def to_html(self) -> str:
        """HTML of every row as colored tokens, all on one scale."""
        from semantic_hub.plotting.tokens import colored_html

        limit = self._limit
        lines = [
            f"<dt>{escape(row)}</dt><dd>{html}</dd>"
            for row, values in zip(self.rows, self.value.tolist(), strict=True)
            for html in [colored_html(self.pieces, values, unit=self.unit, limit=limit)]
        ]
        return f'<dl class="token-scores">{"".join(lines)}</dl>'

    def notebook(self, row: str | None = None) -> "RenderedHTML":
        """Colored tokens of one row, for a notebook.

        Args:
            row: Name of the row; None for the last.

        Raises:
            SemanticHubError: No such row.
        """
        from semantic_hub.plotting.tokens import colored_notebook

        names = self.rows
        index = -1 if row is None else check_choice("TokenScores.notebook", "row", row, names)
        values = self.value[index].tolist()
        return colored_notebook(self.pieces, values, limit=self._limit)

    @property
    def _limit(self) -> float:
        return float(self.value.abs().nan_to_num(nan=0.0).max())


def lens_scores(
    model: HookedModel,
    prompt: PromptLike,
    *,
    lens: LensLike = LOGIT,
    layers: int | Sequence[int] | None = None,
) -> TokenScores:
    """Probability of each token of a prompt given those before it, read by a lens at each layer.

    Args:
        model: A decoder.
        prompt: One prompt.
        lens: As in `semantic_hub.lenses.logit.logit_lens`.
        layers: Which layers, 0..n_layers, a row for each; None for all that the lens covers.

    Returns:
        Probabilities, 0 to 1; NaN for the first token and for positions of features.

    Raises:
        SemanticHubError: As `semantic_hub.lenses.per_token.token_lens`.

    Example:
        >>> scores = lens_scores(model, "the dog is black", layers=[8])
        >>> scores.rows, scores.pieces[:2], scores.value[0, :2].isnan().tolist()
        (('layer 8',), ('the', ' dog'), [True, False])
    """
    return scores_of(token_lens(model, prompt, k=1, lens=lens, layers=layers))


def scores_of(lens: TokenLens) -> TokenScores:
    """Probability of each token of a prompt, taken from an existing `TokenLens`.

    Example:
        >>> from semantic_hub.lenses.per_token import token_lens
        >>> scores_of(token_lens(model, "the dog is", layers=[0, 8])).rows
        ('layer emb', 'layer 8')
    """
    first = torch.full((1, len(lens.layers)), torch.nan, dtype=torch.float32)
    return TokenScores(
        pieces=lens.pieces,
        rows=tuple(f"layer {layer_name(layer)}" for layer in lens.layers),
        value=torch.cat([first, lens.next_log_prob[:-1].exp()]).T,
        unit="probability",
        manifest=lens.manifest,
    )
