"""Small multiples: relative depth, one look for one curve, every panel on the same axes."""

import pandas as pd
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.multiples import small_multiples


def rows(model: str, row: str, values: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"layer": range(len(values)), "value": values, "model": model, "row": row})
    return frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.1, n=5)


@pytest.fixture
def frame() -> pd.DataFrame:
    parts = [
        rows("a", "pairs", [0.0, 0.4, 0.2]),
        rows("a", "twin", [0.0, 0.1, 0.0]),
        rows("<b>", "pairs", [0.0, 0.1, 0.2, 0.3, 0.4]),
        rows("c", "twin", [0.1, 0.0]),
        rows("d", "pairs", [0.1, 0.0]),
    ]
    return pd.concat(parts).sample(frac=1, random_state=0).sort_values("model", ascending=False)


def lines(figure):
    return [trace for trace in figure.data if trace.fill is None]


def test_layers_stand_at_their_relative_depth(frame):
    drawn = lines(small_multiples(frame))
    by_length = {len(line.x): tuple(line.x) for line in drawn}
    assert by_length[3] == (0.0, 0.5, 1.0) and by_length[5] == (0.0, 0.25, 0.5, 0.75, 1.0)
    [curve] = [line for line in drawn if len(line.x) == 5]
    assert list(curve.y) == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert curve.customdata[1] == "layer 1, depth 0.25: 0.1 [0, 0.2], n = 5"


def test_number_of_layers_is_taken_where_it_is_known(frame):
    [first, *_] = lines(small_multiples(frame.assign(n_layers=10)))
    assert max(first.x) <= 0.4


def test_a_curve_looks_alike_in_all_panels_and_is_told_once(frame):
    drawn = lines(small_multiples(frame))
    looks = {line.name: set() for line in drawn}
    for line in drawn:
        looks[line.name].add((line.line.color, line.marker.symbol))
    assert all(len(look) == 1 for look in looks.values()) and looks["pairs"] != looks["twin"]
    assert sorted(line.name for line in drawn if line.showlegend) == ["pairs", "twin"]


def test_panels_have_escaped_names_and_wrap_into_rows(frame):
    figure = small_multiples(frame, columns=3, title="<i>")
    names = [note.text for note in figure.layout.annotations][:4]
    assert names == ["d", "c", "a", "&lt;b&gt;"]
    assert figure.layout.yaxis4.domain[0] < figure.layout.yaxis.domain[0]
    assert figure.layout.height > small_multiples(frame, columns=4).layout.height
    assert figure.layout.title.text == "&lt;i&gt;"


def test_sets_as_panels_and_models_as_curves(frame):
    drawn = lines(small_multiples(frame, panel="row", curve="model"))
    assert {line.name for line in drawn} == {"a", "&lt;b&gt;", "c", "d"}
    assert all(max(line.x) == 1.0 for line in drawn)


def test_bad_input(frame):
    with pytest.raises(SemanticHubError, match="values that share panel, curve and layer"):
        small_multiples(pd.concat([frame, frame]))
    with pytest.raises(SemanticHubError, match="got no rows"):
        small_multiples(frame.iloc[:0])
