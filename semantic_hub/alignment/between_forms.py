"""Evidence 1 between many spokes at once: which of them share states, at which layer?

Two spokes are compared on what both of them say: items with the same label, such as the word *cat*,
a picture of a cat and its sound, or a sum in digits and in words. Where they share no two labels
nothing can be compared, and nothing is put in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.cosine import paired_interval, paired_similarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.layers import check_layers
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import Positions
from semantic_hub.prompts.prompt import Prompt, PromptLike
from semantic_hub.results import Result, manifest
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LabelledItems = Mapping[str, Mapping[str, PromptLike]]
"""Spoke to label to the prompt that says it there."""

_DIFFERENCE = {"unit": "difference of mean cosines"}


@dataclass(frozen=True, eq=False, kw_only=True)
class SpokeSimilarity(Result):
    """Similarity of every two spokes at each layer, on the labels that they share.

    Args:
        layers: The layers; 0 is the embedding, k the stream after block k.
        spokes: What is compared: spokes, languages, notations.
        others: The same names, along the other axis.
        shared: How many labels two spokes share; on the diagonal how many there are.
        similarity: Mean cosine of items with the same label minus that of items with different
            ones (Eq. 1), in [-2, 2]; NaN on the diagonal, and where fewer than two are shared.
        low: Lower end of its bootstrap interval over labels; NaN with two.
        high: Upper end.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "spoke": "spokes", "other": "others"}

    layers: tuple[int, ...]
    spokes: tuple[str, ...]
    others: tuple[str, ...]
    shared: Int[Tensor, "spoke other"] = field(metadata={"unit": "labels"})
    similarity: Float[Tensor, "spoke other layer"] = field(metadata=_DIFFERENCE)
    low: Float[Tensor, "spoke other layer"] = field(metadata=_DIFFERENCE)
    high: Float[Tensor, "spoke other layer"] = field(metadata=_DIFFERENCE)
    resampling: Resampling = Resampling()

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame.

        Returns:
            Columns ``spoke other layer value low high n``, both orders of every pair and the
            diagonal; ``n`` is the number of labels that the two share.
        """
        import pandas as pd

        ends = torch.stack([self.similarity, self.low, self.high], dim=-1).tolist()
        return pd.DataFrame(
            {"spoke": spoke, "other": other, "layer": layer}
            | dict(zip(("value", "low", "high"), ends[row][column][index], strict=True))
            | {"n": self.shared[row, column].item()}
            for row, spoke in enumerate(self.spokes)
            for column, other in enumerate(self.others)
            for index, layer in enumerate(self.layers)
        )

    def figure(self, layer: int | None = None) -> "go.Figure":
        """Spoke × spoke, with a slider over layers; see `semantic_hub.alignment.figures.spoke_map`.

        Args:
            layer: The layer that is shown first; None for that with the highest mean.
        """
        from semantic_hub.alignment.figures import spoke_map

        best = self.similarity.nan_to_num(nan=-2.0).mean(dim=(0, 1)).argmax()
        return spoke_map(self.to_frame(), self.layers[int(best)] if layer is None else layer)

    def curves(self) -> "go.Figure":
        """Every pair of spokes over layers, with intervals; see `semantic_hub.plotting.curves`."""
        from semantic_hub.plotting.curves import layer_curve

        frame = self.to_frame().dropna(subset="value")
        order = {name: place for place, name in enumerate(self.spokes)}
        once = frame.loc[frame["spoke"].map(order) < frame["other"].map(order)]
        named = once.assign(row=once["spoke"] + " – " + once["other"])
        return layer_curve(named, y_title=_DIFFERENCE["unit"])


def spoke_similarity(
    model: HookedModel,
    items: LabelledItems,
    *,
    positions: Positions = "last",
    layers: Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> SpokeSimilarity:
    """Similarity of every two spokes on the labels they share: `paired_similarity` for each pair.

    What labels mean decides what is compared: with concepts for labels, concepts; with whole
    captions, captions. Each number is over the labels of its own two spokes (`shared`), so cells
    with different labels are different questions. There are no control rows here; `similarity` has
    them, one pair of spokes at a time.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        items: Spoke to label to prompt, such as `labelled` gives from pairs.
        positions: Where to read, as in `semantic_hub.residual_stream`.
        layers: Which layers, 0..n_layers; None for all.
        batch_size: Prompts per forward pass.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: Fewer than two spokes, no two of which share two labels, or as
            `semantic_hub.residual_stream`.

    Example:
        >>> items = {"digits": {"2": "5=3+", "4": "6=2+"},
        ...          "en": {"2": "five equals three plus", "4": "six equals two plus"}}
        >>> alike = spoke_similarity(model, items)
        >>> tuple(alike.similarity.shape), alike.shared.tolist()
        ((2, 2, 9), [[2, 2], [2, 2]])

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
    common = _common(items)
    wanted, names, said = check_layers(model, layers), tuple(items), [*items.values()]
    states = _states(model, items, positions, wanted, batch_size)
    similarity, low, high = torch.full(
        (3, len(names), len(names), len(wanted)), torch.nan, dtype=torch.float64
    )
    for (i, j), labels in common.items():
        x, y = (torch.stack([states[names[k]][label] for label in labels]) for k in (i, j))
        interval = paired_interval(x, y, resampling=resampling)
        for row, column in ((i, j), (j, i)):
            similarity[row, column] = paired_similarity(x, y)
            low[row, column], high[row, column] = interval.low, interval.high
    return SpokeSimilarity(
        layers=tuple(wanted),
        spokes=names,
        others=names,
        shared=torch.tensor([[len(a.keys() & b.keys()) for b in said] for a in said]),
        similarity=similarity,
        low=low,
        high=high,
        resampling=resampling,
        manifest=manifest(
            model, measure="spoke_similarity", positions=str(positions), resampling=resampling
        ),
    )


def labelled(sets: Mapping[str, Pairs]) -> dict[str, dict[str, Prompt]]:
    """The sides of pairs as spokes, for `spoke_similarity`: side to label to prompt.

    Args:
        sets: Pairs with labels, such as a spoke's. Sides of the same name are one spoke. Only sets
            of one form, questions *or* sentences: a side says each label once.

    Raises:
        SemanticHubError: Pairs without labels, or a label that one side says in two ways.

    Example:
        >>> sets = {code: sh.spokes.language.pairs("en", code)[:4] for code in ("es", "fr")}
        >>> {side: len(said) for side, said in labelled(sets).items()}
        {'en': 4, 'es': 4, 'fr': 4}
    """
    sides: dict[str, dict[str, Prompt]] = {}
    for name, pairs in sets.items():
        if not pairs.labels:
            raise _labels_error(f"pairs {name!r} without labels")
        for side, prompts in ((pairs.x_name, pairs.x), (pairs.y_name, pairs.y)):
            said = sides.setdefault(side, {})
            for label, prompt in zip(pairs.labels, prompts, strict=True):
                if said.setdefault(label, prompt) != prompt:
                    raise _labels_error(f"the label {label!r}, said by {side!r} in two ways")
    return sides


def _common(items: LabelledItems) -> dict[tuple[int, int], list[str]]:
    """The labels of every two spokes that share at least two."""
    shared = {
        (i, j): [label for label in items[a] if label in items[b]]
        for (i, a), (j, b) in combinations(enumerate(items), 2)
    }
    common = {pair: labels for pair, labels in shared.items() if len(labels) > 1}
    if not common:
        raise _labels_error(f"{len(items)} spokes, no two of which share two labels")
    return common


def _states(
    model: HookedModel,
    items: LabelledItems,
    positions: Positions,
    layers: Sequence[int],
    batch_size: int | Literal["auto"],
) -> dict[str, dict[str, Float[Tensor, "layer d_model"]]]:
    """The states of every item, read in one go."""
    prompts = [prompt for said in items.values() for prompt in said.values()]
    read = iter(
        residual_stream(model, prompts, positions=positions, layers=layers, batch_size=batch_size)
    )
    return {name: {label: next(read) for label in said} for name, said in items.items()}


def _labels_error(got: str) -> SemanticHubError:
    return SemanticHubError(
        "spoke_similarity",
        got=got,
        expected="spokes that say the same labels, each of them once",
        fix="Give sets of one form, with labels, at least two of them in common.",
    )
