"""One spoke measured on one model: every evidence on every named set of its data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from semantic_hub.alignment.controls import RANDOM_TWIN, stacked_controls
from semantic_hub.alignment.measures import run_measures
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.errors import NothingLeftError, SemanticHubError
from semantic_hub.experiment.findings import Findings
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.steering.answers import AnswerProbability
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.lenses.comparison import read_through, resolve_lenses
from semantic_hub.lenses.lens import LensLike
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.result import LanguageMassResult
from semantic_hub.lenses.mass.texts import mass_of_texts
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens, top_tokens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.twins import random_twin
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Readout
from semantic_hub.statistics.resampling import Resampling

__all__ = ["RANDOM_TWIN", "Findings", "Progress", "Spoke", "run"]

Progress = Callable[[str], None]


@runtime_checkable
class Spoke(Protocol):
    """One data type: named sets of pairs and of read-outs. A new spoke is one class like this.

    It may also have ``interventions()``, set name to `semantic_hub.interventions.spec.Intervention`,
    ``hard_negatives()``, set name to `Pairs` with the x of its pairs and a y that differs in one
    fact, and ``texts()``, set name to `semantic_hub.lenses.mass.texts.LanguageTexts`. And
    ``spelled_out()``, name to prompts of which the likeliest token of each layer is kept, and
    ``figures(found)``: title to a figure for the report that only this spoke can draw, from its
    `Findings`. And ``concepts()``, form to English word to prompt, for comparison across spokes:
    see `semantic_hub.experiment.across`.

    Example:
        >>> class Greetings:
        ...     name = "greetings"
        ...     def pairs(self):
        ...         return {"en – es": Pairs.from_prompts(["hello", "bye"], ["hola", "adiós"])}
        ...     def readouts(self):
        ...         return {}
        >>> isinstance(Greetings(), Spoke)
        True
    """

    @property
    def name(self) -> str:
        """What the spoke is called in results; a plain attribute will do."""
        ...

    def pairs(self) -> Mapping[str, Pairs]:
        """Set name to pairs with the same meaning, for the similarity."""
        ...

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Set name to read-outs, for the lens; each set names the same groups throughout."""
        ...


def run(
    model: HookedModel,
    spoke: Spoke,
    *,
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    lenses: Mapping[str, LensLike] | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Measure a spoke on a model, set by set: `similarity`, `logit_lens` and interventions.

    Similarity has all the controls that the pairs allow (`stacked_controls`) and the quick
    measures (`run_measures`). Of each set of read-outs the first few are also shown word for word
    (`top_tokens`). A set of which nothing is left on this model, such as words that its tokenizer
    splits, is noted in ``Findings.left_out``. Interventions (`intervene`) and language mass
    (`language_mass`) run where the spoke offers any.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``; an encoder gets similarity alone.
        spoke: Where the data come from.
        resampling: Resamples, coverage and seed of the intervals.
        permutations: Pairings of the permutation test.
        lenses: Other lenses by name, as `logit_lens` takes them, such as a
            `semantic_hub.lenses.translators.affine.AffineLens`; every set of read-outs is read
            through them too.
        progress: Called with a line of text before each set.

    Raises:
        SemanticHubError: Something that is no spoke, or bad input to the measures.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> problems = sh.spokes.arithmetic.problems("+")[::80]
        >>> findings = sh.run(model, sh.spokes.arithmetic.ArithmeticSpoke(items=problems))
        >>> findings.spoke, "c=a+, digits" in findings.lens
        ('arithmetic', True)
    """
    check_model(model)
    if not isinstance(spoke, Spoke):
        raise SemanticHubError(
            "run",
            got=f"a {type(spoke).__name__}",
            expected="a spoke: name, pairs() and readouts()",
            fix="See semantic_hub.experiment.runner.Spoke.",
        )
    lenses = resolve_lenses(model, lenses or {})
    task = _Task(model, spoke, resampling, progress or (lambda line: None))
    alike = task.similarity(permutations)
    if not predicts_next_token(model):
        return Findings(spoke.name, alike, {}, {}, left_out=task.left_out)
    readouts = spoke.readouts()
    read = task.each("lens", readouts, lambda some: logit_lens(model, some, resampling=resampling))
    compared = {
        name: read_through(model, readouts[name], lenses, logit=found, resampling=resampling)
        for name, found in read.items()
        if lenses
    }
    changed = task.interventions()
    return Findings(
        spoke.name,
        alike,
        read,
        says={name: task.says(readouts[name], found) for name, found in read.items()}
        | task.spelled_out(),
        **{field: _of_kind(kind, changed) for field, kind in _CAUSAL.items()},
        mass=task.mass(),
        lenses=compared,
        left_out=task.left_out,
    )


_SHOWN = 3
_CAUSAL: Mapping[str, type] = {
    "patching": PatchResult,
    "steering": SteeringResult,
    "texts": TextSteeringResult,
    "answers": AnswerProbability,
}
_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class _Task:
    """What every measurement of a run needs."""

    model: HookedModel
    spoke: Spoke
    resampling: Resampling
    say: Progress
    left_out: dict[str, str] = field(default_factory=dict)

    def each(
        self, what: str, sets: Mapping[str, _Given], measure: Callable[[_Given], _Found]
    ) -> dict[str, _Found]:
        """Measure set after set, and say which; note those of which this model leaves nothing."""
        found = {}
        for name, given in sets.items():
            self.say(f"{self.spoke.name}: {what}, {name}")
            try:
                found[name] = measure(given)
            except NothingLeftError as error:
                self.left_out[f"{what}, {name}"] = str(error)
        return found

    def similarity(self, permutations: int) -> dict[str, SimilarityResult]:
        """Every set of pairs, with all the controls that it allows."""
        sets, seed = self.spoke.pairs(), self.resampling.seed
        negatives, twin = offered(self.spoke, "hard_negatives"), random_twin(self.model, seed)

        def measure(name: str) -> SimilarityResult:
            controls = stacked_controls(
                self.model, sets[name], hard_negatives=negatives.get(name), twin=twin, seed=seed
            )
            return similarity(
                self.model,
                sets[name],
                permutations=permutations,
                controls=controls,
                measures=run_measures(),
                resampling=self.resampling,
            )

        return self.each("similarity", {name: name for name in sets}, measure)

    def says(self, readouts: Sequence[Readout], found: LensResult) -> TopTokens:
        """The first few scored read-outs, word for word."""
        shown = found.kept[:_SHOWN]
        return top_tokens(self.model, [readouts[index].prompt for index in shown], k=1)

    def spelled_out(self) -> dict[str, TopTokens]:
        """The prompts that the spoke wants to have shown."""
        asked = offered(self.spoke, "spelled_out")
        return self.each("top tokens", asked, lambda some: top_tokens(self.model, some, k=1))

    def interventions(self) -> dict[str, Any]:
        """Every intervention, whatever its kind."""
        asked = offered(self.spoke, "interventions")
        return self.each(
            "intervention",
            asked,
            lambda one: intervene(self.model, one, resampling=self.resampling),
        )

    def mass(self) -> dict[str, LanguageMassResult]:
        """The language mass of every set of texts."""
        asked = offered(self.spoke, "texts")
        return self.each(
            "language mass",
            asked,
            lambda one: mass_of_texts(self.model, one, resampling=self.resampling),
        )


def _of_kind(kind: type[_Found], found: Mapping[str, Any]) -> dict[str, _Found]:
    return {name: result for name, result in found.items() if isinstance(result, kind)}


def offered(spoke: Spoke, what: str) -> Mapping[str, Any]:
    """What a method that a spoke may have gives; nothing, if it has none.

    Example:
        >>> offered(sh.spokes.arithmetic.ArithmeticSpoke(), "texts")
        {}
    """
    offer = getattr(spoke, what, None)
    return {} if offer is None else offer()
