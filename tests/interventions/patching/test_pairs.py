"""Position maps: which positions of two prompts of different length are joined."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.pairs import (
    LAST_TO_LAST,
    ONE_TO_ONE,
    PositionMap,
    position_pairs,
    single_positions,
)
from semantic_hub.prompts.prompt import Encoding

SOURCE = Encoding((1, 5, 6, 7), slice(1, 4))  # a BOS, and three tokens of its own
BASE = Encoding((1, 8, 9), slice(1, 3))


@pytest.mark.parametrize(
    ("position_map", "expected"),
    [
        (LAST_TO_LAST, (((3,), (2,)),)),
        (PositionMap((0, 2), (0, 1)), (((2,), (1,)),)),
        (PositionMap((0, 2), mode="mean-to-each"), (((1, 2), (1, 2)),)),
        (PositionMap((1, None), mode="one-to-one"), (((2,), (1,)), ((3,), (2,)))),
        (single_positions([-1])["-1"], (((3,), (2,)),)),
        (single_positions([-2])["-2"], (((2,), (1,)),)),
        (single_positions([0])["0"], (((1,), (1,)),)),
    ],
)
def test_positions_are_joined_without_the_bos(position_map: PositionMap, expected: object) -> None:
    assert position_pairs(position_map, SOURCE, BASE) == expected


@pytest.mark.parametrize(
    ("position_map", "message"),
    [
        (ONE_TO_ONE, "3 positions of the source and 2 of the base"),
        (PositionMap((3, 5), (0, 1)), r"span \(3, 5\) of the source, which has 3 tokens"),
        (PositionMap((0, 1), (2, 2)), r"span \(2, 2\) of the base, which has 2 tokens"),
        (single_positions([2])["2"], "of the base"),
    ],
)
def test_a_position_map_that_does_not_fit_is_refused(
    position_map: PositionMap, message: str
) -> None:
    with pytest.raises(SemanticHubError, match=message):
        position_pairs(position_map, SOURCE, BASE)
