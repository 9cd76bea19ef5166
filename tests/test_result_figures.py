"""Every result can be drawn and laid out as a frame, new ones too."""

import importlib
import pkgutil
from collections.abc import Iterator

import plotly.graph_objects as go
import pytest
import torch

import semantic_hub as sh
from semantic_hub.alignment.result import MeasureResult
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.lenses.translators.affine import AffineLens
from semantic_hub.results.result import Result

for _found in pkgutil.walk_packages(sh.__path__, "semantic_hub."):
    importlib.import_module(_found.name)


def kinds(base: type[Result] = Result) -> Iterator[type[Result]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("semantic_hub."):
            yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_result_has_a_figure_and_a_frame(kind: type[Result]) -> None:
    for name in ("figure", "to_frame"):
        assert callable(getattr(kind, name, None)), f"{kind.__name__} lacks {name}()"
        assert getattr(kind, name).__doc__


def test_an_affine_lens_shows_how_far_it_is_from_doing_nothing() -> None:
    weight = torch.stack([torch.eye(4), 3 * torch.eye(4)])
    bias = torch.tensor([[0.0] * 4, [1.0] * 4])
    lens = AffineLens(name="x", n_layers=2, layers=(0, 1), weight=weight, bias=bias, manifest={})
    values = lens.to_frame().set_index(["row", "layer"])["value"]
    assert values["map"].tolist() == pytest.approx([0.0, 2.0, 0.0])
    assert values["bias"].tolist() == pytest.approx([0.0, 1.0, 0.0])
    assert [trace.name for trace in lens.figure().data] == ["map", "bias"]


def test_a_measure_has_its_curve_and_chance() -> None:
    curve = torch.tensor([0.1, 0.6])
    ends = {
        "value": curve,
        "low": curve - 0.1,
        "high": curve + 0.1,
        "p": curve,
        "p_corrected": curve,
    }
    measure = MeasureResult(layers=(0, 1), **ends, chance=0.25, unit="share", manifest={})
    figure: go.Figure = measure.figure()
    assert figure.data[-1].y == pytest.approx((0.1, 0.6))
    assert figure.layout.shapes[0].y0 == 0.25 and figure.layout.yaxis.title.text == "share"


def test_top_tokens_are_a_grid_with_a_column_for_each_prompt(model) -> None:
    top = top_tokens(model, ["The dog barks at", "2+3="], k=3)
    [grid] = top.figure().data
    assert len(grid.z) == 4 and len(grid.z[0]) == 2
    assert grid.z[3][1] == pytest.approx(top.log_prob[1, 3, 0].exp().item())
    assert grid.customdata[0][0].count("<br>") == 3
