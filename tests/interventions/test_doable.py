"""Doable items: found by unpatched runs alone, and the verdict is on them; known answers."""

from dataclasses import replace

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.interventions.doable import MIN_DOABLE
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.spec import AnswerSteering, Steering, UnembeddingContrast
from semantic_hub.interventions.steering.answers import AnswerProbability, answer_probability
from semantic_hub.interventions.steering.direction import Direction
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.plotting.text import escape
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.reporting.document import Report
from semantic_hub.results.result import Result
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.planted.models import PlantedSpoke, planted_model, planted_world

N, FEW = 2 * MIN_DOABLE, Resampling(resamples=300)
WORLD = planted_world("planted-hub", n_concepts=N)


@pytest.fixture(scope="module")
def planted():
    return planted_model(WORLD, device="cpu")


def half_known() -> list[PatchPair]:
    """Pairs of which every second one asks for words that the model never says there."""
    own = WORLD.words("fr")[-1:] + WORLD.words("fr")[:-1]
    pairs = [
        replace(pair, answers={**pair.answers, "base": (word,)})
        for pair, word in zip(WORLD.patch_pairs("es", "fr"), own, strict=True)
    ]
    elsewhere = pairs[N // 2 :] + pairs[: N // 2]
    wrong = [replace(pair, answers=far.answers) for pair, far in zip(pairs, elsewhere, strict=True)]
    return [(pair, bad)[i % 2] for i, (pair, bad) in enumerate(zip(pairs, wrong, strict=True))]


@pytest.fixture(scope="module")
def patched(planted) -> PatchResult:
    return patching_sweep(planted, half_known(), resampling=FEW)


@pytest.fixture(scope="module")
def steered(planted) -> SteeringResult:
    steering = PlantedSpoke(WORLD).interventions()["steered, es to fr"]
    assert isinstance(steering, Steering)
    rule = steering.outcome

    def half(index: int, text: str):
        return "other" if index % 2 else rule(index, text)

    found = sh.intervene(planted, replace(steering, outcome=half), resampling=FEW)
    assert isinstance(found, SteeringResult)
    return found


@pytest.fixture(scope="module")
def answered() -> AnswerProbability:
    """Prompts after which one of two words is the likelier one; for the second prompt the other
    one is called right."""
    model = sh.load_model("hub-mini")
    random = Direction(torch.randn(model.cfg.d_model), None, "random")
    options = {"answers": ("dog", "cat"), "layers": [3], "strengths": [4], "positions": "last"}
    prompts = ["the", "a dog and", "el perro"]
    plain = answer_probability(model, prompts, random, **options, resampling=FEW)
    likelier = ["dog" if p > 0.5 else "cat" for p in plain.p_first[0, 0, 0].tolist()]
    likelier[1] = {"dog": "cat", "cat": "dog"}[likelier[1]]
    return answer_probability(model, prompts, random, **options, right=likelier, resampling=FEW)


def test_patches_of_pairs_that_the_model_cannot_do_are_not_in_the_effect(
    patched: PatchResult,
) -> None:
    assert patched.doable().tolist() == [True, False] * (N // 2)
    accuracy = {run: share.value.item() for run, share in patched.own_accuracy().items()}
    assert accuracy == {"base": 0.5, "reference": 0.5}
    middle = patched.layers.index(2)
    assert patched.top1_share("source").value[middle].item() == 0.5
    assert patched.of_doable().top1_share("source").value[middle].item() == 1
    assert patched.of_doable().kept == tuple(range(0, N, 2))
    assert patched.of_doable().controls["placebo"].kept == tuple(range(0, N, 2))


def test_the_margin_and_the_verdict_are_of_the_doable_pairs(patched: PatchResult) -> None:
    margins = patched.cell_margins(FEW)
    assert (margins.n, margins.unit) == (N // 2, "share of doable patch pairs")
    control = max(
        one.top1_share("source").value[2].item() for one in patched.of_doable().controls.values()
    )
    assert margins.cells[1].layer == patched.layers[2] == 2
    assert margins.value[1].item() == pytest.approx(1 - control)
    (only,) = verdicts([Findings("s", {"patching": {"half": patched}})], resampling=FEW).sets
    assert (only.verdict, only.n) == ("supported", MIN_DOABLE)


def test_fewer_doable_pairs_than_the_minimum_cannot_tell(patched: PatchResult) -> None:
    rank = patched.base_rank.clone()
    rank[0] = 7
    few = replace(patched, base_rank=rank)
    (only,) = verdicts([Findings("s", {"patching": {"few": few}})], resampling=FEW).sets
    assert only.verdict == "cannot tell"
    assert only.reason == (
        "without an intervention the model gets 9 of 20 right; a verdict takes 10 at least"
    )


def test_which_pairs_are_doable_does_not_depend_on_patched_runs(patched: PatchResult) -> None:
    generator = torch.Generator().manual_seed(0)
    other = {
        "rank": torch.randint(1, 9, patched.rank.shape, generator=generator),
        "log_prob": torch.randn(patched.log_prob.shape, generator=generator),
    }
    changed = replace(patched, **other, controls={})
    assert torch.equal(changed.doable(), patched.doable())
    assert not torch.equal(changed.of_doable().rank, patched.of_doable().rank)


def test_both_unpatched_runs_must_be_right(patched: PatchResult) -> None:
    wrong = torch.full_like(patched.base_rank, 2)
    for run in ("base_rank", "reference_rank"):
        assert not replace(patched, **{run: wrong}).doable().any()
    unnamed = replace(patched, base_answer="", base_rank=wrong)
    assert torch.equal(unnamed.doable(), patched.doable())
    assert list(unnamed.own_accuracy()) == ["reference"]


def test_ranks_of_the_unpatched_runs_are_those_of_the_models_own_logits(planted) -> None:
    pairs = half_known()[:4]
    found = patching_sweep(planted, pairs, layers=[1], controls=False)
    for item, pair in enumerate(pairs):
        for prompt, ranks in ((pair.base, found.base_rank), (pair.reference, found.reference_rank)):
            assert prompt is not None
            logits = planted(planted.to_tokens(prompt.text), return_type="logits")[0, -1]
            words = [planted.to_single_token(word) for (word,) in pair.answers.values()]
            expected = [1 + int((logits > logits[word]).sum()) for word in words]
            assert ranks[item].tolist() == expected


def test_no_doable_pair(patched: PatchResult) -> None:
    none = replace(patched, base_rank=patched.base_rank + 1, controls={})
    with pytest.raises(SemanticHubError, match="20 patch pairs, none of them right"):
        none.of_doable()
    assert none.effect_curve().doable is None
    assert "own accuracy: base 0.00, reference 0.50; 0 of 20 items doable" in repr(none)
    frame = none.to_frame()
    assert frame["value_doable"].isna().all() and not frame["n_doable"].any()
    assert none.figure("top1").data


def test_steered_prompts_that_the_model_cannot_do_are_not_in_the_effect(
    steered: SteeringResult,
) -> None:
    assert steered.doable().tolist() == [True, False] * (N // 2)
    assert steered.own_accuracy()["unsteered"].value.item() == 0.5
    layer, strength = steered.best_cell()
    assert steered.share("success", "concept").value[layer, strength].item() == 0.5
    doable = steered.of_doable()
    assert doable.share("success", "concept").value[layer, strength].item() == 1
    assert doable.dropped == {"not right without steering": N // 2}
    margins = steered.cell_margins(FEW)
    assert (margins.n, margins.unit) == (N // 2, "share of doable prompts")
    assert margins.value.max().item() == 1


def test_which_prompts_are_doable_does_not_depend_on_steered_runs(steered: SteeringResult) -> None:
    outcome = torch.randint(0, 3, steered.outcome.shape, generator=torch.Generator().manual_seed(0))
    unsteered = steered.strengths.index(0.0)
    outcome[:, :, unsteered] = steered.outcome[:, :, unsteered]
    assert torch.equal(replace(steered, outcome=outcome).doable(), steered.doable())


def test_steering_that_is_never_right_cannot_tell(steered: SteeringResult) -> None:
    never = replace(steered, outcome=torch.full_like(steered.outcome, 2))
    assert never.cell_margins(FEW).reason.startswith("without an intervention the model gets 0 of")
    with pytest.raises(SemanticHubError, match="none of them right without steering"):
        never.of_doable()


def test_answers_of_the_prompts_that_the_model_gets_right(answered: AnswerProbability) -> None:
    assert answered.doable().tolist() == [True, False, True]
    assert answered.own_accuracy()["unsteered"].value.item() == pytest.approx(2 / 3)
    expected = answered.p_first[..., [0, 2]].double().mean(dim=-1)
    for row, direction in enumerate(answered.directions):
        torch.testing.assert_close(answered.of_doable().mean(direction).value, expected[row])
    unknown = replace(answered, right=())
    assert unknown.own_accuracy() == {} and unknown.effect_curve().doable is None


def test_right_answers_are_one_of_the_two_for_each_prompt() -> None:
    contrast = UnembeddingContrast("dog", "cat")
    asked = (Prompt("the"), Prompt("a dog and"))
    with pytest.raises(SemanticHubError, match=r"got 1 right answers \(dog\); expected 2, each"):
        AnswerSteering(asked, {"pets": contrast}, ("dog", "cat"), right=("dog",))
    with pytest.raises(SemanticHubError, match=r"got 2 right answers \(dog, bird\); expected 2"):
        AnswerSteering(asked, {"pets": contrast}, ("dog", "cat"), right=("dog", "bird"))


@pytest.mark.parametrize("name", ["patched", "steered", "answered"])
def test_saved_loaded_and_shown(name: str, request: pytest.FixtureRequest, tmp_path) -> None:
    result = request.getfixturevalue(name)
    assert isinstance(result, Result)
    again = type(result).load(result.save(tmp_path))
    assert torch.equal(again.doable(), result.doable())
    assert again.effect_frame().equals(result.effect_frame())
    frame = result.effect_frame()
    curve = result.of_doable().effect_curve()
    n = int(result.doable().sum())
    assert frame["n_doable"].tolist() == [n] * len(frame)
    if name != "steered":
        assert frame["value_doable"].tolist() == curve.summary.value.tolist()
    told = f"{n} of {len(result.doable())} items doable"
    assert told in repr(result) and told in result._repr_html_() and "n_doable" in result.summary()
    assert {"value_doable", "n_doable"} <= set(result.to_frame().columns)


def test_the_page_shows_own_accuracy_and_the_effect_on_doable_items(
    patched: PatchResult, steered: SteeringResult, answered: AnswerProbability
) -> None:
    results = {"patching": patched, "steering": steered, "answer_probability": answered}
    found = Findings("s", {kind: {"half": result} for kind, result in results.items()})
    page = Report(findings=(found,), manifest={"model": patched.manifest["model"]},
                  resampling=FEW, n_layers=5).to_html()  # fmt: skip
    assert "(own accuracy: base 0.50, reference 0.50; 10 of 20 doable)" in page
    assert "(own accuracy: unsteered 0.50; 10 of 20 doable)" in page
    assert "(own accuracy: unsteered 0.67; 2 of 3 doable)" in page
    assert '<td>base 0.50, reference 0.50</td><td class="number">10</td>' in page
    assert f"the verdict is on the doable ones, {MIN_DOABLE} at least" in page


def test_the_figure_of_patching_has_a_curve_of_the_doable_pairs(patched: PatchResult) -> None:
    names = {trace.name for trace in patched.figure("top1").data}
    assert names == {"patched", "patched, doable", *map(escape, patched.controls)}
    alone = {trace.name for trace in patched.of_doable().figure("top1").data}
    assert alone == names - {"patched, doable"}
