"""The grid of tokens by layers: its numbers, its texts, its marks."""

import numpy as np
import pandas as pd
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.grid_figure import lens_grid

HOSTILE = "</script><script>alert(1)</script>"
TOP = {
    (0, 0): [(" red", 0.5, "hub"), ("rojo", 0.3, "surface")],
    (0, 4): [("rojo", 0.7, "surface"), (HOSTILE, 0.2, "")],
    (1, 0): [("שלום", 0.25, ""), ("<0xE4>", 0.125, "")],
    (1, 4): [("书", 0.9, ""), (" red", 0.05, "hub")],
}


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = [
        {"pos": pos, "layer": layer, "rank": rank, "text": text, "probability": p, "group": group}
        | {"next_probability": [0.01, np.nan][pos], "next_rank": [100.0, np.nan][pos]}
        for (pos, layer), top in TOP.items()
        for rank, (text, p, group) in enumerate(top, start=1)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_colour_and_word_are_those_of_the_top_token(frame):
    figure = lens_grid(frame, ["a", " b"])
    grid = figure.data[0]
    assert list(map(list, grid.z)) == [[0.5, 0.25], [0.7, 0.9]]
    assert list(map(list, grid.text)) == [["red", "\u2068שלום\u2069"], ["rojo", "书"]]
    assert figure.layout.yaxis.ticktext == ("emb", "4")
    assert figure.layout.xaxis.ticktext == ("a", "␣b")


def test_hover_lists_the_likeliest_tokens_legibly(frame):
    hover = lens_grid(frame, ["a", " b"]).data[0].customdata
    assert hover[1][0].split("<br>") == [
        "layer 4, a",
        "what follows: 0.01, rank 100",
        "1. rojo 0.7 ← surface",
        "2. &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; 0.2",
    ]
    assert hover[0][1].split("<br>")[1:] == ["1. \u2068שלום\u2069 0.25", "2. ⟨E4⟩ 0.125"]


def test_candidates_on_top_have_a_filled_mark_and_others_an_open_one(frame):
    marks = {trace.name: trace for trace in lens_grid(frame, ["a", "b"]).data[1:]}
    assert list(marks) == ["hub on top", "hub in the list", "surface on top", "surface in the list"]
    places = {
        name: [(round(x), round(y)) for x, y in zip(m.x, m.y, strict=True)]
        for name, m in marks.items()
    }
    assert places["hub on top"] == [(0, 0)] and places["hub in the list"] == [(1, 1)]
    assert places["surface on top"] == [(0, 1)] and places["surface in the list"] == [(0, 0)]
    assert marks["hub in the list"].marker.symbol == marks["hub on top"].marker.symbol + "-open"
    assert marks["hub on top"].marker.color != marks["surface on top"].marker.color


def test_without_groups_there_are_no_marks_and_no_legend(frame):
    figure = lens_grid(frame.drop(columns=["group", "next_rank", "next_probability"]), ["a", "b"])
    assert len(figure.data) == 1


def test_colour_by_the_token_that_follows_leaves_the_end_blank(frame):
    following, rank = (lens_grid(frame, ["a", "b"], color=c).data[0] for c in ("next", "rank"))
    assert list(map(list, following.z)) == [[0.01, None]] * 2
    assert list(map(list, rank.z)) == [[2.0, None]] * 2 and rank.reversescale
    assert list(rank.text[0]) == ["red", ""]
    assert rank.colorbar.ticktext[2] == "100"


def test_width_and_height_grow_with_tokens_and_layers(frame):
    deep = pd.concat([frame.assign(layer=layer) for layer in range(33)]).drop_duplicates(
        ["pos", "layer", "rank"]
    )
    small, large = lens_grid(frame, ["a", "b"]).layout, lens_grid(deep, ["a", "b"]).layout
    assert small.height is None and large.height > 33 * 15
    assert len(large.yaxis.ticktext) <= 13 and large.yaxis.ticktext[-1] == "32"
    assert small.meta["min_width"] > 2 * 50


def test_bad_colour(frame, without_shape_checks):
    with pytest.raises(SemanticHubError, match="got color='entropy'"):
        lens_grid(frame, ["a", "b"], color="entropy")  # type: ignore[arg-type]
    with pytest.raises(SemanticHubError, match="got color='rank'"):
        lens_grid(frame.drop(columns="next_rank"), ["a", "b"], color="rank")
