"""Runs side by side: the numbers of each, over relative depth, and what else differs between them."""

from dataclasses import replace
from pathlib import Path

import pytest
from pages import HOSTILE, Hostile, Page, figures
from small_spokes import SETTINGS, Told, Words

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.reporting.comparison import compare
from semantic_hub.reporting.document import Report, report
from semantic_hub.statistics.resampling import Resampling


@pytest.fixture
def both(model) -> dict[str, Report]:
    twin = sh.random_twin(model)
    return {"A": report(model, [Told()], **SETTINGS), "B": report(twin, [Told()], **SETTINGS)}


def test_curves_are_the_results_own(both: dict[str, Report]) -> None:
    frame = compare(both).to_frame()
    assert set(frame["kind"]) == {
        "similarity", "lens", "patching", "steering", "text_steering", "language_mass",
    }  # fmt: skip
    for name, run in both.items():
        [result] = run.findings[0].similarity.values()
        rows = frame[(frame["model"] == name) & (frame["kind"] == "similarity")]
        assert rows["value"].tolist() == result.auc.value.tolist()
        assert rows["low"].tolist() == result.auc.low.tolist()
        assert rows["depth"].tolist() == [layer / 3 for layer in range(4)]
        lens = run.findings[0].lens["after the"].share("hub", "surface")
        rows = frame[(frame["model"] == name) & (frame["kind"] == "lens")]
        assert rows["high"].tolist() == lens.high.tolist()


def test_steering_is_shown_at_the_strength_that_moves_most(both: dict[str, Report]) -> None:
    [result] = both["A"].findings[0].steering.values()
    outcome = result.outcome.clone()
    outcome[0] = 1  # unchanged everywhere
    outcome[0, :, 1] = 0  # but at the second strength
    found = replace(
        both["A"].findings[0], results={"steering": {"s": replace(result, outcome=outcome)}}
    )
    frame = compare({**both, "A": replace(both["A"], findings=(found,))}).to_frame()
    rows = frame[(frame["model"] == "A") & (frame["kind"] == "steering")]
    assert set(rows["note"]) == {f"strength {result.strengths[1]:g}"}
    assert set(rows["value"]) == {1.0}


def test_verdicts_stand_side_by_side(both: dict[str, Report]) -> None:
    frame = compare(both).verdicts_frame()
    assert list(frame["model"]) == ["A"] * 3 + ["B"] * 3
    assert list(frame.columns[:4]) == ["model", "spoke", "evidence", "verdict"]
    page = Page(compare(both).to_html())
    assert "verdict on A" in page.text
    assert "verdict on B" in page.text


def test_figure_overlays_the_models(both: dict[str, Report]) -> None:
    figure = compare(both).figure("words")
    [result] = both["B"].findings[0].similarity.values()
    lines = {trace.name: trace for trace in figure.data if trace.customdata is not None}
    assert list(lines) == ["A", "B"]
    assert list(lines["B"].y) == pytest.approx(result.auc.value.tolist())
    with pytest.raises(SemanticHubError, match="expected one of words: similarity, words: lens"):
        compare(both).figure("words", "answers")


def test_what_differs_is_told(model, both: dict[str, Report]) -> None:
    other = report(
        model,
        [Told()],
        resampling=Resampling(resamples=51, seed=4),
        permutations=20,
    )
    [found] = other.findings
    pairs = next(iter(Told().pairs().values()))
    fewer = sh.similarity(model, pairs[:2], permutations=5)
    changed = replace(
        found,
        results={
            **found.results,
            "similarity": {"set <a>": fewer},
            "lens": {"new": found.lens["after the"]},
        },
    )
    page = Page(compare({**both, "B": replace(other, findings=(changed,))}).to_html())
    for line in (
        "resamples: A 50, B 51",
        "seed: A 3, B 4",
        "words, similarity, set <a>: A 3, B 2",
        "words, lens, after the: only in A",
        "words, lens, new: only in B",
    ):
        assert line in page.text
    assert "Settings that differ" not in Page(compare(both).to_html()).text


def test_hostile_names_stay_text(model, tmp_path: Path) -> None:
    run = report(model, [Hostile()], **SETTINGS)
    page = compare({HOSTILE: run, f"{HOSTILE}2": run}).save(tmp_path / "compare.html")
    html = page.read_text(encoding="utf-8")
    found = Page(html)
    assert "<script>alert" not in html
    assert HOSTILE in found.text
    assert len(figures(found)) == 6
    assert all(link[1:] in found.ids for link in found.links)


def test_two_runs_with_a_spoke_in_common_are_needed(model) -> None:
    class Other(Words):
        name = "other"

    run = report(model, [Words()], **SETTINGS)
    for wrong in ({}, {"A": run}, {"A": run, "B": report(model, [Other()], **SETTINGS)}):
        with pytest.raises(
            SemanticHubError, match="two reports or more that have a spoke in common"
        ):
            compare(wrong)
