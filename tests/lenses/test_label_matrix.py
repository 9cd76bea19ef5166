"""The label matrix: by hand, against direct loops, and what a lens without labels gives."""

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.figures import label_map
from semantic_hub.lenses.label_matrix import LabelMatrix
from semantic_hub.lenses.result import LensResult
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.statistics.resampling import Resampling

ROLES = ("agent", "theme")


def made(gold: list[str], probability: torch.Tensor, kept: list[int] | None = None):
    """A lens with one group for each role, and its read-outs."""
    kept = list(range(len(gold))) if kept is None else kept
    candidates = {role: (role,) for role in ROLES}
    reads = (tuple(Readout(Prompt("x"), candidates) for _ in gold), tuple(gold))
    shape = probability.shape
    lens = LensResult(
        n_layers=shape[1] - 1,
        layers=tuple(range(shape[1])),
        groups=ROLES,
        kept=tuple(kept),
        dropped={},
        log_prob=probability.log(),
        rank=torch.ones(shape, dtype=torch.int64),
        first_token_only=torch.zeros(shape[0], shape[2], dtype=torch.bool),
        n_tokens=torch.ones(shape[0], shape[2], dtype=torch.int64),
        resampling=Resampling(resamples=200),
        manifest={},
    )
    return lens, reads


def test_by_hand() -> None:
    rows = [[0.6, 0.1], [0.4, 0.3], [0.2, 0.5], [0.2, 0.7]]
    lens, reads = made(["agent", "agent", "theme", "theme"], torch.tensor(rows)[:, None])
    matrix = LabelMatrix.from_lens(lens, *reads)
    assert (matrix.labels, matrix.counts) == (ROLES, (2, 2))
    torch.testing.assert_close(
        matrix.probability[0].float(), torch.tensor([[0.5, 0.2], [0.2, 0.6]])
    )
    torch.testing.assert_close(matrix.value[0].float(), torch.tensor([[0.15, -0.2], [-0.15, 0.2]]))
    assert matrix.diagonal.item() == pytest.approx(0.175)
    assert (matrix.low <= matrix.value + 1e-9).all() and (matrix.value <= matrix.high + 1e-9).all()


def test_against_loops_with_dropped_readouts() -> None:
    torch.manual_seed(0)
    gold = [ROLES[int(i)] for i in torch.randint(2, (40,))]
    kept = [i for i in range(40) if i % 3]
    probability = torch.rand(len(kept), 5, 2)
    lens, reads = made(gold, probability, kept)
    matrix = LabelMatrix.from_lens(lens, *reads)
    for layer in range(5):
        mean = [
            [
                sum(
                    probability[i, layer, ROLES.index(r)].item()
                    for i, k in enumerate(kept)
                    if gold[k] == g
                )
                / sum(gold[k] == g for k in kept)
                for r in matrix.labels
            ]
            for g in matrix.labels
        ]
        for g in range(2):
            for r in range(2):
                centre = (mean[0][r] + mean[1][r]) / 2
                assert matrix.value[layer, g, r].item() == pytest.approx(mean[g][r] - centre)
    torch.testing.assert_close(matrix.value.sum(dim=1), torch.zeros(5, 2).double())


def test_a_taste_for_one_word_is_no_label() -> None:
    lens, reads = made(["agent"] * 5 + ["theme"] * 3, torch.tensor([0.9, 0.05]).repeat(8, 2, 1))
    matrix = LabelMatrix.from_lens(lens, *reads)
    assert matrix.value.abs().max() < 1e-9 and matrix.diagonal_high.abs().max() < 1e-9


def test_intervals_cover_a_null_matrix() -> None:
    """Labels drawn at random: the diagonal's interval holds 0 about as often as it says."""
    torch.manual_seed(1)
    probability = torch.rand(60, 40, 2)
    lens, reads = made(["agent", "theme"] * 30, probability)
    matrix = LabelMatrix.from_lens(lens, *reads)
    covered = ((matrix.diagonal_low < 0) & (matrix.diagonal_high > 0)).double().mean()
    assert covered > 0.85


def test_groups_may_stand_for_another_label_in_each_readout() -> None:
    lens, _ = made(["agent", "theme"] * 2, torch.tensor([[[0.6, 0.1]]] * 4))
    circle = [
        {"agent": ("agent",), "theme": ("theme",)},
        {"agent": ("theme",), "theme": ("agent",)},
    ]
    reads = (tuple(Readout(Prompt("x"), circle[i % 2]) for i in range(4)), ("agent", "theme") * 2)
    assert LabelMatrix.from_lens(lens, *reads).diagonal.item() == pytest.approx(0.25)


def test_frame_figure_and_files(tmp_path) -> None:
    lens, reads = made(["agent", "theme"] * 3, torch.rand(6, 3, 2))
    matrix = LabelMatrix.from_lens(lens, *reads)
    frame = matrix.to_frame()
    assert len(frame) == 3 * 2 * 2
    assert frame["n"].eq(3).all()
    row = frame.query("layer == 1 and gold == 'theme' and read == 'agent'").iloc[0]
    assert row["value"] == matrix.value[1, 1, 0].item()
    figure = matrix.figure(1)
    assert figure.data[0].z[1][0] == row["value"]
    assert matrix.figure().layout.title.text
    with pytest.raises(SemanticHubError, match="got the layer 9; expected one of 0, 1, 2"):
        label_map(frame, 9)
    assert torch.equal(LabelMatrix.load(matrix.save(tmp_path / "m")).low, matrix.low)


@pytest.mark.parametrize(
    "gold", [["agent"] * 4, ["agent", "agent", "agent", "theme"], ["agent"] * 2]
)
def test_too_few_readouts(gold: list[str]) -> None:
    lens, _ = made(["agent", "theme"] * 2, torch.rand(4, 1, 2))
    candidates = {role: (role,) for role in ROLES}
    reads = (tuple(Readout(Prompt("x"), candidates) for _ in gold), tuple(gold))
    with pytest.raises(SemanticHubError, match="LabelMatrix: got"):
        LabelMatrix.from_lens(lens, *reads)


def test_a_label_without_a_group() -> None:
    lens, reads = made(["agent", "theme"] * 2, torch.rand(4, 1, 2))
    bare = Readout(Prompt("x"), {"agent": ("agent",), "theme": ("other",)})
    with pytest.raises(SemanticHubError, match="one that holds 'theme' alone"):
        LabelMatrix.from_lens(lens, (bare,) * 4, reads[1])
