"""What a lens result says of itself: margins, curve, best layer, counts, and pooled read-outs."""

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.comparison import LensComparison
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens
from semantic_hub.results.result import RESULTS
from semantic_hub.statistics.margins import Cell
from semantic_hub.statistics.resampling import Resampling

DRAWS = Resampling(resamples=60, seed=2)
N = 30


def lens(groups=("surface", "hub", "control"), layers=(0, 1, 2, 3)) -> LensResult:
    generator = torch.Generator().manual_seed(0)
    shape = (N, len(layers), len(groups))
    return LensResult(
        n_layers=3,
        layers=layers,
        groups=groups,
        kept=tuple(range(N)),
        dropped={"split": 2},
        log_prob=-torch.rand(shape, generator=generator),
        rank=torch.ones(shape, dtype=torch.long),
        first_token_only=torch.zeros(N, len(groups), dtype=torch.bool),
        n_tokens=torch.ones(N, len(groups), dtype=torch.long),
        manifest={},
    )


def test_lens_is_a_difference_of_shares() -> None:
    result = lens()
    found = result.cell_margins(DRAWS)
    assert found.cells == (Cell(1), Cell(2))
    shares = [result.share(group, "surface").value[1:3] for group in ("hub", "control")]
    torch.testing.assert_close(found.value, shares[0] - shares[1])
    assert (found.strongest, found.n, found.unit) == (("control",) * 2, N, "share of read-outs")


def test_lens_takes_the_strongest_of_all_other_groups() -> None:
    result = lens(("a", "hub", "surface", "b"))
    found = result.cell_margins(DRAWS)
    shares = {group: result.share(group, "surface").value for group in ("hub", "a", "b")}
    highest = torch.maximum(shares["a"], shares["b"])
    torch.testing.assert_close(found.value, (shares["hub"] - highest)[1:3])
    expected = ["a" if shares["a"][k] > shares["b"][k] else "b" for k in (1, 2)]
    assert found.strongest == tuple(expected)


@pytest.mark.parametrize("groups", [("surface", "hub"), ("surface", "role"), ("hub", "control")])
def test_a_lens_without_these_groups_has_no_controls(groups: tuple[str, ...]) -> None:
    assert lens(groups).cell_margins(DRAWS).reason == "no null controls"


def test_ends_are_no_middle_layers() -> None:
    found = lens(layers=(0, 3)).cell_margins(DRAWS)
    assert (found.cells, found.reason) == ((), "no middle layer was measured")


def test_the_curve_is_how_often_the_hub_beats_the_surface() -> None:
    result = lens()
    curve = result.effect_curve()
    assert curve is not None and curve.n == N and curve.layers == result.layers
    assert torch.equal(curve.summary.value, result.share("hub", "surface").value)
    assert lens(("surface", "role")).effect_curve() is None


def test_the_best_cell_is_where_the_curve_is_highest() -> None:
    result = lens()
    share = result.share("hub", "surface").value
    best = result.best_cell()
    assert best is not None and share[best[0]] == share.max()
    assert lens(("surface", "role")).best_cell() is None


def test_counts_and_kinds() -> None:
    assert lens().counts() == (N, {"split": 2})
    kinds = {"lens": LensResult, "top_tokens": TopTokens, "lens_comparison": LensComparison}
    kinds["language_mass"] = LanguageMassResult
    assert {kind: RESULTS[kind] for kind in kinds} == kinds
    assert (LensResult.family, LanguageMassResult.family) == ("lens", None)


def test_top1_share_counts_rank_1() -> None:
    result = lens()
    result.rank[: N // 3, 2, 1] = 2
    assert result.top1_share("hub").value.tolist() == pytest.approx([1, 1, 2 / 3, 1])
    with pytest.raises(SemanticHubError, match=r"LensResult: got the group 'hbu'.* mean 'hub'"):
        result.top1_share("hbu")


def test_pooled_readouts_are_one_item() -> None:
    result = lens()
    pooled = result.pooled(3)
    assert pooled.kept == tuple(range(N // 3))
    torch.testing.assert_close(pooled.log_prob[4], result.log_prob[12:15].mean(dim=0))
    assert torch.equal(pooled.rank[4], result.rank[12:15].median(dim=0).values)
    with pytest.raises(SemanticHubError, match="30 read-outs, not 7 to an item"):
        result.pooled(7)


def test_a_frame_has_a_row_for_each_measure_layer_and_group() -> None:
    result = lens()
    frame = result.to_frame()
    assert [*frame.columns] == [
        "measure", "layer", "group", "against", "value", "low", "high", "n",
    ]  # fmt: skip
    assert len(frame) == 4 * (3 + 6 + 3)
    share = result.share("control", "hub")
    rows = frame.query("measure == 'share' and group == 'control' and against == 'hub'")
    assert rows["layer"].tolist() == [0, 1, 2, 3] and set(rows["n"]) == {N}
    assert rows["low"].tolist() == share.low.tolist()
