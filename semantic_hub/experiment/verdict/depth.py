"""Where in a model's depth the supported effects begin, peak and end."""

from collections.abc import Iterator, Sequence
from math import inf, isnan
from typing import TYPE_CHECKING, NamedTuple

from semantic_hub.experiment.verdict.lines import SetVerdict, SpokeVerdict
from semantic_hub.experiment.verdict.picture import supporting_set
from semantic_hub.models.layers import layer_name
from semantic_hub.plotting.text import escape

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PANEL, _STRIP, _AROUND = 150, 24, 130
"""Height of a panel of curves, of a line of the lowest panel, and of what is around, in pixels."""


class Extent(NamedTuple):
    """The layers where a supported effect begins, peaks and ends, each with its interval.

    It begins and ends at the first and last layer that supports it. It may begin earlier: through
    the unbroken stretch of layers before in which the margin's interval does not lie wholly at or
    below 0; likewise it may end later. Its peak is the supporting layer with the largest margin,
    and may be any layer whose interval reaches as high as the highest lower end of any.

    Attributes:
        spoke: The spoke's name.
        evidence: ``"similarity"``, ``"lens"`` or ``"causal"``.
        name: The set with the median margin, which this is of.
        begins: First supporting layer.
        begins_earliest: Earliest layer where it may begin.
        peaks: Layer of the largest margin.
        peaks_earliest: First layer that may be the peak.
        peaks_latest: Last layer that may be the peak.
        ends: Last supporting layer.
        ends_latest: Latest layer where it may end.
    """

    spoke: str
    evidence: str
    name: str
    begins: int
    begins_earliest: int
    peaks: int
    peaks_earliest: int
    peaks_latest: int
    ends: int
    ends_latest: int

    @property
    def texts(self) -> tuple[str, str, str]:
        """Where it begins, peaks and ends, as text: a layer, with its interval if that is wider.

        Example:
            >>> Extent("code", "lens", "lists", 3, 2, 4, 4, 4, 5, 6).texts
            ('3 [2, 3]', '4', '5 [5, 6]')
        """
        return (
            _within(self.begins_earliest, self.begins, self.begins),
            _within(self.peaks_earliest, self.peaks, self.peaks_latest),
            _within(self.ends, self.ends, self.ends_latest),
        )


def extents(lines: Sequence[SpokeVerdict]) -> list[Extent]:
    """The extent of every spoke and kind of evidence whose median set supports it.

    Args:
        lines: ``Verdicts.lines``.

    Example:
        >>> extents([])
        []
    """
    supporting = filter(None, map(supporting_set, lines))
    return [_extent(one) for one in supporting if {at.layer for at in one.profile} & {*one.layers}]


def depth_figure(lines: Sequence[SpokeVerdict], n_layers: int) -> "go.Figure":
    """Effects of all spokes over relative depth, and below where each is supported.

    Args:
        lines: ``Verdicts.lines``.
        n_layers: The model's number of blocks: depth is the layer over it.

    Returns:
        A panel for each kind of evidence, with the margin of each spoke's set with the median
        margin; filled marks support it. Below a bar for each `Extent`, from where it begins to
        where it ends, with a diamond at the peak; thin lines are the intervals.

    Example:
        >>> len(depth_figure([], 8).data)
        0
    """
    from plotly.subplots import make_subplots

    from semantic_hub.plotting.style import TEMPLATE

    shown = [line for line in lines if line.median_set is not None and line.median_set.profile]
    families = list(dict.fromkeys(line.evidence for line in shown))
    spokes = list(dict.fromkeys(line.spoke for line in shown))
    found = extents(lines)
    heights = [_PANEL] * len(families) + [_STRIP * (len(found) + 1)] * bool(found)
    figure = make_subplots(
        rows=max(1, len(heights)),
        shared_xaxes=True,
        vertical_spacing=40 / max(sum(heights), 200),
        row_heights=heights or None,
        subplot_titles=[escape(family.capitalize()) for family in families]
        + ["Where each is supported"] * bool(found),
    )
    in_legend: set[str] = set()
    for row, family in enumerate(families, start=1):
        for line in shown:
            if line.evidence == family:
                trace = _curve(line, n_layers, spokes.index(line.spoke))
                trace.showlegend = line.spoke not in in_legend
                in_legend.add(line.spoke)
                figure.add_trace(trace, row=row, col=1)
        figure.update_yaxes(title_text="above control", row=row, col=1)
    for extent in found:
        for trace in _bar(extent, n_layers, spokes.index(extent.spoke)):
            figure.add_trace(trace, row=len(heights), col=1)
    if found:
        figure.update_yaxes(autorange="reversed", row=len(heights), col=1)
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_xaxes(title_text="relative depth", row=len(heights) or 1, col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    height = sum(heights) + 40 * len(heights) + _AROUND
    title = "Effect above the strongest control, over depth, of each spoke's median set"
    look = {
        "title_text": title,
        "legend": {"y": -70 / height},
        "margin": {"t": 60},
        "height": height,
    }
    return figure.update_layout(template=TEMPLATE, **look)


def _extent(one: SetVerdict) -> Extent:
    profile = {at.layer: at for at in one.profile}
    layers, supporting = sorted(profile), [k for k in one.layers if k in profile]
    begins, ends = min(supporting), max(supporting)
    peaks = max(supporting, key=lambda layer: profile[layer].value)
    reach = max((at.low for at in one.profile if not isnan(at.low)), default=inf)
    candidates = [layer for layer in layers if profile[layer].high >= reach]
    before = [layer for layer in layers if layer < begins][::-1]
    behind = [layer for layer in layers if layer > ends]

    def as_far_as(beyond: Sequence[int], bound: int) -> int:
        for layer in beyond:
            if profile[layer].high <= 0:
                break
            bound = layer
        return bound

    return Extent(
        spoke=one.spoke,
        evidence=one.evidence,
        name=one.name,
        begins=begins,
        begins_earliest=as_far_as(before, begins),
        peaks=peaks,
        peaks_earliest=min([*candidates, peaks]),
        peaks_latest=max([*candidates, peaks]),
        ends=ends,
        ends_latest=as_far_as(behind, ends),
    )


def _curve(line: SpokeVerdict, n_layers: int, index: int) -> "go.Scatter":
    """The margin of a spoke's median set at each middle layer."""
    import plotly.graph_objects as go

    from semantic_hub.plotting.style import DASHES, PALETTE, nth

    one = line.median_set
    assert one is not None
    supporting = supporting_set(line)
    filled = set() if supporting is None else set(supporting.layers)
    told = [
        f"{escape(one.name)}, layer {layer_name(at.layer)}: "
        f"{at.value:.2f} [{at.low:.2f}, {at.high:.2f}], n = {one.n}"
        for at in one.profile
    ]
    color = nth(PALETTE, index)
    return go.Scatter(
        x=[at.layer / n_layers for at in one.profile],
        y=[at.value for at in one.profile],
        name=escape(line.spoke),
        legendgroup=escape(line.spoke),
        mode="lines+markers",
        line={"color": color, "dash": nth(DASHES, index // len(PALETTE))},
        marker={
            "size": 7,
            "color": color,
            "symbol": ["circle" if at.layer in filled else "circle-open" for at in one.profile],
        },
        customdata=told,
        hovertemplate="%{customdata}<extra>%{fullData.name}</extra>",
    )


def _bar(extent: Extent, n_layers: int, index: int) -> "Iterator[go.Scatter]":
    """An extent as a thin line, a bar upon it, and a diamond with its interval."""
    import plotly.graph_objects as go

    from semantic_hub.plotting.style import PALETTE, nth

    color, group = nth(PALETTE, index), escape(extent.spoke)
    row = escape(f"{extent.spoke}, {extent.evidence}")
    told = "{}: begins at layer {}, peaks at {}, ends at {}".format(row, *extent.texts)
    common = {"legendgroup": group, "showlegend": False, "hovertemplate": f"{told}<extra></extra>"}
    for start, end, width in (
        (extent.begins_earliest, extent.ends_latest, 1.5),
        (extent.begins, extent.ends, 8),
    ):
        yield go.Scatter(
            x=[start / n_layers, end / n_layers],
            y=[row, row],
            mode="lines+markers" if width > 2 else "lines",
            line={"color": color, "width": width},
            marker={"color": color, "size": width, "symbol": "square"},
            opacity=0.45 if width > 2 else 1,
            **common,
        )
    peak = extent.peaks / n_layers
    yield go.Scatter(
        x=[peak],
        y=[row],
        mode="markers",
        marker={"color": color, "size": 11, "symbol": "diamond"},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [extent.peaks_latest / n_layers - peak],
            "arrayminus": [peak - extent.peaks_earliest / n_layers],
        },
        **common,
    )


def _within(low: int, value: int, high: int) -> str:
    """A layer with its interval, where it has a width.

    Example:
        >>> _within(2, 3, 3), _within(3, 3, 3)
        ('3 [2, 3]', '3')
    """
    return f"{value}" if low == high else f"{value} [{low}, {high}]"
