"""Which role is read before a name of which role: the paper's matrix, centred, with intervals.

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
from semantic_hub.results import Result
from semantic_hub.spokes.semantics.readouts import NameReadouts
from semantic_hub.statistics.intervals import percentile_interval
from semantic_hub.statistics.resampling import resample_weights, weighted_mean
from semantic_hub.statistics.summaries import Summary

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class RoleMatrix(Result):
    """Probability of each role's name before names of each role, less its mean over those roles.

    Above 0 on the diagonal: the name of a role is likelier where a name will have that role than
    where it will have another. A taste for one role's word cancels.

    Args:
        layers: The layers; 0 is the embedding, k the stream after block k.
        roles: The roles, as gold and as read.
        counts: Number of read-outs before names of each role.
        probability: Mean probability, not centred.
        value: Centred probability; each column, over gold roles, sums to 0.
        low: Lower end of its interval.
        high: Upper end of its interval.
        diagonal: Mean of the diagonal.
        diagonal_low: Lower end of its interval.
        diagonal_high: Upper end of its interval.
        manifest: Where the numbers come from.
    """

    coordinates = {"layer": "layers", "gold": "roles", "read": "roles"}

    layers: tuple[int, ...]
    roles: tuple[str, ...]
    counts: tuple[int, ...]
    probability: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    value: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    low: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    high: Float[Tensor, "layer gold read"] = field(metadata={"unit": "probability"})
    diagonal: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})
    diagonal_low: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})
    diagonal_high: Float[Tensor, " layer"] = field(metadata={"unit": "probability"})

    @property
    def on_diagonal(self) -> Summary:
        """The mean of the diagonal at each layer, with its interval: −1 to 1, 0 for no relation."""
        return Summary(value=self.diagonal, low=self.diagonal_low, high=self.diagonal_high)

    def to_frame(self) -> "pd.DataFrame":
        """All cells as a tidy frame.

        Returns:
            Columns ``layer gold read probability value low high n``; ``n`` is the number of
            read-outs before names of the gold role.
        """
        import pandas as pd

        columns = torch.stack([self.probability, self.value, self.low, self.high], dim=-1).tolist()
        return pd.DataFrame(
            [
                {"layer": layer, "gold": gold, "read": read}
                | dict(zip(("probability", "value", "low", "high"), cell, strict=True))
                | {"n": n}
                for layer, table in zip(self.layers, columns, strict=True)
                for gold, n, row in zip(self.roles, self.counts, table, strict=True)
                for read, cell in zip(self.roles, row, strict=True)
            ]
        )

    def figure(self, layer: int | None = None) -> "go.Figure":
        """The matrix of one layer; see `semantic_hub.spokes.semantics.figures.role_map`.

        Args:
            layer: Which; None for that with the highest mean of the diagonal.

        Raises:
            SemanticHubError: A layer that was not read.
        """
        from semantic_hub.spokes.semantics.figures import role_map

        best = self.layers[int(self.diagonal.argmax())]
        return role_map(self.to_frame(), best if layer is None else layer)

    def diagonal_figure(self) -> "go.Figure":
        """The mean of the diagonal over layers, with its interval."""
        import pandas as pd

        from semantic_hub.plotting.curves import layer_curve

        ends = {"value": self.diagonal, "low": self.diagonal_low, "high": self.diagonal_high}
        columns = {name: values.tolist() for name, values in ends.items()}
        frame = pd.DataFrame(
            {"layer": self.layers, "row": "own role", "n": sum(self.counts), **columns}
        )
        return layer_curve(frame, y_title="probability, centred", references={"no relation": 0.0})


def role_matrix(lens: LensResult, reads: NameReadouts) -> RoleMatrix:
    """The matrix of a lens' probabilities, gold role × read role, at every layer.

    With p_i(r) the probability of role r's name at read-out i, and G_g the read-outs before names
    of role g,

        P[g, r] = mean of p_i(r) over i in G_g,    M[g, r] = P[g, r] − mean over g' of P[g', r]

    The paper takes off the mean over all read-outs; here each gold role counts alike, so that the
    most frequent one does not pull its own row to 0. The two agree where roles are as frequent.
    Intervals are a percentile bootstrap over the read-outs of each gold role, drawn separately.

    Args:
        lens: What `semantic_hub.logit_lens` gives for ``reads.readouts``.
        reads: The read-outs that were given to the lens, kept or not, each with a group for each
            role: what `readouts` or `role_readouts` gives.

    Raises:
        SemanticHubError: Fewer read-outs than the lens has, read-outs without a group for each
            role, fewer than two roles, or one with fewer than two read-outs that could be scored.

    Example:
        >>> from semantic_hub.spokes.semantics.spoke import examples, readouts
        >>> reads = readouts(examples(30))
        >>> matrix = role_matrix(sh.logit_lens(model, reads.readouts, resampling=sh.Resampling(resamples=50)), reads)
        >>> matrix.value.sum(dim=1).abs().max().item() < 1e-6
        True
    """
    roles, gold = _checked(lens, reads)
    probability = _by_role(lens, reads, roles)
    values = [probability[[place == role for place in gold]] for role in roles]
    drawn = [
        _replicates(value, lens.resampling.resamples, _seed(lens.resampling.seed, g))
        for g, value in enumerate(values)
    ]
    means = torch.stack([value.mean(dim=0) for value in values], dim=1)
    replicates = _centred(torch.stack(drawn, dim=2))
    low, high = percentile_interval(replicates, lens.resampling.confidence)
    diagonal_low, diagonal_high = percentile_interval(
        _diagonal(replicates), lens.resampling.confidence
    )
    return RoleMatrix(
        layers=lens.layers,
        roles=roles,
        counts=tuple(map(len, values)),
        probability=means,
        value=_centred(means),
        low=low,
        high=high,
        diagonal=_diagonal(_centred(means)),
        diagonal_low=diagonal_low,
        diagonal_high=diagonal_high,
        manifest={**lens.manifest, "measure": "role_matrix"},
    )


def _checked(lens: LensResult, reads: NameReadouts) -> tuple[tuple[str, ...], list[str]]:
    """The roles, the most frequent first, and the gold role of each read-out that was kept."""
    roles = tuple(sorted(set(reads.roles), key=lambda role: (-reads.roles.count(role), role)))
    gold = [reads.roles[index] for index in lens.kept if index < len(reads)]
    counts = [gold.count(role) for role in roles]
    if len(gold) < len(lens.kept) or len(roles) < 2 or min(counts) < 2:
        raise SemanticHubError(
            "role_matrix",
            got=f"{len(reads)} read-outs, a lens that kept {len(lens.kept)}: "
            + ", ".join(f"{n} before {role}" for role, n in zip(roles, counts, strict=True)),
            expected="the read-outs that the lens was given; two roles, two kept before each",
            fix="Pass the lens of reads.readouts, and give more sentences.",
        )
    return roles, gold


def _by_role(
    lens: LensResult, reads: NameReadouts, roles: Sequence[str]
) -> Float[Tensor, "readout layer read"]:
    """The probability of each role's name, whichever group it is in."""
    places = [_groups_of_roles(lens, reads.readouts[index], roles) for index in lens.kept]
    columns = torch.tensor(places)[:, None, :].expand(-1, len(lens.layers), -1)
    return lens.probability.double().gather(2, columns)


def _groups_of_roles(lens: LensResult, readout: Readout, roles: Sequence[str]) -> list[int]:
    places = {words: lens.groups.index(group) for group, words in readout.candidates.items()}
    missing = [role for role in roles if (role,) not in places]
    if missing:
        raise SemanticHubError(
            "role_matrix",
            got=f"groups {readout.candidates}",
            expected=f"one that holds {missing[0]!r} alone",
            fix="Use role_readouts().",
        )
    return [places[role,] for role in roles]


def _replicates(
    values: Float[Tensor, "item layer read"], resamples: int, seed: int
) -> Float[Tensor, "resample layer read"]:
    drawn = resample_weights(len(values), resamples, seed=seed)
    return torch.cat([weighted_mean(weights, values) for weights in drawn])


def _seed(seed: int, place: int) -> int:
    """A seed for each gold role, so that no two are drawn alike."""
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0])


def _centred(table: Float[Tensor, "*batch gold read"]) -> Float[Tensor, "*batch gold read"]:
    return table - table.mean(dim=-2, keepdim=True)


def _diagonal(table: Float[Tensor, "*batch gold read"]) -> Float[Tensor, "*batch"]:
    return table.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
