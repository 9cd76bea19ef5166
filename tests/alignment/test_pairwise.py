"""Similarity of pairs in a model: the visible composition of its parts, and its result."""

import importlib
import itertools

import numpy as np
import pytest
import torch
import transformers

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.alignment.auc import control_wins, match_wins
from semantic_hub.alignment.controls import Controls, stacked_controls
from semantic_hub.alignment.cosine import (
    paired_cosines,
    paired_interval,
    paired_p_values,
)
from semantic_hub.alignment.measures import MEASURES
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.result import MeasureResult, SimilarityResult
from semantic_hub.errors import SemanticHubError
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, encode
from semantic_hub.statistics.p_values import max_t_p_values
from semantic_hub.statistics.resampling import Resampling, resample_weights
from semantic_hub.zoo.planted.models import planted_hub, planted_separate, planted_world

ENGLISH = ["the dog", "two plus three", "the cat runs", "five", "the dog barks at the cat", "a"]
SPANISH = ["el perro", "2+3", "el gato huye", "5", "El perro ladra al gato", "b"]
PAIRS = Pairs.from_prompts(ENGLISH, SPANISH, x_name="en", y_name="es")
PARTS = ["similarity", "matched", "mismatched", "low", "high", "p", "p_corrected"]
ARRAYS = [*PARTS, "margin", "margin_low", "margin_high", "margin_p_corrected"]
SHIFTED = Pairs.from_prompts(ENGLISH, SPANISH[1:] + SPANISH[:1])


@pytest.fixture
def result(model) -> SimilarityResult:
    return similarity(model, PAIRS, resampling=Resampling(resamples=50), permutations=40)


def auc_of(values: list[float], p: float = 0.01, layers: tuple[int, ...] | None = None):
    curve = torch.tensor(values, dtype=torch.float64)
    ends = {"value": curve, "low": curve - 0.1, "high": curve + 0.1}
    p_values = dict.fromkeys(("p", "p_corrected"), torch.full_like(curve, p))
    where = layers or tuple(range(len(values)))
    return MeasureResult(
        layers=where, **ends, **p_values, chance=0.5, unit="share of mismatches beaten", manifest={}
    )


def result_of(**changes) -> SimilarityResult:
    curve = torch.tensor([0.1, 0.3], dtype=torch.float64)
    values = dict.fromkeys(ARRAYS, curve)
    values |= {"layers": (0, 1), "n_pairs": 9, "x_name": "en", "y_name": "es", "manifest": {}}
    values |= {"n_layers": 1, "resampling": Resampling(), "permutations": 1000}
    values |= {"measures": {"AUC": auc_of([0.6, 0.7])}}
    return SimilarityResult(**{**values, **changes})


def assert_same(a: SimilarityResult, b: SimilarityResult, atol: float = 0) -> None:
    for name in ARRAYS:
        torch.testing.assert_close(
            getattr(a, name), getattr(b, name), rtol=0, atol=atol, equal_nan=True
        )
    plain = ("layers", "n_layers", "n_pairs", "x_name", "y_name", "strongest")
    for name in (*plain, "resampling", "permutations", "dropped", "left_out", "manifest"):
        assert getattr(a, name) == getattr(b, name)
    for rows in ("controls", "checks"):
        ours, theirs = getattr(a, rows), getattr(b, rows)
        assert list(ours) == list(theirs)
        for name, row in ours.items():
            assert_same(row, theirs[name], atol)
    for ours, theirs in ((a.measures, b.measures), (a.wins, b.wins)):
        assert list(ours) == list(theirs)
        for name, measure in ours.items():
            assert_same_measure(measure, theirs[name], atol)


def assert_same_measure(a: MeasureResult, b: MeasureResult, atol: float) -> None:
    for name in ("value", "low", "high", "p", "p_corrected"):
        torch.testing.assert_close(
            getattr(a, name), getattr(b, name), rtol=0, atol=atol, equal_nan=True
        )
    assert (a.layers, a.chance, a.unit) == (b.layers, b.chance, b.unit)


def test_is_the_composition_of_its_public_parts(model, result):
    x, y = residual_stream(model, ENGLISH), residual_stream(model, SPANISH)
    cosines = paired_cosines(x, y)
    low, high = paired_interval(x, y, resampling=Resampling(resamples=50))
    p, p_corrected = paired_p_values(x, y, permutations=40)
    assert result.layers == (0, 1, 2, 3)
    expected = [cosines.similarity, *cosines, low, high, p, p_corrected]
    for name, value in zip(PARTS, expected, strict=True):
        torch.testing.assert_close(getattr(result, name), value, atol=1e-5, rtol=0)


def test_positions_and_layers_are_those_of_the_residual_stream(model):
    result = similarity(
        model,
        PAIRS,
        positions="mean",
        layers=[3, 1],
        batch_size=2,
        resampling=Resampling(resamples=9),
    )
    x = residual_stream(model, ENGLISH, positions="mean", layers=[3, 1])
    y = residual_stream(model, SPANISH, positions="mean", layers=[3, 1])
    assert result.layers == (3, 1)
    torch.testing.assert_close(
        result.similarity, paired_cosines(x, y).similarity, atol=1e-5, rtol=0
    )


def test_a_pairs_own_position_is_read(model):
    first = [Prompt(text, position=0) for text in ENGLISH]
    at_first = similarity(
        model, Pairs.from_prompts(first, SPANISH), resampling=Resampling(resamples=9)
    )
    states = residual_stream(model, ENGLISH, positions=(0, 1)), residual_stream(model, SPANISH)
    expected = paired_cosines(*states).similarity
    torch.testing.assert_close(at_first.similarity, expected, atol=1e-5, rtol=0)


def test_equal_prompts_match_fully(model):
    same = similarity(
        model, Pairs.from_prompts(ENGLISH, ENGLISH), resampling=Resampling(resamples=20)
    )
    torch.testing.assert_close(same.matched, torch.ones(4).double(), atol=1e-5, rtol=0)
    assert (same.similarity > 0).all()
    assert same.p_corrected.max() <= 0.01


def test_same_seed_same_numbers_other_seed_others(model, result):
    assert_same(
        similarity(model, PAIRS, resampling=Resampling(resamples=50), permutations=40), result
    )
    other = similarity(
        model,
        PAIRS,
        resampling=Resampling(resamples=50, seed=1),
        permutations=40,
    )
    assert torch.equal(other.similarity, result.similarity)
    assert not torch.equal(other.low, result.low)


def test_controls_are_other_models_and_other_pairs(model):
    twin = random_twin(model)
    settings = {"resampling": Resampling(resamples=20), "permutations": 20}
    result = similarity(
        model, PAIRS, controls={"random twin": twin, "shifted": SHIFTED}, **settings
    )
    assert list(result.controls) == ["random twin", "shifted"]
    assert_same(result.controls["random twin"], similarity(twin, PAIRS, **settings))
    assert_same(result.controls["shifted"], similarity(model, SHIFTED, **settings), atol=1e-6)


def test_a_prompt_goes_through_a_model_once(model, monkeypatch):
    asked = []

    def counting(model, prompts, **where):
        asked.extend(prompts)
        return residual_stream(model, prompts, **where)

    module = importlib.import_module("semantic_hub.alignment.pairwise")
    monkeypatch.setattr(module, "residual_stream", counting)
    similarity(
        model,
        PAIRS,
        controls={"shifted": SHIFTED},
        resampling=Resampling(resamples=9),
        measures=tuple(MEASURES),
    )
    assert sorted(p.text for p in asked) == sorted(ENGLISH + SPANISH)


def test_margin_is_that_of_explicit_resamples(model):
    """Each resample by itself: the smallest of the mean leads of the drawn pairs."""
    twin, resamples = random_twin(model), 40
    result = similarity(
        model,
        PAIRS,
        controls={"twin": twin, "shifted": SHIFTED},
        resampling=Resampling(resamples=resamples, seed=4),
        permutations=9,
    )
    x, y = residual_stream(model, ENGLISH), residual_stream(model, SPANISH)
    twins = residual_stream(twin, ENGLISH), residual_stream(twin, SPANISH)
    auc, other = (match_wins(MEASURES["AUC"].states(*sides)).numpy() for sides in ((x, y), twins))
    changed = torch.tensor([[False, True]]).expand(len(x), 2)
    wins = control_wins(x, y, x, y.roll(-1, dims=0), changed).numpy()
    leads = {"mismatched pairs": auc - 0.5, "twin": auc - other, "shifted": wins - 0.5}
    above = [
        np.min([lead[drawn].mean(axis=0) for lead in leads.values()], axis=0)
        for drawn in drawn_like_the_bootstrap(len(ENGLISH), resamples, seed=4)
    ]
    means = [lead.mean(axis=0) for lead in leads.values()]
    np.testing.assert_allclose(result.margin, np.min(means, axis=0), atol=1e-9)
    of_strongest = [leads[name].mean(axis=0)[row] for row, name in enumerate(result.strongest)]
    np.testing.assert_allclose(of_strongest, np.min(means, axis=0), atol=1e-9)
    p = max_t_p_values(result.margin, torch.from_numpy(np.array(above)))
    least = 4 / 2 ** len(ENGLISH)
    np.testing.assert_allclose(result.margin_p_corrected, p.clamp(min=least), atol=1e-9)
    low, high = np.quantile(np.array(above), [0.025, 0.975], axis=0)
    unseen = 1 - 0.025 ** (1 / len(ENGLISH))
    shares = [auc.mean(axis=0), auc.mean(axis=0), wins.mean(axis=0)]
    lost = np.min([m - unseen * share for m, share in zip(means, shares, strict=True)], axis=0)
    won = np.min([m + unseen * (1 - share) for m, share in zip(means, shares, strict=True)], axis=0)
    np.testing.assert_allclose(result.margin_low, np.minimum(low, lost), atol=1e-9)
    np.testing.assert_allclose(result.margin_high, np.maximum(high, won), atol=1e-9)
    np.testing.assert_allclose(result.wins["shifted"].value, wins.mean(axis=0))


def test_a_control_that_changes_no_pair_is_compared_by_its_own_curve(model):
    result = similarity(model, PAIRS, controls={"again": PAIRS}, permutations=9)
    assert not result.wins
    assert result.margin.max() <= 0


def drawn_like_the_bootstrap(n: int, resamples: int, seed: int) -> list[np.ndarray]:
    """The items of each resample, from the counts that the bootstrap draws."""
    counts = torch.cat(list(resample_weights(n, resamples, seed=seed)))
    return [np.repeat(np.arange(n), row.int().numpy()) for row in counts]


def stacked(model, pairs: Pairs, **settings) -> SimilarityResult:
    controls = stacked_controls(model, pairs, seed=1)
    return similarity(model, pairs, controls=controls, permutations=20, **settings)


def test_planted_hub_stands_above_every_control():
    result = stacked(planted_hub(), planted_world("planted-hub").pairs("en", "es"))
    assert "random twin" in result.controls
    assert result.auc.value[[2, 3]].tolist() == [1.0, 1.0]
    assert (result.margin[[2, 3]] > 0.1).all()
    assert (result.margin_low[[2, 3]] > 0).all()
    assert (result.margin <= result.margin_high).all()
    assert (result.margin_p_corrected[[2, 3]] <= 0.01).all()


def test_planted_separate_never_stands_above_its_controls():
    for seed in range(3):
        world = planted_world("planted-separate", seed)
        result = stacked(planted_separate(seed), world.pairs("en", "es"))
        assert (result.margin_low <= 0).all()


def test_no_null_controls_no_margin(model, result):
    assert result.margin.isnan().all()
    assert result.strongest == ()
    checks = Controls({"shifted": SHIFTED[:3]}, checks=frozenset({"shifted"}))
    checked = similarity(model, PAIRS, controls=checks, resampling=Resampling(resamples=9))
    assert checked.margin.isnan().all()
    assert (list(checked.controls), list(checked.checks)) == ([], ["shifted"])
    assert checked.checks["shifted"].n_pairs == 3


def test_null_controls_are_aligned_with_the_pairs(model):
    with pytest.raises(SemanticHubError, match="control 'shifted' of 3 pairs; expected 6 pairs"):
        similarity(model, PAIRS, controls={"shifted": SHIFTED[:3]})


def test_measures_are_those_of_the_states(model):
    names = ("centered cosine", "retrieval@1 x to y", "debiased CKA")
    settings = {"resampling": Resampling(20, 0.9, 2)}
    result = similarity(
        model, PAIRS, controls={"shifted": SHIFTED}, measures=names, permutations=30, **settings
    )
    x, y = residual_stream(model, ENGLISH), residual_stream(model, SPANISH)
    for row, states in ((result, (x, y)), (result.controls["shifted"], (x, y.roll(-1, dims=0)))):
        assert tuple(row.measures) == ("AUC", *names)
        for name, found in row.measures.items():
            measure = MEASURES[name]
            expected = MeasureResult(
                layers=(0, 1, 2, 3),
                value=measure(*states),
                **measure.interval(*states, **settings)._asdict(),
                p=measure.p_values(*states, permutations=30, seed=2).p,
                p_corrected=measure.p_values(*states, permutations=30, seed=2).corrected,
                chance=measure.chance(6),
                unit=measure.unit,
                manifest={},
            )
            assert_same_measure(found, expected, atol=1e-4)


def test_a_measure_of_too_few_pairs_is_left_out_with_the_reason(model):
    result = similarity(
        model, PAIRS, measures=["mutual k-NN", "cosine"], resampling=Resampling(resamples=9)
    )
    assert list(result.measures) == ["AUC", "cosine"]
    assert "10 neighbors among 6 pairs" in result.left_out["mutual k-NN"]


def test_reasons_of_rows_that_were_left_out_are_kept(model):
    controls = stacked_controls(model, PAIRS)
    result = similarity(model, PAIRS, controls=controls, resampling=Resampling(resamples=9))
    assert result.left_out == controls.left_out
    assert "romanized" in controls.left_out


def test_unknown_measures_are_refused(model):
    with pytest.raises(
        SemanticHubError,
        match=r"the measure 'cosin'; .*Did you mean 'cosine'",
    ):
        similarity(model, PAIRS, measures=["cosin"])


def test_manifest_holds_all_settings(model, result):
    expected = {"seed": 0, "resamples": 50, "permutations": 40, "positions": "last", "n_pairs": 6}
    assert expected.items() <= result.manifest.items()
    named = similarity(
        model, PAIRS, positions=lambda tokens: len(tokens) - 1, resampling=Resampling(resamples=9)
    )
    assert named.manifest["positions"] == "<lambda>"


def test_units_and_axes(result):
    assert set(result.axes) == set(result.units) == set(ARRAYS)
    assert set(result.axes.values()) == {("layer",)}
    assert result.units["matched"] == "mean cosine"


def test_frame_is_tidy():
    twin = result_of(n_pairs=8, similarity=torch.tensor([0.0, 0.01], dtype=torch.float64))
    frame = result_of(controls={"random twin": twin}).to_frame()
    assert list(frame.columns) == [
        "row", "measure", "layer", "value", "low", "high", "p", "p_corrected",
        "margin", "margin_low", "margin_high", "margin_p_corrected", "strongest", "n",
    ]  # fmt: skip
    keys = list(frame[["row", "measure", "layer"]].itertuples(index=False, name=None))
    rows, measures = ["en – es", "random twin"], ["AUC", "similarity", "matched", "mismatched"]
    assert keys == list(itertools.product(rows, measures, [0, 1]))
    last = frame[(frame["row"] == "random twin") & (frame["measure"] == "similarity")].iloc[-1]
    assert (last["value"], last["low"], last["n"]) == (0.01, 0.3, 8)
    means = frame["measure"].isin(["matched", "mismatched"])
    beside = frame.loc[means, ["low", "high", "p", "p_corrected"]]
    assert beside.isna().all(axis=None)
    assert frame["low"].dtype == "float64"


def test_saved_result_comes_back_with_its_controls(model, tmp_path):
    rows = {"random twin": random_twin(model), "shifted": SHIFTED, "again": PAIRS}
    controls = Controls(rows, checks=frozenset({"again"}), left_out={"other": "no reason"})
    names = ["cosine", "retrieval@1 y to x"]
    result = similarity(
        model, PAIRS, resampling=Resampling(resamples=9), controls=controls, measures=names
    )
    loaded = SimilarityResult.load(result.save(tmp_path / "en-es"))
    assert_same(loaded, result)
    assert isinstance(loaded.controls["shifted"].measures["cosine"], MeasureResult)
    assert loaded.to_frame().equals(result.to_frame())


def test_frame_has_margin_and_measures(model):
    result = similarity(
        model,
        PAIRS,
        resampling=Resampling(resamples=9),
        controls={"shifted": SHIFTED},
        measures=["debiased CKA"],
    )
    frame = result.to_frame()
    own = frame[(frame["row"] == "en – es") & (frame["measure"] == "AUC")]
    assert own["margin"].tolist() == result.margin.tolist()
    assert own["strongest"].tolist() == list(result.strongest)
    assert set(result.strongest) <= {"shifted", "mismatched pairs"}
    wins = frame[(frame["row"] == "shifted") & (frame["measure"] == "wins")]
    assert wins["value"].tolist() == result.wins["shifted"].value.tolist()
    others = frame.drop(index=own.index)
    assert others[["margin", "margin_low", "margin_high"]].isna().all(axis=None)
    assert set(others["strongest"]) == {""}
    cka = frame[(frame["row"] == "shifted") & (frame["measure"] == "debiased CKA")]
    assert (
        cka["value"].tolist() == result.controls["shifted"].measures["debiased CKA"].value.tolist()
    )
    assert cka["p"].notna().all()


def test_figure_has_a_curve_for_each_row():
    figure = result_of(controls={"random twin": result_of()}).figure()
    assert {trace.name for trace in figure.data} == {"en – es", "random twin"}
    assert figure.layout.yaxis.title.text == "share of mismatches beaten"
    beaten = result_of(controls={"near": result_of()}, wins={"near": auc_of([0.5, 0.9])}).figure()
    assert {trace.name for trace in beaten.data} == {"en – es", "against near"}
    eq_1 = result_of(controls={"near": result_of()}).figure("similarity")
    assert eq_1.layout.yaxis.title.text == "difference of mean cosines"
    matched = result_of().figure("matched")
    assert matched.layout.yaxis.title.text == "mean cosine"


def test_figure_of_a_measure(model):
    result = similarity(
        model, PAIRS, resampling=Resampling(resamples=9), measures=["retrieval@1 x to y"]
    )
    figure = result.figure("retrieval@1 x to y")
    assert figure.layout.yaxis.title.text == "share of pairs"
    with pytest.raises(
        SemanticHubError, match="the measure 'debiased CKA'; expected one of 'AUC',"
    ):
        result.figure("debiased CKA")


def test_two_pairs_have_a_similarity_but_no_interval(model, tmp_path):
    result = similarity(model, PAIRS[:2])
    assert result.low.isnan().all()
    compared = similarity(model, PAIRS[:2], controls={"shifted": SHIFTED[:2]})
    assert compared.margin.isfinite().all()
    assert (compared.margin_p_corrected == 1).all()
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


def four_layers(**changes) -> SimilarityResult:
    layers = (0, 1, 2, 3)
    arrays = dict.fromkeys(ARRAYS, torch.tensor([0.1, 0.5, 0.3, 0.2], dtype=torch.float64))
    arrays |= {"margin_p_corrected": torch.full((4,), 0.01)}
    arrays |= {"measures": {"AUC": auc_of([0.5, 0.9, 0.8, 0.6], p=0.02)}}
    strongest = ("random twin", "shuffled", "random twin", "shuffled")
    return result_of(
        **{**arrays, "layers": layers, "n_layers": 3, "strongest": strongest, **changes}
    )


def test_a_similarity_says_its_curve_its_best_layer_and_its_counts():
    result = four_layers(dropped={"cognates": 2})
    curve = result.effect_curve()
    assert (curve.layers, curve.n, curve.unit) == ((0, 1, 2, 3), 9, "share of mismatches beaten")
    assert torch.equal(curve.summary.value, result.auc.value)
    assert result.best_cell() == (1,)
    assert result.counts() == (9, {"cognates": 2})
    assert (SimilarityResult.kind, SimilarityResult.family) == ("similarity", "similarity")


def test_margins_are_those_of_the_middle_layers_with_the_larger_p():
    margins = four_layers().cell_margins(Resampling())
    assert [cell.layer for cell in margins.cells] == [1, 2]
    assert margins.value.tolist() == [0.5, 0.3]
    assert margins.p.tolist() == pytest.approx([0.02, 0.02])
    assert margins.strongest == ("shuffled", "random twin")
    assert four_layers(n_pairs=3).cell_margins(Resampling()).p.tolist() == [0.25, 0.25]


def test_without_controls_or_middle_layers_there_are_no_margins():
    assert four_layers(strongest=()).cell_margins(Resampling()).reason == "no null controls"
    ends = result_of(strongest=("a", "a"))
    assert ends.cell_margins(Resampling()).reason == "no middle layer was measured"


def test_the_papers_states_are_those_that_transformers_gives(model, llama_folder) -> None:
    """Eq. 1 from ``hidden_states`` of plain transformers, whose last is normed."""
    network = transformers.AutoModelForCausalLM.from_pretrained(llama_folder).eval()

    def read(texts: list[str]) -> torch.Tensor:
        tokens = [torch.tensor([encoding.tokens]) for encoding in encode(model, texts)]
        with torch.no_grad():
            hidden = [network(ids, output_hidden_states=True).hidden_states for ids in tokens]
        states = torch.stack([torch.stack(layers)[:, 0, -1] for layers in hidden])
        return states / states.norm(dim=-1, keepdim=True)

    cosine = torch.einsum("ild,jld->lij", read(ENGLISH), read(SPANISH))
    matched = cosine.diagonal(dim1=1, dim2=2).mean(dim=1)
    n = len(ENGLISH)
    mismatched = (cosine.sum(dim=(1, 2)) - n * matched) / (n * (n - 1))
    few = {"resampling": Resampling(resamples=2), "permutations": 2}
    paper, stream = (similarity(model, PAIRS, states=name, **few) for name in ("paper", "stream"))
    torch.testing.assert_close(paper.similarity.float(), matched - mismatched, rtol=0, atol=1e-5)
    assert torch.equal(paper.similarity[:-1], stream.similarity[:-1])
    assert abs(paper.similarity[-1] - stream.similarity[-1]) > 1e-3
