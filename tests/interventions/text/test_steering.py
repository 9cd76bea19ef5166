"""Free text under steering: scores, changes and intervals that can be worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.spec import ActivationContrast, TextSteering
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.text.generation import Sampling, generate_texts
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.steering import text_steering_sweep
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.statistics.intervals import bootstrap_interval
from semantic_hub.statistics.resampling import Resampling

PROMPTS = ["The dog barks", "cat", "El perro"]
SHORT = Sampling(max_new_tokens=5, seeds=(0, 1))
NAN = float("nan")


def length(generations):
    return [float(len(generation.new_tokens)) for generation in generations]


def first_token(generations):
    return [float(generation.new_tokens[0]) for generation in generations]


SCORERS = {"length": length, "first": first_token}


def towards(model, token: int, layer=None) -> Direction:
    """A direction that makes one token by far the likeliest, added after the last block."""
    return Direction(1e3 * model.unembed.W_U[:, token].detach(), layer, f"token {token}")


@pytest.fixture(scope="module")
def result(model):
    directions = {"up": Direction(torch.ones(32), None, "ones"), "to 9": towards(model, 9)}
    return text_steering_sweep(
        model, PROMPTS, directions, SCORERS, layers=[1, 3], strengths=[2.0, 0.5], sampling=SHORT,
        resampling=Resampling(resamples=100),
    )  # fmt: skip


def test_axes(result):
    assert result.directions == ("up", "to 9", "placebo", "placebo, states' covariance")
    assert result.strengths == (0.0, 0.5, 2.0) and result.layers == (1, 3)
    assert result.prompts == tuple(PROMPTS) and result.seeds == (0, 1)
    assert result.score.shape == (4, 2, 3, 2, 3, 2)


def test_strength_0_is_the_unsteered_text_everywhere(model, result):
    texts = generate_texts(model, PROMPTS, SHORT)
    expected = torch.tensor(first_token(texts)).reshape(3, 2).double()
    for cell in result.score[:, :, 0, 1].flatten(0, 1):
        assert torch.equal(cell, expected)
    assert not result.change[:, :, 0].any()


def test_each_cell_is_the_text_that_steer_gives(model, result):
    direction = Direction(torch.ones(32), 3, "ones")
    with steer(model, direction, 2.0):
        texts = generate_texts(model, PROMPTS, SHORT)
    assert result.score[0, 1, 2, 1].flatten().tolist() == first_token(texts)
    frame = result.texts_frame().query("direction == 'up' and layer == 3 and strength == 2")
    assert frame["text"].tolist() == [text.text for text in texts]
    assert frame["first"].tolist() == first_token(texts)
    assert frame["seed"].tolist() == [0, 1] * 3


def test_a_direction_can_decide_the_next_token(model):
    """Greedy, with the stream after the last block along the longest unembedding."""
    token = int(model.unembed.W_U.norm(dim=0).argmax())
    found = text_steering_sweep(
        model, PROMPTS, {"to": towards(model, token)}, {"first": first_token},
        layers=[model.cfg.n_layers], sampling=Sampling(max_new_tokens=2, top_p=1e-6, seeds=(0,)),
    )  # fmt: skip
    assert (found.score[0, 0, 1] == token).all() and not (found.score[1, 0, 1] == token).any()


def test_the_placebo_of_nothing_is_nothing(model):
    nothing = {1: Direction(torch.zeros(32), 1, "0"), 3: Direction(torch.ones(32), 3, "ones")}
    found = text_steering_sweep(
        model, PROMPTS, {"d": nothing}, {"first": first_token}, layers=[1, 3], sampling=SHORT
    )
    assert not found.change[:, 0].any() and found.relative_norm[1, 0] == 0


def test_the_placebos_are_as_long_as_the_first_direction(result):
    assert torch.allclose(result.relative_norm[2:], result.relative_norm[0])
    assert result.manifest["directions"]["placebo"].startswith("random, as long as ones")


def test_relative_norm_is_measured_against_the_prompts(model, result):
    states = sh.residual_stream(model, PROMPTS, layers=[1, 3])
    expected = math.sqrt(32) / states.norm(dim=-1).mean(dim=0)
    assert torch.allclose(result.relative_norm[0], expected)


def test_nothing_stays_on_the_model(model, result):
    assert result.score[0, 0, 0, 1].flatten().tolist() == first_token(
        generate_texts(model, PROMPTS, SHORT)
    )


def by_hand(score) -> TextSteeringResult:
    """One direction beside the placebo, one layer, one scorer."""
    array = torch.tensor(score, dtype=torch.float64)[None, None, :, None]
    return TextSteeringResult(
        n_layers=8, directions=("up", "placebo"), effect_direction="up",
        control_directions=("placebo",), layers=(4,), strengths=(0.0, 1.0), scorers=("mood",),
        primary_scorer="mood",
        seeds=(0, 1), prompts=tuple(f"p{i}" for i in range(array.shape[-2])),
        score=torch.cat([array, array * 0]), relative_norm=torch.ones(2, 1),
        texts=("t",) * (2 * 2 * array.shape[-2] * 2), manifest={},
    )  # fmt: skip


def test_means_and_changes_that_can_be_checked_by_eye():
    found = by_hand([[[0, 2], [4, 4]], [[1, 5], [4, 8]]])
    assert found.mean("mood", "up").value.tolist() == [[2.5, 4.5]]
    assert found.mean_change("mood", "up").value.tolist() == [[0.0, 2.0]]
    assert found.mean_change("mood", "placebo").value.tolist() == [[0.0, 0.0]]


def test_intervals_are_over_prompts_after_the_mean_over_seeds():
    torch.manual_seed(0)
    score = torch.randn(2, 8, 2)
    found = by_hand(score.tolist()).mean_change("mood", "up")
    low, high = bootstrap_interval((score[1] - score[0]).double().mean(dim=1))
    assert (found.low[0, 1], found.high[0, 1]) == (pytest.approx(low), pytest.approx(high))


def test_texts_without_a_score_are_left_out():
    found = by_hand([[[0, 2], [4, 4], [1, 1]], [[1, NAN], [NAN, NAN], [3, 3]]])
    frame = found.to_frame().query("direction == 'up' and strength == 1").set_index("measure")
    assert frame.loc["change", "value"] == pytest.approx((1 + 2) / 2)
    assert frame.loc["mean", "value"] == pytest.approx((1 + 3) / 2)
    assert frame["n"].tolist() == [2, 2]
    empty = by_hand([[[0, 2]], [[NAN, NAN]]]).to_frame()
    row = empty.query("direction == 'up' and strength == 1 and measure == 'mean'").iloc[0]
    assert row["n"] == 0 and math.isnan(row["value"])


def test_frame_and_files(result, tmp_path):
    frame = result.to_frame()
    assert list(frame.columns) == [
        "measure", "scorer", "direction", "layer", "strength", "value", "low", "high", "n"
    ]  # fmt: skip
    assert len(frame) == 2 * 2 * 4 * 2 * 3
    again = TextSteeringResult.load(result.save(tmp_path / "result"))
    assert again.to_frame().equals(frame)
    assert again.texts_frame().equals(result.texts_frame())


def test_figures(result):
    panels = result.figure(3)
    assert [trace.name for trace in panels.data] == [*result.directions] * 2
    assert [trace.showlegend for trace in panels.data] == [True] * 4 + [False] * 4
    shown = result.mean_change("first", "up").value[1].tolist()
    assert list(panels.data[4].y) == pytest.approx(shown)
    curves = result.layer_figure("first", 0.5)
    assert [trace.name for trace in curves.data if trace.fill is None] == [*result.directions]


def test_steering_by_a_spokes_experiment(model):
    experiment = TextSteering(
        prompts=tuple(map(Prompt, PROMPTS)),
        contrasts={"en": ActivationContrast((Prompt("dog"),), (Prompt("cat"),))},
        scorers={"length": length},
        depths=(0.6,),
        strengths=(1.0,),
        sampling=SHORT,
    )
    found = intervene(model, experiment)
    texts = generate_texts(model, PROMPTS, SHORT)
    assert found.scorers == ("length", "perplexity") and found.layers == (2,)
    assert found.score[0, 0, 0, 1].flatten().tolist() == perplexity(model, model)(texts)
    given = replace(experiment, scorers={"perplexity": length}, strengths=(3.0,))
    assert intervene(model, given).scorers == ("perplexity",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": {}}, r"directions \[\]"),
        ({"scorers": {}}, "no scorers"),
        ({"directions": {"placebo": Direction(torch.ones(32), None, "x")}}, "called 'placebo'"),
        (
            {"directions": {"d": Direction(torch.ones(32), 2, "x")}},
            "'d' with a direction of layer 2 for layer 1",
        ),
        ({"directions": {"d": {2: Direction(torch.ones(32), 2, "x")}}}, "'d' with no direction"),
        (
            {"directions": {"d": Direction(torch.ones(3, 32), None, "x")}},
            "'d' with 3 rows",
        ),
        (
            {"scorers": {"bad": lambda texts: [1.0]}},
            r"\(1,\) numbers from the scorer 'bad'; expected 6",
        ),
        ({"layers": [4]}, "layer 4"),
        ({"strengths": []}, r"text_steering_sweep: got strengths \[\]"),
        ({"strengths": [float("nan")]}, "at least one, all finite"),
    ],
)
def test_bad_input(model, change, message):
    options = {
        "directions": {"d": Direction(torch.ones(32), None, "x")}, "scorers": SCORERS, "layers": [1],
    }  # fmt: skip
    with pytest.raises(SemanticHubError, match=message):
        text_steering_sweep(model, PROMPTS, sampling=SHORT, **{**options, **change})


def test_names_that_are_not_there(result):
    for call, message in [
        (lambda: result.mean("mood", "up"), "scorer 'mood'; expected one of 'length', 'first'"),
        (lambda: result.mean("first", "down"), "direction 'down'"),
        (result.figure, "layer None"),
        (lambda: result.layer_figure("first", 7.0), "strength 7.0"),
    ]:
        with pytest.raises(SemanticHubError, match=message):
            call()


@pytest.mark.parametrize("contrast", [ActivationContrast((), (Prompt("a"),)),
                                      ActivationContrast((Prompt("a"),), (Prompt("b"),), paired=True)])  # fmt: skip
def test_contrasts_that_make_no_single_direction(contrast):
    with pytest.raises(SemanticHubError, match="wrong contrasts: odd"):
        TextSteering((Prompt("a"),), {"odd": contrast}, {})
