"""Similarity of every two of many forms, such as languages, digits, pictures and sounds.

Two forms are compared on the labels that both have, such as *cat* for the word, a picture and a
sound of a cat. Where they share fewer than two labels the similarity is NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.auc import AUC, CHANCE
from semantic_hub.alignment.cosine import paired_similarity
from semantic_hub.alignment.measures import MEASURES
from semantic_hub.errors import SemanticHubError, check_names
from semantic_hub.models.layers import check_layers
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.positions import Positions
from semantic_hub.prompts.prompt import Prompt, PromptLike
from semantic_hub.results.result import Result, manifest
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LabeledItems = Mapping[str, Mapping[str, PromptLike]]
"""Mapping from form to label to the prompt of that label in that form."""

_DIFFERENCE = {"unit": "difference of mean cosines"}
_SHARE = {"unit": "share of mismatches beaten"}


@dataclass(frozen=True, eq=False, kw_only=True)
class FormSimilarity(Result):
    """Similarity of every two forms at each layer, on the labels that they share.

    Args:
        layers: The layers; 0 is the embedding, k the stream after block k.
        forms: Names of the forms, such as languages or notations.
        others: The same names, along the other axis.
        shared: Number of labels that two forms share; on the diagonal the number of a form's own.
        auc: Share of items with different labels that an item with the same label beats
            (`semantic_hub.alignment.auc.auc`), chance level 0.5; NaN on the diagonal, and where
            fewer than two are shared.
        low: Lower end of its bootstrap interval over labels.
        high: Upper end.
        similarity: Mean cosine of items with the same label minus that of items with different
            ones (Eq. 1), in [-2, 2]; NaN where the AUC is.
        resampling: Resamples, coverage and seed of the intervals.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "form": "forms", "other": "others"}

    layers: tuple[int, ...]
    forms: tuple[str, ...]
    others: tuple[str, ...]
    shared: Int[Tensor, "form other"] = field(metadata={"unit": "labels"})
    auc: Float[Tensor, "form other layer"] = field(metadata=_SHARE)
    low: Float[Tensor, "form other layer"] = field(metadata=_SHARE)
    high: Float[Tensor, "form other layer"] = field(metadata=_SHARE)
    similarity: Float[Tensor, "form other layer"] = field(metadata=_DIFFERENCE)
    resampling: Resampling = Resampling()

    def to_frame(self) -> "pd.DataFrame":
        """A tidy frame.

        Returns:
            Columns ``form other layer value low high similarity n``, both orders of every pair
            and the diagonal; ``value`` is the AUC, ``n`` the number of labels that the two share.
        """
        import pandas as pd

        columns = ("value", "low", "high", "similarity")
        ends = torch.stack([self.auc, self.low, self.high, self.similarity], dim=-1).tolist()
        return pd.DataFrame(
            {"form": form, "other": other, "layer": layer}
            | dict(zip(columns, ends[row][column][index], strict=True))
            | {"n": self.shared[row, column].item()}
            for row, form in enumerate(self.forms)
            for column, other in enumerate(self.others)
            for index, layer in enumerate(self.layers)
        )

    def figure(self, layer: int | None = None) -> "go.Figure":
        """Heat map of form × form, with a slider over layers.

        See `semantic_hub.alignment.figures.form_map`.

        Args:
            layer: The layer that is shown first; None for the one with the highest mean AUC.
        """
        from semantic_hub.alignment.figures import form_map

        best = self.auc.nan_to_num(nan=CHANCE).mean(dim=(0, 1)).argmax()
        return form_map(self.to_frame(), self.layers[int(best)] if layer is None else layer)

    def curves(self) -> "go.Figure":
        """Curves over layers of every two forms, with intervals."""
        from semantic_hub.plotting.curves import layer_curve

        frame = self.to_frame().dropna(subset="value")
        order = {name: index for index, name in enumerate(self.forms)}
        once = frame.loc[frame["form"].map(order) < frame["other"].map(order)]
        curves = once.assign(row=once["form"] + " – " + once["other"])
        return layer_curve(curves, y_title=_SHARE["unit"], references={"chance": CHANCE})


def compare_forms(
    model: HookedModel,
    items: LabeledItems,
    *,
    positions: Positions = "last",
    layers: int | Sequence[int] | None = None,
    batch_size: int | Literal["auto"] = "auto",
    resampling: Resampling = Resampling(),
) -> FormSimilarity:
    """Similarity of every two forms on the labels they share: AUC and `paired_similarity`.

    The labels decide what is compared: concepts if labels are concepts, captions if they are
    captions. Each number is over the labels that its two forms share (`shared`), so numbers of
    other pairs of forms may be about other items. There are no control rows; `similarity` has them
    for one pair of forms.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        items: Mapping from form to label to prompt, such as `labeled_items` makes of pairs.
        positions: Where to read, as in `semantic_hub.residual_stream`.
        layers: Which layers, 0..n_layers; None for all.
        batch_size: Prompts per forward pass.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: No two forms share two labels, or as `semantic_hub.residual_stream`.

    Example:
        >>> items = {"digits": {"2": "5=3+", "4": "6=2+"},
        ...          "en": {"2": "five equals three plus", "4": "six equals two plus"}}
        >>> alike = compare_forms(model, items)
        >>> tuple(alike.auc.shape), alike.shared.tolist()
        ((2, 2, 9), [[2, 2], [2, 2]])

    Source:
        Wu et al. 2025, The Semantic Hub Hypothesis, Eq. 1, arXiv 2411.04986.
    """
    check_names("compare_forms", "form", items)
    common = _common_labels(items)
    checked, names = tuple(check_layers(model, layers)), tuple(items)
    states = _read_states(model, items, positions, checked, batch_size)
    area, low, high, similarity = torch.full(
        (4, len(names), len(names), len(checked)), torch.nan, dtype=torch.float64
    )
    measure = MEASURES[AUC]
    for (i, j), labels in common.items():
        x, y = (torch.stack([states[names[k]][label] for label in labels]) for k in (i, j))
        pair = measure.states(x, y)
        value, interval = measure.estimate(pair, resampling)
        eq_1 = paired_similarity(x, y)
        for row, column in ((i, j), (j, i)):
            area[row, column], similarity[row, column] = value, eq_1
            low[row, column], high[row, column] = interval.low, interval.high
    return FormSimilarity(
        layers=checked,
        forms=names,
        others=names,
        shared=torch.tensor(
            [[len(a.keys() & b.keys()) for b in items.values()] for a in items.values()]
        ),
        auc=area,
        low=low,
        high=high,
        similarity=similarity,
        resampling=resampling,
        manifest=manifest(
            model, measure="compare_forms", positions=str(positions), resampling=resampling
        ),
    )


def labeled_items(sets: Mapping[str, Pairs]) -> dict[str, dict[str, Prompt]]:
    """Regroup sets of labeled pairs for `compare_forms`: side name to label to prompt.

    Args:
        sets: Pairs with labels, such as a spoke's. Sides of the same name become one form, so a
            side must have one prompt for each label: questions *or* sentences, not both.

    Raises:
        SemanticHubError: Pairs without labels, or two prompts for one label of a side.

    Example:
        >>> sets = {code: sh.spokes.language.pairs("en", code)[:4] for code in ("es", "fr")}
        >>> {side: len(prompts) for side, prompts in labeled_items(sets).items()}
        {'en': 4, 'es': 4, 'fr': 4}
    """
    sides: dict[str, dict[str, Prompt]] = {}
    for name, pairs in sets.items():
        if not pairs.labels:
            raise _labels_error(f"pairs {name!r} without labels")
        for side, prompts in ((pairs.x_name, pairs.x), (pairs.y_name, pairs.y)):
            of_label = sides.setdefault(side, {})
            for label, prompt in zip(pairs.labels, prompts, strict=True):
                if of_label.setdefault(label, prompt) != prompt:
                    raise _labels_error(f"two prompts of {side!r} for the label {label!r}")
    return sides


def _common_labels(items: LabeledItems) -> dict[tuple[int, int], list[str]]:
    """Shared labels of every two forms that share at least two."""
    shared = {
        (i, j): [label for label in items[a] if label in items[b]]
        for (i, a), (j, b) in combinations(enumerate(items), 2)
    }
    common = {pair: labels for pair, labels in shared.items() if len(labels) > 1}
    if not common:
        raise _labels_error(f"{len(items)} forms, no two of which share two labels")
    return common


def _read_states(
    model: HookedModel,
    items: LabeledItems,
    positions: Positions,
    layers: Sequence[int],
    batch_size: int | Literal["auto"],
) -> dict[str, dict[str, Float[Tensor, "layer d_model"]]]:
    """States of every item, by form and label."""
    prompts = [prompt for of_label in items.values() for prompt in of_label.values()]
    states = iter(
        residual_stream(model, prompts, positions=positions, layers=layers, batch_size=batch_size)
    )
    return {form: {label: next(states) for label in labels} for form, labels in items.items()}


def _labels_error(got: str) -> SemanticHubError:
    return SemanticHubError(
        "compare_forms",
        got=got,
        expected="forms with one prompt for each label, and labels in common",
        fix="Give labeled sets of one kind, with at least two labels in common.",
    )
