"""What values show of themselves: bounded, never raising, escaped, and true."""

import dataclasses
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Iterator

import pandas as pd
import pytest
import torch
from jaxtyping import AbstractArray
from small_spokes import SETTINGS, Told

import semantic_hub as sh
from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.plotting.tables import html_table, latex_table, text_table
from semantic_hub.plotting.values import Displayable, short_repr
from semantic_hub.results.result import Result

HOSTILE = "<script>alert(1)</script>\n\x1b[31m\ud800\u202e" + "x" * 10_000

_packages = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(sh.__path__, "semantic_hub.")
]


def classes() -> Iterator[type]:
    """Every class that the package or one of its rooms exports, and every kind of result."""
    for module in (sh, *_packages):
        for name in getattr(module, "__all__", ()):
            if inspect.isclass(kind := getattr(module, name)):
                yield kind
    yield from subclasses(Result)


def subclasses(base: type) -> Iterator[type]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("semantic_hub."):
            yield kind
        yield from subclasses(kind)


def filled(kind: type) -> object:
    """An instance with hostile text in every field, past every check of its class."""
    value = object.__new__(kind)
    for field in dataclasses.fields(kind):
        object.__setattr__(value, field.name, content(field.type))
    return value


def content(kind: object) -> object:
    if isinstance(kind, type) and issubclass(kind, AbstractArray):
        return torch.full([3] * len(kind.dim_str.split()), torch.nan)
    if kind in (int, float, bool):
        return 10**5000 if kind is int else kind(2)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return content(inner[0])
    if origin is tuple:
        return (content(inner[0]),) * 1000
    if isinstance(origin, type) and issubclass(origin, typing.Mapping):
        return {f"{HOSTILE}{n}": content(inner[1]) for n in range(100)}
    return HOSTILE


def assert_bounded(shown: str) -> None:
    assert len(shown.splitlines()) <= 5 and len(shown) <= 500
    assert "\x1b" not in shown and "\u202e" not in shown
    shown.encode()


DATACLASSES = sorted(
    {kind for kind in classes() if dataclasses.is_dataclass(kind)}, key=lambda kind: kind.__name__
)


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_no_value_shows_more_than_five_lines(kind: type) -> None:
    assert_bounded(repr(filled(kind)))
    assert_bounded(repr(object.__new__(kind)))  # as in a traceback from its own __post_init__


def test_the_values_of_the_public_names_are_covered() -> None:
    assert len(DATACLASSES) > 60
    assert {sh.Pairs, sh.Prompt, sh.Readout, sh.Report, sh.Findings} <= set(DATACLASSES)


def test_arrays_are_shown_as_shape_and_type() -> None:
    direction = Direction(torch.zeros(4), 2, "by hand")
    shown = "Direction(vector=<4, float32>, layer=2, description='by hand')"
    assert repr(direction) == shown == short_repr(direction)
    assert repr(sh.Prompt("the dog", position=-1)) == "Prompt(text='the dog', position=-1)"


@pytest.fixture(scope="module")
def findings(model) -> Findings:
    return sh.run(model, Told(), lenses={"raw": "raw"}, progress=False, **SETTINGS)


def test_a_result_says_model_items_layers_and_its_highest_value(findings: Findings, model) -> None:
    similarity = findings.similarity["set <a>"]
    layer = similarity.layers[int(similarity.auc.value.argmax())]
    assert repr(similarity).splitlines()[:2] == [
        f"SimilarityResult of {model.cfg.model_name.rpartition('/')[2]}: x – y",
        "n = 3, 0 dropped; layers emb–3",
    ]
    assert f"highest {similarity.auc.value.max():.3g} [" in repr(similarity)
    assert f"] at layer {layer or 'emb'}: share of mismatches beaten" in repr(similarity)


def test_every_kind_of_finding_shows_itself_truly(findings: Findings) -> None:
    values = [findings, *(one for sets in findings.results.values() for one in sets.values())]
    assert {type(one).__name__ for one in values} > {"PatchResult", "TopTokens", "LensComparison"}
    for value in values:
        assert_bounded(repr(value))
        assert repr(value) != short_repr(value)  # which is what an error would leave
        assert "<script" not in value._repr_html_()
        assert value.summary().startswith(repr(value))
        assert value.to_latex().endswith("\\end{tabular}")


def test_findings_tell_the_highest_value_of_each_set(findings: Findings) -> None:
    table = findings._table().set_index(["evidence", "set"])
    highest = findings.lens["after the"].highest()
    assert table.loc[("lens", "after the"), "value"] == highest.value
    assert table.loc[("lens", "after the"), "n"] == 2


def test_the_effect_alone_has_one_row_for_each_layer(findings: Findings) -> None:
    similarity = findings.similarity["set <a>"]
    frame = similarity.effect_frame()
    assert list(frame) == [
        "layer", "value", "low", "high", "p", "p_corrected", "margin", "margin_low", "margin_high",
        "margin_p_corrected", "strongest", "similarity", "n",
    ]  # fmt: skip
    assert frame["value"].tolist() == similarity.auc.value.tolist()
    assert frame["similarity"].tolist() == similarity.similarity.tolist()
    lens = findings.lens["after the"].effect_frame()
    assert list(lens) == ["layer", "value", "low", "high", "n"] and len(lens) == 4
    assert findings.top_tokens["after the"].effect_frame() is None


def test_verdicts_and_report_show_themselves(findings: Findings, model) -> None:
    verdicts, name = sh.verdicts([findings]), "<script>alert(1)</script>" + "x" * 10_000
    report = sh.Report(
        findings=(findings,),
        manifest={"model": {"name": name}},
        resampling=sh.Resampling(),
        n_layers=3,
    )
    assert repr(verdicts).startswith("Verdicts on ")
    assert "words, similarity: " in repr(verdicts)
    assert_bounded(repr(report))
    assert "words: similarity 1, lens 1" in repr(report)
    comparison = sh.compare({name: report, "b": report})
    for value in (verdicts, report, comparison):
        assert_bounded(repr(value))
        assert "<script" not in value._repr_html_()
        assert "words" in value.summary() and "words & similarity" in value.to_latex()


def test_pairs_show_their_first_and_their_table_is_escaped() -> None:
    pairs = sh.Pairs.from_prompts(["<b>", [1, 2]] * 30, ["uno", "dos"] * 30, x_name="<i>")
    assert repr(pairs).splitlines()[:2] == ["Pairs: 60, <i> – y", "first: '<b>' – 'uno'"]
    assert "<td>&lt;b&gt;</td><td>uno</td>" in pairs._repr_html_()
    assert "<i>" not in pairs._repr_html_() and "<td>1 2</td>" in pairs._repr_html_()


def test_a_users_own_result_is_shown_too() -> None:
    @dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
    class Mine(Result):
        numbers: tuple[int, ...]

    assert repr(Mine(numbers=(1,) * 1000, manifest={})).splitlines()[0] == "Mine"


def test_an_error_in_a_users_own_result_does_not_hide_it() -> None:
    @dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
    class Broken(Result):
        def effect_curve(self):
            raise ZeroDivisionError

    assert repr(Broken(manifest={"seed": 1})) == "Broken(manifest={'seed': 1})"


def test_a_subclass_may_have_a_repr_of_its_own() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(Displayable):
        def __repr__(self) -> str:
            return "mine"

    assert repr(Own()) == "mine"


FRAME = pd.DataFrame({"a_b": ["x & y", "50 %"], "n": [1, 2], "value": [0.12345, float("nan")]})


def test_tables_for_a_paper_escape_names_and_leave_missing_numbers_out() -> None:
    assert latex_table(FRAME).splitlines()[1:] == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"a\_b & n & value \\",
        r"\midrule",
        r"x \& y & 1 & 0.123 \\",
        r"50 \% & 2 &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_latex_shows_what_would_be_commands() -> None:
    frame = pd.DataFrame({"x": [r"\input{a}~^#$<"]})
    expected = r"\textbackslash{}input\{a\}\textasciitilde{}\textasciicircum{}\#\$\textless{} \\"
    assert latex_table(frame).splitlines()[5] == expected


def test_of_a_long_table_both_ends_are_shown() -> None:
    frame = pd.DataFrame({"layer": range(33)})
    shown = text_table(frame).split()
    assert shown == ["layer", *map(str, range(10)), "…", *map(str, range(24, 33))]
    assert html_table(frame).count("<tr>") == 21
    assert latex_table(frame).count(r" \\") == 34
