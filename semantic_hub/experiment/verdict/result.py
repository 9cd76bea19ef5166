"""All verdicts on a model, as text, as frames and as a picture."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semantic_hub.experiment.verdict.depth import Extent, depth_figure, extents
from semantic_hub.experiment.verdict.lines import LayerMargin, SetVerdict, SpokeVerdict
from semantic_hub.experiment.verdict.picture import sentences, verdict_html
from semantic_hub.plotting.values import Displayable

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


_MEDIAN = ("name", "margin", "low", "high", "strongest", "p")
_COUNTS = ("spoke", "evidence", "verdict", "n_sets", "n_supported", "n_not_supported")
_LINE_COLUMNS = (*_COUNTS, "name", "layers", "margin", "low", "high", "strongest", "p")


@dataclass(frozen=True, kw_only=True)
class Verdicts(Displayable):
    """Verdicts on all sets and spokes, and the alpha and smallest margin used.

    Args:
        lines: One for each spoke and kind of evidence.
        sets: One for each set.
        alpha: Chance of a false "supported" that is accepted in each kind of evidence.
        smallest: The smallest margin of interest.
        notes: What kept the rule from deciding, such as too few permutations for so many sets.
    """

    lines: tuple[SpokeVerdict, ...]
    sets: tuple[SetVerdict, ...]
    alpha: float
    smallest: float
    notes: tuple[str, ...] = ()

    def _lines(self) -> Iterator[str]:
        said = Counter(line.verdict for line in self.lines)
        counted = ", ".join(f"{n} {verdict}" for verdict, n in said.items())
        yield f"Verdicts on {len(self.sets)} sets: {counted}"
        for line in self.lines[:3]:
            yield f"{line.spoke}, {line.evidence}: {line.verdict}, {line.n_sets} sets"
        yield "to_frame()  sets_frame()  profiles_frame()  depth_frame()  sentences()  to_latex()"

    def _table(self) -> "pd.DataFrame":
        return self.to_frame()

    def _repr_html_(self) -> str:
        return verdict_html(self.lines)

    def to_frame(self) -> "pd.DataFrame":
        """The verdicts of all spokes as a frame.

        Returns:
            Columns ``spoke evidence verdict n_sets n_supported n_not_supported``, then of the set
            with the median margin ``name layers margin low high strongest p``.
        """
        return _frame([_line(line) for line in self.lines], _LINE_COLUMNS)

    def sets_frame(self) -> "pd.DataFrame":
        """The verdicts of all sets as a frame: the fields of `SetVerdict` but ``profile``.

        ``layers`` are text.
        """
        rows = [{**vars(one), "layers": one.layer_range} for one in self.sets]
        return _frame(rows, [name for name in SetVerdict.__dataclass_fields__ if name != "profile"])

    def profiles_frame(self) -> "pd.DataFrame":
        """The margin of every set at each middle layer.

        Returns:
            Columns ``spoke evidence name layer value low high``.
        """
        rows = [
            {"spoke": one.spoke, "evidence": one.evidence, "name": one.name, **at._asdict()}
            for one in self.sets
            for at in one.profile
        ]
        return _frame(rows, ("spoke", "evidence", "name", *LayerMargin._fields))

    def depth_frame(self) -> "pd.DataFrame":
        """Where each supported effect begins, peaks and ends, in layers, with intervals.

        Returns:
            The fields of `semantic_hub.experiment.verdict.depth.Extent` as columns; a row for each
            spoke and kind of evidence whose median set supports it.
        """
        return _frame([extent._asdict() for extent in extents(self.lines)], Extent._fields)

    def depth_figure(self, n_layers: int) -> "go.Figure":
        """Effects of all spokes over relative depth, and where each is supported.

        See `semantic_hub.experiment.verdict.depth.depth_figure`.

        Args:
            n_layers: The model's number of blocks.
        """
        return depth_figure(self.lines, n_layers)

    def sentences(self) -> dict[str, str]:
        """What each kind of evidence says of all spokes, one sentence each.

        The layers are those of the spoke's set with the median margin, where they support it.

        Returns:
            Kind of evidence to its sentence.

        Example:
            >>> verdict = Verdicts(lines=(), sets=(), alpha=0.05, smallest=0.1)
            >>> verdict.sentences()
            {}
        """
        return sentences(self.lines)


def _line(line: SpokeVerdict) -> dict[str, Any]:
    row = {name: getattr(line, name) for name in _COUNTS}
    if line.median_set is None:
        return row
    median_set = {name: getattr(line.median_set, name) for name in _MEDIAN}
    return row | median_set | {"layers": line.median_set.layer_range}


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))
