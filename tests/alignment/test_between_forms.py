"""Forms against forms: the same numbers as pair by pair, and nothing where nothing is shared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_hub.alignment.between_forms import FormSimilarity, compare_forms, labeled_items
from semantic_hub.alignment.figures import form_map
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.statistics.resampling import Resampling

ITEMS = {
    "en": {"dog": "the dog", "cat": "the cat", "five": "two plus three"},
    "<i>es": {"cat": "el gato", "dog": "el perro", "bird": "el ave"},
    "digits": {"five": "2+3=", "dog": "dog 1"},
    "alone": {"five": "cinco"},
}


@pytest.fixture(scope="module")
def found(model: Any) -> FormSimilarity:
    return compare_forms(model, ITEMS, resampling=Resampling(resamples=50))


def test_the_same_as_similarity_of_the_shared_labels(model: Any, found: FormSimilarity) -> None:
    pairs = Pairs.from_prompts(["the dog", "the cat"], ["el perro", "el gato"])
    alone = similarity(
        model, pairs, resampling=Resampling(resamples=10), permutations=10
    ).similarity
    torch.testing.assert_close(found.similarity[0, 1], alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.similarity[1, 0], found.similarity[0, 1])
    assert found.shared.tolist() == [[3, 2, 2, 1], [2, 3, 1, 0], [2, 1, 2, 1], [1, 0, 1, 1]]


def test_nothing_is_put_where_fewer_than_two_labels_are_shared(found: FormSimilarity) -> None:
    known = ~found.similarity.isnan().any(dim=-1)
    assert known.tolist() == (found.shared >= 2).fill_diagonal_(False).tolist()


def test_intervals_enclose_the_value_of_three_labels_or_more(model: Any) -> None:
    more = {name: {**said, "day": f"{name[:2]} day"} for name, said in ITEMS.items()}
    wide = compare_forms(model, more, resampling=Resampling(resamples=200))
    inside = (wide.low[0, 1] <= wide.auc[0, 1]) & (wide.auc[0, 1] <= wide.high[0, 1])
    assert wide.shared[0, 1] == 3 and (wide.low[0, 1] < wide.high[0, 1]).all() and inside.all()


def test_figure_has_a_map_for_each_layer_on_one_scale(found: FormSimilarity) -> None:
    figure: Any = found.figure(2)
    assert [trace.visible for trace in figure.data] == [False, False, True, False]
    assert {trace.zmax for trace in figure.data} == {0.5 + np.nanmax((found.auc - 0.5).abs())}
    shown = np.array(figure.data[2].z, dtype=float)
    np.testing.assert_allclose(shown, found.auc[..., 2])
    assert figure.data[2].text[0][0] == "" and figure.data[2].text[0][1] != ""
    assert figure.data[2].y[1] == "&lt;i&gt;es"
    assert figure.data[2].customdata[0][1].endswith("2 labels")
    [slider] = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["emb", "1", "2", "3"] and slider.active == 2
    assert slider.steps[3].args[1] == (False, False, False, True)


def test_curves_have_each_pair_once(found: FormSimilarity) -> None:
    names = {trace.name for trace in found.curves().data}
    assert names == {"en – &lt;i&gt;es", "en – digits"}


def test_save_and_load(found: FormSimilarity, tmp_path: Path) -> None:
    again = FormSimilarity.load(found.save(tmp_path))
    torch.testing.assert_close(again.similarity, found.similarity, equal_nan=True)


def test_labeled_items_joins_sides_of_one_name() -> None:
    es = Pairs.from_prompts(["dog"], ["perro"], x_name="en", y_name="es", labels=["d"])
    fr = Pairs.from_prompts(["dog"], ["chien"], x_name="en", y_name="fr", labels=["d"])
    assert {side: list(said) for side, said in labeled_items({"a": es, "b": fr}).items()} == {
        "en": ["d"],
        "es": ["d"],
        "fr": ["d"],
    }
    other = Pairs.from_prompts(["a dog"], ["chien"], x_name="en", y_name="fr", labels=["d"])
    with pytest.raises(SemanticHubError, match="two prompts of 'en' for the label 'd'"):
        labeled_items({"a": es, "b": other})
    with pytest.raises(SemanticHubError, match="pairs 'a' without labels"):
        labeled_items({"a": Pairs.from_prompts(["a"], ["b"])})


def test_bad_input(model: Any, found: FormSimilarity) -> None:
    with pytest.raises(SemanticHubError, match="2 forms, no two of which share two labels"):
        compare_forms(model, {name: ITEMS[name] for name in ("en", "alone")})
    with pytest.raises(SemanticHubError, match="form_map: got layer 9"):
        form_map(found.to_frame(), 9)
