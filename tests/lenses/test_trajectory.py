"""Trajectories: components, projections and what the picture tells of them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.trajectory import Trajectories, trajectories
from semantic_hub.models.output import final_norm, unembedding
from semantic_hub.prompts.words import word_tokens

PROMPTS = {"<b>": ["The dog", "El perro"], "sums": ["2+3="]}
WORDS = ("dog", "cat", "gato", "perro")


@pytest.fixture(scope="module")
def found(model: Any) -> Trajectories:
    return trajectories(model, PROMPTS, WORDS)


def test_the_plane_of_the_words_has_their_two_largest_variances(
    model: Any, found: Trajectories
) -> None:
    cloud = unit_words(model, WORDS)
    cloud = cloud - cloud.mean(dim=0)
    values = torch.linalg.eigvalsh((cloud @ cloud.T).double()).flip(0)
    torch.testing.assert_close(
        found.explained.double(), values[:2] / values.sum(), atol=1e-5, rtol=1e-4
    )
    seen = found.words.square().sum(dim=0)
    torch.testing.assert_close(seen.double(), values[:2], atol=1e-5, rtol=1e-4)
    assert found.words.sum(dim=0).abs().max() < 1e-5
    assert abs(float(found.words[:, 0] @ found.words[:, 1])) < 1e-5


def test_a_plane_of_three_words_keeps_how_states_move_between_them(model: Any) -> None:
    three = ("dog", "cat", "gato")
    path = trajectories(model, {"a": ["El perro"]}, three)
    assert path.explained.sum().item() == pytest.approx(1)
    normed = final_norm(model, residual_stream(model, ["El perro"]))[0].float().cpu()
    states = torch.nn.functional.normalize(normed, dim=-1)
    words = unit_words(model, three)
    expected = (states[3] - states[0]) @ (words[0] - words[2])
    drawn = (path.states[0, 3] - path.states[0, 0]) @ (path.words[0] - path.words[2])
    torch.testing.assert_close(drawn, expected, atol=1e-5, rtol=1e-4)


def test_a_path_is_the_mean_of_its_prompts(model: Any, found: Trajectories) -> None:
    each = [trajectories(model, {"one": [prompt]}, WORDS) for prompt in PROMPTS["<b>"]]
    mean = torch.stack([one.states[0] for one in each]).mean(dim=0)
    torch.testing.assert_close(found.states[0], mean, atol=1e-5, rtol=1e-4)
    assert found.counts == (2, 1)


def test_the_plane_of_all_shows_more_of_the_states(model: Any, found: Trajectories) -> None:
    every = trajectories(model, PROMPTS, WORDS, plane="all")
    assert 0 <= found.captured < every.captured <= 1


def test_figure_has_the_frames_numbers_and_escaped_names(found: Trajectories) -> None:
    figure: Any = found.figure()
    frame = found.to_frame()
    first, second, anchors = figure.data
    assert first.name == "&lt;b&gt;" and second.name == "sums"
    rows = frame.loc[frame["name"] == "sums"]
    assert list(second.x) == rows["x"].tolist() and list(second.y) == rows["y"].tolist()
    assert second.text == ("emb", "", "", "3")
    assert second.customdata[1] == "sums, layer 1, n = 1"
    assert anchors.text == WORDS
    assert f"{found.explained[0]:.0%} of variance of words" in figure.layout.xaxis.title.text
    assert f"{found.explained[1]:.0%}" in figure.layout.yaxis.title.text


def test_save_and_load(found: Trajectories, tmp_path: Path) -> None:
    assert Trajectories.load(found.save(tmp_path)).to_frame().equals(found.to_frame())


def test_bad_input(model: Any, without_shape_checks: None) -> None:
    for prompts, anchors in [({}, WORDS), ({"a": []}, WORDS), (PROMPTS, WORDS[:2])]:
        with pytest.raises(SemanticHubError, match="trajectories: got"):
            trajectories(model, prompts, anchors)
    with pytest.raises(SemanticHubError, match="got the plane 'x'"):
        trajectories(model, PROMPTS, WORDS, plane="x")  # type: ignore[arg-type]


def unit_words(model: Any, words: tuple[str, ...]) -> torch.Tensor:
    weights = unembedding(model)[0].float().cpu()
    rows = [weights[:, list(word_tokens(model.tokenizer, word).tokens)] for word in words]
    return torch.nn.functional.normalize(torch.stack([row.mean(dim=-1) for row in rows]), dim=-1)
