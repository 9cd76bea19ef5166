"""The picture of every read-out: its numbers, its scale, its names."""

from typing import Any

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.figures import item_map
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.result import LensResult
from semantic_hub.prompts.prompt import Prompt, Readout

WORDS = {"surface": ("cat",), "hub": ("dog",)}
SAME = {"surface": ("cat",), "hub": ("cat",)}


@pytest.fixture(scope="module")
def lens(model: Any) -> LensResult:
    texts = ["The dog", "El perro ladra", "2+3=", "two plus"]
    readouts = [Readout(Prompt(text), WORDS) for text in texts]
    readouts.insert(1, Readout(Prompt("cat"), SAME))  # dropped: the groups share their token
    return logit_lens(model, readouts)


def heat(figure: Any) -> Any:
    """The one trace of the picture."""
    [trace] = figure.data
    return trace


def test_a_column_for_each_kept_readout_and_a_row_for_each_layer(lens: LensResult) -> None:
    drawn = heat(item_map(lens))
    hub, surface = lens.groups.index("hub"), lens.groups.index("surface")
    odds = (lens.log_prob[..., hub] - lens.log_prob[..., surface]).T.numpy()
    np.testing.assert_allclose(drawn.z, odds, rtol=1e-6)
    assert drawn.z.shape == (len(lens.layers), 4)
    assert list(drawn.y) == list(lens.layers)
    assert drawn.zmin == -drawn.zmax
    assert drawn.zmax == pytest.approx(np.quantile(np.abs(odds), 0.95), rel=1e-5)


def test_blue_is_the_group_that_is_named_first(lens: LensResult) -> None:
    one, other = heat(item_map(lens)), heat(item_map(lens, "surface", "hub"))
    np.testing.assert_allclose(one.z, -other.z)


def test_labels_are_those_of_the_kept_and_are_escaped(lens: LensResult) -> None:
    figure: Any = item_map(lens, labels=["<a>", "dropped", "c", "d", "e"], title="<t>")
    assert list(figure.layout.xaxis.ticktext) == ["&lt;a&gt;", "c", "d", "e"]
    assert heat(figure).customdata[0][0] == "&lt;a&gt;<br>layer emb"
    assert figure.layout.meta["min_width"] > 4 * 15
    assert "<t>" not in figure.layout.title.text


def test_without_labels_columns_have_their_numbers(lens: LensResult) -> None:
    figure: Any = item_map(lens)
    shown = [f"read-out {index}<br>layer 2" for index in (0, 2, 3, 4)]
    assert list(heat(figure).customdata[2]) == shown
    assert list(figure.layout.yaxis.ticktext) == ["emb", "1", "2", "3"]
    assert figure.layout.xaxis.ticktext is None


def test_bad_input(lens: LensResult) -> None:
    with pytest.raises(
        SemanticHubError, match="the group 'role'; expected one of 'surface', 'hub'"
    ):
        item_map(lens, "role")
    with pytest.raises(SemanticHubError, match=r"got 4 labels; expected .* 5 or more"):
        item_map(lens, labels=list("abcd"))
