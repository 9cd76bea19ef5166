"""What a verdict takes from a similarity: its margins, and the larger of two p-values."""

import torch

import semantic_hub as sh
from semantic_hub.alignment.controls import stacked_controls
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import planted_hub, planted_world


def test_similarity_takes_the_larger_of_two_p_values() -> None:
    model, pairs = planted_hub(), planted_world("planted-hub").pairs("en", "es")
    few = Resampling(resamples=60)
    result = sh.similarity(
        model, pairs, controls=stacked_controls(model, pairs), resampling=few, permutations=20
    )
    margins = result.cell_margins(few)
    assert [cell.layer for cell in margins.cells] == [1, 2, 3, 4]
    assert torch.equal(margins.value, result.margin[1:5])
    both = torch.stack([result.p_corrected, result.margin_p_corrected])
    assert torch.equal(margins.p, both.amax(dim=0)[1:5])
    assert (both[0] != both[1]).any()
    bare = sh.similarity(model, pairs, resampling=Resampling(resamples=9), permutations=9)
    assert bare.cell_margins(few).reason == "no null controls"
