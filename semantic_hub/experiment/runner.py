"""One spoke measured on one model: every kind of evidence on every named set of its data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from semantic_hub.activations.kept import keeping_states
from semantic_hub.activations.recorded import States, twin_of
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
from semantic_hub.experiment.run_folder import TOP_TOKENS, RunFolder, Step
from semantic_hub.experiment.spoke import Spoke, check_spoke
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.lenses.comparison import read_through, resolve_lenses
from semantic_hub.lenses.lens import Lens, LensLike
from semantic_hub.lenses.logit import logit_lens
from semantic_hub.lenses.mass.texts import LanguageTexts, mass_of_texts
from semantic_hub.lenses.result import LensResult
from semantic_hub.lenses.topk import TopTokens, top_tokens
from semantic_hub.models.loading import check_model
from semantic_hub.models.output import predicts_next_token
from semantic_hub.models.protocol import HookedModel
from semantic_hub.plotting.progress import Progress, showing_progress
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Prompt, Readout
from semantic_hub.results.result import Result, manifest
from semantic_hub.statistics.resampling import Resampling

N_SHOWN = 3
"""Read-outs of a set whose top tokens are kept word for word."""

SIMILARITY, LENS, INTERVENTION = "similarity", "lens", "intervention"
LANGUAGE_MASS = "language mass"
"""What is measured of a spoke, as progress and `Findings.left_out` name it."""

Given = TypeVar("Given")


def run(
    model: HookedModel,
    spoke: Spoke,
    *,
    resampling: Resampling = Resampling(),
    permutations: int = 1000,
    lenses: Mapping[str, LensLike] | None = None,
    folder: str | Path | None = None,
    progress: Progress | bool = True,
) -> Findings:
    """Measure a spoke on a model: similarity, lens, language mass and interventions of every set.

    Similarity has all the controls that the pairs allow (`stacked_controls`) and the measures of
    `run_measures`. The first few read-outs of each set are also kept word for word
    (`top_tokens`). A set of which nothing is left on this model, such as words that its tokenizer
    splits, is noted in ``Findings.left_out``. A model that predicts no next token gets similarity
    alone. So do recorded `States`, and the lens where they have an unembedding: what runs a model,
    and sets whose prompts were not recorded, are noted as left out.

    Args:
        model: A ``HookedTransformer`` or ``TransformerBridge``, or `States`.
        spoke: Where the data come from.
        resampling: Resamples and coverage of the intervals; its seed is also that of pairings, of
            the twin's weights and of placebos.
        permutations: Pairings of the permutation test.
        lenses: Other lenses by name, such as a `semantic_hub.lenses.translators.affine.AffineLens`;
            every set of read-outs is read through them too.
        folder: Where each result is kept as soon as it is measured. Called again with the same
            folder after it was killed, `run` measures what is missing, and what depends on
            anything that was changed; called in several processes, these share the sets among
            them. See `semantic_hub.experiment.run_folder`.
        progress: Whether to show a bar over all sets, or in a log a line for each with the time
            left; a function is called with each line.

    Raises:
        SemanticHubError: Something that is no spoke, one without a set to measure, bad input to the
            measures, or a folder that cannot be written to or into which another process measures
            something else.

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
    settings = RunSettings("run", model, resampling, permutations, lenses, folder)
    sets = sets_of("run", model, spoke)
    check_any_sets("run", sets)
    with measuring_sets(model, [sets], settings, progress=progress) as measuring:
        return measuring.findings(sets)


class RunSettings:
    """Settings of a run, checked.

    Args:
        operation: The user's call, for errors.
        model: The model to measure.
        resampling: As in `run`.
        permutations: As in `run`.
        lenses: As in `run`.
        folder: As in `run`.

    Raises:
        SemanticHubError: One of a wrong kind, or no such lens.
    """

    def __init__(
        self,
        operation: str,
        model: HookedModel,
        resampling: Resampling,
        permutations: int,
        lenses: Mapping[str, LensLike] | None,
        folder: str | Path | None,
    ) -> None:
        check_kinds(
            operation,
            resampling=(resampling, Resampling),
            permutations=(permutations, int),
            folder=(folder, (str, Path, None)),
        )
        self.resampling, self.permutations, self.folder = resampling, permutations, folder
        self.lenses: Mapping[str, Lens] = resolve_lenses(model, lenses or {})

    def manifest(self, model: HookedModel, spokes: Sequence[str]) -> dict[str, Any]:
        """Manifest of a run with these settings.

        Args:
            model: The model.
            spokes: Names of the spokes.
        """
        return manifest(
            model,
            resampling=self.resampling,
            permutations=self.permutations,
            spokes=spokes,
            lenses={name: lens.name for name, lens in self.lenses.items()},
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
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(1 for _ in self.steps())

    def steps(self) -> Iterator[tuple[str, str, Any]]:
        """What is measured, the name of the set, and what it holds, one after the other."""
        pairs = {name: (pairs, self.hard_negatives.get(name)) for name, pairs in self.pairs.items()}
        for what, sets in {
            SIMILARITY: pairs,
            LENS: self.readouts,
            INTERVENTION: self.interventions,
            TOP_TOKENS: self.spelled_out,
            LANGUAGE_MASS: self.texts,
        }.items():
            for name, given in sets.items():
                yield what, name, given


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
    if not predicts_next_token(model) and not isinstance(model, States):
        return SpokeSets(spoke=spoke, pairs=pairs, hard_negatives=negatives)
    sets = SpokeSets(
        spoke=spoke,
        pairs=pairs,
        hard_negatives=negatives,
        readouts=_lists_of(operation, spoke, "readouts", Readout),
        interventions=_sets_of(operation, spoke, "interventions"),
        spelled_out=_lists_of(operation, spoke, "spelled_out", Prompt),
        texts=_each_of(operation, spoke, "texts", LanguageTexts),
    )
    return _of_recorded(model, sets) if isinstance(model, States) else sets


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
            fix="Let it return a set. A model that predicts no next token reads pairs alone; "
            "recorded states have the sets of which every prompt was recorded.",
        )


def _of_recorded(model: States, sets: SpokeSets) -> SpokeSets:
    """The sets whose prompts were recorded, with what they are read with."""
    head = "an unembedding" if not predicts_next_token(model) else "a tokenizer"
    left_out = {}
    for what, name, given in sets.steps():
        prompts = _prompts_of(what, given)
        if prompts is None:
            left_out[what, name] = "recorded states run no model"
        elif what != SIMILARITY and (model.tokenizer is None or not predicts_next_token(model)):
            left_out[what, name] = f"recorded without {head}"
        elif missing := sum(not model.hold([prompt]) for prompt in prompts):
            left_out[what, name] = f"{missing} of {len(prompts)} prompts were not recorded"

    def there(what: str, named: Mapping[str, Given]) -> dict[str, Given]:
        return {name: given for name, given in named.items() if (what, name) not in left_out}

    return SpokeSets(
        spoke=sets.spoke,
        pairs=there(SIMILARITY, sets.pairs),
        hard_negatives=there(SIMILARITY, sets.hard_negatives),
        readouts=there(LENS, sets.readouts),
        spelled_out=there(TOP_TOKENS, sets.spelled_out),
        left_out={f"{what}, {name}": reason for (what, name), reason in left_out.items()},
    )


def _prompts_of(what: str, given: Any) -> list[Prompt] | None:
    """Prompts whose states a set is measured by; None for one that needs the model itself."""
    if what == SIMILARITY:
        pairs, _ = given
        return [*pairs.x, *pairs.y]
    if what == LENS:
        return [readout.prompt for readout in given]
    return list(given) if what == TOP_TOKENS else None


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


@dataclass(frozen=True)
class Measuring:
    """A run that is going on.

    Args:
        findings: Measures the sets of a spoke.
        step: Called with a line of text before each part of the run.
    """

    findings: Callable[[SpokeSets], Findings]
    step: Progress


@contextmanager
def measuring_sets(
    model: HookedModel,
    spokes: Sequence[SpokeSets],
    settings: RunSettings,
    *,
    progress: Progress | bool,
    more_steps: int = 0,
) -> Iterator[Measuring]:
    """Context of a run over the sets of one spoke or several, of which each prompt is run once.

    Args:
        model: The model to measure.
        spokes: Their sets, as `sets_of` gave them.
        settings: Of the run.
        progress: As in `run`.
        more_steps: Number of parts of the run besides the sets, for progress.
    """
    with ExitStack() as stack:
        folder = settings.folder
        kept = None if folder is None else RunFolder(folder, model)
        total = sum(map(len, spokes)) + more_steps
        step = stack.enter_context(showing_progress(progress, total))
        twin = twin_of(model, settings.resampling.seed)
        for read in (model, twin):
            if read is not None:
                stack.enter_context(keeping_states(read))
        keys: dict[tuple[str, str, str], str] = {}
        of_spoke = {
            sets.spoke.name: _SetBySet(model, twin, sets, settings, kept, keys, step)
            for sets in spokes
        }
        if kept is not None:
            steps = [
                Step(sets.spoke.name, what, name, _key(kept, what, given, settings))
                for sets in spokes
                for what, name, given in sets.steps()
            ]
            keys.update({(step.spoke, step.what, step.name): step.key for step in steps})
            about = settings.manifest(model, [sets.spoke.name for sets in spokes])
            left_out = {sets.spoke.name: sets.left_out for sets in spokes}
            stack.enter_context(kept.measuring(steps, about, left_out))
            for one in of_spoke.values():
                one.measure_unclaimed()
        yield Measuring(lambda sets: of_spoke[sets.spoke.name].findings(), step)


def _key(kept: RunFolder, what: str, given: Any, settings: RunSettings) -> str:
    """Key of a result: what it is of, and the settings that it depends on."""
    others = (settings.permutations, *run_measures()) if what == SIMILARITY else ()
    return kept.key(what, given, settings.resampling, others)


@dataclass(frozen=True)
class _SetBySet:
    """Measures set after set, and notes those of which a model leaves nothing."""

    model: HookedModel
    twin: HookedModel | None
    sets: SpokeSets
    settings: RunSettings
    kept: RunFolder | None
    keys: Mapping[tuple[str, str, str], str]
    step: Progress
    left_out: dict[str, str] = field(default_factory=dict)
    measured: dict[tuple[str, str], Result | None] = field(default_factory=dict)
    """What is measured and the set's name to the result; None where nothing was left."""

    def measure_unclaimed(self) -> None:
        """Measure every set that no other process is measuring."""
        for what, name, given in self.sets.steps():
            with self._claim(what, name, wait=False) as is_own:
                if is_own:
                    self._measure(what, name, given)

    def findings(self) -> Findings:
        """Everything that the spoke shows."""
        name_of_spoke = self.sets.spoke.name
        self.left_out.update(self.sets.left_out)
        results: dict[str, Mapping[str, Result]] = {}
        results["similarity"] = self._each(SIMILARITY)
        if not predicts_next_token(self.model):
            return Findings(name_of_spoke, results, self.left_out)
        results["lens"] = lens = self._each(LENS)
        results["lens_comparison"] = {
            name: self._through_others(name, result)
            for name, result in lens.items()
            if self.settings.lenses
        }
        results |= _by_kind(self._each(INTERVENTION))
        results["top_tokens"] = {
            name: self._keep(TOP_TOKENS, self._shown(name, result), self._top_tokens)
            for name, result in lens.items()
        }
        results[SPELLED_OUT] = self._each(TOP_TOKENS)
        results["language_mass"] = self._each(LANGUAGE_MASS)
        return Findings(name_of_spoke, results, self.left_out)

    def _each(self, wanted: str) -> dict[str, Any]:
        """Set name to result, without the sets of which nothing is left."""
        results = {}
        for what, name, given in self.sets.steps():
            if what == wanted:
                if (what, name) not in self.measured:
                    with self._claim(what, name, wait=True):
                        self._measure(what, name, given)
                if (result := self.measured[what, name]) is not None:
                    results[name] = result
        return results

    def _measure(self, what: str, name: str, given: Any) -> None:
        """Measure one set, and note it where nothing of it is left."""
        self.step(f"{self.sets.spoke.name}: {what}, {name}")
        measures: Mapping[str, Callable[[Any], Result]] = {
            SIMILARITY: self._similarity,
            LENS: self._lens,
            INTERVENTION: self._intervention,
            TOP_TOKENS: self._top_tokens,
            LANGUAGE_MASS: self._language_mass,
        }
        planned = self.keys.get((self.sets.spoke.name, what, name))
        try:
            self.measured[what, name] = self._keep(what, given, measures[what], planned)
        except NothingLeftError as error:
            self.left_out[f"{what}, {name}"] = str(error)
            self.measured[what, name] = None

    def _claim(self, what: str, name: str, *, wait: bool) -> AbstractContextManager[bool]:
        """Whether this process has a set for itself, as it has all of a run that is not on disk."""
        if self.kept is None:
            return nullcontext(True)
        return self.kept.claim(self.keys[self.sets.spoke.name, what, name], wait=wait)

    def _keep(
        self,
        what: str,
        given: Given,
        measure: Callable[[Given], Result],
        planned: str | None = None,
    ) -> Result:
        """The result of a set, from the run's folder if it is there, under the planned key."""
        if self.kept is None:
            return measure(given)
        key = planned or _key(self.kept, what, given, self.settings)
        return self.kept.result(key, lambda: measure(given))

    def _similarity(self, given: tuple[Pairs, Pairs | None]) -> SimilarityResult:
        """Similarity of a set of pairs, with all the controls that it allows."""
        (pairs, hard_negatives), seed = given, self.settings.resampling.seed
        return similarity(
            self.model,
            pairs,
            resampling=self.settings.resampling,
            permutations=self.settings.permutations,
            controls=stacked_controls(
                self.model, pairs, hard_negatives=hard_negatives, twin=self.twin, seed=seed
            ),
            measures=run_measures(),
        )

    def _lens(self, given: Sequence[Readout]) -> LensResult:
        return logit_lens(self.model, given, resampling=self.settings.resampling)

    def _intervention(self, given: Any) -> Result:
        return intervene(self.model, given, resampling=self.settings.resampling)

    def _language_mass(self, given: LanguageTexts) -> Result:
        return mass_of_texts(self.model, given, resampling=self.settings.resampling)

    def _through_others(self, name: str, result: LensResult) -> Result:
        """The read-outs of a set through the other lenses."""
        return self._keep(
            "lens comparison",
            (self.sets.readouts[name], self.settings.lenses),
            lambda given: read_through(
                self.model, *given, logit=result, resampling=self.settings.resampling
            ),
        )

    def _shown(self, name: str, result: LensResult) -> list[Prompt]:
        """Prompts of a set whose top tokens are kept."""
        return [self.sets.readouts[name][index].prompt for index in result.kept[:N_SHOWN]]

    def _top_tokens(self, prompts: Sequence[Prompt]) -> TopTokens:
        return top_tokens(self.model, prompts, k=1)


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
