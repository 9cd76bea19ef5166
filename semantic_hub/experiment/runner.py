"""One spoke measured on one model: every kind of evidence on every named set of its data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from semantic_hub.alignment.controls import stacked_controls
from semantic_hub.alignment.measures import run_measures
from semantic_hub.alignment.pairwise import similarity
from semantic_hub.alignment.result import SimilarityResult
from semantic_hub.errors import (
    NothingLeftError,
    SemanticHubError,
    as_list,
    check_choice,
    check_kinds,
    check_names,
)
from semantic_hub.experiment.findings import SPELLED_OUT, Findings
from semantic_hub.experiment.spoke import Spoke, check_spoke
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.lenses.comparison import read_through, resolve_lenses
from semantic_hub.lenses.lens import Lens, LensLike
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.texts import LanguageTexts, mass_of_texts
from semantic_hub.lenses.topk import top_tokens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.models.twins import random_twin
from semantic_hub.plotting.progress import Progress, showing_progress
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.results.result import Result
from semantic_hub.statistics.resampling import Resampling

N_SHOWN = 3
"""Read-outs of a set whose top tokens are kept word for word."""

Given = TypeVar("Given")
Measured = TypeVar("Measured")


def run(
    model: HookedModel,
    spoke: Spoke,
    *,
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    lenses: Mapping[str, LensLike] | None = None,
    progress: Progress | bool = True,
) -> Findings:
    """Measure a spoke on a model: similarity, lens, language mass and interventions of every set.

    Similarity has all the controls that the pairs allow (`stacked_controls`) and the measures of
    `run_measures`. The first few read-outs of each set are also kept word for word
    (`top_tokens`). A set of which nothing is left on this model, such as words that its tokenizer
    splits, is noted in ``Findings.left_out``. A model that predicts no next token gets similarity
    alone.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``.
        spoke: Where the data come from.
        resampling: Resamples and coverage of the intervals; its seed is also that of pairings, of
            the twin's weights and of placebos.
        permutations: Pairings of the permutation test.
        lenses: Other lenses by name, such as a `semantic_hub.lenses.translators.affine.AffineLens`;
            every set of read-outs is read through them too.
        progress: Whether to show a bar over all sets, or in a log a line for each with the time
            left; a function is called with each line.

    Raises:
        SemanticHubError: Something that is no spoke, one without a set to measure, or bad input
            to the measures.

    Example:
        >>> import semantic_hub as sh
        >>> model = sh.load_model("hub-mini")
        >>> problems = sh.spokes.arithmetic.problems("+")[::80]
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(
        ...     items=problems, at_most=2)
        >>> findings = sh.run(model, spoke, resampling=sh.Resampling(resamples=100))
        >>> findings.spoke, "c=a+, digits" in findings.lens
        ('arithmetic', True)
    """
    check_run("run", resampling, permutations)
    resolved = resolve_lenses(model, lenses or {})
    sets = sets_of("run", model, spoke)
    check_any_sets("run", sets)
    with showing_progress(progress, len(sets)) as step:
        return measure_sets(
            model,
            sets,
            resampling=resampling,
            permutations=permutations,
            lenses=resolved,
            step=step,
        )


@dataclass(frozen=True, kw_only=True)
class SpokeSets:
    """The sets of a spoke that a model can be measured on; ``len`` counts what is measured."""

    spoke: Spoke
    pairs: Mapping[str, Pairs]
    hard_negatives: Mapping[str, Pairs] = field(default_factory=dict)
    readouts: Mapping[str, Sequence[Readout]] = field(default_factory=dict)
    interventions: Mapping[str, Any] = field(default_factory=dict)
    spelled_out: Mapping[str, Sequence[Prompt]] = field(default_factory=dict)
    texts: Mapping[str, LanguageTexts] = field(default_factory=dict)

    def __len__(self) -> int:
        groups = (self.pairs, self.readouts, self.interventions, self.spelled_out, self.texts)
        return sum(map(len, groups))


def sets_of(operation: str, model: HookedModel, spoke: Spoke) -> SpokeSets:
    """All sets of a spoke, before the first is measured; pairs alone for an encoder.

    Args:
        operation: The user's call, for the error.
        model: The model to measure.
        spoke: Where the sets come from.

    Raises:
        SemanticHubError: Something that is no model or no spoke, sets that are no mapping from
            names to what the method is to give, a name that is empty or has control characters,
            or hard negatives of a set of pairs that there is not.
    """
    check_model(model)
    check_spoke(operation, spoke)
    pairs = _each_of(operation, spoke, "pairs", Pairs)
    negatives = _each_of(operation, spoke, "hard_negatives", Pairs)
    for name in negatives:
        check_choice(f"{type(spoke).__name__}.hard_negatives()", "set of pairs", name, [*pairs])
    if not predicts_next_token(model):
        return SpokeSets(spoke=spoke, pairs=pairs, hard_negatives=negatives)
    return SpokeSets(
        spoke=spoke,
        pairs=pairs,
        hard_negatives=negatives,
        readouts=_lists_of(operation, spoke, "readouts", Readout),
        interventions=_sets_of(operation, spoke, "interventions"),
        spelled_out=_lists_of(operation, spoke, "spelled_out", Prompt),
        texts=_each_of(operation, spoke, "texts", LanguageTexts),
    )


def check_any_sets(operation: str, sets: SpokeSets) -> None:
    """Raise where a spoke has not one set that the model can be measured on.

    Args:
        operation: The user's call, for the error.
        sets: What `sets_of` gave.

    Raises:
        SemanticHubError: There is none.
    """
    if not len(sets):
        raise SemanticHubError(
            operation,
            got=f"the spoke {sets.spoke.name!r}, without a set that can be measured on this model",
            expected="at least one, such as pairs()",
            fix="Let it return a set; a model that predicts no next token reads pairs alone.",
        )


def _sets_of(operation: str, spoke: Spoke, method: str) -> Mapping[str, Any]:
    """What a spoke's method returns; raise unless it is a mapping from sound names."""
    sets = getattr(spoke, method)()
    if not isinstance(sets, Mapping):
        raise SemanticHubError(
            f"{type(spoke).__name__}.{method}()",
            got=f"a {type(sets).__name__}",
            expected="a mapping from names to sets",
            fix='Name it, as {"en – es": ...}.',
        )
    check_names(operation, f"set of {spoke.name}.{method}()", sets)
    return sets


def _each_of(operation: str, spoke: Spoke, method: str, kind: type[Given]) -> Mapping[str, Given]:
    """A spoke's sets, each of a kind."""
    sets = _sets_of(operation, spoke, method)
    for given in sets.values():
        check_kinds(f"{type(spoke).__name__}.{method}()", **{method: (given, kind)})
    return sets


def _lists_of(
    operation: str, spoke: Spoke, method: str, kind: type[Given]
) -> Mapping[str, Sequence[Given]]:
    """A spoke's sets, each a list of a kind; a single one is a list of one."""
    sets = _sets_of(operation, spoke, method)
    call = f"{type(spoke).__name__}.{method}()"
    return {name: as_list(call, method, given, kind) for name, given in sets.items()}


def measure_sets(
    model: HookedModel,
    sets: SpokeSets,
    *,
    resampling: Resampling,
    permutations: int,
    lenses: Mapping[str, Lens],
    step: Progress,
) -> Findings:
    """Measure the sets that `sets_of` gave, as `run` says.

    Args:
        model: The model to measure.
        sets: Its sets of one spoke.
        resampling: As in `run`.
        permutations: As in `run`.
        lenses: Other lenses by name, resolved.
        step: Called with a line of text before each set.
    """
    spoke = sets.spoke
    measuring = _Measuring(spoke.name, step)
    results: dict[str, Mapping[str, Result]] = {}
    results["similarity"] = _similarity(measuring, model, sets, resampling, permutations)
    if not predicts_next_token(model):
        return Findings(spoke.name, results, measuring.left_out)
    readouts = sets.readouts
    lens = measuring.each(
        "lens", readouts, lambda name, items: logit_lens(model, items, resampling=resampling)
    )
    results["lens"] = lens
    results["lens_comparison"] = {
        name: read_through(model, readouts[name], lenses, logit=result, resampling=resampling)
        for name, result in lens.items()
        if lenses
    }
    changed = measuring.each(
        "intervention",
        sets.interventions,
        lambda name, spec: intervene(model, spec, resampling=resampling),
    )
    results |= _by_kind(changed)
    results["top_tokens"] = {
        name: top_tokens(model, [readouts[name][i].prompt for i in result.kept[:N_SHOWN]], k=1)
        for name, result in lens.items()
    }
    results[SPELLED_OUT] = measuring.each(
        "top tokens", sets.spelled_out, lambda name, prompts: top_tokens(model, prompts, k=1)
    )
    results["language_mass"] = measuring.each(
        "language mass",
        sets.texts,
        lambda name, texts: mass_of_texts(model, texts, resampling=resampling),
    )
    return Findings(spoke.name, results, measuring.left_out)


def check_run(operation: str, resampling: Resampling, permutations: int) -> None:
    """Check the settings that `run` and `semantic_hub.report` share.

    Args:
        operation: The user's call, for the error.
        resampling: As for `run`.
        permutations: As for `run`.

    Raises:
        SemanticHubError: One of a wrong kind.
    """
    check_kinds(operation, resampling=(resampling, Resampling), permutations=(permutations, int))


@dataclass(frozen=True)
class _Measuring:
    """Measures set after set, reports which, and notes those of which a model leaves nothing."""

    spoke: str
    step: Progress
    left_out: dict[str, str] = field(default_factory=dict)

    def each(
        self, what: str, sets: Mapping[str, Given], measure: Callable[[str, Given], Measured]
    ) -> dict[str, Measured]:
        """Set name to result, without the sets of which nothing is left."""
        results = {}
        for name, given in sets.items():
            self.step(f"{self.spoke}: {what}, {name}")
            try:
                results[name] = measure(name, given)
            except NothingLeftError as error:
                self.left_out[f"{what}, {name}"] = str(error)
        return results


def _similarity(
    measuring: _Measuring,
    model: HookedModel,
    sets: SpokeSets,
    resampling: Resampling,
    permutations: int,
) -> dict[str, SimilarityResult]:
    """Similarity of every set of pairs, with all the controls that it allows."""
    twin = random_twin(model, resampling.seed)

    def measure(name: str, pairs: Pairs) -> SimilarityResult:
        controls = stacked_controls(
            model,
            pairs,
            hard_negatives=sets.hard_negatives.get(name),
            twin=twin,
            seed=resampling.seed,
        )
        return similarity(
            model,
            pairs,
            resampling=resampling,
            permutations=permutations,
            controls=controls,
            measures=run_measures(),
        )

    return measuring.each("similarity", sets.pairs, measure)


def _by_kind(changed: Mapping[str, Result]) -> dict[str, dict[str, Result]]:
    """The results of interventions, each under its kind.

    Raises:
        SemanticHubError: A result without a kind.
    """
    results: dict[str, dict[str, Result]] = {}
    for name, result in changed.items():
        if not result.kind:
            raise SemanticHubError(
                "run",
                got=f"a {type(result).__name__} of the intervention {name!r}, without a kind",
                expected="a result whose class names its kind",
                fix='Write kind = "…" in the class.',
            )
        results.setdefault(result.kind, {})[name] = result
    return results
