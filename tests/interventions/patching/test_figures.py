"""Maps of patching: layers by places, or by heads."""

import pandas as pd
import pytest

from semantic_hub.interventions.patching.figures import patch_map


def frame(places: list[str]) -> pd.DataFrame:
    cells = [(layer, place) for layer in (0, 1) for place in places]
    rows = [
        {
            "row": row,
            "measure": "normalized_logit_diff",
            "answer": "",
            "layer": layer,
            "place": place,
            "n": 4,
        }
        | {"value": i / 10, "low": 0.0, "high": 1.0}
        for row in ("patched", "placebo")
        for i, (layer, place) in enumerate(cells)
    ]
    return pd.DataFrame(rows)


def test_cells_are_those_of_the_patch_alone() -> None:
    figure = patch_map(frame(["<subject>", "last"]))
    [grid] = figure.data
    assert [list(row) for row in grid.z] == [[0.0, 0.1], [0.2, 0.3]]
    assert grid.x == ("&lt;subject&gt;", "last") and grid.y == ("emb", "1")
    assert grid.customdata[1][1] == "[0, 1], n = 4"
    assert figure.layout.xaxis.title.text == "place"


@pytest.mark.parametrize(
    ("places", "title", "names"),
    [
        (["last, head 0", "last, head 1"], "head, at last", ("H0", "H1")),
        (["a, head 0", "b, head 0"], "place", ("a, head 0", "b, head 0")),
        (["last, head 0", "last"], "place", ("last, head 0", "last")),
    ],
)
def test_heads_of_one_place_go_by_their_numbers(
    places: list[str], title: str, names: tuple[str, ...]
) -> None:
    figure = patch_map(frame(places))
    assert figure.layout.xaxis.title.text == title and figure.data[0].x == names
