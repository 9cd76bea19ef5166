"""What steering changes in the expectation of each token."""

from typing import Any

import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.steering.contrasts import activation_difference
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.hook import steer
from semantic_hub.interventions.steering.scores import steering_scores

TEXT = "The dog barks at the cat"


def test_steering_scores_are_the_change_of_the_models_own_log_probabilities(model: Any) -> None:
    direction = activation_difference(model, "dog", "cat", layer=1)
    scores = steering_scores(model, TEXT, direction, 2.0)
    tokens = model.to_tokens(TEXT)

    def own() -> torch.Tensor:
        log_probs = model(tokens)[0].log_softmax(dim=-1)[1:-1]
        return log_probs.gather(-1, tokens[0, 2:, None])[:, 0].cpu()

    plain = own()
    with steer(model, direction, 2.0):
        changed = own() - plain
    assert scores.rows == ("steered", "placebo") and scores.unit == "nat"
    torch.testing.assert_close(scores.value[0, 1:], changed, rtol=1e-3, atol=1e-3)
    assert scores.value[0, 1:].abs().max() > 0.01
    assert not torch.allclose(scores.value[0, 1:], scores.value[1, 1:], atol=1e-3)


def test_strength_0_changes_nothing(model: Any) -> None:
    direction = activation_difference(model, "dog", "cat", layer=1)
    assert not steering_scores(model, TEXT, direction, 0.0).value[:, 1:].any()


def test_figure_has_a_scale_with_both_signs(model: Any) -> None:
    direction = activation_difference(model, "dog", "cat", layer=1)
    [signed] = steering_scores(model, TEXT, direction).figure().data
    assert signed.zmin == -signed.zmax


def test_a_direction_with_rows_is_refused(model: Any) -> None:
    rows = Direction(torch.ones(2, model.cfg.d_model), 1, "two")
    with pytest.raises(SemanticHubError, match="a direction with 2 rows"):
        steering_scores(model, TEXT, rows)
