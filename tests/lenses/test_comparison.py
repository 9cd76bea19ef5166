"""Several lenses on the same read-outs: the single calls' numbers, saved and drawn."""

import pytest
import torch
from small_spokes import SETTINGS, Words

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.comparison import LensComparison, read_through
from semantic_hub.lenses.translators.affine import AffineLens

READOUTS = Words().readouts()["after the"]


def identity(model, layers: tuple[int, ...], width: int | None = None) -> AffineLens:
    d_model = width or model.cfg.d_model
    return AffineLens(
        name="same",
        n_layers=model.cfg.n_layers,
        layers=layers,
        weight=torch.eye(d_model).expand(len(layers), -1, -1).clone(),
        bias=torch.zeros(len(layers), d_model),
        manifest={},
    )


@pytest.fixture
def compared(model) -> LensComparison:
    logit = sh.logit_lens(model, READOUTS)
    lenses = {"raw": "raw", "same": identity(model, (1, 2))}
    return read_through(model, READOUTS, lenses, logit=logit)


def test_each_is_the_single_call(model, compared: LensComparison) -> None:
    assert list(compared.lenses) == ["logit", "raw", "same"]
    raw = sh.logit_lens(model, READOUTS, lens="raw")
    assert torch.equal(compared.lenses["raw"].log_prob, raw.log_prob)


def test_words_are_scored_as_they_were(model) -> None:
    logit = sh.logit_lens(model, READOUTS, whole_words=False)
    read = read_through(model, READOUTS, {"raw": "raw"}, logit=logit, whole_words=False)
    raw = sh.logit_lens(model, READOUTS, lens="raw", whole_words=False)
    assert torch.equal(read.lenses["raw"].log_prob, raw.log_prob)


def test_an_affine_lens_is_read_where_it_has_maps(compared: LensComparison) -> None:
    """It changes nothing, so it reads what the logit lens reads at these layers."""
    same, logit = compared.lenses["same"], compared.lenses["logit"]
    assert same.layers == (1, 2, 3)
    torch.testing.assert_close(same.log_prob, logit.log_prob[:, 1:])


def test_frame_figure_and_files(compared: LensComparison, tmp_path) -> None:
    frame = compared.to_frame()
    assert set(frame["lens"]) == {"logit", "raw", "same"}
    assert len(frame) == sum(len(found.to_frame()) for found in compared.lenses.values())
    names = {trace.name for trace in compared.figure("share", group="hub").data}
    assert names == {f"{lens}: hub &gt; surface" for lens in compared.lenses}
    assert LensComparison.load(compared.save(tmp_path)).to_frame().equals(frame)


def test_a_lens_cannot_be_called_logit(model) -> None:
    with pytest.raises(SemanticHubError, match="a lens called 'logit'"):
        sh.run(model, Words(), lenses={"logit": "raw"}, **SETTINGS)


def test_a_lens_of_another_model_is_refused_early(model) -> None:
    lines: list[str] = []
    lens = identity(model, (1,), width=5)
    with pytest.raises(SemanticHubError, match="lens 'wide': got a lens for a model of width 5"):
        sh.run(model, Words(), lenses={"wide": lens}, progress=lines.append, **SETTINGS)
    assert lines == []
