"""Pages in a real browser, opened from disk: they draw, they fit, and nothing hostile runs."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from small_spokes import SETTINGS, Told

import semantic_hub as sh
from semantic_hub.plotting.style import layout
from semantic_hub.plotting.tables import latex_table
from semantic_hub.reporting.comparison import compare
from semantic_hub.reporting.document import Report, report
from semantic_hub.spokes.arithmetic.items import problems
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke

pytestmark = pytest.mark.slow

WIDTHS = (1280, 400)
PAGES = ("report", "hostile", "compare")
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "<a href='javascript:alert(4)'>here</a>",
    "javascript:alert(5)",
    '" onmouseover="alert(6)',
    "<svg onload=alert(7)>",
    "{{7*7}}${alert(8)}<!--",
)
SCRIPT, END, IMAGE, LINK, ADDRESS, QUOTE, DRAWING, TEMPLATE = HOSTILE


class Hostile(Told):
    """Every name and every prompt is hostile; so are the figures' titles."""

    name = IMAGE

    def pairs(self):
        [pairs] = super().pairs().values()
        said = (sh.Prompt(f"{x.text} {text}") for x, text in zip(pairs.x, HOSTILE, strict=False))
        return {END: replace(pairs, x=tuple(said), x_name=SCRIPT, labels=HOSTILE[: len(pairs)])}

    def readouts(self):
        [readouts] = super().readouts().values()
        return {LINK: readouts}

    def interventions(self):
        return {f"{kind} {DRAWING}": one for kind, one in super().interventions().items()}

    def texts(self):
        return {ADDRESS: super().texts()["tales"]}

    def figures(self, found):
        raw = go.Scatter(y=[1, 2], name=END, text=HOSTILE, showlegend=True)
        return {QUOTE: go.Figure(raw, layout(QUOTE, "x", "y"))}


@pytest.fixture(scope="module")
def pages(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small report on hub-mini, one in which everything is hostile, and a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    mini, tiny = sh.load_model("hub-mini", device="cpu"), sh.load_model(llama_folder, device="cpu")
    spoke = ArithmeticSpoke("en", ("es", "fr"), problems("+")[::40], at_most=3)
    measured = report(mini, [spoke], **SETTINGS)
    worst = spoiled(report(tiny, [Hostile()], lenses={TEMPLATE: "raw"}, **SETTINGS))
    return {
        "report": measured.save(folder / "report.html"),
        "six": six(measured).save(folder / "six.html"),
        "hostile": worst.save(folder / "hostile.html"),
        "compare": compare({SCRIPT: worst, "again": worst}).save(folder / "compare.html"),
    }


def six(page: Report) -> Report:
    """The same numbers under the names of the six spokes."""
    [found] = page.findings
    names = ("language", "arithmetic", "code", "semantics", "vision", "audio")
    return replace(
        page,
        findings=tuple(replace(found, spoke=name) for name in names),
        pictures={},
        grids={},
        scores={},
    )


def spoiled(page: Report) -> Report:
    """The same with a hostile text for every token, and a hostile name for the model."""
    [found], [grids], [scores] = page.findings, page.grids.values(), page.scores.values()
    tops = {name: replace(top, texts=hostile(top.texts)) for name, top in found.top_tokens.items()}
    results = {**found.results, "top_tokens": tops}
    read = {name: replace(spelled(grid), texts=hostile(grid.texts)) for name, grid in grids.items()}
    model = {**page.manifest["model"], "name": DRAWING, "class": LINK}
    return replace(
        page,
        findings=(replace(found, results=results, left_out={END: TEMPLATE}),),
        grids={found.spoke: read},
        scores={found.spoke: {name: spelled(one) for name, one in scores.items()}},
        manifest={**page.manifest, "model": model},
    )


def spelled(result: Any) -> Any:
    return replace(result, pieces=tuple(HOSTILE[i % 8] for i, _ in enumerate(result.pieces)))


def hostile(texts: dict[str, str]) -> dict[str, str]:
    return {token: HOSTILE[i % len(HOSTILE)] for i, token in enumerate(texts)}


OPEN_ALL = """() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  document.querySelectorAll(".choice > .one").forEach((one) => { one.hidden = false; });
}"""


@dataclass
class Opened:
    """A page, and all that it said and asked for since it was opened."""

    page: Any
    told: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def drawn(self) -> list[Any]:
        """Every figure, after all was opened and each was scrolled into view."""
        self.page.evaluate(OPEN_ALL)
        places = self.page.query_selector_all(".plot")
        for place in places:
            place.evaluate("place => place.scrollIntoView()")
            self.page.wait_for_function("place => place.querySelector('svg.main-svg')", arg=place)
        return places


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Callable[..., Opened]]:
    """Opens one of the pages from disk."""
    made = []

    def open_page(name: str, width: int = 1280, scheme: str = "light", height: int = 900) -> Opened:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        found = Opened(page)
        made.append(page)
        page.set_default_timeout(120_000)  # a busy machine is not a fault of the page
        page.on("console", lambda line: found.told.append(line.text))
        page.on("pageerror", lambda error: found.told.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(pages[name].as_uri())
        return found

    yield open_page
    for page in made:
        page.close()


@pytest.mark.parametrize("name", PAGES)
def test_it_draws_offline_without_a_word(
    opened: Callable[..., Opened], pages: dict[str, Path], name: str
) -> None:
    found = opened(name)
    figures = found.drawn()
    assert len(figures) >= 5
    for figure in figures:
        assert figure.query_selector_all("svg path, svg image")
        assert figure.get_attribute("aria-label")
    assert found.told == []
    assert [url for url in found.requests if not url.startswith("data:")] == [pages[name].as_uri()]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_clipped_and_nothing_overlaps(
    opened: Callable[..., Opened], name: str, width: int
) -> None:
    found = opened(name, width)
    found.drawn()
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.page.evaluate(CLIPPED) == []
    assert found.page.evaluate(COVERED) == []


CLIPPED = """() => [...document.querySelectorAll(".plot")].flatMap((place) => {
  const whole = place.getBoundingClientRect();
  return [...place.querySelectorAll("svg text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.width > 0 && (box.left < whole.left - 1 || box.right > whole.right + 1
      || box.top < whole.top - 1 || box.bottom > whole.bottom + 1);
  }).map((text) => `${place.ariaLabel.slice(0, 60)}: ${text.textContent.slice(0, 60)}`);
})"""
COVERED = """() => [...document.querySelectorAll(".plot")].filter((place) => {
  const legend = place.querySelector(".legend")?.getBoundingClientRect();
  return legend && [...place.querySelectorAll(".draglayer .nsewdrag")].some((drag) => {
    const box = drag.getBoundingClientRect();
    return legend.left < box.right - 1 && box.left < legend.right - 1
      && legend.top < box.bottom - 1 && box.top < legend.bottom - 1;
  });
}).map((place) => place.ariaLabel.slice(0, 60))"""


def test_tables_scroll_in_themselves(opened: Callable[..., Opened]) -> None:
    page = opened("report", 400).page
    page.evaluate(OPEN_ALL)
    table = page.query_selector(".table[aria-label=verdicts]")
    assert table.evaluate("it => it.scrollWidth > it.clientWidth && it.clientWidth <= 400")
    table.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("it => it.scrollLeft > 0", arg=table)


def test_hover_on_the_lens_grid_lists_the_likeliest_tokens(opened: Callable[..., Opened]) -> None:
    found = opened("report")
    found.page.evaluate(OPEN_ALL)
    grid = found.page.query_selector(".wide .plot")
    grid.evaluate("place => place.scrollIntoView()")
    found.page.wait_for_function("place => place.querySelector('.nsewdrag')", arg=grid)
    found.page.wait_for_timeout(100)
    box = grid.query_selector(".nsewdrag").bounding_box()
    found.page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2)
    shown = found.page.wait_for_selector(".wide .hoverlayer .hovertext").text_content()
    for rank in range(1, 6):
        assert f"{rank}. " in shown


@pytest.mark.parametrize("name", PAGES)
def test_links_of_the_contents_lead_to_their_headings(
    opened: Callable[..., Opened], name: str
) -> None:
    page = opened(name).page
    links = page.query_selector_all("nav a, .verdicts a")
    assert len(links) >= 6
    for link in links:
        link.click()
        page.wait_for_function(ARRIVED, arg=link.get_attribute("href"))


ARRIVED = """(address) => {
  const target = document.querySelector(":target");
  if (`#${target?.id}` !== address || !target.checkVisibility()) return false;
  const top = target.getBoundingClientRect().top;
  const end = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  return Math.abs(top) < 2 || (end && 0 < top && top < innerHeight);
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (400, 800)])
def test_the_answer_is_on_the_first_screen(
    opened: Callable[..., Opened], width: int, height: int
) -> None:
    """A sentence for each kind of evidence, and a row for each of six spokes."""
    page = opened("six", width, height=height).page
    assert len(page.query_selector_all(".answers li")) == 3
    assert len(page.query_selector_all(".verdicts tbody tr")) == 6
    for pictures in page.query_selector_all(".verdicts svg, .answers li"):
        box = pictures.bounding_box()
        assert box["width"] > 60 and box["height"] > 15
        assert box["y"] + box["height"] <= height and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * height
    assert page.evaluate(COVERED_CELLS) == []


COVERED_CELLS = """() => [...document.querySelectorAll(".verdicts th, .verdicts td")].filter(
  (cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)"""


def test_one_set_is_shown_at_a_time(opened: Callable[..., Opened]) -> None:
    page = opened("report").page
    page.click("#spoke-1")
    choice = page.query_selector(".choice:has(> label)")
    select, ones = choice.query_selector("select"), choice.query_selector_all(":scope > .one")
    names = [one.get_attribute("data-name") for one in ones]
    assert len(names) >= 2
    assert select.evaluate("it => [...it.options].map((one) => one.text)") == names
    assert [one.is_visible() for one in ones] == [True] + [False] * (len(ones) - 1)
    select.select_option(label=names[1])
    assert [one.is_visible() for one in ones[:2]] == [False, True]
    page.wait_for_function("one => one.querySelector('svg.main-svg')", arg=ones[1])


def test_all_figures_are_printed(opened: Callable[..., Opened]) -> None:
    page = opened("report").page
    assert page.pdf().startswith(b"%PDF")
    places = page.query_selector_all(".plot")
    assert len(places) >= 5
    assert all(place.query_selector("svg.main-svg") for place in places)


@pytest.mark.parametrize("name", ["report", "hostile"])
def test_every_table_can_be_copied(opened: Callable[..., Opened], name: str) -> None:
    """As CSV, which a second reader reads back, and as LaTeX, as the package writes it."""
    page = opened(name).page
    page.evaluate(OPEN_ALL)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    tables = page.query_selector_all(".table")
    assert len(tables) >= 4
    for place in tables:
        shown = place.evaluate(CELLS)
        as_csv, as_latex = place.evaluate_handle("it => it.nextSibling").query_selector_all(
            "button"
        )
        as_csv.click()
        page.wait_for_function("button => button.textContent === 'copied as CSV'", arg=as_csv)
        assert list(csv.reader(io.StringIO(page.evaluate("window.copied")))) == shown
        as_latex.click()
        page.wait_for_function("button => button.textContent === 'copied as LaTeX'", arg=as_latex)
        latex = page.evaluate("window.copied")
        head, *body = shown
        if "multicolumn" not in latex:
            expected = latex_table(pd.DataFrame(body, columns=head)).splitlines()
            lines = latex.splitlines()
            assert lines[:1] + lines[2:] == expected[:1] + expected[2:]
            assert set(lines[1].removeprefix("\\begin{tabular}")) <= set("{lr}")


CELLS = """(place) => [...place.querySelectorAll("tr")].map((row) => [...row.cells].flatMap(
  (cell) => [cell.textContent.trim().replace(/\\s+/g, " "), ...Array(cell.colSpan - 1).fill("")]))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_barrier(opened: Callable[..., Opened], name: str, scheme: str) -> None:
    """Rules of WCAG and good practice, on the closed page and with everything open and drawn."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core").Axe()
    found = opened(name, scheme=scheme)
    for prepare in (lambda: None, found.drawn):
        prepare()
        violations = axe.run(found.page).response["violations"]
        told = [
            (v["id"], v["help"], [node["html"][:120] for node in v["nodes"][:3]])
            for v in violations
        ]
        assert told == []


def test_a_figure_is_saved_under_its_own_name(opened: Callable[..., Opened]) -> None:
    page = opened("report").page
    page.click("#spoke-1")
    figure = page.query_selector(".part .plot")
    figure.evaluate("place => place.scrollIntoView()")
    page.wait_for_function("place => place.querySelector('.modebar-btn')", arg=figure)
    figure.hover()
    with page.expect_download() as download:
        figure.query_selector(".modebar-btn[data-title='save as SVG']").click()
    assert download.value.suggested_filename == "a-b-digits-digits-en.svg"
    assert "<svg" in download.value.path().read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "texts"), [("hostile", HOSTILE), ("compare", (SCRIPT, IMAGE))])
def test_hostile_text_is_shown_and_never_runs(
    opened: Callable[..., Opened], name: str, texts: tuple[str, ...]
) -> None:
    found = opened(name)
    for figure in found.drawn():
        figure.evaluate("place => place.scrollIntoView()")
        figure.hover(force=True)
    for link in found.page.query_selector_all("nav a"):
        link.click()
    assert found.dialogs == []
    assert found.page.query_selector_all("img, [onmouseover], [onerror], [onload]") == []
    assert found.page.query_selector_all("[href^=javascript], [*|href^=javascript]") == []
    assert found.page.evaluate("document.scripts.length") == found.page.evaluate(
        "document.querySelectorAll('head > script, body > script').length"
    )
    shown = found.page.inner_text("body")
    assert [text for text in texts if text not in shown] == []
    assert "49" not in found.page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_ground(opened: Callable[..., Opened], scheme: str) -> None:
    found = opened("report", scheme=scheme)
    found.drawn()
    ground, *inks = found.page.evaluate(COLOURS)
    assert len(inks) > 20
    assert min(contrast(ink, ground) for ink in inks) >= 4.5
    assert (luminance(ground) < 0.2) == (scheme == "dark")


COLOURS = """() => [getComputedStyle(document.body).backgroundColor,
  ...[...document.querySelectorAll("h1, p, a, td, figcaption")].map((it) => getComputedStyle(it).color),
  ...[...document.querySelectorAll(".xtick text, .ytick text, .legendtext")].map(
    (it) => getComputedStyle(it).fill)]"""


def contrast(one: str, other: str) -> float:
    """ActivationContrast of two colours by WCAG 2, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)`` by WCAG 2, 0 to 1."""
    parts = [float(part) / 255 for part in colour.strip("rgba()").split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
