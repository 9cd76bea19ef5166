"""Figures as image files."""

import sys
from types import ModuleType

import plotly.graph_objects as go
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.plotting.images import write_image


def test_another_format_is_refused_with_the_known_ones(tmp_path) -> None:
    with pytest.raises(SemanticHubError, match=r"got the format '.bmp'; expected one of '.png'"):
        write_image(go.Figure(), tmp_path / "figure.bmp")


def test_kaleido_is_asked_to_draw_and_its_errors_are_ours(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", ModuleType("kaleido"))
    drawn = []
    monkeypatch.setattr(go.Figure, "write_image", lambda self, path, scale: drawn.append(path))
    assert write_image(go.Figure(), tmp_path / "figure.SVG") == tmp_path / "figure.SVG"
    assert drawn == [tmp_path / "figure.SVG"]

    for error, told in (
        (OSError(28, "No space left on device"), "No space left"),
        (RuntimeError("Kaleido requires Chrome"), "requires Chrome.*Run plotly_get_chrome"),
    ):

        def fails(self, path, scale, error=error):
            raise error

        monkeypatch.setattr(go.Figure, "write_image", fails)
        with pytest.raises(SemanticHubError, match=told):
            write_image(go.Figure(), tmp_path / "figure.png")
