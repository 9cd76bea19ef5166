"""Lens of planted worlds with split words: what is closed form against the planted model itself."""

import numpy as np
import pytest
import torch

from semantic_hub.lenses.logit import logit_lens
from semantic_hub.zoo.calibration.split_words import (
    ALIKE,
    SplitWorld,
    lens_verdict,
    spelling,
    split_lens,
)
from semantic_hub.zoo.planted.models import planted_hub, planted_separate, planted_world

NONE, ALL = (0.0, 0.0), (1.0, 1.0)


@pytest.mark.parametrize("build", [planted_hub, planted_separate])
def test_without_split_words_it_is_the_models_lens(build):
    model, name = build(), build.__name__.replace("_", "-")
    found = split_lens(SplitWorld(name, 0.0, NONE, True, False), 0)
    expected = logit_lens(model, planted_world(name).readouts("es"))
    torch.testing.assert_close(found.log_prob, expected.log_prob, atol=1e-3, rtol=1e-4)
    assert found.groups == expected.groups


def test_the_words_of_a_first_token_share_what_it_has():
    """A model that knows no concept says each of the four with a quarter, one that does only one."""
    spelled = spelling(40, 0.5, np.random.default_rng(0))
    _, sizes = np.unique(spelled.first, return_counts=True)
    assert sorted(sizes) == [1] * 20 + [ALIKE] * 5
    alike = np.isin(spelled.first, np.unique(spelled.first)[sizes == ALIKE])
    assert np.allclose(np.exp(spelled.unknown), np.where(alike, 1 / ALIKE, 1))
    assert np.exp(spelled.known[alike]).min() > 0.98
    assert (spelled.known[~alike] == 0).all()


@pytest.mark.parametrize("whole_words", [True, False])
def test_the_answer_is_said_at_the_last_layer_and_the_hubs_word_in_the_middle(whole_words):
    lens = split_lens(SplitWorld("planted-hub", 0.0, ALL, whole_words, True), 0)
    assert lens.groups == ("surface", "hub", "control", "unrelated")
    assert lens.share("surface", "hub").value[-1] == 1
    assert lens.share("hub", "surface").value[2:5].min() == 1
    assert lens_verdict(lens) == "supported"
    assert lens.scored_as["hub"]["several tokens" if whole_words else "first token"] == 48


def test_whole_words_differ_from_first_tokens_by_what_the_model_goes_on_with():
    whole, first = (
        split_lens(SplitWorld("planted-separate", 1.0, ALL, way, True), 3) for way in (True, False)
    )
    rest = (whole.log_prob - first.log_prob).exp()
    assert rest[..., 0].min() > 0.98, "the answer's language is known"
    torch.testing.assert_close(rest[..., 1:], torch.full_like(rest[..., 1:], 1 / ALIKE))
