"""Matrix of gold labels by read labels: probability of each label's word, by gold label.

Source: Wu et al. 2025, arXiv 2411.04986, section 4 (formal semantics).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.result import LensResult
from semantic_hub.prompts.prompt import Readout
from semantic_hub.results.result import Result
from semantic_hub.statistics.intervals import percentile_interval
from semantic_hub.statistics.resampling import resample_weights, weighted_mean

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelMatrix(Result):
    """Probability of each label's word at read-outs of each gold label, centered by column.

    A value above 0 on the diagonal means that the word of a label is likelier at read-outs of that
    label than at those of the others. A preference for one word everywhere cancels.

    Args:
        layers: The layers; 0 is the embedding, k the stream after block k.
        labels: The labels, as gold and as read.
        counts: Number of read-outs of each gold label.
        probability: Mean probability, not centered.
        value: Centered probability; each column sums to 0 over gold labels.
        low: Lower end of its interval.
        high: Upper end of its interval.
        diagonal: Mean of the diagonal.
        diagonal_low: Lower end of its interval.
        diagonal_high: Upper end of its interval.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "gold": "labels", "read": "labels"}

    layers: tuple[int, ...]
    labels: tuple[str, ...]
    counts: tuple[int, ...]
    probability: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    value: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    low: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    high: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    diagonal: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})
    diagonal_low: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})
    diagonal_high: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})

    @classmethod
    def from_lens(
        cls, lens: LensResult, readouts: Sequence[Readout], labels: Sequence[str]
    ) -> "LabelMatrix":
        """The matrix of a lens' probabilities, gold label by read label, at every layer.

        With p_i(r) the probability of label r's word at read-out i, and G_g the read-outs whose
        gold label is g,

            P[g, r] = mean of p_i(r) over i in G_g,    M[g, r] = P[g, r] − mean over g' of P[g', r]

        The paper subtracts the mean over all read-outs; here each gold label counts alike, so that
        the most frequent one does not pull its own row to 0. The two agree where labels are equally
        frequent. Intervals are a percentile bootstrap over the read-outs of each gold label, drawn
        separately.

        Args:
            lens: What `semantic_hub.logit_lens` gives for `readouts`.
            readouts: The read-outs that were given to the lens, kept or not. For each label one of
                their groups has the label itself as its only word.
            labels: The gold label of each read-out.

        Raises:
            SemanticHubError: Fewer read-outs than the lens has, read-outs without a group for each
                label, fewer than two labels, or one with fewer than two read-outs that could be
                scored.

        Example:
            >>> reads = sh.spokes.semantics.readouts(sh.spokes.semantics.examples(30))
            >>> lens = sh.logit_lens(model, reads.readouts)
            >>> matrix = LabelMatrix.from_lens(lens, reads.readouts, reads.roles)
            >>> matrix.value.sum(dim=1).abs().max().item() < 1e-6
            True
        """
        names, gold = _checked(lens, readouts, labels)
        probability = _by_label(lens, readouts, names)
        values = [probability[[label == name for label in gold]] for name in names]
        drawn = [
            _replicates(value, lens.resampling.resamples, _seed(lens.resampling.seed, g))
            for g, value in enumerate(values)
        ]
        means = torch.stack([value.mean(dim=0) for value in values], dim=1)
        replicates = _centered(torch.stack(drawn, dim=2))
        low, high = percentile_interval(replicates, lens.resampling.confidence)
        diagonal_low, diagonal_high = percentile_interval(
            _diagonal(replicates), lens.resampling.confidence
        )
        return cls(
            layers=lens.layers,
            labels=names,
            counts=tuple(map(len, values)),
            probability=means,
            value=_centered(means),
            low=low,
            high=high,
            diagonal=_diagonal(_centered(means)),
            diagonal_low=diagonal_low,
            diagonal_high=diagonal_high,
            manifest={**lens.manifest, "measure": "label_matrix"},
        )

    def to_frame(self) -> "pd.DataFrame":
        """All cells as a tidy frame.

        Returns:
            Columns ``layer gold read probability value low high n``; ``n`` is the number of
            read-outs of the gold label.
        """
        import pandas as pd

        columns = torch.stack([self.probability, self.value, self.low, self.high], dim=-1).tolist()
        return pd.DataFrame(
            [
                {"layer": layer, "gold": gold, "read": read}
                | dict(zip(("probability", "value", "low", "high"), cell, strict=True))
                | {"n": n}
                for layer, table in zip(self.layers, columns, strict=True)
                for gold, n, row in zip(self.labels, self.counts, table, strict=True)
                for read, cell in zip(self.labels, row, strict=True)
            ]
        )

    def figure(self, layer: int | None = None) -> "go.Figure":
        """The matrix of one layer; see `semantic_hub.lenses.figures.label_map`.

        Args:
            layer: Which; None for that with the highest mean of the diagonal.

        Raises:
            SemanticHubError: A layer that was not read.
        """
        from semantic_hub.lenses.figures import label_map

        best = self.layers[int(self.diagonal.argmax())]
        return label_map(self.to_frame(), best if layer is None else layer)

    def diagonal_figure(self) -> "go.Figure":
        """Curve over layers of the diagonal's mean, with its interval."""
        import pandas as pd

        from semantic_hub.plotting.curves import layer_curve

        ends = {"value": self.diagonal, "low": self.diagonal_low, "high": self.diagonal_high}
        columns = {name: values.tolist() for name, values in ends.items()}
        frame = pd.DataFrame(
            {"layer": self.layers, "row": "same label", "n": sum(self.counts), **columns}
        )
        return layer_curve(frame, y_title="probability, centered", references={"no relation": 0.0})


def _checked(
    lens: LensResult, readouts: Sequence[Readout], labels: Sequence[str]
) -> tuple[tuple[str, ...], list[str]]:
    """The labels, the most frequent first, and the gold label of each read-out that was kept."""
    names = tuple(sorted(set(labels), key=lambda name: (-labels.count(name), name)))
    gold = [labels[index] for index in lens.kept if index < len(labels)]
    counts = [gold.count(name) for name in names]
    complete = len(gold) == len(lens.kept) and len(readouts) == len(labels)
    if not complete or len(names) < 2 or min(counts) < 2:
        raise SemanticHubError(
            "LabelMatrix",
            got=f"{len(readouts)} read-outs, a lens that kept {len(lens.kept)}: "
            + ", ".join(f"{n} of {name!r}" for name, n in zip(names, counts, strict=True)),
            expected="the read-outs that the lens was given, a label for each; two labels, two "
            "kept of each",
            fix="Pass the read-outs that the lens was given, and give more of them.",
        )
    return names, gold


def _by_label(
    lens: LensResult, readouts: Sequence[Readout], names: Sequence[str]
) -> Float[Tensor, "readout layer read"]:
    """The probability of each label's word, whichever group it is in."""
    groups = [_groups_of_labels(lens, readouts[index], names) for index in lens.kept]
    columns = torch.tensor(groups)[:, None, :].expand(-1, len(lens.layers), -1)
    return lens.probability.double().gather(2, columns)


def _groups_of_labels(lens: LensResult, readout: Readout, names: Sequence[str]) -> list[int]:
    groups = {words: lens.groups.index(group) for group, words in readout.candidates.items()}
    missing = [name for name in names if (name,) not in groups]
    if missing:
        raise SemanticHubError(
            "LabelMatrix",
            got=f"groups {readout.candidates}",
            expected=f"one that holds {missing[0]!r} alone",
            fix="Give read-outs with a group for each label, whose only word is the label.",
        )
    return [groups[name,] for name in names]


def _replicates(
    values: Float[Tensor, "item layer read"], resamples: int, seed: int
) -> Float[Tensor, "resample layer read"]:
    drawn = resample_weights(len(values), resamples, seed=seed)
    return torch.cat([weighted_mean(weights, values) for weights in drawn])


def _seed(seed: int, label: int) -> int:
    """A seed for each gold label, so that no two are resampled alike."""
    return int(np.random.SeedSequence([seed, label]).generate_state(1)[0])


def _centered(table: Float[Tensor, "*batch gold read"]) -> Float[Tensor, "*batch gold read"]:
    return table - table.mean(dim=-2, keepdim=True)


def _diagonal(table: Float[Tensor, "*batch gold read"]) -> Float[Tensor, "*batch"]:
    return table.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
