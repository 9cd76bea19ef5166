"""Where supported effects begin, peak and end: known profiles, and the figure of them."""

from dataclasses import replace
from math import nan

import pytest
from small_verdicts import ONE, line

from semantic_hub.experiment.verdict.depth import Extent, depth_figure, extents
from semantic_hub.experiment.verdict.lines import LayerMargin, SetVerdict, SpokeVerdict
from semantic_hub.experiment.verdict.result import Verdicts
from semantic_hub.reporting.figures import page_figures
from semantic_hub.reporting.render import _environment


def profiled(
    *cells: tuple[float, float, float], layers: tuple[int, ...], **other: str
) -> SetVerdict:
    profile = tuple(LayerMargin(layer, *cell) for layer, cell in enumerate(cells, start=1))
    return replace(ONE, layers=layers, profile=profile, **other)


HILL = profiled(
    (-0.2, -0.3, -0.1),
    (0.1, -0.1, 0.3),
    (0.4, 0.3, 0.5),
    (0.6, 0.4, 0.8),
    (0.3, 0.2, 0.45),
    (0.1, -0.1, 0.3),
    (-0.1, -0.2, 0.0),
    (0.1, -0.1, 0.3),
    layers=(3, 4, 5),
)


def test_a_hill_begins_and_ends_where_it_stands_out_and_at_most_where_it_may() -> None:
    """Layer 1 lies below 0 and layer 7 up to it; layer 8 is behind that, so it does not count.

    The highest lower end is .4, of layer 4; layers 3 and 5 reach .5 and .45, so each may be the peak.
    """
    assert extents([line("language", "similarity", "supported", HILL)]) == [
        Extent("language", "similarity", "en – es", 3, 2, 4, 3, 5, 5, 6)
    ]


def test_a_sharp_hill_has_extents_without_width() -> None:
    sharp = profiled(
        (-0.2, -0.3, -0.1), (0.8, 0.75, 0.85), (0.5, 0.45, 0.55), (0, -0.1, -0.01), layers=(2, 3)
    )
    [found] = extents([line("code", "causal", "supported", sharp)])
    assert found[3:] == (2, 2, 2, 2, 2, 3, 3)


def test_a_layer_without_an_interval_bounds_nothing() -> None:
    """As in free text, where no text of a resample has a score: it may be part of the effect."""
    nothing, high = (0.3, nan, nan), (0.8, 0.6, 0.9)
    for cells, layers in (((nothing, high), (2,)), ((high, nothing), (1,))):
        [found] = extents(
            [line("language", "causal", "supported", profiled(*cells, layers=layers))]
        )
        peak = layers[0]
        assert (found.peaks, found.peaks_earliest, found.peaks_latest) == (peak, peak, peak)
        assert (found.begins_earliest, found.ends_latest) == (1, 2)


def test_without_any_interval_the_peak_has_none() -> None:
    """A layer's best strength may have none where another one supports the set."""
    none = profiled((0.3, nan, nan), (0.8, nan, nan), layers=(1,))
    [found] = extents([line("language", "causal", "supported", none)])
    assert (found.peaks, found.peaks_earliest, found.peaks_latest) == (1, 1, 1)


def test_the_page_says_where_no_median_set_supports_its_spoke() -> None:
    lines = (line("language", "similarity", "supported", replace(HILL, verdict="cannot tell")),)
    shown = render_part(lines)
    assert "No spoke's median set supports it" in shown and "<table" not in shown
    assert "<td>3 [2, 3]</td><td>4 [3, 5]</td><td>5 [5, 6]</td>" in render_part(
        (line("language", "similarity", "supported", HILL),)
    )


def render_part(lines: tuple[SpokeVerdict, ...]) -> str:
    template = _environment().get_template("depth.html.jinja")
    figures = page_figures([depth_figure(lines, 9)])
    html = template.render(depth=figures, extents=extents(lines), n_layers=9)
    return html.replace("\n", "")


@pytest.mark.parametrize(
    ("verdict", "one"),
    [
        ("cannot tell", HILL),
        ("not measured", None),
        ("supported", replace(HILL, verdict="cannot tell")),
        ("supported", replace(HILL, profile=())),
    ],
)
def test_what_is_not_supported_has_none(verdict: str, one: SetVerdict | None) -> None:
    assert extents([line("language", "lens", verdict, one)]) == []


def test_the_frame_has_a_row_for_each() -> None:
    lines = (
        line("language", "similarity", "supported", HILL),
        line("code", "lens", "cannot tell", HILL),
    )
    frame = Verdicts(lines=lines, sets=(), alpha=0.05, smallest=0.1).depth_frame()
    assert list(frame.columns) == list(Extent._fields)
    assert frame.to_dict("records") == [extents(lines)[0]._asdict()]


def test_the_figure_has_a_panel_for_each_evidence_and_a_bar_for_each_extent() -> None:
    hill = replace(HILL, spoke="<b>")
    lines = (
        line("<b>", "similarity", "supported", hill),
        line("<b>", "causal", "cannot tell", replace(hill, evidence="causal")),
        line("code", "causal", "supported", replace(hill, spoke="code", evidence="causal")),
        line("audio", "causal", "not measured", None),
    )
    figure = depth_figure(lines, 9)
    curves = [trace for trace in figure.data if trace.customdata is not None]
    assert [trace.name for trace in curves] == ["&lt;b&gt;", "&lt;b&gt;", "code"]
    assert [trace.showlegend for trace in curves] == [True, False, True]
    assert list(curves[0].x) == pytest.approx([k / 9 for k in range(1, 9)])
    filled = [symbol == "circle" for symbol in curves[0].marker.symbol]
    assert [place + 1 for place, own in enumerate(filled) if own] == [3, 4, 5]
    assert not any(symbol == "circle" for symbol in curves[1].marker.symbol)
    thin, bar, peak = figure.data[3:6]
    assert list(thin.x) == pytest.approx([2 / 9, 6 / 9])
    assert list(bar.x) == pytest.approx([3 / 9, 5 / 9])
    assert (peak.x[0], peak.error_x.array[0], peak.error_x.arrayminus[0]) == pytest.approx(
        (4 / 9, 1 / 9, 1 / 9)
    )
    assert peak.y[0] == "&lt;b&gt;, similarity"
    told = "begins at layer 3 [2, 3], peaks at 4 [3, 5], ends at 5 [5, 6]"
    assert told in peak.hovertemplate
    assert len(figure.data) == 3 + 2 * 3
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles == [
        "Similarity", "Causal", "Where each is supported"
    ]  # fmt: skip
