"""Similarity of pairs in a model: the visible composition of its parts, and its result."""

import itertools

import pytest
import torch

from semantic_hub.cosine import paired_cosines, paired_interval, paired_p_values
from semantic_hub.errors import SemanticHubError
from semantic_hub.models import random_twin
from semantic_hub.pairs import Pairs
from semantic_hub.prompts import Prompt
from semantic_hub.residuals import residual_stream
from semantic_hub.similarity import SimilarityResult, similarity

ENGLISH = ["the dog", "two plus three", "the cat runs", "five", "the dog barks at the cat", "a"]
SPANISH = ["el perro", "2+3", "el gato huye", "5", "El perro ladra al gato", "b"]
PAIRS = Pairs.from_prompts(ENGLISH, SPANISH, x_name="en", y_name="es")
ARRAYS = ["similarity", "matched", "mismatched", "low", "high", "p", "p_corrected"]


@pytest.fixture
def result(model) -> SimilarityResult:
    return similarity(model, PAIRS, resamples=50, permutations=40)


def result_of(**changes) -> SimilarityResult:
    curve = torch.tensor([0.1, 0.3], dtype=torch.float64)
    values = dict.fromkeys(ARRAYS, curve)
    values |= {"layers": (0, 1), "n_pairs": 9, "x_name": "en", "y_name": "es", "manifest": {}}
    return SimilarityResult(**{**values, **changes})


def assert_same(a: SimilarityResult, b: SimilarityResult) -> None:
    for name in ARRAYS:
        torch.testing.assert_close(
            getattr(a, name), getattr(b, name), rtol=0, atol=0, equal_nan=True
        )
    for name in ("layers", "n_pairs", "x_name", "y_name", "manifest"):
        assert getattr(a, name) == getattr(b, name)


def test_is_the_composition_of_its_public_parts(model, result):
    x, y = residual_stream(model, ENGLISH), residual_stream(model, SPANISH)
    cosines = paired_cosines(x, y)
    low, high = paired_interval(x, y, resamples=50)
    p, p_corrected = paired_p_values(x, y, permutations=40)
    assert result.layers == (0, 1, 2, 3)
    expected = [cosines.similarity, *cosines, low, high, p, p_corrected]
    for name, value in zip(ARRAYS, expected, strict=True):
        torch.testing.assert_close(getattr(result, name), value, atol=1e-5, rtol=0)


def test_positions_and_layers_are_those_of_the_residual_stream(model):
    result = similarity(model, PAIRS, positions="mean", layers=[3, 1], batch_size=2, resamples=9)
    x = residual_stream(model, ENGLISH, "mean", layers=[3, 1])
    y = residual_stream(model, SPANISH, "mean", layers=[3, 1])
    assert result.layers == (3, 1)
    torch.testing.assert_close(
        result.similarity, paired_cosines(x, y).similarity, atol=1e-5, rtol=0
    )


def test_a_pairs_own_position_is_read(model):
    first = [Prompt(text, position=0) for text in ENGLISH]
    at_first = similarity(model, Pairs.from_prompts(first, SPANISH), resamples=9)
    states = residual_stream(model, ENGLISH, (0, 1)), residual_stream(model, SPANISH)
    expected = paired_cosines(*states).similarity
    torch.testing.assert_close(at_first.similarity, expected, atol=1e-5, rtol=0)


def test_equal_prompts_match_fully(model):
    same = similarity(model, Pairs.from_prompts(ENGLISH, ENGLISH), resamples=20)
    torch.testing.assert_close(same.matched, torch.ones(4).double(), atol=1e-5, rtol=0)
    assert (same.similarity > 0).all()
    assert same.p_corrected.max() <= 0.01


def test_same_seed_same_numbers_other_seed_others(model, result):
    assert_same(similarity(model, PAIRS, resamples=50, permutations=40), result)
    other = similarity(model, PAIRS, resamples=50, permutations=40, seed=1)
    assert torch.equal(other.similarity, result.similarity)
    assert not torch.equal(other.low, result.low)


def test_controls_are_other_models_and_other_pairs(model):
    twin = random_twin(model)
    shifted = Pairs.from_prompts(ENGLISH, SPANISH[1:] + SPANISH[:1])
    settings = {"resamples": 20, "permutations": 20}
    result = similarity(
        model, PAIRS, controls={"random twin": twin, "shifted": shifted}, **settings
    )
    assert list(result.controls) == ["random twin", "shifted"]
    assert_same(result.controls["random twin"], similarity(twin, PAIRS, **settings))
    assert_same(result.controls["shifted"], similarity(model, shifted, **settings))


def test_manifest_holds_all_settings(model, result):
    expected = {"seed": 0, "resamples": 50, "permutations": 40, "positions": "last", "n_pairs": 6}
    assert expected.items() <= result.manifest.items()
    named = similarity(model, PAIRS, positions=lambda tokens: len(tokens) - 1, resamples=9)
    assert named.manifest["positions"] == "<lambda>"


def test_units_and_axes(result):
    assert set(result.axes) == set(result.units) == set(ARRAYS)
    assert set(result.axes.values()) == {("layer",)}
    assert result.units["matched"] == "mean cosine"


def test_frame_is_tidy():
    twin = result_of(n_pairs=8, similarity=torch.tensor([0.0, 0.01], dtype=torch.float64))
    frame = result_of(controls={"random twin": twin}).to_frame()
    assert list(frame.columns) == [
        "row", "measure", "layer", "value", "low", "high", "p", "p_corrected", "n"
    ]  # fmt: skip
    keys = list(frame[["row", "measure", "layer"]].itertuples(index=False, name=None))
    rows, measures = ["en – es", "random twin"], ["similarity", "matched", "mismatched"]
    assert keys == list(itertools.product(rows, measures, [0, 1]))
    last = frame[(frame["row"] == "random twin") & (frame["measure"] == "similarity")].iloc[-1]
    assert (last["value"], last["low"], last["n"]) == (0.01, 0.3, 8)
    beside = frame.loc[frame["measure"] != "similarity", ["low", "high", "p", "p_corrected"]]
    assert beside.isna().all(axis=None)
    assert frame["low"].dtype == "float64"


def test_saved_result_comes_back_with_its_controls(model, tmp_path):
    result = similarity(model, PAIRS, resamples=9, controls={"random twin": random_twin(model)})
    loaded = SimilarityResult.load(result.save(tmp_path / "en-es"))
    assert_same(loaded, result)
    assert_same(loaded.controls["random twin"], result.controls["random twin"])
    assert loaded.to_frame().equals(result.to_frame())


def test_figure_has_a_curve_for_each_row():
    figure = result_of(controls={"random twin": result_of()}).figure()
    assert {trace.name for trace in figure.data} == {"en – es", "random twin"}
    assert figure.layout.yaxis.title.text == "difference of mean cosines"
    matched = result_of().figure("matched")
    assert matched.layout.yaxis.title.text == "mean cosine"


def test_two_pairs_have_a_similarity_but_no_interval(model, tmp_path):
    result = similarity(model, PAIRS[:2])
    assert result.low.isnan().all()
    assert set(result.p.tolist()) <= {0.5, 1.0}
    assert_same(SimilarityResult.load(result.save(tmp_path)), result)


def test_one_pair_has_no_mismatch(model):
    with pytest.raises(SemanticHubError, match="similarity: got 1 pair; expected at least 2 pairs"):
        similarity(model, PAIRS[:1])


@pytest.mark.parametrize(
    "controls",
    [{"twin": {"layers": (0, 2)}}, {"twin": {"controls": {"x": {}}}}, {"en – es": {}}],
)
def test_controls_that_do_not_fit_are_refused(controls):
    def build(changes: dict) -> SimilarityResult:
        nested = {name: build(inner) for name, inner in changes.get("controls", {}).items()}
        return result_of(**{**changes, "controls": nested})

    with pytest.raises(SemanticHubError, match="expected a control at layers"):
        build({"controls": controls})


def test_arrays_must_fit_the_layers(without_shape_checks):
    with pytest.raises(SemanticHubError, match="p with 3 along 'layer'; expected 2"):
        result_of(p=torch.zeros(3))


def test_similarity_of_a_planted_world_is_known():
    """Orthogonal concepts of length 1; each language adds a direction of its own, of length a."""
    a, directions = 2.0, torch.eye(6)
    x = (directions[:4] + a * directions[4])[:, None]
    y = (directions[:4] + a * directions[5])[:, None]
    other, same = paired_cosines(x, y), paired_cosines(x, x)
    assert (other.matched.item(), other.mismatched.item()) == pytest.approx((1 / (1 + a**2), 0))
    assert (same.matched.item(), same.mismatched.item()) == pytest.approx((1, a**2 / (1 + a**2)))
