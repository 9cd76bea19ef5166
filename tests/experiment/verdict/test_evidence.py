"""Each kind of result by itself: its cells, and the effect and controls counted by hand."""

import pytest
import torch

import semantic_hub as sh
from semantic_hub.alignment.controls import stacked_controls
from semantic_hub.experiment.verdict.evidence import cell_margins
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.statistics.margins import Cell
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import planted_hub, planted_world

DRAWS = Resampling(resamples=60, seed=2)
MANIFEST = {"model": {"n_layers": 3}}
N = 30


def patched(seed: int, places=("last",), **changes) -> PatchResult:
    generator = torch.Generator().manual_seed(seed)
    shape = (N, 4, len(places), 2)
    values = {
        "component": "resid",
        "from_layer_on": False,
        "layers": (0, 1, 2, 3),
        "places": places,
        "targets": ("donor", "other"),
        "kept": tuple(range(N)),
        "dropped": {},
        "log_prob": torch.zeros(shape),
        "rank": torch.randint(1, 4, shape, generator=generator),
        "own": torch.zeros(N, 2),
        "reference": torch.zeros(N, 2),
        "manifest": MANIFEST,
    }
    return PatchResult(**{**values, **changes})


def steered() -> SteeringResult:
    generator = torch.Generator().manual_seed(0)
    return SteeringResult(
        layers=(1, 2, 3),
        strengths=(-1.0, 0.0, 2.0),
        directions=("words", "digits", "placebo"),
        outcome=torch.randint(0, 3, (3, 3, 3, N), generator=generator),
        relative_norm=torch.ones(3, 3),
        manifest=MANIFEST,
    )


def texts() -> TextSteeringResult:
    generator = torch.Generator().manual_seed(0)
    score = torch.rand(2, 2, 2, 2, N, 2, generator=generator)
    score[0, 0, 1, 0, 4] = torch.nan  # a prompt without a score
    score[1, 0, 1, 0, 5, 0] = torch.nan  # a prompt with one of two
    return TextSteeringResult(
        directions=("en", "placebo"),
        layers=(0, 2),
        strengths=(0.0, 1.0),
        scorers=("sentiment", "relevance"),
        seeds=(0, 1),
        prompts=tuple(map(str, range(N))),
        score=score,
        relative_norm=torch.ones(2, 2),
        texts=(),
        manifest=MANIFEST,
    )


def test_patching_is_what_is_said_above_the_strongest_control() -> None:
    result = patched(0, controls={"placebo": patched(1), "another donor": patched(2)})
    found = cell_margins(result, DRAWS)
    assert found.cells == (Cell(1), Cell(2))
    said = [run.says("donor").value[1:3, 0] for run in (result, *result.controls.values())]
    torch.testing.assert_close(found.value, said[0] - torch.maximum(said[1], said[2]))


def test_patching_of_several_places_has_a_cell_for_each() -> None:
    places = ("subject", "last")
    result = patched(0, places, controls={"placebo": patched(1, places)})
    found = cell_margins(result, DRAWS)
    assert found.cells == (
        Cell(1, "subject"), Cell(1, "last"), Cell(2, "subject"), Cell(2, "last"),
    )  # fmt: skip
    said = [run.says("donor").value[1:3].flatten() for run in (result, result.controls["placebo"])]
    torch.testing.assert_close(found.value, said[0] - said[1])


def test_patching_without_controls_says_so() -> None:
    assert cell_margins(patched(0), DRAWS).reason == "no null controls"


def test_steering_is_the_first_direction_against_the_placebo() -> None:
    result = steered()
    found = cell_margins(result, DRAWS)
    names = ("strength -1", "strength 2")
    assert found.cells == tuple(Cell(layer, name) for layer in (1, 2) for name in names)
    shares = [result.share("success", name).value[:2][:, [0, 2]] for name in ("words", "placebo")]
    torch.testing.assert_close(found.value, (shares[0] - shares[1]).flatten())
    assert set(found.strongest) == {"placebo"}


def test_texts_are_the_change_of_the_first_score() -> None:
    result = texts()
    found = cell_margins(result, DRAWS)
    assert found.cells == (Cell(2, "strength 1"),)
    changes = [result.mean_change("sentiment", name).value[1, 1] for name in ("en", "placebo")]
    torch.testing.assert_close(found.value, (changes[0] - changes[1])[None].double())
    assert (found.unit, found.n) == ("change of sentiment", N)


def test_similarity_takes_the_larger_of_two_p_values() -> None:
    model, pairs = planted_hub(), planted_world("planted-hub").pairs("en", "es")
    result = sh.similarity(
        model,
        pairs,
        controls=stacked_controls(model, pairs),
        resampling=Resampling(resamples=60),
        permutations=20,
    )
    found = cell_margins(result, DRAWS)
    assert [cell.layer for cell in found.cells] == [1, 2, 3, 4]
    assert torch.equal(found.value, result.margin[1:5])
    both = torch.stack([result.p_corrected, result.margin_p_corrected])
    assert torch.equal(found.p, both.amax(dim=0)[1:5])
    assert (both[0] != both[1]).any()
    bare = sh.similarity(model, pairs, resampling=Resampling(resamples=9), permutations=9)
    assert cell_margins(bare, DRAWS).reason == "no null controls"


def test_other_results_have_no_verdict(without_shape_checks) -> None:
    with pytest.raises(TypeError, match="no verdict is defined for a str"):
        cell_margins("findings", DRAWS)
