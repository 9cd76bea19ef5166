"""A lens at every token of a prompt: against one read-out at a time, and a bare forward pass."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.per_token import FEATURE, TokenLens, token_lens
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens

TEXT = "El perro ladra al gato"


@pytest.fixture(scope="module")
def lens(model: Any) -> TokenLens:
    return token_lens(model, TEXT, k=4, candidates={"hub": ("dog", "cat"), "surface": ("gato",)})


def test_the_same_as_reading_one_position_at_a_time(model: Any, lens: TokenLens) -> None:
    each = top_tokens(model, [Prompt(TEXT, position=i) for i in range(len(lens.pieces))], k=4)
    assert lens.tokens.equal(each.tokens)
    torch.testing.assert_close(lens.log_prob, each.log_prob, rtol=1e-4, atol=1e-4)
    assert "".join(lens.pieces) == TEXT


def test_what_follows_is_the_models_own_prediction_at_the_last_layer(
    model: Any, lens: TokenLens
) -> None:
    tokens = model.to_tokens(TEXT)[0]
    log_probs = model(tokens[None])[0].log_softmax(dim=-1)[1:-1]
    own = log_probs.gather(-1, tokens[2:, None])
    torch.testing.assert_close(lens.next_log_prob[:-1, -1], own[:, 0].cpu(), rtol=1e-3, atol=1e-3)
    assert lens.next_rank[:-1, -1].tolist() == (1 + (log_probs > own).sum(dim=-1)).tolist()
    assert lens.next_log_prob[-1].isnan().all() and not lens.next_rank[-1].any()


def test_frame_marks_candidates_and_blanks_the_end(lens: TokenLens) -> None:
    frame = lens.to_frame()
    assert len(frame) == len(lens.pieces) * 4 * 4
    marked = {token for ids in lens.candidates.values() for token in ids}
    assert set(frame.loc[frame["group"] != "", "token"]) <= marked
    for row in frame.loc[frame["token"].isin(marked)].to_dict("records"):
        assert row["token"] in lens.candidates[row["group"]]
    assert frame.loc[frame["pos"] == len(lens.pieces) - 1, "next_rank"].isna().all()


@pytest.mark.parametrize("colour", ["probability", "next", "rank"])
def test_figure_has_a_column_for_each_token(lens: TokenLens, colour: Any) -> None:
    grid = lens.figure(colour).data[0]
    assert np.shape(grid.z) == (len(lens.layers), len(lens.pieces))


def test_save_and_load(lens: TokenLens, tmp_path: Path) -> None:
    again = TokenLens.load(lens.save(tmp_path))
    assert again.to_frame().equals(lens.to_frame())


def test_positions_of_features_have_a_sign_and_nothing_that_follows(model: Any) -> None:
    span = SoftTokens(torch.ones(3, model.cfg.d_model))
    lens = token_lens(model, Prompt(f"{SOFT} dog", soft=(span,)), k=1, layers=[2])
    assert lens.pieces[:3] == (FEATURE,) * 3
    known = ~lens.next_log_prob[:, 0].isnan()
    assert known.tolist() == [False, False, True] + [True] * (len(known) - 4) + [False]


def test_bad_input(model: Any, without_shape_checks: None) -> None:
    with pytest.raises(SemanticHubError, match="got k=0"):
        token_lens(model, TEXT, k=0)
    with pytest.raises(SemanticHubError, match="two groups of candidates that begin with one"):
        token_lens(model, TEXT, k=1, candidates={"a": ("dog",), "b": ("dog",)})
    with pytest.raises(SemanticHubError, match="text 'dog' as group"):
        token_lens(model, TEXT, k=1, candidates={"a": "dog"})  # type: ignore[dict-item]
