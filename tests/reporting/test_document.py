"""The page: what stands in it, that it loads nothing, and that hostile names stay text."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pages import HOSTILE, Hostile, Page, figures
from small_spokes import SETTINGS, Told, Words

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import ActivationContrast, AnswerSteering
from semantic_hub.prompts.soft_tokens import SOFT, SoftTokens
from semantic_hub.reporting.cautions import cautions
from semantic_hub.reporting.document import Report, report
from semantic_hub.reporting.figures import page_figures, page_template, titled
from semantic_hub.statistics.resampling import Resampling

OTHER_SEED = {**SETTINGS, "resampling": sh.Resampling(resamples=50, seed=4)}


@pytest.fixture(scope="module")
def few(model) -> Report:
    return report(model, [Words()], **SETTINGS)


@pytest.fixture
def page(few: Report) -> Page:
    return Page(few.to_html())


def test_every_set_has_its_figures(page: Page) -> None:
    drawn = figures(page)
    assert len(drawn) == 5  # depth; similarity; probabilities, shares and grid of the lens
    assert all(figure["data"] for figure in drawn)
    names = {trace["name"] for trace in drawn[1]["data"]}
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
    html = report(model, [Hostile()], lenses={HOSTILE: "raw"}, **SETTINGS).to_html()
    found = Page(html)
    assert HOSTILE in found.text
    assert not re.search(r"<script>alert", html)
    assert sum(s["type"] is None for s in found.scripts) == 2  # plotly's and the page's own


def test_save_replaces_in_one_step(few: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    assert few.save(path) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_save_needs_a_folder(few: Report, tmp_path: Path) -> None:
    with pytest.raises(SemanticHubError, match="a file in a folder that exists"):
        few.save(tmp_path / "absent" / "report.html")


def test_two_runs_give_the_same_page(model) -> None:
    """Every kind of measurement is in it: pairs, read-outs, lenses, interventions, texts."""
    pages = [report(model, [Told()], lenses={"raw": "raw"}, **SETTINGS) for _ in range(2)]
    first, second = (page.to_html() for page in pages)
    assert first == second
    other = report(model, [Told()], lenses={"raw": "raw"}, **OTHER_SEED).to_html()
    assert other != first


def test_the_verdict_comes_first(page: Page) -> None:
    assert page.links[:2] == ["#spoke-1-similarity", "#spoke-1-lens"]  # cells of the picture
    assert page.ids[:3] == ["template", "answer", "depth"]
    assert "median set" in page.text
    assert "not measured" in page.text  # no interventions
    assert "All 2 sets" in page.text
    assert "no null controls" in page.text  # the read-outs have no third group


def test_too_few_permutations_are_told(model) -> None:
    page = Page(
        report(model, [Words()], resampling=Resampling(resamples=50), permutations=9).to_html()
    )
    assert "Sets of pairs: 1, measured with 9 resamples or permutations" in page.text


def test_language_mass_and_lenses_are_shown(model) -> None:
    plain = report(model, [Told()], **SETTINGS)
    page = Page(plain.to_html())
    assert "own language overtakes" in page.text
    assert "#spoke-1-mass" in page.links
    assert "The same read-outs through other lenses" not in page.text
    overlaid = report(model, [Told()], lenses={"raw": "raw"}, **SETTINGS)
    both = Page(overlaid.to_html())
    assert "The same read-outs through other lenses" in both.text
    names = {trace.get("name") for figure in figures(both) for trace in figure["data"]}
    assert {"logit: hub", "raw: hub"} <= names
    assert len(figures(both)) == len(figures(page)) + 2
    assert overlaid.manifest["lenses"] == {"raw": "raw"}


class Offered(Words):
    """A spoke with a figure that only it can draw."""

    def figures(self, found):
        import plotly.graph_objects as go

        return {"<i>lone</i>": go.Figure(go.Scatter(y=[len(found.similarity), float("nan")]))}


def test_a_spokes_own_pictures_are_shown(model) -> None:
    page = Page(report(model, [Offered()], **SETTINGS).to_html())
    assert figures(page)[-1]["data"][0]["y"] == [1, None]
    assert "<i>lone</i>" in page.text


def test_figures_are_rounded_and_share_one_template(model) -> None:
    figure = report(model, [Words()], **SETTINGS).findings[0].similarity["set <a>"].figure()
    [shown] = page_figures([titled(figure, "a < b")])
    content = json.loads(shown.content)
    assert shown.label == "a < b"
    assert content["layout"].keys() & {"template", "title"} == set()
    line = next(trace for trace in content["data"] if trace.get("customdata"))
    drawn = next(trace for trace in figure.data if trace.name == line["name"] and trace.customdata)
    assert line["y"] == [float(f"{value:.5g}") for value in drawn.y]
    assert json.loads(page_template())["layout"]["colorway"]


def test_a_template_of_the_users_own_stays() -> None:
    import plotly.graph_objects as go

    [shown] = page_figures(
        [go.Figure(go.Scatter(y=[1]), {"template": "plotly_dark", "height": 90})]
    )
    assert json.loads(shown.content)["layout"]["template"]["layout"]["paper_bgcolor"]
    assert (shown.label, shown.height) == ("", 90)


def test_what_is_saved_gives_the_same_page(model, tmp_path: Path) -> None:
    class Both(Hostile, Offered):
        pass

    measured = report(model, [Both()], lenses={HOSTILE: "raw"}, **SETTINGS)
    assert measured.grids[HOSTILE].keys() == {HOSTILE}
    assert Report.load(measured.save_findings(tmp_path / "run")).to_html() == measured.to_html()


def test_forms_that_name_the_same_concepts_are_compared(model, tmp_path: Path) -> None:
    class Named(Words):
        def concepts(self):
            words = {"dog": "perro", "cat": "gato", "cow": "vaca"}
            return {
                HOSTILE: {word: sh.Prompt(word) for word in words},
                "es": {word: sh.Prompt(spanish) for word, spanish in words.items()},
            }

    measured = report(model, [Named()], **SETTINGS)
    assert measured.forms is not None and measured.forms.forms == (HOSTILE, "es")
    html = measured.to_html()
    assert "across" in Page(html).ids and len(Page(html).scripts) == html.count("<script")
    again = Report.load(measured.save_findings(tmp_path / "run"))
    assert again.to_html() == html
    assert report(model, [Words()], **SETTINGS).forms is None


def test_a_second_save_replaces_the_first(model, tmp_path: Path) -> None:
    (tmp_path / "own notes").mkdir()
    for settings in (SETTINGS, OTHER_SEED):
        report(model, [Words()], **settings).save_findings(tmp_path)
    assert Report.load(tmp_path).resampling.seed == 4
    left = {path.name for path in tmp_path.iterdir()} - {"own notes", "report.json"}
    assert len(left) == 1


def test_a_save_that_fails_midway_keeps_the_old_report(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    report(model, [Words()], **SETTINGS).save_findings(tmp_path)
    other = report(model, [Words()], **OTHER_SEED)
    monkeypatch.setattr(type(next(iter(other.grids["words"].values()))), "save", fail)
    with pytest.raises(KeyboardInterrupt):
        other.save_findings(tmp_path)
    monkeypatch.undo()
    assert Report.load(tmp_path).resampling.seed == 3
    assert Report.load(other.save_findings(tmp_path)).resampling.seed == 4


@pytest.mark.parametrize(
    "content", [None, "[]", "{}", '{"format": 2}', '{"format": 7, "results": "", "spokes": 0}']
)
def test_load_refuses_what_is_no_report(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(SemanticHubError, match=r"Report\.load: got .*report\.json"):
        Report.load(tmp_path)


def test_tokens_are_coloured(model) -> None:
    """Of one prompt of each set of read-outs, and of one steered text."""
    measured = report(model, [Told()], **SETTINGS)
    assert measured.scores["words"].keys() == measured.findings[0].text_steering.keys()
    [[steered]] = [list(named.values()) for named in measured.scores.values()]
    assert steered.rows == ("steered", "placebo")
    html = measured.to_html()
    assert html.count('<dl class="token-scores">') == 2
    assert "<dt>layer emb</dt>" in html
    assert "<dt>placebo</dt>" in html


class Soft(Words):
    """Read behind features alone."""

    def readouts(self):
        span = SoftTokens(torch.zeros(3, 32))
        prompt = sh.Prompt(f"{SOFT}{SOFT}", soft=(span, span))
        return {"features": [sh.Readout(prompt, {"surface": ("dog",), "hub": ("cat",)})]}


def test_features_are_shown_as_a_sign(model) -> None:
    measured = report(model, [Soft()], **SETTINGS)
    html = measured.to_html()
    assert "<td>▪▪</td>" in html
    assert SOFT not in html
    assert 'class="token-scores"' not in html  # no token of text has a probability


class Answered(Words):
    """Two answers that share the next token's probability under steering."""

    def interventions(self):
        prompts = tuple(map(sh.Prompt, ("the dog", "the cat and")))
        contrast = {"towards": ActivationContrast((sh.Prompt("dog"),), (sh.Prompt("cat"),))}
        steering = AnswerSteering(prompts, contrast, ("dog", "cat"), strengths=(1.0, 8.0))
        return {"dog or cat": steering}


def test_answers_are_shown_where_they_move_most(model) -> None:
    measured = report(model, [Answered()], **SETTINGS)
    [result] = measured.findings[0].answer_probability.values()
    mean = result.mean("towards").value
    moved = (mean - mean[:, :1]).abs()
    layer, strength = divmod(int(moved.argmax()), mean.shape[1])
    text = re.sub(r"<[^>]+>", " ", measured.to_html())
    row = re.search(r"dog against cat\s+towards\s+2\s+–\s+–\s+(\w+)\s+(\d+)\s+(\S+)\s+(\S+)", text)
    assert row is not None
    where, how, unsteered, steered = row.groups()
    assert where == ("emb" if layer == 0 else str(layer))
    assert float(how) == result.strengths[strength]
    assert (unsteered, steered) == (f"{mean[0, 0]:.2f}", f"{mean[layer, strength]:.2f}")


def told(page: Report, **model: object) -> dict[str, tuple[str, ...]]:
    about = {**page.manifest["model"], **model}
    return {
        caution.message: caution.sets for caution in cautions(page.findings, about, page.verdicts)
    }


def test_warnings_tell_what_the_run_lacks(model) -> None:
    page = report(model, [Words()], **SETTINGS)
    found = told(page)
    assert "words, lens: after the (no null controls)" in found["Sets without a verdict:"]
    [small] = [sets for says, sets in found.items() if says.startswith("Sets of fewer than 30")]
    assert small == ("words, similarity: set <a> (3)",)
    [missing] = [sets for says, sets in found.items() if says.startswith("Without these null")]
    assert any(line.startswith("hard negatives (none were given)") for line in missing)
    assert not [says for says in found if says.startswith(("The weights", "Not measured"))]


def test_warnings_tell_of_weights_and_drops(model) -> None:
    page = report(model, [Words()], **SETTINGS)
    [findings] = page.findings
    [lens] = findings.lens.values()
    first = lens.first_token_only.clone()
    first[0, 1] = True
    lossy = replace(lens, dropped={"shared token": 3}, first_token_only=first)
    results = {**findings.results, "lens": {"after the": lossy}}
    left = replace(findings, results=results, left_out={"lens, gone": "nothing left"})
    found = told(
        replace(page, findings=(left,)), dtype="bfloat16", processed=["folded layer norms"]
    )
    assert "The weights are bfloat16: small differences may be rounding." in found
    assert any(says.startswith("The weights were processed") for says in found)
    assert found["Not measured on this model:"] == ("words, lens, gone: nothing left",)
    sets = {line for lines in found.values() for line in lines}
    assert "words, lens: after the: 3 of 5 (3 shared token)" in sets
    assert "words, lens: after the (hub in 1 of 2)" in sets


def test_no_warnings_where_nothing_is_amiss(few: Report) -> None:
    page = replace(few, findings=(sh.Findings("none"),))
    assert told(page) == {}
    assert "warnings (0)" in Page(page.to_html()).text


def test_any_other_model_gets_the_packages_own_spokes(model) -> None:
    from semantic_hub.reporting.defaults import default_spokes

    assert [type(spoke).__name__ for spoke in default_spokes(model)] == [
        "LanguageSpoke",
        "ArithmeticSpoke",
    ]
    assert sh.report is report


def test_spokes_by_name(model) -> None:
    from semantic_hub.reporting.defaults import chosen_spokes, known_spokes

    names = ["language", "arithmetic", "code", "semantics", "vision", "audio"]
    assert list(known_spokes(model)) == names
    assert [type(s).__name__ for s in chosen_spokes(model, "semantics")] == ["SemanticsSpoke"]
    [named, given] = chosen_spokes(model, ["semantics", own := Words()])
    assert type(named).__name__ == "SemanticsSpoke"
    assert given is own


def test_an_unknown_spoke_is_refused_before_anything_is_measured(model) -> None:
    lines: list[str] = []
    expected = "got the spoke 'taste'; expected one of language, arithmetic, code, semantics"
    with pytest.raises(SemanticHubError, match=expected):
        report(model, [Words(), "taste"], progress=lines.append)
    with pytest.raises(SemanticHubError, match=expected):
        report(model, "taste", progress=lines.append)
    assert lines == []
