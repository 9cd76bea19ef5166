"""What interventions' results mean: margins, curve, best cell and counts, counted by hand."""

from dataclasses import replace

import pytest
import torch

from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.results.result import RESULTS
from semantic_hub.statistics.margins import Cell
from semantic_hub.statistics.resampling import Resampling

DRAWS = Resampling(resamples=60, seed=2)
N = 30


def patched(seed: int, places=("last",), **changes) -> PatchResult:
    generator = torch.Generator().manual_seed(seed)
    shape = (N, 4, len(places), 2)
    values = {
        "component": "resid",
        "all_later_layers": False,
        "layers": (0, 1, 2, 3),
        "places": places,
        "answers": ("source", "other"),
        "effect_answer": "source",
        "n_layers": 3,
        "kept": tuple(range(N)),
        "dropped": {},
        "log_prob": torch.zeros(shape),
        "logit_diff": torch.zeros(shape[:-1], dtype=torch.float64),
        "rank": torch.randint(1, 4, shape, generator=generator),
        "base_answer": "other",
        "base_log_prob": torch.zeros(N, 2),
        "base_rank": torch.tensor([2, 1]).repeat(N, 1),
        "reference_log_prob": torch.zeros(N, 2),
        "reference_rank": torch.tensor([1, 2]).repeat(N, 1),
        "manifest": {},
    }
    return PatchResult(**{**values, **changes})


def steered() -> SteeringResult:
    generator = torch.Generator().manual_seed(0)
    outcome = torch.randint(0, 3, (3, 3, 3, N), generator=generator)
    outcome[:, :, 1] = 1  # unsteered, every prompt has its own answer
    return SteeringResult(
        n_layers=3,
        layers=(1, 2, 3),
        strengths=(-1.0, 0.0, 2.0),
        directions=("words", "digits", "placebo"),
        effect_direction="words",
        control_directions=("placebo",),
        outcome=outcome,
        relative_norm=torch.ones(3, 3),
        manifest={},
    )


def texts() -> TextSteeringResult:
    generator = torch.Generator().manual_seed(0)
    score = torch.rand(2, 2, 2, 2, N, 2, generator=generator)
    score[0, 0, 1, 0, 4] = torch.nan  # a prompt without a score
    score[1, 0, 1, 0, 5, 0] = torch.nan  # a prompt with one of two
    return TextSteeringResult(
        n_layers=3,
        directions=("en", "placebo"),
        effect_direction="en",
        control_directions=("placebo",),
        layers=(0, 2),
        strengths=(0.0, 1.0),
        scorers=("sentiment", "relevance"),
        primary_scorer="sentiment",
        seeds=(0, 1),
        prompts=tuple(map(str, range(N))),
        score=score,
        relative_norm=torch.ones(2, 2),
        texts=tuple(f"text {i}" for i in range(2 * 2 * 2 * N * 2)),
        manifest={},
    )


def test_margins_of_patching_are_shares_above_the_strongest_control() -> None:
    result = patched(0, controls={"placebo": patched(1), "another source": patched(2)})
    found = result.cell_margins(DRAWS)
    assert found.cells == (Cell(1), Cell(2))
    shares = [run.top1_share("source").value[1:3, 0] for run in (result, *result.controls.values())]
    torch.testing.assert_close(found.value, shares[0] - torch.maximum(shares[1], shares[2]))


def test_patching_of_several_places_has_a_cell_for_each() -> None:
    places = ("subject", "last")
    result = patched(0, places, controls={"placebo": patched(1, places)})
    found = result.cell_margins(DRAWS)
    assert found.cells == (
        Cell(1, "subject"), Cell(1, "last"), Cell(2, "subject"), Cell(2, "last"),
    )  # fmt: skip
    shares = [
        run.top1_share("source").value[1:3].flatten()
        for run in (result, result.controls["placebo"])
    ]
    torch.testing.assert_close(found.value, shares[0] - shares[1])


def test_patching_without_controls_has_no_margins() -> None:
    assert patched(0).cell_margins(DRAWS).reason == "no null controls"


def test_margins_of_steering_are_shares_above_the_control() -> None:
    result = steered()
    found = result.cell_margins(DRAWS)
    names = ("strength -1", "strength 2")
    assert found.cells == tuple(Cell(layer, name) for layer in (1, 2) for name in names)
    shares = [result.share("success", name).value[:2][:, [0, 2]] for name in ("words", "placebo")]
    torch.testing.assert_close(found.value, (shares[0] - shares[1]).flatten())
    assert set(found.strongest) == {"placebo"}


def test_margins_of_texts_are_changes_of_the_primary_score() -> None:
    result = texts()
    found = result.cell_margins(DRAWS)
    assert found.cells == (Cell(2, "strength 1"),)
    changes = [result.mean_change("sentiment", name).value[1, 1] for name in ("en", "placebo")]
    torch.testing.assert_close(found.value, (changes[0] - changes[1])[None].double())
    assert (found.unit, found.n) == ("change of sentiment", N)


def test_results_are_registered_by_their_kind() -> None:
    classes = {"patching": PatchResult, "steering": SteeringResult}
    for kind, result_class in {**classes, "text_steering": TextSteeringResult}.items():
        assert RESULTS[kind] is result_class
        assert (result_class.kind, result_class.family) == (kind, "causal")


def test_ends_of_the_model_have_no_margins() -> None:
    margins = replace(steered(), n_layers=1).cell_margins(DRAWS)
    assert (margins.cells, margins.reason) == ((), "no middle layer was measured")


def test_the_answer_of_the_effect_is_named_not_found_by_its_place() -> None:
    first = patched(0, controls={"placebo": patched(1)})
    controls = {"placebo": patched(1, effect_answer="other")}
    second = patched(0, effect_answer="other", controls=controls)
    shares = second.top1_share("other").value[:, 0]
    assert second.best_cell() == (int(shares.argmax()), 0)
    assert second.effect_curve().summary.value.tolist() == shares.tolist()
    assert second.effect_curve().unit == "share of patch pairs: top token is other"
    assert not torch.equal(first.cell_margins(DRAWS).value, second.cell_margins(DRAWS).value)


def test_the_directions_are_named_not_found_by_their_place() -> None:
    result = steered()
    order = [2, 1, 0]
    turned = replace(
        result, directions=("placebo", "digits", "words"), outcome=result.outcome[order],
        relative_norm=result.relative_norm[order],
    )  # fmt: skip
    assert turned.best_cell() == result.best_cell()
    assert torch.equal(turned.cell_margins(DRAWS).value, result.cell_margins(DRAWS).value)
    curves = [one.effect_curve().summary.value for one in (turned, result)]
    assert torch.equal(*curves)


def test_curve_and_figure_of_steering_show_the_best_cell() -> None:
    result = steered()
    share = result.share("success", "words")
    layer, strength = result.best_cell()
    assert share.value[layer, strength] == share.value.max()
    curve = result.effect_curve()
    assert curve.summary.value.tolist() == share.value[:, strength].tolist()
    assert curve.note == f"strength {result.strengths[strength]:g}"
    assert result.figure().layout.title.text == f"steered at layer {result.layers[layer]}"
    digits = result.share("success", "digits").value
    assert digits[result.best_cell("digits")] == digits.max()


def test_best_cell_of_texts_is_never_the_unsteered_one() -> None:
    result = texts()
    worse = replace(result, score=result.score - 2 * torch.tensor([0.0, 1.0])[:, None, None, None])
    change = worse.mean_change("sentiment", "en").value
    layer, strength = worse.best_cell()
    assert strength == 1 and change[layer, 1] == change[:, 1].max() and change[layer, 1] < 0
    curve = worse.effect_curve()
    assert curve.summary.value.tolist() == change[:, 1].tolist()
    assert (curve.n, curve.note) == (N, "strength 1")


def test_the_scorer_of_the_effect_is_named_not_found_by_its_place() -> None:
    result = texts()
    turned = replace(
        result, scorers=("relevance", "sentiment"), score=result.score[:, :, :, [1, 0]]
    )
    assert turned.cell_margins(DRAWS).unit == "change of sentiment"
    assert torch.equal(turned.cell_margins(DRAWS).value, result.cell_margins(DRAWS).value)


def test_one_text_is_found_by_its_cell() -> None:
    result = texts()
    frame = result.texts_frame().query("direction == 'placebo' and layer == 2 and strength == 1")
    [text] = frame.query("prompt == '3' and seed == 1")["text"]
    assert result.text("placebo", 1, 1, prompt=3, seed=1) == text


def test_counts() -> None:
    dropped = {"a word of several tokens": 2}
    assert patched(0, dropped=dropped).counts() == (N, dropped)
    assert replace(steered(), dropped=dropped).counts() == (N, dropped)
    assert texts().counts() == (N, {})


@pytest.mark.parametrize("result", [patched(0), steered(), texts()])
def test_no_number_is_read_out_of_the_manifest(result) -> None:
    assert result.manifest == {}
    assert result.effect_curve() is not None and result.best_cell() is not None
