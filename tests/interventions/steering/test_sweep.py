"""Sweeps: every outcome counted, the controls always there, and known answers on planted models."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny import BACKENDS

import semantic_hub as sh
from semantic_hub.interventions.spec import (
    ActivationContrast,
    AnswerSteering,
    Steering,
    TextSteering,
    UnembeddingContrast,
)
from semantic_hub.interventions.steering.answers import answer_probability
from semantic_hub.interventions.steering.contrasts import mean_differences, paired_differences
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.figures import dose_response
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.scores import steering_scores
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.steering import text_steering_sweep
from semantic_hub.statistics.intervals import proportion_interval
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import planted_world

PROMPTS = ["The dog", "cat", "El perro ladra", "two plus", "2+3="]
N_CONCEPTS = 12


def other(index: int, text: str) -> str:
    return "other"


def planted_sweep(name: str, backend: str, language: str, **options: Any) -> SteeringResult:
    """Steer each French prompt from its concept to the next one, as a language says the two."""
    model, world = sh.load_model(name, device="cpu", backend=backend), planted_world(name)
    says = [world.prompt(language, concept) for concept in world.concepts[: N_CONCEPTS + 1]]
    words = world.words("fr")

    def outcome(index: int, text: str) -> str:
        answers = {words[index + 1]: "success", words[index]: "unchanged"}
        return answers.get(text.strip(), "other")

    prompts = world.prompts("fr")[:N_CONCEPTS]
    directions = paired_differences(model, says[1:], says[:-1])
    return steering_sweep(model, prompts, directions, outcome, strengths=[0.2, 1.0], **options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hub_takes_a_direction_from_another_language(backend: str) -> None:
    found = planted_sweep("planted-hub", backend, "es")
    success = found.share("success", "direction").value[:, -1].tolist()
    assert success[2:5] == [1.0, 1.0, 1.0]
    assert success[5] == 0.0
    assert found.share("success", "placebo").value.max() == 0
    assert found.share("unchanged", "direction").value[:, 0].tolist() == [1.0] * 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_separate_languages_take_it_from_their_own_alone(backend: str) -> None:
    across = planted_sweep("planted-separate", backend, "es")
    within = planted_sweep("planted-separate", backend, "fr")
    assert across.share("success", "direction").value.max() == 0
    assert within.share("success", "direction").value[:, -1].tolist() == [1.0] * 6


def test_lengths_relative_to_the_stream_on_a_planted_model() -> None:
    """Two prompts of one language have no code in common but the language, at layer 4."""
    found = planted_sweep("planted-hub", "bridge", "es")
    model, world = (
        sh.load_model("planted-hub", device="cpu", backend="bridge"),
        planted_world("planted-hub"),
    )
    es, fr = world.prompts("es")[: N_CONCEPTS + 1], world.prompts("fr")[:N_CONCEPTS]
    states = sh.residual_stream(model, es)
    lengths = (states[1:] - states[:-1]).norm(dim=-1).mean(dim=0)
    expected = lengths / sh.residual_stream(model, fr).norm(dim=-1).mean(dim=0)
    torch.testing.assert_close(found.relative_norm, expected.expand(3, -1), atol=1e-4, rtol=1e-4)
    assert 1.3 < float(found.relative_norm[0, 3]) < 1.5


def says_by_hand(model: Any, prompt: str, n: int) -> str:
    tokens = model.to_tokens(prompt)
    options = {"max_new_tokens": n, "do_sample": False, "verbose": False}
    new = model.generate(tokens, **options)[0, tokens.shape[1] :].tolist()
    end = model.tokenizer.eos_token_id
    return model.tokenizer.decode(new[: new.index(end)] if end in new else new)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["add", "replace", "project_out"])
@pytest.mark.parametrize("positions", ["last", "all", "generated"])
def test_texts_are_those_of_single_steered_prompts(model, positions, mode) -> None:
    directions = paired_differences(model, PROMPTS, [*PROMPTS[::-1][1:], "dog"], layers=[1, 3])
    seen: list[tuple[int, str]] = []

    def outcome(index: int, text: str) -> str:
        seen.append((index, text))
        return "other"

    steering_sweep(
        model, PROMPTS, directions, outcome, layers=[3, 1], strengths=[2.0],
        positions=positions, mode=mode, max_new_tokens=3, batch_size=2,
    )  # fmt: skip
    unsteered, n = dict(seen[: len(PROMPTS)]), len(PROMPTS)
    assert unsteered == {i: says_by_hand(model, prompt, 3) for i, prompt in enumerate(PROMPTS)}
    for place, layer in ((1, 3), (4, 1)):  # behind each direction its two placebos
        for index, text in seen[place * n : (place + 1) * n]:
            row = directions[layer].rows([index])
            with steer(model, row, 2.0, positions=positions, mode=mode):
                assert text == says_by_hand(model, PROMPTS[index], 3)
    assert len(seen) == 7 * n


def test_strength_0_is_run_once_and_is_everywhere(model) -> None:
    calls: list[str] = []

    def outcome(index: int, text: str) -> str:
        calls.append(text)
        return "success" if len(calls) <= len(PROMPTS) else "unchanged"

    directions = mean_differences(model, ["dog"], ["cat", "The"])
    named = {"one": directions, "two": {layer: -d for layer, d in directions.items()}}
    found = steering_sweep(model, PROMPTS, named, outcome, layers=[1, 2], strengths=[2, 1, 2])
    assert found.directions == ("one", "two", "placebo", "placebo, states' covariance")
    assert found.strengths == (0.0, 1.0, 2.0)
    assert len(calls) == len(PROMPTS) * (1 + 4 * 2 * 2)
    assert found.outcome[:, :, 0].eq(0).all()
    assert found.outcome[:, :, 1:].eq(1).all()


def test_the_placebos_are_as_long_as_the_first_direction(model) -> None:
    first = mean_differences(model, ["dog"], ["cat", "The"], layers=[1, 2])
    second = {layer: 3 * direction for layer, direction in first.items()}
    found = steering_sweep(
        model, PROMPTS, {"a": first, "b": second}, other, layers=[1, 2], strengths=[1]
    )
    torch.testing.assert_close(found.relative_norm[2], found.relative_norm[0])
    torch.testing.assert_close(found.relative_norm[3], found.relative_norm[0])
    torch.testing.assert_close(found.relative_norm[1], 3 * found.relative_norm[0])


def test_a_direction_of_no_layer_goes_to_all(model) -> None:
    vector = Direction(torch.ones(model.cfg.d_model), None, "ones")
    found = steering_sweep(model, PROMPTS, vector, other, strengths=[1])
    assert found.layers == tuple(range(model.cfg.n_layers + 1))
    lengths = vector.norm / sh.residual_stream(model, PROMPTS).norm(dim=-1).mean(dim=0)
    torch.testing.assert_close(found.relative_norm[0], lengths)


def test_a_direction_that_is_nothing_at_a_layer_has_a_placebo_that_is_nothing(model) -> None:
    """At the embedding, prompts that end in the same token do not differ."""
    same_end = paired_differences(model, ["two plus", "cat"], ["The plus", "cat"], layers=[0])
    if same_end[0].vector.any():
        pytest.fail("the two prompts should end in the same token")
    found = steering_sweep(model, ["dog", "cat"], same_end, other, layers=[0], strengths=[1])
    assert found.relative_norm.tolist() == [[0.0], [0.0]]


@pytest.fixture(scope="module")
def result() -> SteeringResult:
    """Two directions and the placebo, layers 0 and 4, strengths 0 and 1, four prompts."""
    outcome = torch.tensor([
        [[[1, 1, 1, 1], [1, 1, 1, 2]], [[1, 1, 1, 1], [0, 0, 0, 2]]],
        [[[1, 1, 1, 1], [1, 1, 2, 2]], [[1, 1, 1, 1], [0, 2, 2, 2]]],
        [[[1, 1, 1, 1], [1, 1, 1, 1]], [[1, 1, 1, 1], [2, 1, 1, 1]]],
    ])  # fmt: skip
    return SteeringResult(
        n_layers=8, layers=(0, 4), strengths=(0.0, 1.0),
        directions=("wor<b>ds", "digits", "placebo"), effect_direction="wor<b>ds",
        control_directions=("placebo",),
        outcome=outcome, relative_norm=torch.ones(3, 2), resampling=Resampling(confidence=0.9), manifest={},
    )  # fmt: skip


def test_shares(result: SteeringResult) -> None:
    found = result.share("success", "wor<b>ds")
    assert found.value.tolist() == [[0.0, 0.0], [0.0, 0.75]]
    assert result.share("other", "digits").value.tolist() == [[0.0, 0.5], [0.0, 0.75]]
    low, high = proportion_interval(torch.tensor(3.0), 4, 0.9)
    assert (found.low[1, 1], found.high[1, 1]) == (low, high)


def test_frame(result: SteeringResult) -> None:
    frame = result.to_frame()
    assert list(frame) == [
        "direction", "layer", "strength", "outcome", "value", "low", "high", "n",
        "value_doable", "low_doable", "high_doable", "n_doable", "own_accuracy",
    ]  # fmt: skip
    assert len(frame) == 3 * 2 * 2 * 3
    cells = frame.groupby(["direction", "layer", "strength"])["value"].sum()
    assert (cells - 1).abs().max() < 1e-12
    row = frame.query(
        "direction == 'digits' and layer == 4 and strength == 1 and outcome == 'other'"
    )
    assert row[["value", "n"]].to_numpy().tolist() == [[0.75, 4]]


def test_saved_and_read_back(result: SteeringResult, tmp_path) -> None:
    again = SteeringResult.load(result.save(tmp_path))
    assert again.to_frame().equals(result.to_frame())
    assert again.directions == result.directions
    assert torch.equal(again.relative_norm, result.relative_norm)


def test_figure_shows_the_layer_where_the_first_direction_does_most(result: SteeringResult) -> None:
    figure = result.figure()
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == ["wor&lt;b&gt;ds", "digits", "placebo"]
    assert list(lines[0].x) == [0.0, 1.0]
    assert list(lines[0].y) == [0.0, 0.75]
    assert "layer 4" in figure.layout.title.text
    assert lines[0].customdata[1].startswith("strength 1: 0.75 [")
    assert figure.layout.yaxis.title.text == "share of prompts: success"


def test_figure_of_another_layer_and_outcome(result: SteeringResult) -> None:
    figure = result.figure(0, outcome="other")
    assert "layer emb" in figure.layout.title.text
    assert [list(trace.y) for trace in figure.data[1::2]] == [[0.0, 0.25], [0.0, 0.5], [0.0, 0.0]]


def test_bands_go_up_and_back(result: SteeringResult) -> None:
    frame = result.to_frame().query("layer == 4 and outcome == 'success' and direction == 'digits'")
    band = dose_response(frame, 4).data[0]
    assert list(band.x) == [0.0, 1.0, 1.0, 0.0]
    assert list(band.y) == [*frame["high"], *frame["low"][::-1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.share("won", "digits"), "the outcome 'won'; expected one of 'success'"),
        (lambda r: r.share("success", "noise"), "the direction 'noise'; expected one of 'wor<b>ds'"),
        (lambda r: r.figure(3), "the layer 3; expected one of 0, 4"),
        (lambda r: dose_response(r.to_frame(), 3), "layer 3 and outcome 'success'"),
    ],
)  # fmt: skip
def test_what_a_result_does_not_have(
    result: SteeringResult, call: Callable[[SteeringResult], object], message: str
) -> None:
    with pytest.raises(sh.SemanticHubError, match=message):
        call(result)


def ones(model: Any, *rows: int, layer: int | None = None) -> Direction:
    return Direction(torch.ones(*rows, model.cfg.d_model), layer, "ones")


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        (lambda m: {1: ones(m, layer=1)}, "'direction' with no direction for layer 2"),
        (lambda m: ones(m, layer=1), "'direction' with a direction of layer 1 for layer 2"),
        (lambda m: {"a": {1: ones(m), 2: ones(m, layer=3)}}, "'a' with a direction of layer 3 for layer 2"),
        (lambda m: ones(m, 2), "'direction' with 2 rows; expected a single vector, or 5 rows"),
        (lambda m: {}, r"directions \[\]"),
        (lambda m: {"placebo": ones(m)}, "none of them called 'placebo'"),
        (lambda m: {"placebo, states' covariance": ones(m)}, "none of them called 'placebo' or"),
        (lambda m: Direction(torch.ones(7), None, "ones"), "width 7; expected 32"),
    ],
    ids=["layer", "one layer", "other layer", "rows", "none", "placebo", "states' placebo", "width"],
)  # fmt: skip
def test_directions_that_do_not_fit(model, direction, message) -> None:
    with pytest.raises(sh.SemanticHubError, match=message):
        steering_sweep(model, PROMPTS, direction(model), other, layers=[1, 2], strengths=[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strengths": []}, r"strengths \[\]"),
        ({"strengths": [1.0, float("nan")]}, "at least one, all finite"),
        ({"prompts": []}, "no prompts"),
        ({"layers": [7]}, "got layer 7"),
        ({"max_new_tokens": 0}, "max_new_tokens=0; expected at least 1 new token"),
        ({"max_new_tokens": 63}, "at most 64, the context"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"outcome": lambda index, text: "won"}, r"'won' from outcome\(0, .*'success', 'unchanged'"),
    ],
)  # fmt: skip
def test_bad_input(model, options: dict[str, Any], message: str) -> None:
    given = {"prompts": PROMPTS, "layers": [1], "strengths": [1.0], "outcome": other, **options}
    with pytest.raises(sh.SemanticHubError, match=message):
        steering_sweep(model, directions=ones(model), **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mode": "push"}, "the mode 'push'"), ({"positions": "first"}, "positions='first'")],
)
def test_ways_to_steer_are_checked_before_anything_runs(
    model, options: dict[str, Any], message: str, without_shape_checks: None
) -> None:
    def outcome(index: int, text: str) -> str:
        pytest.fail("something ran")

    with pytest.raises(sh.SemanticHubError, match=message):
        steering_sweep(model, PROMPTS, ones(model), outcome, layers=[1], strengths=[1.0], **options)


def test_it_needs_a_tokenizer(model, monkeypatch) -> None:
    monkeypatch.setattr(model, "tokenizer", None)
    with pytest.raises(sh.SemanticHubError, match="a model without a tokenizer"):
        steering_sweep(model, [[5, 6]], ones(model), other, layers=[1], strengths=[1.0])


def test_it_needs_a_decoder(bert_folder) -> None:
    model = sh.load_model(bert_folder, device="cpu", backend="bridge")
    with pytest.raises(sh.SemanticHubError, match="does not predict next tokens"):
        steering_sweep(model, ["cat"], ones(model), other, layers=[1], strengths=[1.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_of_one_in_a_sum_is_answered_with_one_less(backend: str) -> None:
    """The difference of c=(a+1)+ and c=a+ in figures, on hub-mini, against the placebo."""
    model = sh.load_model("hub-mini", device="cpu", backend=backend)
    problems = [sh.spokes.arithmetic.Problem(a, "+", b) for a in range(1, 8) for b in range(2, 9)]
    steps = [sh.spokes.arithmetic.Problem(p.left + 1, "+", p.right - 1) for p in problems]

    def outcome(index: int, text: str) -> str:
        answers = {
            str(problems[index].right - 1): "success",
            str(problems[index].right): "unchanged",
        }
        return answers.get(text.strip(), "other")

    directions = paired_differences(
        model,
        [p.question("digits") for p in steps],
        [p.question("digits") for p in problems],
        [5, 6, 7],
    )
    prompts = [p.question("digits") for p in problems]
    found = steering_sweep(model, prompts, directions, outcome, layers=[5, 6, 7], strengths=[1.0])
    assert (
        found.share("success", "direction").low.max() > found.share("success", "placebo").high.max()
    )


def test_generated_positions_need_two_new_tokens(model) -> None:
    """No pass reads the last new token, so that nothing would be steered and all be unchanged."""
    ones = Direction(torch.ones(model.cfg.d_model), 1, "ones")
    prompts, contrast = (sh.Prompt("The"),), {"c": UnembeddingContrast("dog", "cat")}
    states = {"c": ActivationContrast(prompts, prompts)}
    one, two = Sampling(max_new_tokens=1), Sampling(max_new_tokens=2)
    scorers = {"n": lambda texts: [float(len(text.new_tokens)) for text in texts]}
    where: dict[str, Any] = {"positions": "generated"}
    calls: dict[str, Callable[[], object]] = {
        "steering_sweep": lambda: steering_sweep(model, ["The"], ones, other, layers=[1], **where),
        "text_steering_sweep": lambda: text_steering_sweep(
            model, ["The"], {"d": ones}, scorers, layers=[1], sampling=one, **where
        ),
        "answer_probability": lambda: answer_probability(
            model, prompts, ones, answers=("d", "c"), layers=[1], **where
        ),
        "steering_scores": lambda: steering_scores(model, "The dog", ones, **where),
        "Steering": lambda: Steering(prompts, contrast, other, **where),
        "AnswerSteering": lambda: AnswerSteering(prompts, contrast, ("d", "c"), **where),
        "TextSteering": lambda: TextSteering(prompts, states, scorers, sampling=one, **where),
    }
    for operation, call in calls.items():
        with pytest.raises(sh.SemanticHubError, match=f"{operation}: got positions='generated'"):
            call()
    assert Steering(prompts, contrast, other, max_new_tokens=2, **where).positions == "generated"
    assert TextSteering(prompts, states, scorers, sampling=two, **where).sampling is two
