import pandas as pd
import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.figures import compare_lenses, lens_curves
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.prompts.prompt import Prompt, Readout

READOUTS = [
    Readout(Prompt("The dog barks at the"), {"en": ("cat", "dog"), "es": ("gato",)}),
    Readout(Prompt("El perro"), {"en": ("dog",), "es": ("perro",)}),
]


@pytest.fixture(scope="module")
def lenses(model):
    return {name: logit_lens(model, READOUTS, lens=name) for name in ("logit", "raw")}


def lines(figure):
    return [trace for trace in figure.data if trace.fill is None]


def test_a_curve_for_each_lens_and_group(lenses):
    drawn = lines(compare_lenses(lenses))
    assert [line.name for line in drawn] == ["logit: en", "logit: es", "raw: en", "raw: es"]
    for line in drawn:
        lens, group = line.name.split(": ")
        expected = lenses[lens].mean_probability(group).value.tolist()
        assert list(line.y) == pytest.approx(expected)


def test_one_group_of_another_measure(lenses):
    drawn = lines(compare_lenses(lenses, "share", group="es", title="two lenses"))
    assert [line.name for line in drawn] == ["logit: es &gt; en", "raw: es &gt; en"]


def test_bad_input(lenses, model):
    with pytest.raises(SemanticHubError, match=r"different read-outs .*'logit' of 2, .*'one' of 1"):
        compare_lenses({**lenses, "one": logit_lens(model, READOUTS[:1])})
    with pytest.raises(SemanticHubError, match="group 'fr'; expected one of 'en', 'es'"):
        compare_lenses(lenses, group="fr")
    with pytest.raises(SemanticHubError, match="got no lens"):
        compare_lenses({})
    with pytest.raises(SemanticHubError, match="the measure 'entropy'"):
        compare_lenses(lenses, "entropy")


@pytest.fixture
def lens_frame() -> pd.DataFrame:
    curves = [
        ("probability", "surface", ""),
        ("probability", "hub", ""),
        ("share", "hub", "surface"),
        ("rank", "hub", ""),
    ]
    return pd.DataFrame(
        {"layer": layer, "measure": measure, "group": group, "against": against}
        | {"value": 0.5, "low": 0.4, "high": 0.6}
        for measure, group, against in curves
        for layer in range(3)
    )


def test_lens_curves_take_one_measure(lens_frame):
    lines = [trace for trace in lens_curves(lens_frame).data if trace.fill is None]
    assert [line.name for line in lines] == ["surface", "hub"]
    share = lens_curves(lens_frame, "share", title="hub-mini")
    assert share.data[1].name == "hub &gt; surface"
    assert share.layout.annotations[0].text == "as often"
    assert lens_curves(lens_frame, "rank").layout.yaxis.type == "log"
    with pytest.raises(SemanticHubError, match="got the measure 'entropy'"):
        lens_curves(lens_frame, "entropy")
