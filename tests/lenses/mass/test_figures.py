"""The figure of language mass: what is stacked, in which colours, and what a hover tells."""

import pandas as pd
import pytest

from semantic_hub.lenses.mass.figures import language_areas
from semantic_hub.plotting.style import PALETTE

LANGUAGES = ["en", "es", "fr", "ru", "zh", "de", "it", "<b>"]


def frame(languages=("en", "es"), layers=3):
    rows = [
        {"measure": measure, "layer": layer, "group": group, "value": 0.1 * (layer + 1)}
        | {"low": 0.05, "high": 0.6, "n": 7, "vocabulary": 0.25}
        for measure in ("mass", "entropy")
        for layer in range(layers)
        for group in (*languages, "shared")
    ]
    return pd.DataFrame(rows)


def test_areas_are_stacked_in_the_frames_order_with_shared_on_top():
    figure = language_areas(frame())
    assert [area.name for area in figure.data] == ["en", "es", "shared"]
    assert {area.stackgroup for area in figure.data} == {"mass"}
    assert list(figure.layout.yaxis.range) == [0, 1]


def test_values_are_the_frames_own_at_ascending_layers():
    area = language_areas(frame().sample(frac=1, random_state=0)).data[0]
    assert list(area.x) == [0, 1, 2] and list(area.y) == pytest.approx([0.1, 0.2, 0.3])


def test_shared_is_grey_and_no_two_languages_look_alike():
    areas = language_areas(frame(LANGUAGES)).data
    looks = [(area.line.color, area.fillpattern.shape) for area in areas]
    assert len(set(looks)) == len(LANGUAGES) + 1
    assert [area.line.color == PALETTE[-1] for area in areas] == [False] * 8 + [True]


def test_hover_tells_interval_number_and_baseline():
    hover = language_areas(frame()).data[1].customdata[0]
    assert hover == "layer emb: 0.1 [0.05, 0.6], n = 7; of the vocabulary 0.25"


def test_names_are_escaped():
    assert language_areas(frame(["en", "<b>"])).data[1].name == "&lt;b&gt;"


@pytest.mark.parametrize(("layers", "ticks"), [(3, 3), (13, 13), (14, 7), (81, 12)])
def test_ticks_are_a_dozen_at_most_with_the_last_layer(layers, ticks):
    axis = language_areas(frame(layers=layers)).layout.xaxis
    assert len(axis.tickvals) == ticks and axis.tickvals[-1] == layers - 1
    assert axis.ticktext[-1] == str(layers - 1)
