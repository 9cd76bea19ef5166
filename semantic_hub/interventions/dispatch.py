"""Run intervention specifications: a registry from a specification's class to its runner."""

import dataclasses
from collections import Counter
from typing import Any, Protocol, TypeVar, runtime_checkable

from semantic_hub.errors import SemanticHubError, check_kinds
from semantic_hub.interventions.forms import choose_form
from semantic_hub.interventions.patching.result import PatchResult
from semantic_hub.interventions.patching.sweep import patching_sweep
from semantic_hub.interventions.prepare import (
    directions_of,
    drop_multi_token_words,
    positions_of,
    resolve_outcome,
)
from semantic_hub.interventions.spec import (
    AnswerSteering,
    Intervention,
    Patching,
    Steering,
    TextSteering,
)
from semantic_hub.interventions.steering.answers import AnswerProbability, answer_probability
from semantic_hub.interventions.steering.contrasts import mean_differences
from semantic_hub.interventions.steering.result import SteeringResult
from semantic_hub.interventions.steering.sweep import steering_sweep
from semantic_hub.interventions.text.likelihood import perplexity
from semantic_hub.interventions.text.result import TextSteeringResult
from semantic_hub.interventions.text.steering import text_steering_sweep
from semantic_hub.models.protocol import HookedModel
from semantic_hub.results.result import Result
from semantic_hub.statistics.resampling import Resampling

Spec_contra = TypeVar("Spec_contra", contravariant=True)

PERPLEXITY = "perplexity"
"""Name of the scorer that every steering of text has."""


@runtime_checkable
class Runner(Protocol[Spec_contra]):
    """Function that runs one kind of specification: ``run(model, spec, *, resampling)``."""

    def __call__(
        self, model: HookedModel, spec: Spec_contra, /, *, resampling: Resampling
    ) -> Result:
        """Result of the specification on the model."""
        ...


_RUNNERS: dict[type, Runner[Any]] = {}
"""Runner of each registered class."""


def intervene(
    model: HookedModel, spec: Intervention, *, resampling: Resampling = Resampling()
) -> Result:
    """Run an intervention and its controls, with the runner registered for its class.

    `Patching` gives a `PatchResult`, `Steering` a `SteeringResult`, `AnswerSteering` an
    `AnswerProbability`, all at every layer; `TextSteering` gives a `TextSteeringResult`, at its
    depths.

    Args:
        model: A decoder with a tokenizer.
        spec: What a spoke's ``interventions()`` holds.
        resampling: Resamples, coverage and seed of the intervals.

    Raises:
        SemanticHubError: A specification whose class is not registered, or as its runner.

    Example:
        >>> import semantic_hub as sh
        >>> from semantic_hub.interventions.dispatch import intervene
        >>> problems = sh.spokes.arithmetic.problems("+")[::40]
        >>> spoke = sh.spokes.arithmetic.ArithmeticSpoke(items=problems)
        >>> result = intervene(sh.load_model("hub-mini"), spoke.interventions()["c=a+, digits"])
        >>> result.directions
        ('words', 'digits', 'placebo', "placebo, states' covariance")
    """
    check_kinds("intervene", resampling=(resampling, Resampling))
    for spec_class in type(spec).__mro__:
        if spec_class in _RUNNERS:
            return _RUNNERS[spec_class](model, spec, resampling=resampling)
    name = type(spec).__name__
    raise SemanticHubError(
        "intervene",
        got=f"spec, a {name}",
        expected=f"one of {', '.join(known.__name__ for known in _RUNNERS)}",
        fix=f"For a kind of your own, call register_intervention({name}, run) first.",
    )


def register_intervention(spec_class: type, run: Runner[Any], *, replace: bool = False) -> None:
    """Register the function that `intervene` calls for a class of specifications.

    With a result that has a ``kind``, a spoke's ``interventions()`` may then hold such
    specifications: findings, verdicts, comparisons and the report take the result from there.

    Args:
        spec_class: A class of specifications, such as a frozen dataclass.
        run: Called as ``run(model, spec, resampling=resampling)``; returns a `Result`.
        replace: Replace the runner of a class that already has one.

    Raises:
        SemanticHubError: No class, or one that already has a runner.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Reading:
        ...     prompts: tuple[sh.Prompt, ...]
        >>> def read(model, spec, *, resampling):
        ...     return sh.top_tokens(model, spec.prompts, k=1)
        >>> register_intervention(Reading, read)
        >>> intervene(model, Reading((sh.Prompt("the dog is"),))).layers[-1]
        8
    """
    if not isinstance(spec_class, type) or not callable(run):
        raise SemanticHubError(
            "register_intervention",
            got=f"spec_class={spec_class!r} and run={run!r}",
            expected="a class of specifications, and a function run(model, spec, *, resampling)",
            fix="Pass the class itself, not one of its values.",
        )
    check_kinds("register_intervention", replace=(replace, bool))
    if spec_class in _RUNNERS and not replace:
        raise SemanticHubError(
            "register_intervention",
            got=f"{spec_class.__name__}, which already has a runner",
            expected="a class without one",
            fix="Define another class, or pass replace=True.",
        )
    _RUNNERS[spec_class] = run


def run_patching(model: HookedModel, spec: Patching, *, resampling: Resampling) -> PatchResult:
    """Run a `Patching` specification with `patching_sweep`, in the form that `choose_form` chooses.

    Args:
        model: A decoder.
        spec: What to patch.
        resampling: Resamples, coverage and seed of the intervals.
    """
    maps = {"patch": spec.position_map}
    if not spec.forms:
        return patching_sweep(model, spec.patch_pairs, position_maps=maps, resampling=resampling)
    form, accuracy = choose_form(model, spec.forms)
    chosen = spec.forms[form]
    result = patching_sweep(model, chosen.patch_pairs, position_maps=maps, resampling=resampling)
    about = {"form": form, "form_accuracy": dict(accuracy), "n_held_out": len(chosen.held_out)}
    return dataclasses.replace(result, **about, manifest={**result.manifest, **about})


def run_steering(model: HookedModel, spec: Steering, *, resampling: Resampling) -> SteeringResult:
    """Run a `Steering` specification with `steering_sweep`, on the prompts that this model can use.

    Args:
        model: A decoder with a tokenizer.
        spec: What to steer.
        resampling: Resamples, coverage and seed of the intervals.
    """
    single_token, split = drop_multi_token_words(model, spec)
    usable, outcome, unusable = resolve_outcome(model, single_token)
    result = steering_sweep(
        model,
        usable.prompts,
        directions_of(model, usable),
        outcome,
        strengths=usable.strengths,
        positions=positions_of(model, usable),
        mode=usable.mode,
        max_new_tokens=usable.max_new_tokens,
        all_later_layers=usable.all_later_layers,
        resampling=resampling,
    )
    return dataclasses.replace(result, dropped=split | unusable)


def run_answer_steering(
    model: HookedModel, spec: AnswerSteering, *, resampling: Resampling
) -> AnswerProbability:
    """Run an `AnswerSteering` specification with `answer_probability`, on usable prompts.

    Args:
        model: A decoder with a tokenizer.
        spec: What to steer.
        resampling: Resamples, coverage and seed of the intervals.
    """
    usable, dropped = drop_multi_token_words(model, spec)
    result = answer_probability(
        model,
        usable.prompts,
        directions_of(model, usable),
        answers=usable.answers,
        strengths=usable.strengths,
        positions=usable.positions,
        mode=usable.mode,
        right=usable.right,
        resampling=resampling,
    )
    return dataclasses.replace(result, dropped=dict(Counter(dropped) + Counter(result.dropped)))


def run_text_steering(
    model: HookedModel, spec: TextSteering, *, resampling: Resampling
) -> TextSteeringResult:
    """Run a `TextSteering` specification with `text_steering_sweep`; also scores perplexity.

    Args:
        model: A decoder with a tokenizer.
        spec: What to steer.
        resampling: Resamples, coverage and seed of the intervals.
    """
    n_layers = model.cfg.n_layers
    depths = spec.depths
    layers = None if depths is None else sorted({round(depth * n_layers) for depth in depths})
    scorers = dict(spec.scorers)
    if PERPLEXITY not in scorers:
        scorers[PERPLEXITY] = perplexity(model, model)
    return text_steering_sweep(
        model,
        spec.prompts,
        {
            name: mean_differences(model, contrast.plus, contrast.minus, layers)
            for name, contrast in spec.contrasts.items()
        },
        scorers,
        layers=layers,
        strengths=spec.strengths,
        positions=spec.positions,
        mode=spec.mode,
        sampling=spec.sampling,
        resampling=resampling,
        progress=False,
    )


register_intervention(Patching, run_patching)
register_intervention(Steering, run_steering)
register_intervention(AnswerSteering, run_answer_steering)
register_intervention(TextSteering, run_text_steering)
