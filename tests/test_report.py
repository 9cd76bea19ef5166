"""The page: what stands in it, that it loads nothing, and that hostile names stay text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_experiment import SETTINGS, Told, Words

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.report import Report, report

HOSTILE = '</script><script>alert(1)</script>" onload="x'


class Hostile(Told):
    name = HOSTILE

    def pairs(self):
        return {HOSTILE: next(iter(super().pairs().values()))}

    def readouts(self):
        return {HOSTILE: next(iter(super().readouts().values()))}

    def interventions(self):
        return {f"{HOSTILE}{kind}": one for kind, one in super().interventions().items()}

    def texts(self):
        return {HOSTILE: super().texts()["tales"]}


class Page(HTMLParser):
    """Collects scripts, links and headings."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.scripts: list[dict] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[name] for name in ("src", "data") if name in found]
        self.links += [found["href"]] if "href" in found else []
        assert not any(name.startswith("on") for name in found)
        self._inside = tag
        if tag == "script":
            self.scripts.append({"type": found.get("type"), "text": ""})

    def handle_endtag(self, tag) -> None:
        self._inside = ""

    def handle_data(self, data) -> None:
        if self._inside == "script":
            self.scripts[-1]["text"] += data
        else:
            self.text += data


@pytest.fixture
def page(model) -> Page:
    return Page(report(model, [Words()], **SETTINGS).to_html())


def test_every_set_has_its_figures(page: Page) -> None:
    figures = [json.loads(s["text"]) for s in page.scripts if s["type"] == "application/json"]
    assert len(figures) == 3  # similarity; probabilities and shares of the lens
    assert all(figure["data"] for figure in figures)
    names = {trace["name"] for trace in figures[0]["data"]}
    assert {"x – y", "random twin"} <= names


def test_it_loads_nothing_and_its_links_lead_somewhere(page: Page) -> None:
    assert page.loads == []
    assert page.links
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)


def test_it_says_what_was_measured(page: Page) -> None:
    assert '"seed": 3' in page.text
    assert "hub beats surface" in page.text
    assert "random twin there" in page.text


def test_hostile_names_stay_text(model) -> None:
    html = report(model, [Hostile()], lenses={HOSTILE: "none"}, **SETTINGS).to_html()
    found = Page(html)
    assert HOSTILE in found.text
    assert not re.search(r"<script>alert", html)
    assert sum(s["type"] is None for s in found.scripts) == 2  # plotly's and the page's own


def test_save_replaces_in_one_step(model, tmp_path: Path) -> None:
    page = Report((), {"model": report(model, [], **SETTINGS).manifest["model"]})
    path = tmp_path / "report.html"
    path.write_text("old")
    assert page.save(path) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_save_needs_a_folder(model, tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match="a file in a folder that exists"):
        report(model, [], **SETTINGS).save(tmp_path / "absent" / "report.html")


def test_two_runs_give_the_same_page(model) -> None:
    """Every kind of measurement is in it: pairs, read-outs, lenses, interventions, texts."""
    pages = [report(model, [Told()], lenses={"raw": "none"}, **SETTINGS) for _ in range(2)]
    first, second = (page.to_html() for page in pages)
    assert first == second
    other = report(model, [Told()], lenses={"raw": "none"}, **{**SETTINGS, "seed": 4}).to_html()
    assert other != first


def test_the_verdict_comes_first(page: Page) -> None:
    assert page.links[0] == "#verdict"
    assert page.ids[0] == "verdict"
    assert "median set" in page.text
    assert "not measured" in page.text  # no interventions
    assert "All 2 sets" in page.text
    assert "no null controls" in page.text  # the read-outs have no third group


def test_too_few_permutations_are_told(model) -> None:
    page = Page(report(model, [Words()], resamples=50, permutations=9).to_html())
    assert "Sets of pairs: 1, measured with 9 resamples or permutations" in page.text


def test_language_mass_and_lenses_are_shown(model) -> None:
    plain = report(model, [Told()], **SETTINGS)
    page = Page(plain.to_html())
    assert "own language overtakes" in page.text
    assert "#words-mass" in page.links
    assert "The same read-outs through other lenses" not in page.text
    overlaid = report(model, [Told()], lenses={"raw": "none"}, **SETTINGS)
    both = Page(overlaid.to_html())
    assert "The same read-outs through other lenses" in both.text
    names = {trace["name"] for figure in figures(both) for trace in figure["data"]}
    assert {"logit: hub", "raw: hub"} <= names
    assert len(figures(both)) == len(figures(page)) + 2
    assert overlaid.manifest["lenses"] == {"raw": "none"}


def figures(page: Page) -> list[dict]:
    return [json.loads(s["text"]) for s in page.scripts if s["type"] == "application/json"]


def test_any_other_model_gets_the_packages_own_spokes(model) -> None:
    from semantic_hub.report import default_spokes

    assert [type(spoke).__name__ for spoke in default_spokes(model)] == [
        "LanguageSpoke",
        "ArithmeticSpoke",
    ]
    assert sh.report is report
