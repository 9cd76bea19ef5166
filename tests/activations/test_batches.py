"""Batches: order, completeness, padding."""

from typing import Any

import pytest

from semantic_hub.activations.batches import AUTO_BATCH_TOKENS, batch_indices, pad
from semantic_hub.errors import SemanticHubError
from semantic_hub.prompts.prompt import Encoding


def test_batches_are_sorted_by_length_and_complete() -> None:
    lengths = [3, 9, 1, 4, 9, 2]
    batches = list(batch_indices(lengths, 4))
    assert [len(batch) for batch in batches] == [4, 2]
    flat = [index for batch in batches for index in batch]
    assert sorted(flat) == list(range(6))
    assert [lengths[index] for index in flat] == sorted(lengths, reverse=True)


def test_automatic_batches_fill_a_token_budget() -> None:
    lengths = [100] * 100 + [1] * 5000 + [AUTO_BATCH_TOKENS + 1]
    for batch in batch_indices(lengths):
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= AUTO_BATCH_TOKENS


def padding(lengths: list[int], batch: list[int]) -> int:
    return sum(max(lengths[i] for i in batch) - lengths[i] for i in batch)


def test_automatic_batches_end_where_padding_would_pass_a_tenth() -> None:
    """In one batch two thirds of the positions of such names would be padding."""
    lengths = [1 + i % 16 if i % 4 == 0 else 1 + i % 4 for i in range(400)]
    one = list(range(400))
    assert max(lengths) * 400 < 2 * AUTO_BATCH_TOKENS
    assert padding(lengths, one) > 0.6 * max(lengths) * 400
    batches = list(batch_indices(lengths))
    assert sorted(index for batch in batches for index in batch) == one
    for batch in batches:
        positions = len(batch) * max(lengths[index] for index in batch)
        assert padding(lengths, batch) <= max(128, 0.1 * positions)
    assert len(batches) < 8
    assert list(map(len, batch_indices([9, 8] * 100))) == [200]


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "big", None])
def test_batch_size_must_be_a_positive_number(batch_size: Any) -> None:
    with pytest.raises(SemanticHubError, match=f'batch_size: got {batch_size!r}; expected "auto"'):
        list(batch_indices([1], batch_size))


@pytest.mark.usefixtures("without_shape_checks")
def test_padding_has_two_sides(model: Any) -> None:
    side: Any = "middle"
    with pytest.raises(SemanticHubError, match=r"padding_side: got 'middle'; expected \"left\" or"):
        pad(model, [Encoding((5, 6), slice(0, 2))], [0], side)


@pytest.mark.parametrize(("side", "columns"), [("right", [0, 1]), ("left", [2, 3])])
def test_padding(model: Any, side: Any, columns: list[int]) -> None:
    encodings = [Encoding((5, 6), slice(0, 2)), Encoding((7, 8, 9, 4), slice(0, 4))]
    batch = pad(model, encodings, [1, 0], side)
    assert batch.tokens[0].tolist() == [7, 8, 9, 4]
    assert batch.tokens[1, columns].tolist() == [5, 6]
    assert batch.attention_mask[1].nonzero()[:, 0].tolist() == columns
    assert batch.offsets == (0, columns[0])
    assert batch.prompts == (1, 0)
