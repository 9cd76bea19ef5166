import pandas as pd
import pytest

from semantic_hub.plotting.curves import layer_curve
from semantic_hub.plotting.style import PALETTE
from semantic_hub.plotting.text import display_token


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = [
        {
            "layer": layer,
            "row": row,
            "value": value,
            "low": value - 0.1,
            "high": value + 0.2,
            "n": 7,
        }
        for row, values in {"matched": (0.0, 0.4, 0.3), "<i>twin</i>": (0.0, 0.1, 0.1)}.items()
        for layer, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_each_group_has_a_band_and_a_line_switched_together(frame):
    traces = layer_curve(frame).data
    assert [trace.fill for trace in traces] == ["toself", None, "toself", None]
    assert [trace.showlegend for trace in traces] == [False, None, False, None]
    assert {trace.legendgroup for trace in traces[:2]} == {"matched"}
    assert traces[0].line.color == traces[1].line.color == PALETTE[0]


def test_values_are_the_frames_own(frame):
    band, line = layer_curve(frame.sample(frac=1, random_state=0)).select_traces(
        {"legendgroup": "matched"}
    )
    assert list(line.x) == [0, 1, 2]
    assert list(line.y) == [0.0, 0.4, 0.3]
    assert list(band.x) == [0, 1, 2, 2, 1, 0]
    assert list(band.y) == pytest.approx([0.2, 0.6, 0.5, 0.2, 0.3, -0.1])


def test_hover_tells_interval_and_number(frame):
    line = layer_curve(frame).data[1]
    assert line.customdata[0] == "layer emb: 0 [-0.1, 0.2], n = 7"
    assert line.customdata[1] == "layer 1: 0.4 [0.3, 0.6], n = 7"


def test_a_frame_without_intervals_gives_lines_only(frame):
    figure = layer_curve(frame.drop(columns=["low", "high", "n"]))
    assert [trace.fill for trace in figure.data] == [None, None]
    assert figure.data[0].customdata[1] == "layer 1: 0.4"
    unknown = layer_curve(frame.assign(low=float("nan")))
    assert [trace.fill for trace in unknown.data] == [None, None]


def test_columns_can_have_other_names(frame):
    renamed = frame.rename(columns={"value": "mean", "low": "a", "high": "b", "row": "pair"})
    figure = layer_curve(renamed, value="mean", low="a", high="b", group="pair")
    assert list(figure.data[1].y) == [0.0, 0.4, 0.3]


def test_layer_0_is_labelled_emb_and_the_last_layer_is_always_labelled(frame):
    assert list(layer_curve(frame).layout.xaxis.ticktext) == ["emb", "1", "2"]
    deep = pd.DataFrame({"layer": range(33), "row": "a", "value": 0.0})
    ticks = layer_curve(deep).layout.xaxis
    assert ticks.ticktext[0] == "emb" and ticks.tickvals[-1] == 32 and len(ticks.tickvals) <= 13


def test_titles_and_names_are_escaped(frame):
    figure = layer_curve(frame, title="a < b", y_title="<script>", references={"<b>": 0.0})
    assert figure.data[2].name == "&lt;i&gt;twin&lt;/i&gt;"
    assert figure.layout.title.text == "a &lt; b"
    assert figure.layout.yaxis.title.text == "&lt;script&gt;"
    assert figure.layout.annotations[0].text == "&lt;b&gt;"


def test_long_titles_run_over_lines_with_room_for_them(frame):
    long = layer_curve(frame, title="matched pairs above mismatched pairs " * 2).layout
    assert long.title.text.count("<br>") == 1
    assert long.margin.t > layer_curve(frame, title="short").layout.margin.t


def test_more_groups_than_colors_differ_in_dash():
    many = pd.DataFrame({"layer": 0, "row": [str(i) for i in range(8)], "value": 0.0})
    first, *_, last = layer_curve(many).data
    assert first.line.color == last.line.color and first.line.dash != last.line.dash


def test_figures_are_transparent_so_that_they_take_the_pages_ground(frame):
    template = layer_curve(frame).layout.template.layout
    assert template.paper_bgcolor == template.plot_bgcolor == "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" dog", "␣dog"),
        ("  ", "␣␣"),
        ("dog ", "dog␣"),
        ("a b", "a b"),
        ("\n", "⏎"),
        ("\t\x00\x7f", "⇥␀␡"),
        ("\u200b", "⟨U+200B⟩"),
        ("\u202e", "⟨U+202E⟩"),
        ("<0xE4>", "⟨E4⟩"),
        ("<0xe4><0xB9>", "⟨e4⟩⟨B9⟩"),
        ("<0xZZ>", "&lt;0xZZ&gt;"),
        ("", ""),
        ("书", "书"),
        ("שלום", "\u2068שלום\u2069"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('&"', '&amp;"'),
    ],
)
def test_legible(token, shown):
    assert display_token(token) == shown
