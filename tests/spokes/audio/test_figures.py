"""The timeline of a clip: time where it belongs, every token, nothing read as HTML."""

import numpy as np
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.audio.figures import clip_timeline


def test_frames_and_tokens_share_one_time_axis() -> None:
    mel = np.arange(20.0)[:, None] + np.zeros((1, 40))
    figure = clip_timeline(mel, [f" w{i}" for i in range(10)], seconds=2.0, title="dog, layer 4")
    heat, tokens = figure.data
    assert (len(heat.z), len(heat.z[0])) == (40, 20)
    assert (heat.x0, heat.dx) == (0.05, 0.1)
    assert heat.z[0][3] == 3.0
    assert np.allclose(tokens.x, 0.1 + 0.2 * np.arange(10))
    assert tokens.text[3] == "␣w3"
    assert min(tokens.y) > 39.5
    assert figure.layout.title.text == "dog, layer 4"


def test_text_is_escaped_and_probabilities_are_in_the_hover() -> None:
    figure = clip_timeline(
        np.zeros((4, 3)), ["<img src=x>", "\n"], seconds=1.0, probabilities=[0.251, 0.5],
        title="<b>",
    )  # fmt: skip
    assert figure.data[1].text == ("&lt;img src=x&gt;", "⏎")
    assert figure.data[1].customdata == ("&lt;img src=x&gt;, 0.25", "⏎, 0.50")
    assert figure.layout.title.text == "&lt;b&gt;"


def test_many_positions_keep_their_hover() -> None:
    figure = clip_timeline(np.zeros((9, 3)), ["a"] * 100, seconds=1.0)
    shown = [text for text in figure.data[1].text if text]
    assert len(shown) == 20
    assert len(figure.data[1].customdata) == 100


@pytest.mark.parametrize(
    ("frames", "tokens", "seconds", "probabilities"),
    [(0, ["a"], 1.0, []), (4, [], 1.0, []), (4, ["a"], 0.0, []), (4, ["a"], 1.0, [0.1, 0.2])],
)
def test_refused(
    frames: int, tokens: list[str], seconds: float, probabilities: list[float]
) -> None:
    with pytest.raises(SemanticHubError, match="clip_timeline: got frames of shape"):
        clip_timeline(np.zeros((frames, 3)), tokens, seconds=seconds, probabilities=probabilities)
