"""A spoke, a measure, a kind of intervention and a lens, all from outside, in a whole report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from jaxtyping import Float
from registries import restored
from torch import Tensor

import semantic_hub as sh
from semantic_hub.alignment.measures import Measure, register_measure
from semantic_hub.experiment.findings import Findings
from semantic_hub.experiment.verdict.judging import verdicts
from semantic_hub.interventions.dispatch import register_intervention
from semantic_hub.lenses.lens import Lens, register_lens
from semantic_hub.models.layers import layer_hook
from semantic_hub.reporting.comparison import compare
from semantic_hub.reporting.document import Report
from semantic_hub.results.result import Counts, EffectCurve, Result, manifest
from semantic_hub.spokes.registry import register_spoke
from semantic_hub.statistics.margins import CellMargins, item_margins, middle_cells
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.statistics.summaries import mean_summary

SETTINGS = {"resampling": sh.Resampling(resamples=40, seed=1), "permutations": 20}
PROMPTS = ("the dog", "the cat", "a dog and", "a cat and", "the", "a", "dog", "cat")


@dataclass(frozen=True)
class Ablation:
    """Replace the state at the last position by zeros, layer by layer."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class AblationResult(Result):
    """Drop of the top token's probability at each layer, and under scaling by one half."""

    kind: ClassVar[str] = "ablation"
    family: ClassVar[str] = "causal"
    coordinates: ClassVar[Mapping[str, str]] = {"layer": "layers"}

    layers: tuple[int, ...]
    n_layers: int
    drop: Float[Tensor, "item layer"] = field(metadata={"unit": "probability"})
    halved: Float[Tensor, "item layer"] = field(metadata={"unit": "probability"})
    resampling: Resampling = Resampling()

    def effect_curve(self) -> EffectCurve:
        summary = mean_summary(self.drop, resampling=self.resampling)
        return EffectCurve(self.layers, summary, len(self.drop), "drop of probability")

    def cell_margins(self, resampling: Resampling) -> CellMargins:
        cells, rows = middle_cells(self.layers, self.n_layers)
        effect, control = self.drop[:, rows].double(), self.halved[:, rows].double()
        return item_margins(cells, effect, {"halved": control}, "probability", resampling)

    def best_cell(self) -> tuple[int]:
        return (int(self.drop.mean(dim=0).argmax()),)

    def counts(self) -> Counts:
        return Counts(len(self.drop), {"out of words": 7})


def ablate(model, spec: Ablation, *, resampling: Resampling) -> AblationResult:
    layers = tuple(range(model.cfg.n_layers + 1))

    def drop(factor: float) -> Tensor:
        def scale(state, hook):
            state[:, -1] = state[:, -1] * factor
            return state

        rows = []
        for prompt in spec.prompts:
            tokens = model.to_tokens(prompt)
            whole = model(tokens)[0, -1].softmax(dim=-1)
            top = whole.argmax()
            changed = [
                model.run_with_hooks(tokens, fwd_hooks=[(layer_hook(layer), scale)])
                for layer in layers
            ]
            after = torch.stack([logits[0, -1].softmax(dim=-1)[top] for logits in changed])
            rows.append(whole[top] - after)
        return torch.stack(rows).detach().cpu()

    return AblationResult(
        layers=layers,
        n_layers=model.cfg.n_layers,
        drop=drop(0.0),
        halved=drop(0.5),
        resampling=resampling,
        manifest=manifest(model, measure="ablation", resampling=resampling),
    )


class Pets(sh.Spoke):
    """Two pets in two languages, with an intervention of a kind of its own."""

    name = "pets"

    def pairs(self):
        english, spanish = ["dog", "cat", "the", "a"], ["perro", "gato", "el", "un"]
        return {"en – es": sh.Pairs.from_prompts(english, spanish)}

    def readouts(self):
        candidates = {"surface": ("dog",), "hub": ("cat",), "control": ("the",)}
        return {"pets": [sh.Readout(sh.Prompt(prompt), candidates) for prompt in PROMPTS]}

    def interventions(self):
        return {"zeroed <b>": Ablation(PROMPTS)}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with restored():
        register_spoke("pets", lambda model: Pets())
        register_measure(
            Measure(
                name="sign agreement",
                value=lambda states: ((states.x > 0) == (states.y > 0)).double().mean(dim=(0, -1)),
                unit="share of dimensions",
                chance=lambda n_pairs: 0.5,
                in_run=True,
            )
        )
        register_intervention(Ablation, ablate)
        register_lens("doubled", lambda model: Lens.of(lambda layer, h: 2 * h, name="doubled"))
        yield


@pytest.fixture(scope="module")
def measured(llama_folder) -> Report:
    model = sh.load_model(llama_folder, device="cpu")
    return sh.report(model, ["pets"], lenses={"twice": "doubled"}, **SETTINGS)


@pytest.fixture
def findings(measured: Report) -> Findings:
    return measured.findings[0]


def test_run_takes_all_four(findings: Findings) -> None:
    assert findings.spoke == "pets"
    assert "sign agreement" in findings.similarity["en – es"].measures
    result = findings.results["ablation"]["zeroed <b>"]
    assert isinstance(result, AblationResult)
    assert list(findings.lens_comparison["pets"].lenses) == ["logit", "twice"]


def test_the_lens_of_ones_own_reads_what_it_says(findings: Findings) -> None:
    """The final norm undoes a factor, so that both lenses read the same."""
    lenses = findings.lens_comparison["pets"].lenses
    twice, logit = lenses["twice"].log_prob, lenses["logit"].log_prob
    torch.testing.assert_close(twice, logit, atol=1e-4, rtol=0)


def test_save_and_load_keep_the_kind(findings: Findings, tmp_path: Path) -> None:
    again = Findings.load(findings.save(tmp_path))
    result, loaded = (one.results["ablation"]["zeroed <b>"] for one in (findings, again))
    assert isinstance(loaded, AblationResult)
    assert torch.equal(loaded.drop, result.drop)
    assert loaded.resampling == SETTINGS["resampling"]
    assert again.to_frame().equals(findings.to_frame())
    assert set(again.to_frame().query("evidence == 'ablation'")["measure"]) == {"drop", "halved"}


def test_verdicts_judge_it_with_the_causal_family(findings: Findings) -> None:
    [one] = [one for one in verdicts([findings]).sets if one.evidence == "causal"]
    assert (one.kind, one.name, one.n, one.unit) == (
        "ablation", "zeroed <b>", len(PROMPTS), "probability",
    )  # fmt: skip
    margins = findings.results["ablation"]["zeroed <b>"].cell_margins(Resampling())
    assert one.margin == pytest.approx(margins.value.max().item())


def test_compare_lays_it_over_another_run(measured: Report) -> None:
    both = compare({"A": measured, "B": measured})
    frame = both.to_frame().query("kind == 'ablation'")
    assert set(frame["unit"]) == {"drop of probability"}
    assert len(frame) == 2 * len(measured.findings[0].results["ablation"]["zeroed <b>"].layers)
    assert "pets: ablation" in both.to_html()


def test_the_page_shows_it(measured: Report) -> None:
    html = measured.to_html()
    assert "zeroed &lt;b&gt;" in html
    assert "drop of probability" in html
    assert "pets, ablation: zeroed &lt;b&gt;: 7 of 15 (7 out of words)" in html


def test_names_in_use_are_refused() -> None:
    with pytest.raises(sh.SemanticHubError, match="in use"):
        register_lens("doubled", lambda model: Lens.of(lambda layer, h: h, name="doubled"))
    with pytest.raises(sh.SemanticHubError, match="already has a runner"):
        register_intervention(Ablation, ablate)
    with pytest.raises(sh.SemanticHubError, match=r"'ablation'.*in use"):
        type("Other", (Result,), {"kind": "ablation", "__module__": "elsewhere"})
