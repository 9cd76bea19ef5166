"""The same read-outs through several lenses, as one result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.logit import Norm, logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.translators.affine import AffineLens, check_fits
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Readout
from semantic_hub.results import Result
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

LOGIT = "logit"
"""What the logit lens is called beside the others."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LensComparison(Result):
    """One set of read-outs through several lenses.

    Args:
        lenses: Name of the lens to what it read, the logit lens first.
        manifest: Empty; each lens' own says where its numbers come from.
    """

    lenses: Mapping[str, LensResult]

    def to_frame(self) -> "pd.DataFrame":
        """Every lens' frame, one below the other, with the column ``lens``."""
        import pandas as pd

        frames = [found.to_frame().assign(lens=name) for name, found in self.lenses.items()]
        return pd.concat(frames, ignore_index=True)

    def figure(self, measure: str = "probability", *, group: str | None = None) -> "go.Figure":
        """One measure over layers, read through each lens; see `semantic_hub.lenses.figures`.

        Args:
            measure: ``"probability"``, ``"share"`` or ``"rank"``.
            group: Only this group's curves; None for all.

        Raises:
            SemanticHubError: As `semantic_hub.lenses.figures.compare_lenses`.
        """
        from semantic_hub.lenses.figures import compare_lenses

        return compare_lenses(self.lenses, measure, group=group)


def read_through(
    model: HookedModel,
    readouts: Sequence[Readout],
    lenses: Mapping[str, Norm],
    *,
    logit: LensResult,
    resampling: Resampling = Resampling(),
) -> LensComparison:
    """Read what the logit lens has read through other lenses too.

    Args:
        model: A decoder.
        readouts: What was read.
        lenses: Name to the lens, as `logit_lens` takes it for ``norm``. An
            `semantic_hub.lenses.translators.affine.AffineLens` is asked for the layers that it can read.
        logit: What the logit lens read of them.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: As `check_lenses` and `logit_lens`.

    Example:
        >>> readouts = sh.spokes.arithmetic.readouts()[:5]
        >>> read = sh.logit_lens(model, readouts)
        >>> both = read_through(model, readouts, {"raw": "none"}, logit=read)
        >>> list(both.lenses)
        ['logit', 'raw']
    """
    check_lenses(model, lenses)
    others = {
        name: logit_lens(model, readouts, norm=lens, layers=_layers(lens), resampling=resampling)
        for name, lens in lenses.items()
    }
    return LensComparison(lenses={LOGIT: logit, **others}, manifest={})


def check_lenses(model: HookedModel, lenses: Mapping[str, Norm]) -> None:
    """Whether lenses can read a model, and stand beside the logit lens: worth asking early.

    Raises:
        SemanticHubError: One is called ``"logit"``, or is an affine lens of another model's shape.
    """
    if LOGIT in lenses:
        raise SemanticHubError(
            "lenses",
            got=f"a lens called {LOGIT!r}",
            expected="other names: the logit lens is always among them",
            fix="Call it something else.",
        )
    for name, lens in lenses.items():
        if isinstance(lens, AffineLens):
            check_fits(lens, model.cfg.d_model, model.cfg.n_layers, f"lens {name!r}")


def _layers(lens: Norm) -> list[int] | None:
    """The layers that an affine lens has a map for, and the last one; all for other lenses."""
    return [*lens.layers, lens.n_layers] if isinstance(lens, AffineLens) else None
