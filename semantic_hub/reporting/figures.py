"""Convert figures to compact JSON that is safe inside a page's script element."""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from semantic_hub.plotting.text import escape

if TYPE_CHECKING:
    import plotly.graph_objects as go


DIGITS = 5
"""Significant digits of the numbers that a page's figures draw."""


_TOP = 28
"""Pixels above a figure without a title: for the topmost label, or the names of panels."""

Cell = dict[str, float]
"""``value``, ``low`` and ``high``."""

_SUMMARY = {"value": "value", "low": "low", "high": "high"}
MARGIN = {"value": "margin", "low": "margin_low", "high": "margin_high"}
"""Where a `SimilarityResult` has the numbers of its margin."""


@dataclass(frozen=True)
class PageFigure:
    """A plotly figure converted for a page: its title, JSON and height.

    Attributes:
        label: Its title as plain text, which stands above it: it wraps there, and screen readers
            find it.
        content: JSON that is safe inside a script element, without the title, and without the
            template where that is the package's own: the page holds it once.
        height: In pixels; None for the height that the page gives its figures.
    """

    label: str
    content: str
    height: int | None


def page_figures(figures: "Iterable[go.Figure]") -> list[PageFigure]:
    """Convert plotly figures to compact JSON for a page.

    Args:
        figures: Any number.

    Example:
        >>> import plotly.graph_objects as go
        >>> figure = go.Figure(go.Scatter(y=[1 / 3]), {"title": {"text": "a &lt; b"}})
        >>> [shown] = page_figures([figure])
        >>> shown.label, '"y":[0.33333]' in shown.content
        ('a < b', True)
    """
    own = _own_template()
    return [_page_figure(json.loads(str(figure.to_json())), own) for figure in figures]


def titled(figure: "go.Figure", title: str) -> "go.Figure":
    """Set a figure's title to plain text, escaped, and return the figure.

    Args:
        figure: Changed in place.
        title: Plain text.
    """
    return figure.update_layout(title_text=escape(title))


def plain_title(figure: "go.Figure") -> str:
    """A figure's title as plain text, on one line.

    Args:
        figure: Any figure.

    Example:
        >>> import plotly.graph_objects as go
        >>> plain_title(titled(go.Figure(), "a < b"))
        'a < b'
    """
    return _plain(figure.layout.title.text or "")


def page_template() -> str:
    """JSON of the package's plotly template, safe inside a script element."""
    return script_json(_own_template())


def script_json(content: Any) -> str:
    r"""Compact JSON with sorted keys, safe inside a script element.

    Args:
        content: Plain JSON values.

    Example:
        >>> print(script_json({"name": "</script>"}))
        {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(
        content, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _own_template() -> dict[str, Any]:
    from semantic_hub.plotting.style import TEMPLATE

    return json.loads(json.dumps(TEMPLATE.to_plotly_json()))


def _page_figure(figure: dict[str, Any], own: dict[str, Any]) -> PageFigure:
    layout = figure["layout"]
    title = layout.pop("title", {}).get("text") or ""
    if layout.get("template") == own:
        del layout["template"]
    layout["margin"] = {**layout.get("margin", {}), "t": _TOP}
    small = {**figure, "data": _small(figure["data"])}
    return PageFigure(_plain(title), script_json(small), layout.get("height"))


def _plain(title: str) -> str:
    """A title of plotly's as plain text on one line."""
    return unescape(title.replace("<br>", " "))


def _small(value: Any) -> Any:
    """The same with rounded numbers, and typed arrays as lists: those have all digits."""
    if isinstance(value, dict):
        return _small(_numbers(value)) if "bdata" in value else _each(value)
    if isinstance(value, list):
        return [_small(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    return value


def _each(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _small(item) for key, item in values.items()}


def _numbers(array: dict[str, str]) -> list[Any]:
    """A typed array of plotly's, ``{"dtype": "f8", "bdata": …, "shape": "2, 3"}``, as lists."""
    flat = np.frombuffer(b64decode(array["bdata"]), dtype=f"<{array['dtype']}")
    shape = array.get("shape", str(flat.size))
    return flat.reshape([int(length) for length in shape.split(",")]).tolist()


@runtime_checkable
class HasArrays(Protocol):
    """Type of a result or summary whose arrays `cell` reads."""

    @property
    def low(self) -> Tensor:
        """Lower ends of the intervals."""
        ...


def cell(
    result: HasArrays, index: int | tuple[int, ...], names: Mapping[str, str] = _SUMMARY
) -> Cell:
    """Read one value and its interval from the arrays of a result or summary.

    Args:
        result: What has the arrays.
        index: Which place of them.
        names: Key of the cell to the array's name.

    Example:
        >>> lens = sh.logit_lens(model, sh.spokes.arithmetic.readouts()[:20])
        >>> sorted(cell(lens.share("hub", "surface"), 4))
        ['high', 'low', 'value']
    """
    return {key: float(getattr(result, name)[index]) for key, name in names.items()}
