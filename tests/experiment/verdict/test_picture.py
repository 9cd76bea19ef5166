"""All verdicts in one look: sentences, and a table that says the same with signs and words."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from small_verdicts import ONE, line

from semantic_hub.experiment.verdict.picture import verdict_html
from semantic_hub.experiment.verdict.result import Verdicts

LOW = replace(ONE, verdict="not supported", margin=-0.2, layers=(1,))
LINES = (
    line("language", "similarity", "supported"),
    line("language", "causal", "not measured", None),
    line("code", "similarity", "supported", replace(ONE, layers=(4,))),
    line("code", "causal", "cannot tell", LOW),
    line("<b>", "similarity", "not supported", LOW),
    line("<b>", "causal", "not measured", None),
)
VERDICTS = Verdicts(lines=LINES, sets=(ONE, LOW), alpha=0.05, smallest=0.1)


class Read(HTMLParser):
    """Cells by row as text, links, and the titles of pictures."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "a":
            self.links.append(dict(attrs)["href"])
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.rows and self.inside not in ("title", "style"):
            self.rows[-1][-1] += data


def test_sentences_say_which_spokes_and_layers() -> None:
    assert VERDICTS.sentences() == {
        "similarity": "Shared states: supported for language (layers 2–3) and code (layer 4); "
        "not supported for <b>.",
        "causal": "Used by the model: cannot tell for code; not measured for language and <b>.",
    }


def test_each_cell_has_its_verdict_as_a_sign_and_in_words() -> None:
    found = Read(verdict_html(LINES))
    assert found.rows[0] == ["spoke", "Shared states (similarity)", "Used by the model (causal)"]
    assert found.rows[1:] == [
        ["language", "✓ supported layers 2–3", "– not measured"],
        ["code", "✓ supported layer 4", "? cannot tell"],
        ["<b>", "✗ not supported", "– not measured"],
    ]
    assert "b" not in found.tags
    assert found.tags.count("svg") == 4
    assert found.tags.count("circle") == 2  # layers 2 and 3 of language; code's layer 4 is no point


def test_cells_that_were_measured_are_links() -> None:
    found = Read(verdict_html(LINES, lambda one: f"#{one.spoke}-{one.evidence}"))
    assert found.links == [
        "#language-similarity",
        "#code-similarity",
        "#code-causal",
        "#<b>-similarity",
    ]


def test_a_column_has_one_scale() -> None:
    """The same profile beside a larger one is drawn lower."""
    small = verdict_html(LINES[:1])
    large = replace(ONE, profile=tuple(at._replace(high=9.0) for at in ONE.profile))
    both = verdict_html([LINES[0], line("code", "similarity", "supported", large)])
    assert small.split("<polyline")[1] != both.split("<polyline")[1]


def test_profiles_as_a_frame() -> None:
    frame = VERDICTS.profiles_frame()
    assert list(frame.columns) == ["spoke", "evidence", "name", "layer", "value", "low", "high"]
    assert len(frame) == 6
    assert frame.query("layer == 2").value.tolist() == pytest.approx([0.2, 0.2])
    assert "profile" not in VERDICTS.sets_frame()
