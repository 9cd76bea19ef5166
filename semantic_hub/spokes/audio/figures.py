"""Figure of a clip over time with the top token of each of its positions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.style import TEXT_COLOR, layout
from semantic_hub.plotting.text import display_token, escape

if TYPE_CHECKING:
    import plotly.graph_objects as go

_EDGE = 0.04
"""Margin at both ends as a share of the clip's length, so that the outer words are whole."""

_MOST_TOKENS = 24
"""Number of tokens that fit next to each other."""


def clip_timeline(
    mel: Float[np.ndarray, "frame mel"],
    tokens: Sequence[str],
    *,
    seconds: float,
    probabilities: Sequence[float] = (),
    title: str = "",
) -> "go.Figure":
    """Draw a clip's log-mel frames over time, with the top token of each position above them.

    Positions are spread evenly over the clip. If there are too many to be readable, the others are
    in the hover text.

    Args:
        mel: Log-mel frames from `semantic_hub.spokes.audio.sounds.mel.log_mel`.
        tokens: Text of the top token at each position, in order.
        seconds: Length of the clip.
        probabilities: Probabilities of these tokens; empty to leave them out.
        title: Title of the figure, such as the label and the layer.

    Returns:
        Figure with two traces: the heat map and the tokens.

    Raises:
        SemanticHubError: No frames, no tokens, a length that is not positive, or another number of
            probabilities than tokens.

    Example:
        >>> import numpy as np
        >>> figure = clip_timeline(np.zeros((20, 40)), [" dog", " <b>"], seconds=1.0)
        >>> figure.data[1].text, figure.data[1].x
        (('␣dog', '␣&lt;b&gt;'), (0.25, 0.75))
    """
    import plotly.graph_objects as go

    _check(mel, tokens, seconds, probabilities)
    figure = go.Figure(layout=layout(title, "seconds", "mel filter"))
    figure.add_trace(
        go.Heatmap(
            z=np.round(mel.T.astype(float), 3).tolist(),
            x0=seconds / (2 * len(mel)),
            dx=seconds / len(mel),
            colorscale="Cividis",
            colorbar={"title": {"text": "log power"}, "thickness": 12},
            hovertemplate="%{x:.2f} s, filter %{y}: %{z:.2f}<extra></extra>",
        )
    )
    figure.add_trace(_labels(tokens, seconds, probabilities, mel.shape[1]))
    figure.update_xaxes(range=[-_EDGE * seconds, (1 + _EDGE) * seconds], showgrid=False)
    return figure.update_yaxes(range=[-0.5, 1.3 * mel.shape[1]], showgrid=False, zeroline=False)


def _labels(
    tokens: Sequence[str], seconds: float, probabilities: Sequence[float], n_mels: int
) -> "go.Scatter":
    """Tokens in three rows above the heat map, so that neighbors do not overlap."""
    import plotly.graph_objects as go

    texts = [display_token(token) for token in tokens]
    step = -(-len(texts) // _MOST_TOKENS)
    return go.Scatter(
        x=[seconds * (index + 0.5) / len(texts) for index in range(len(texts))],
        y=[n_mels * (1.06 + 0.08 * ((index // step) % 3)) for index in range(len(texts))],
        mode="text",
        text=[text if index % step == 0 else "" for index, text in enumerate(texts)],
        textfont={"size": 11, "color": TEXT_COLOR},
        customdata=_hover(texts, probabilities),
        hovertemplate="position %{pointNumber}: %{customdata}<extra></extra>",
        showlegend=False,
        name=escape("top token"),
    )


def _hover(texts: Sequence[str], probabilities: Sequence[float]) -> list[str]:
    """Hover text of each token, with its probability if given."""
    if not len(probabilities):
        return list(texts)
    return [f"{text}, {p:.2f}" for text, p in zip(texts, probabilities, strict=True)]


def _check(
    mel: Float[np.ndarray, "frame mel"],
    tokens: Sequence[str],
    seconds: float,
    probabilities: Sequence[float],
) -> None:
    """Raise unless there are frames and tokens, and matching probabilities."""
    if mel.size and len(tokens) and seconds > 0 and len(probabilities) in (0, len(tokens)):
        return
    raise SemanticHubError(
        "clip_timeline",
        got=f"frames of shape {mel.shape}, {len(tokens)} tokens, {len(probabilities)} "
        f"probabilities, {seconds} seconds",
        expected="some of each, and a probability for each token or none",
        fix="Pass log_mel(clip), the tokens of all its positions, and clip.seconds.",
    )
