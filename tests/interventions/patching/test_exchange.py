"""Alignments: which positions of two prompts of different length are joined."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.exchange import (
    EVERY,
    LAST,
    Alignment,
    align,
    single_positions,
)
from semantic_hub.prompts.prompt import Encoding

DONOR = Encoding((1, 5, 6, 7), slice(1, 4))  # a BOS, and three tokens of its own
RECIPIENT = Encoding((1, 8, 9), slice(1, 3))


@pytest.mark.parametrize(
    ("alignment", "moves"),
    [
        (LAST, (((3,), (2,)),)),
        (Alignment((0, 2), (0, 1)), (((2,), (1,)),)),
        (Alignment((0, 2), how="mean-to-each"), (((1, 2), (1, 2)),)),
        (Alignment((1, None), how="one-to-one"), (((2,), (1,)), ((3,), (2,)))),
        (single_positions([-1])["-1"], (((3,), (2,)),)),
        (single_positions([-2])["-2"], (((2,), (1,)),)),
        (single_positions([0])["0"], (((1,), (1,)),)),
    ],
)
def test_positions_are_joined_without_the_bos(alignment: Alignment, moves: object) -> None:
    assert align(alignment, DONOR, RECIPIENT) == moves


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (EVERY, "3 positions of the donor and 2 of the recipient"),
        (Alignment((3, 5), (0, 1)), r"span \(3, 5\) of the donor, which has 3 tokens"),
        (Alignment((0, 1), (2, 2)), r"span \(2, 2\) of the recipient, which has 2 tokens"),
        (single_positions([2])["2"], "of the recipient"),
    ],
)
def test_an_alignment_that_does_not_fit_is_refused(alignment: Alignment, message: str) -> None:
    with pytest.raises(SemanticHubError, match=message):
        align(alignment, DONOR, RECIPIENT)
