"""Cautions about what weakens a lens."""

import pytest

from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.reporting.cautions import cautions
from semantic_hub.zoo.calibration.split_words import SplitWorld, split_lens


@pytest.mark.parametrize(
    ("split", "whole_words", "unrelated", "told"),
    [
        ((0.0, 0.5), True, False, ("mine, lens: words (hub 0%, control 50%)",)),
        ((0.0, 0.5), True, True, ()),
        ((0.0, 0.5), False, False, ()),
        ((0.5, 0.5), True, False, ()),
    ],
)
def test_whole_words_without_a_control_that_is_split_as_the_hubs_are(
    split: tuple[float, float], whole_words: bool, unrelated: bool, told: tuple[str, ...]
) -> None:
    lens = split_lens(SplitWorld("planted-separate", 1.0, split, whole_words, unrelated), 0)
    findings = [Findings("mine", {"lens": {"words": lens}})]
    about = {"dtype": "float32", "processed": []}
    found = cautions(findings, about, verdicts(findings))
    assert (
        tuple(name for one in found if "No control is split" in one.message for name in one.sets)
        == told
    )
