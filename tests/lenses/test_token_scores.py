"""Numbers of tokens from a lens, and how they are drawn."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.per_token import token_lens
from semantic_hub.lenses.token_scores import TokenScores, lens_scores, scores_of
from semantic_hub.plotting.tokens import colored_html, colored_notebook

TEXT = "The dog barks at the cat"
HOSTILE = ["</script><script>alert(1)</script>", '<img src=x onerror="alert(1)">', '"', "&lt;"]


class Spans(HTMLParser):
    """What a browser would see: tags, their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "span":
            given = dict(attrs)
            assert set(given) <= {"title", "style"}
            self.titles.append(given["title"] or "")
            self.styles.append(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_each_token_has_the_probability_that_it_had_before_it_came(model: Any) -> None:
    lens = token_lens(model, TEXT, k=1)
    scores = scores_of(lens)
    assert scores.rows == ("layer emb", "layer 1", "layer 2", "layer 3")
    assert scores.value[:, 0].isnan().all()
    torch.testing.assert_close(scores.value[2, 1:], lens.next_log_prob[:-1, 2].exp())
    some = lens_scores(model, TEXT, layers=[3])
    torch.testing.assert_close(some.value[0], scores.value[3], equal_nan=True)


def test_figure_is_rows_by_tokens(model: Any) -> None:
    scores = lens_scores(model, TEXT)
    [heat] = scores.figure().data
    assert np.shape(heat.z) == tuple(scores.value.shape) and heat.z[0][0] is None
    assert heat.z[2][3] == pytest.approx(scores.value[2, 3].item())
    assert heat.zmin == 0


def test_html_shows_hostile_tokens_as_text() -> None:
    seen = Spans(colored_html(HOSTILE, [0.1, -0.2, float("nan"), 0.4], unit='"nat"'))
    assert seen.tags == ["p", "span", "wbr", "span", "wbr", "span", "wbr", "span"]
    assert seen.texts == HOSTILE
    assert seen.titles == ['0.1 "nat"', '-0.2 "nat"', "–", '0.4 "nat"']


def test_colour_tells_sign_and_size() -> None:
    styles = Spans(colored_html(["a", "b", "c", "d"], [0.2, -0.4, 0.0, float("nan")])).styles
    assert styles[0] == "background:rgba(0,114,178,0.30)"
    assert styles[1] == "background:rgba(213,94,0,0.60)"
    assert styles[2:] == ["", ""]
    [strong] = Spans(colored_html(["a"], [5.0], limit=1.0)).styles
    assert strong.endswith("0.60)")


def test_rows_share_one_scale_and_have_their_names() -> None:
    value = torch.tensor([[0.1, 0.2], [0.4, float("nan")]])
    scores = TokenScores(
        pieces=("a", " b"), rows=("<x>", "y"), value=value, unit="nat", manifest={}
    )
    html = scores.to_html()
    assert "<dt>&lt;x&gt;</dt>" in html and "<script" not in html and "http" not in html
    assert [style[-5:-1] for style in Spans(html).styles[:3]] == ["0.15", "0.30", "0.60"]


def test_notebook_gets_escaped_tokens_without_numbers_that_are_none() -> None:
    shown = colored_notebook([*HOSTILE, " b"], [0.1, -0.2, float("nan"), 0.4, 0.5])
    for source in (shown.local_src, shown.cdn_src):
        props = source[source.rindex('{"tokens"') :]
        assert "<" not in props.partition("</script>")[0]
        assert "&lt;img" in props and "NaN" not in props and '"\\u2423b"' in props
        assert '"minValue": -0.5, "maxValue": 0.5' in props


def test_notebook_row_by_name(model: Any) -> None:
    scores = lens_scores(model, TEXT, layers=[0, 3])
    assert '"tokens"' in scores.notebook().cdn_src
    with pytest.raises(SemanticHubError, match="got the row 'x'; expected one of 'layer emb'"):
        scores.notebook("x")


def test_save_and_load(model: Any, tmp_path: Path) -> None:
    scores = lens_scores(model, TEXT)
    again = TokenScores.load(scores.save(tmp_path))
    torch.testing.assert_close(again.value, scores.value, equal_nan=True)
    assert again.units == {"value": "probability"}


def test_bad_input() -> None:
    with pytest.raises(SemanticHubError, match="got 1 numbers for 2 tokens"):
        colored_html(["a", "b"], [0.0])
