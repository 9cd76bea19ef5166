import numpy as np
import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.statistics.least_squares import Moments

N, LAYERS, WIDTH = 60, 2, 5


def states(n: int = N, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    x = torch.randn(n, LAYERS, WIDTH, dtype=torch.float64) * torch.tensor([1, 100, 1, 0.01, 1])
    return x + 1000, torch.randn(n, WIDTH, dtype=torch.float64) + x[:, 1] + x[:, 0].square()


def moments(x: torch.Tensor, y: torch.Tensor, batches: int = 4) -> Moments:
    summed = Moments(x.shape[1], x.shape[2])
    for rows in torch.arange(len(x)).tensor_split(batches):
        summed.add(x[rows], y[rows])
    return summed


def numpy_lstsq(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    return solution[:-1].T, solution[-1]


def test_an_affine_map_is_recovered():
    x, _ = states()
    weight, bias = torch.randn(WIDTH, WIDTH).double(), torch.randn(WIDTH).double()
    found, offset = moments(x, x[:, 0] @ weight.T + bias).affine_map(0.0)
    assert torch.allclose(found[0], weight, atol=1e-8)
    assert torch.allclose(offset[0], bias, atol=1e-5)


def test_equals_numpys_least_squares_at_every_layer():
    x, y = states()
    weight, bias = moments(x, y).affine_map(0.0)
    for layer in range(LAYERS):
        expected, offset = numpy_lstsq(x[:, layer].numpy(), y.numpy())
        np.testing.assert_allclose(weight[layer].numpy(), expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(bias[layer].numpy(), offset, rtol=1e-6)


@pytest.mark.parametrize("ridge", [1e-3, 0.5])
def test_the_penalty_is_rows_of_data_that_ask_for_the_identity(ridge):
    """Ridge regression as plain least squares with d_model more rows, numpy's solution of it."""
    x, y = (side.numpy() for side in states())
    weight, _ = moments(*map(torch.tensor, (x, y))).affine_map(ridge)
    centered, change = x[:, 1] - x[:, 1].mean(axis=0), y - x[:, 1]
    rows = np.diag(np.sqrt(ridge * N) * x[:, 1].std(axis=0))
    solution = np.linalg.lstsq(
        np.concatenate([centered, rows]),
        np.concatenate([change - change.mean(axis=0), np.zeros((WIDTH, WIDTH))]),
        rcond=None,
    )[0]
    np.testing.assert_allclose(weight[1].numpy(), np.eye(WIDTH) + solution.T, rtol=1e-6, atol=1e-8)


def test_a_strong_penalty_leaves_the_identity_and_a_shift():
    x, y = states()
    weight, bias = moments(x, y).affine_map(1e12)
    assert torch.allclose(weight, torch.eye(WIDTH).double().expand_as(weight), atol=1e-6)
    assert torch.allclose(bias, (y[:, None] - x).mean(dim=0), atol=1e-2)


def test_batches_and_scale_change_nothing():
    x, y = states()
    weight, bias = moments(x, y, batches=1).affine_map(0.1)
    again, offset = moments(x, y, batches=20).affine_map(0.1)
    assert torch.allclose(weight, again, atol=1e-9) and torch.allclose(bias, offset, atol=1e-5)
    scaled, _ = moments(8 * x, 8 * y).affine_map(0.1)
    assert torch.allclose(weight, scaled, atol=1e-9)


def test_a_coordinate_that_never_changes_does_no_harm():
    x, y = states()
    x[:, :, 2] = 7.0
    weight, bias = moments(x, y).affine_map(0.0)
    fitted = torch.einsum("loi,pli->plo", weight, x) + bias
    expected, offset = numpy_lstsq(np.delete(x[:, 1].numpy(), 2, axis=1), y.numpy())
    other = np.delete(x[:, 1].numpy(), 2, axis=1) @ expected.T + offset
    np.testing.assert_allclose(fitted[:, 1].numpy(), other, atol=1e-5)


def test_bad_input():
    x, y = states(WIDTH)
    with pytest.raises(SemanticHubError, match="5 positions and ridge=0; expected at least 6"):
        moments(x, y).affine_map(0.0)
    assert moments(x, y).affine_map(1e-3)[0].isfinite().all()
    with pytest.raises(SemanticHubError, match=r"ridge=-0.1; expected 0 or more"):
        moments(*states()).affine_map(-0.1)
    x[0, 0, 0] = float("nan")
    with pytest.raises(SemanticHubError, match="NaN or infinity in the residual stream"):
        moments(x, y).affine_map(0.1)
