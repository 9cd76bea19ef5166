"""Prompt forms: the model's best one on other items, chosen before any patch."""

from dataclasses import replace

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.forms import choose_form
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.spec import Patching, PromptForm
from semantic_hub.reporting.document import Report
from semantic_hub.spokes.arithmetic.interventions import prompt_forms as sums
from semantic_hub.spokes.language.translation import FORMS
from semantic_hub.spokes.language.translation import prompt_forms as translations
from semantic_hub.statistics.resampling import Resampling

FEW = Resampling(resamples=50)


@pytest.fixture(scope="module")
def hub_mini():
    return sh.load_model("hub-mini", device="cpu")


@pytest.fixture(scope="module")
def forms() -> dict[str, PromptForm]:
    """hub-mini was taught c=a+ and never c-a=; the one that it does not know comes first."""
    found = sums("es", "digits", at_most=12)
    return {name: found[name] for name in ("difference", "sum")}


@pytest.fixture(scope="module")
def result(hub_mini, forms) -> PatchResult:
    spec = Patching(forms["difference"].patch_pairs, forms=forms)
    found = sh.intervene(hub_mini, spec, resampling=FEW)
    assert isinstance(found, PatchResult)
    return found


def test_the_form_that_the_model_does_best_is_chosen(hub_mini, forms) -> None:
    name, accuracy = choose_form(hub_mini, forms)
    assert name == "sum" and accuracy["sum"] > 0.9 and accuracy["difference"] < 0.5
    for form, questions in forms.items():
        right = [
            int(hub_mini(hub_mini.to_tokens(asked.prompt.text))[0, -1].argmax())
            in {int(t) for t in hub_mini.to_tokens(word, prepend_bos=False)[0]}
            for asked in questions.held_out
            for word in asked.candidates["right"]
        ]
        assert accuracy[form] == sum(right) / len(right)


def test_what_is_patched_is_the_chosen_form(hub_mini, forms, result: PatchResult) -> None:
    plain = patching_sweep(hub_mini, forms["sum"].patch_pairs, resampling=FEW)
    assert torch.equal(result.rank, plain.rank)
    assert (result.form, result.n_held_out) == ("sum", 16)
    assert result.form_accuracy == choose_form(hub_mini, forms).accuracy
    assert result.manifest["form"] == "sum"
    assert result.manifest["form_accuracy"] == result.form_accuracy


def test_ties_go_to_the_first(hub_mini, forms) -> None:
    one = forms["sum"]
    assert choose_form(hub_mini, {"a": one, "b": one}).name == "a"
    assert choose_form(hub_mini, {"b": one, "a": one}).name == "b"


def test_without_other_items_it_is_the_first(hub_mini, forms) -> None:
    bare = {name: replace(form, held_out=()) for name, form in forms.items()}
    assert choose_form(hub_mini, bare) == ("difference", {})


def test_a_question_that_cannot_be_scored_is_not_right(hub_mini, forms) -> None:
    asked = forms["sum"].held_out
    split = replace(
        asked[0], prompt=sh.Prompt(f"{asked[0].prompt.text} "), candidates={"right": ()}
    )
    worse = replace(forms["sum"], held_out=(split, *asked[1:]))
    before, after = (
        choose_form(hub_mini, {"x": form}).accuracy["x"] for form in (forms["sum"], worse)
    )
    assert after == pytest.approx(before - 1 / len(asked))


@pytest.mark.parametrize(
    ("forms", "names"),
    [
        (sums("es", "fr", at_most=20), ["sum", "difference", "sum after examples"]),
        (translations("es", "fr", at_most=20), list(FORMS)),
    ],
)
def test_held_out_items_are_asked_for_by_no_pair(forms, names: list[str]) -> None:
    assert list(forms) == names
    right = [[asked.candidates["right"] for asked in form.held_out] for form in forms.values()]
    assert right[0] == right[1] == right[2] and len(right[0]) == 16
    for form in forms.values():
        assert [p.answers for p in form.patch_pairs] == [
            p.answers for p in forms[names[0]].patch_pairs
        ]
        asked = {prompt.text for pair in form.patch_pairs for prompt in (pair.base, pair.reference)}
        held_out = {one.prompt.text for one in form.held_out}
        assert len(held_out) == 16 and not held_out & asked
        assert not any(text.endswith(" ") for text in held_out | asked)


def test_where_every_item_is_asked_for_none_is_held_out() -> None:
    assert not translations("es", "fr", at_most=10_000)["plain"].held_out


def test_the_first_form_is_that_of_the_pairs(forms) -> None:
    with pytest.raises(SemanticHubError, match="forms difference, sum, the first with other pairs"):
        Patching(forms["sum"].patch_pairs, forms=forms)


def test_saved_loaded_and_on_the_page(result: PatchResult, tmp_path) -> None:
    again = PatchResult.load(result.save(tmp_path))
    assert (again.form, again.form_accuracy) == (result.form, result.form_accuracy)
    found = Findings("s", {"patching": {"sum": result}})
    page = Report(findings=(found,), manifest={"model": result.manifest["model"]},
                  resampling=FEW, n_layers=8).to_html()  # fmt: skip
    shares = ", ".join(f"{name} {share:.2f}" for name, share in result.form_accuracy.items())
    assert f"<td>sum (of {shares})</td>" in page
