"""The same read-outs through several lenses, as one result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semantic_hub.errors import SemanticHubError, check_kinds, check_names
from semantic_hub.lenses.lens import LOGIT, Lens, LensLike, resolve_lens
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.models.protocol import HookedModel
from semantic_hub.prompts.prompt import Readout
from semantic_hub.results.result import Result
from semantic_hub.statistics.resampling import Resampling

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, kw_only=True)
class LensComparison(Result):
    """Result of `read_through`: one set of read-outs through several lenses.

    Args:
        lenses: Result of each lens by name, the logit lens first.
        manifest: Empty; each lens result has its own.
    """

    kind = "lens_comparison"

    lenses: Mapping[str, LensResult]

    def to_frame(self) -> "pd.DataFrame":
        """Frames of all lenses, one below the other, with the column ``lens``."""
        import pandas as pd

        frames = [result.to_frame().assign(lens=name) for name, result in self.lenses.items()]
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
    readouts: Readout | Sequence[Readout],
    lenses: Mapping[str, LensLike],
    *,
    logit: LensResult,
    whole_words: bool = True,
    resampling: Resampling = Resampling(),
) -> LensComparison:
    """Read the read-outs of a logit-lens result through further lenses, and join the results.

    Args:
        model: A decoder.
        readouts: The read-outs that `logit` is of.
        lenses: Lenses by name, as `logit_lens` takes them; each reads the layers that it covers.
        logit: Result of the logit lens on the same read-outs.
        whole_words: As `logit` was read; see `logit_lens`.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: As `resolve_lenses` and `logit_lens`.

    Example:
        >>> readouts = sh.spokes.arithmetic.readouts()[:5]
        >>> logit = sh.logit_lens(model, readouts)
        >>> both = read_through(model, readouts, {"no norm": "raw"}, logit=logit)
        >>> list(both.lenses)
        ['logit', 'no norm']
    """
    others = {
        name: logit_lens(model, readouts, lens=lens, whole_words=whole_words, resampling=resampling)
        for name, lens in resolve_lenses(model, lenses).items()
    }
    return LensComparison(lenses={LOGIT: logit, **others}, manifest={})


def resolve_lenses(model: HookedModel, lenses: Mapping[str, LensLike]) -> dict[str, Lens]:
    """Look up lenses by name and check them, so that a wrong one fails before a long run.

    Args:
        model: The model that is to be read.
        lenses: Lenses by name, as `logit_lens` takes them.

    Raises:
        SemanticHubError: One is called ``"logit"`` or something that is no text, is no lens, or was
            made for a model of another shape.
    """
    check_kinds("lenses", lenses=(lenses, Mapping))
    check_names("lenses", "lens", lenses)
    if LOGIT in lenses:
        raise SemanticHubError(
            "lenses",
            got=f"a lens called {LOGIT!r}",
            expected="other names: the logit lens is always among them",
            fix="Call it something else.",
        )
    return {name: resolve_lens(model, lens, f"lens {name!r}") for name, lens in lenses.items()}
