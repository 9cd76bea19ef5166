"""Each kind of result by itself: its cells, and the effect and controls counted by hand."""

import pytest
import torch

import semantic_hub as sh
from semantic_hub.alignment.controls import stacked_controls
from semantic_hub.experiment.verdict.evidence import cell_margins
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import planted_hub, planted_world

DRAWS = Resampling(resamples=60, seed=2)
MANIFEST = {"model": {"n_layers": 3}}
N = 30


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
