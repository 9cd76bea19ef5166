"""A report of recorded states is the report of the model that they were read in."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import semantic_hub as sh
from semantic_hub.activations.recorded import States
from semantic_hub.activations.residuals import residual_stream
from semantic_hub.errors import SemanticHubError
from semantic_hub.experiment.recording import prompts_to_record
from semantic_hub.experiment.run_folder import run_status
from semantic_hub.models.output import unembedding
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.reporting.document import report_of_run
from semantic_hub.zoo.planted.models import planted_hub, planted_world
from semantic_hub.zoo.planted.spoke import PlantedSpoke

FEW: dict[str, Any] = {
    "resampling": sh.Resampling(resamples=100),
    "permutations": 100,
    "progress": False,
}


@dataclass(frozen=True)
class Spoke(PlantedSpoke):
    """Words of a planted world, with another control and forms to compare."""

    def hard_negatives(self) -> Any:
        return {
            name: Pairs(pairs.x, (*pairs.y[1:], *pairs.y[:1]), x_name="a", y_name="b")
            for name, pairs in self.pairs().items()
        }

    def spelled_out(self) -> Any:
        return {"one": self.world.prompts(self.world.languages[0])[:1]}

    def concepts(self) -> Any:
        return {
            language: {str(i): prompt for i, prompt in enumerate(self.world.prompts(language)[:5])}
            for language in self.world.languages
        }


@pytest.fixture(scope="module")
def spoke() -> Spoke:
    return Spoke(planted_world("planted-hub", n_concepts=16), at_most=3)


@pytest.fixture(scope="module")
def model() -> Any:
    return planted_hub(n_concepts=16)


@pytest.fixture(scope="module")
def recorded(model: Any, spoke: Spoke) -> States:
    """All that someone else's code would hand over."""
    return states_of(model, spoke)


def states_of(model: Any, spoke: sh.Spoke, scale: float = 1.0, **options: Any) -> States:
    prompts = prompts_to_record(spoke, tokenizer=model.tokenizer)
    twin = random_twin(model)
    return States(
        prompts,
        scale * residual_stream(model, prompts),
        **{
            "name": "elsewhere",
            "tokenizer": model.tokenizer,
            "unembedding": unembedding(model)[0],
            "final_norm": model.ln_final,
            "twin": States(prompts, residual_stream(twin, prompts)),
            **options,
        },
    )


@pytest.fixture(scope="module")
def of_model(model: Any, spoke: Spoke) -> sh.Report:
    return sh.report(model, spoke, **FEW)


@pytest.fixture(scope="module")
def of_states(recorded: States, spoke: Spoke) -> sh.Report:
    return sh.report(recorded, spoke, **FEW)


@pytest.mark.parametrize("kind", ["similarity", "lens", "top_tokens", "spelled_out"])
def test_numbers_are_those_of_the_model(
    kind: str, of_model: sh.Report, of_states: sh.Report
) -> None:
    [expected], [found] = of_model.findings, of_states.findings
    assert list(found.results[kind]) == list(expected.results[kind])
    for name, result in found.results[kind].items():
        same = expected.results[kind][name]
        pd.testing.assert_frame_equal(result.to_frame(), same.to_frame(), rtol=1e-5, atol=1e-6)
        assert getattr(result, "left_out", None) == getattr(same, "left_out", None)


def test_verdicts_are_those_of_the_model(of_model: sh.Report, of_states: sh.Report) -> None:
    said = [
        {line.evidence: (line.verdict, line.n_sets) for line in report.verdicts.lines}
        for report in (of_model, of_states)
    ]
    assert said[1]["causal"] == ("not measured", 0)
    assert said[0].pop("causal")[0] != said[1].pop("causal")[0]
    assert said[0] == said[1]
    assert said[1]["similarity"] == ("supported", 2)


def test_what_runs_a_model_is_named_as_left_out(of_states: sh.Report, spoke: Spoke) -> None:
    [found] = of_states.findings
    assert found.left_out == {
        f"intervention, {name}": "recorded states run no model" for name in spoke.interventions()
    }
    page = of_states.to_html()
    assert "recorded states run no model" in page
    assert "elsewhere" in page


def test_concepts_are_compared(of_model: sh.Report, of_states: sh.Report) -> None:
    assert of_states.forms is not None and of_model.forms is not None
    torch.testing.assert_close(of_states.forms.auc, of_model.forms.auc, equal_nan=True)


def test_saved_and_loaded(of_states: sh.Report, tmp_path: Path) -> None:
    again = sh.Report.load(of_states.save_findings(tmp_path / "report"))
    assert again.to_html() == of_states.to_html()


def test_a_killed_run_goes_on_with_the_same_states_alone(
    model: Any, recorded: States, spoke: Spoke, tmp_path: Path
) -> None:
    def keys(states: States) -> set[str]:
        few = sh.Resampling(resamples=9)
        sh.run(states, spoke, folder=tmp_path, resampling=few, permutations=9, progress=False)
        status = run_status(tmp_path)
        assert not status.left
        return {step.key for step in status.done}

    first = keys(recorded)
    assert keys(states_of(model, spoke)) == first
    assert not keys(states_of(model, spoke, scale=1.5)) & first
    other = copy.copy(recorded)
    rows = list(recorded._rows)
    other._rows = {prompt: row for row, prompt in enumerate([*rows[1:], rows[0]])}
    assert not keys(other) & first


def test_what_runs_a_model_is_named_while_the_run_goes_on(
    recorded: States, spoke: Spoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("semantic_hub.experiment.runner.logit_lens", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sh.report(recorded, [spoke], folder=tmp_path, **FEW)
    [found] = report_of_run(tmp_path).findings
    told = {name: reason for name, reason in found.left_out.items() if "not measured" not in reason}
    assert told and set(told.values()) == {"recorded states run no model"}
    assert "not measured yet" in found.left_out.values()


def test_states_alone_give_the_similarity(recorded: States, model: Any, spoke: Spoke) -> None:
    """No tokenizer, no unembedding, no twin, and one set of which a prompt is missing."""
    first, *others = spoke.pairs().values()
    prompts = [*first.x, *first.y, *others[0].y[1:]]
    states = States(prompts, recorded.read(prompts, range(recorded.cfg.n_layers + 1)))
    found = sh.run(states, spoke, **FEW)
    assert list(found.results) == ["similarity"]
    [(name, result)] = found.similarity.items()
    assert name == next(iter(spoke.pairs()))
    assert dict(result.left_out) == {
        "random twin": "none was recorded",
        "shuffled tokens": "recorded without a tokenizer",
        "no shared surface": "it leaves fewer than 2 pairs",
        "romanized": "all letters are Latin",
    }
    total = 2 * len(first)
    left_out = list(found.left_out.values())
    assert left_out[0] == f"1 of {total} prompts were not recorded"
    assert set(left_out[1:]) == {"recorded states run no model", "recorded without an unembedding"}


def test_nothing_recorded_is_an_error(spoke: Spoke) -> None:
    states = States(["something else"], torch.ones(1, 3, 4))
    with pytest.raises(SemanticHubError, match="recorded states have the sets of which every"):
        sh.run(states, spoke, **FEW)


def test_a_twin_is_of_the_same_layers() -> None:
    twin = States(["a"], torch.ones(1, 3, 4))
    with pytest.raises(SemanticHubError, match="got a twin of 2 blocks; expected 3"):
        States(["a"], torch.ones(1, 4, 4), twin=twin)


def test_prompts_to_record_are_each_named_once() -> None:
    class Mine(sh.Spoke):
        name = "mine"

        def pairs(self) -> Any:
            return {"ru": Pairs.from_prompts(["a dog", "a cat"], ["собака", "кошка"])}

        def readouts(self) -> Any:
            return {"ru": [sh.Readout(Prompt("собака"), {"hub": ("dog",), "surface": ("пёс",)})]}

    texts = [prompt.text for prompt in prompts_to_record(Mine())]
    assert texts[:4] == ["a dog", "a cat", "собака", "кошка"]
    assert len(texts) == len(set(texts)) == 6, "and both romanized"
