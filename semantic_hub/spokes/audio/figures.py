"""A clip over time with the word that each of its positions says, for the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.style import TEXT_COLOR, layout
from semantic_hub.plotting.text import display_token, escape
from semantic_hub.spokes.audio.inputs import Heard
from semantic_hub.spokes.audio.sounds.mel import MelSettings, log_mel
from semantic_hub.spokes.spelled_out import at_middle_layer

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from semantic_hub.experiment.findings import Findings


def position_words(spelled: Mapping[str, Heard], found: "Findings") -> Mapping[str, "go.Figure"]:
    """Each clip's log-mel frames, and above them its positions' top tokens at the middle layer.

    Args:
        spelled: Clips, by the names that their positions have in the findings.
        found: What was found.
    """
    return {
        title: clip_timeline(
            log_mel(heard.clip, settings),
            list(top["text"]),
            seconds=settings.seconds,
            probabilities=list(top["probability"]),
            title=title,
        )
        for title, heard, _, top in at_middle_layer(spelled, found)
        for settings in [MelSettings(seconds=max(heard.clip.seconds, MelSettings().seconds))]
    }


_EDGE = 0.04  # of the clip's length, so that the outer words are whole
_SHOWN = 24
"""Tokens that find room next to each other."""


def clip_timeline(
    mel: Float[np.ndarray, "frame mel"],
    tokens: Sequence[str],
    *,
    seconds: float,
    probabilities: Sequence[float] = (),
    title: str = "",
) -> "go.Figure":
    """A heat map of log-mel frames over time, and above it the top token of each soft position.

    Positions are spread evenly over the clip, as encoders have them. Where there are too many to be
    read, the hover shows those that have no room.

    Args:
        mel: Log-mel frames, as `semantic_hub.spokes.audio.sounds.mel.log_mel` gives them.
        tokens: The top token's text at each position, in order.
        seconds: Length of the clip.
        probabilities: Of these tokens; none to leave them out.
        title: Title of the figure, such as the label and the layer.

    Returns:
        Two traces: the heat map, and the tokens.

    Raises:
        SemanticHubError: No frames, no tokens, a length that is not above 0, or probabilities of
            another number.

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
    """Texts in three rows above the map, so that neighbours do not meet."""
    import plotly.graph_objects as go

    shown = [display_token(token) for token in tokens]
    every = -(-len(shown) // _SHOWN)
    return go.Scatter(
        x=[seconds * (place + 0.5) / len(shown) for place in range(len(shown))],
        y=[n_mels * (1.06 + 0.08 * ((place // every) % 3)) for place in range(len(shown))],
        mode="text",
        text=[text if place % every == 0 else "" for place, text in enumerate(shown)],
        textfont={"size": 11, "color": TEXT_COLOR},
        customdata=_hover(shown, probabilities),
        hovertemplate="position %{pointNumber}: %{customdata}<extra></extra>",
        showlegend=False,
        name=escape("top token"),
    )


def _hover(shown: Sequence[str], probabilities: Sequence[float]) -> list[str]:
    if not len(probabilities):
        return list(shown)
    return [f"{text}, {p:.2f}" for text, p in zip(shown, probabilities, strict=True)]


def _check(
    mel: Float[np.ndarray, "frame mel"],
    tokens: Sequence[str],
    seconds: float,
    probabilities: Sequence[float],
) -> None:
    if mel.size and len(tokens) and seconds > 0 and len(probabilities) in (0, len(tokens)):
        return
    raise SemanticHubError(
        "clip_timeline",
        got=f"frames of shape {mel.shape}, {len(tokens)} tokens, {len(probabilities)} "
        f"probabilities, {seconds} seconds",
        expected="some of each, and a probability for each token or none",
        fix="Pass log_mel(clip), the tokens of all its positions, and clip.seconds.",
    )
