"""Tables and figures of a report as files, and its page in a browser."""

import re
import shutil
import sys
import webbrowser
from math import nan

import pandas as pd
import pytest
from chrome import chrome
from small_spokes import SETTINGS, Words

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError, SemanticHubWarning
from semantic_hub.plotting.images import for_print, write_images
from semantic_hub.reporting import export as export_module
from semantic_hub.reporting.document import Report, report
from semantic_hub.reporting.sections import section_figures


@pytest.fixture(scope="module")
def few(model) -> Report:
    return report(model, [Words()], **SETTINGS)


@pytest.fixture
def drawn(monkeypatch) -> list:
    """Figures and files that kaleido was asked for; the files are written."""
    asked = []

    def write(figures, paths) -> None:
        for figure, path in zip(figures, paths, strict=True):
            path.write_bytes(b"drawn")
            asked.append((figure, path.name))

    monkeypatch.setattr(export_module, "require", lambda library: None)
    monkeypatch.setattr(export_module, "write_images", write)
    return asked


def test_every_number_and_every_figure_is_exported_and_listed(few, drawn, tmp_path) -> None:
    folder = few.export(tmp_path / "paper" / "tables")
    assert list(folder.parent.iterdir()) == [folder]
    listed = pd.read_csv(folder / "contents.csv", keep_default_na=False)
    files = {path.name for path in folder.iterdir()}
    assert sorted(listed["file"]) == sorted(files - {"contents.csv"})

    [found] = few.findings
    numbers = found.to_frame()
    of_spoke = listed.loc[(listed["spoke"] == found.spoke) & (listed["what"] != "figure"), "file"]
    csv, parquet, latex = of_spoke
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / csv), numbers.replace("", nan), check_dtype=False, rtol=1e-12
    )
    pd.testing.assert_frame_equal(pd.read_parquet(folder / parquet), numbers, check_dtype=False)
    assert (folder / latex).read_text(encoding="utf-8") == found.to_latex()
    assert len(pd.read_csv(folder / "sets.csv")) == len(few.verdicts.sets)

    of_spoke = [one.caption for one in section_figures(found, {})]
    assert len(of_spoke) == 3  # similarity; probabilities and shares of the lens
    captions = [few.verdicts.depth_figure(few.n_layers).layout.title.text, *of_spoke]
    assert len(drawn) == len({name for _, name in drawn}) == 4 * len(captions)
    assert set(listed.query("what == 'figure'")["caption"]) == set(captions)
    assert {figure.layout.width for figure, _ in drawn} == {312, 648}


def test_without_kaleido_the_tables_are_written_and_a_warning_says_so(
    few, monkeypatch, tmp_path
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)  # as if it were not installed
    with pytest.warns(SemanticHubWarning, match=r"not exported.*semantic-hub\[images\]"):
        folder = few.export(tmp_path / "paper")
    assert (folder / "sets.tex").exists() and not list(folder.glob("figure*"))


def test_nothing_is_overwritten_and_nothing_half_written(few, drawn, monkeypatch, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for taken in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(SemanticHubError, match="a folder that does not exist yet"):
            few.export(taken)

    def fails(figures, paths) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_module, "write_images", fails)
    with pytest.raises(SemanticHubError, match="No space left"):
        few.export(tmp_path / "paper")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_figures_are_drawn_in_the_size_of_a_column(few, tmp_path) -> None:
    pytest.importorskip("kaleido", reason="kaleido is not installed")
    if chrome() is None:
        pytest.skip("no Chrome on the path")
    figure = next(section_figures(few.findings[0], {})).drawn
    files = [tmp_path / "figure.svg", tmp_path / "figure.pdf"]
    write_images([for_print(figure, 3.25)] * 2, files)
    svg = files[0].read_text(encoding="utf-8")
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert size is not None and size[1] == str(round(3.25 * 96)) and int(size[2]) < 312
    assert svg.count("10.6667px") > 5 and "random twin" in svg
    assert files[1].read_bytes().startswith(b"%PDF")


def test_the_page_opens_in_the_browser(few, monkeypatch, tmp_path) -> None:
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda address: asked.append(address) or True)
    written = sh.browse(few)
    assert asked == [written.as_uri()]
    assert written.read_text(encoding="utf-8") == few.to_html()
    shutil.rmtree(written.parent)
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.warns(SemanticHubWarning, match=r"no browser opens here; the page is .*here\.html"):
        assert sh.browse(sh.compare({"a": few, "b": few}), tmp_path / "here.html").exists()


@pytest.mark.parametrize("other", ["report.html", 3])
def test_only_what_has_a_page_is_opened(other, without_shape_checks) -> None:
    with pytest.raises(SemanticHubError, match="expected a report, or a comparison of reports"):
        sh.browse(other)
