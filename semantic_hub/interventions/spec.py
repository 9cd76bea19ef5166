"""Intervention specifications: data that a spoke provides and `intervene` runs.

See `semantic_hub.interventions.dispatch.register_intervention` for a kind of your own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, get_args, runtime_checkable

from semantic_hub.errors import (
    Kind,
    SemanticHubError,
    check_choice,
    check_kinds,
    check_names,
    set_tuples,
)
from semantic_hub.interventions.patching.pairs import LAST_TO_LAST, PatchPair, PositionMap
from semantic_hub.interventions.steering.answers import check_right
from semantic_hub.interventions.steering.hook import (
    Mode,
    SteeredPositions,
    check_positions,
    check_reached,
)
from semantic_hub.interventions.steering.outcomes import OutcomeRule, RelativeOutcome
from semantic_hub.interventions.steering.sweep import STRENGTHS
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.prompt import Prompt, Readout


@runtime_checkable
class Intervention(Protocol):
    """Anything that a spoke's ``interventions()`` may hold: a dataclass whose class is registered.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Ablation:
        ...     heads: tuple[int, ...]
        >>> isinstance(Ablation((0,)), Intervention)
        True
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True)
class ActivationContrast:
    """Direction between the states of prompts: ``h(plus) − h(minus)``.

    Args:
        plus: What to steer towards.
        minus: What to steer away from.
        paired: Prompt i is steered by the difference of ``plus[i]`` and ``minus[i]``; otherwise
            all are by the difference of the two means.

    Example:
        >>> towards, away = (sh.Prompt("good"),), (sh.Prompt("bad"),)
        >>> ActivationContrast(towards, away).paired
        False
    """

    plus: tuple[Prompt, ...]
    minus: tuple[Prompt, ...]
    paired: bool = False
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, plus=Prompt, minus=Prompt)
        check_kinds("ActivationContrast", paired=(self.paired, bool))


@dataclass(frozen=True)
class UnembeddingContrast:
    """Direction between the unembeddings of two words: ``U[plus] − U[minus]``.

    There may be two words for each prompt; then each prompt has its own direction. Unembeddings
    have no norm that fits a layer, so at each layer the direction is scaled to the mean norm of
    the steered prompts' states at their last position: a strength counts in these norms.

    Args:
        plus: What to steer towards: a word that is one token, or one for each prompt.
        minus: What to steer away from, likewise.
        exact: Take the one token of each word as it is written, ``" good"`` with its space; else
            the mean over its spellings. See
            `semantic_hub.interventions.steering.contrasts.unembedding_difference`.

    Example:
        >>> UnembeddingContrast("start", "end").minus
        'end'
    """

    plus: str | tuple[str, ...]
    minus: str | tuple[str, ...]
    exact: bool = False
    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name in ("plus", "minus"):
            if not isinstance(getattr(self, name), str):
                set_tuples(self, **{name: str})
        check_kinds("UnembeddingContrast", exact=(self.exact, bool))

    def pairs_per_prompt(self, n_prompts: int) -> tuple[tuple[str, str], ...]:
        """Plus word and minus word for each prompt; a single word serves all prompts.

        Args:
            n_prompts: Number of prompts.

        Example:
            >>> UnembeddingContrast(("red", "blue"), "gray").pairs_per_prompt(2)
            (('red', 'gray'), ('blue', 'gray'))
        """
        plus, minus = (
            (words,) * n_prompts if isinstance(words, str) else words
            for words in (self.plus, self.minus)
        )
        return tuple(zip(plus, minus, strict=True))


Contrast = ActivationContrast | UnembeddingContrast
"""How a direction is made."""


@dataclass(frozen=True)
class LastTokenOf:
    """Steered position: in each prompt the last token of a text that the prompt begins with.

    Args:
        texts: One for each prompt, such as ``"Anna helped Bo"`` for ``"Anna helped Bo . Who"``.

    Example:
        >>> LastTokenOf(("Anna helped Bo",)).texts
        ('Anna helped Bo',)
    """

    texts: tuple[str, ...]
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, texts=str)


@dataclass(frozen=True)
class PromptForm:
    """The patch pairs of a set in one wording, and questions about other items in that wording.

    Args:
        patch_pairs: All with the same names of answers.
        held_out: Questions about items that no pair asks for, the right answer as the only group.

    Example:
        >>> pair = sh.PatchPair((sh.Prompt("9=6+"),), sh.Prompt("5=1+"),
        ...                     {"source": ("3",), "base": ("4",)})
        >>> asked = sh.Readout(sh.Prompt("8=1+"), {"right": ("7",)})
        >>> len(PromptForm((pair,), (asked,)).held_out)
        1
    """

    patch_pairs: tuple[PatchPair, ...]
    held_out: tuple[Readout, ...]
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, patch_pairs=PatchPair, held_out=Readout)


@dataclass(frozen=True)
class Patching:
    """Pairs of prompts whose residual stream is patched.

    Args:
        patch_pairs: All with the same names of answers.
        position_map: Which positions go where.
        forms: The same pairs in several forms, by name, those of `patch_pairs` first: patched is
            the form in which the model answers most held-out questions
            (`semantic_hub.interventions.forms.choose_form`). Empty for `patch_pairs` as they are.

    Raises:
        SemanticHubError: Forms of which the first has other pairs than `patch_pairs`.

    Example:
        >>> pair = sh.PatchPair((sh.Prompt("9=6+"),), sh.Prompt("5=1+"),
        ...                     {"source": ("3",), "base": ("4",)})
        >>> sh.intervene(model, Patching((pair,))).layers[-1]
        8
    """

    patch_pairs: tuple[PatchPair, ...]
    position_map: PositionMap = LAST_TO_LAST
    forms: Mapping[str, PromptForm] = field(default_factory=dict)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        set_tuples(self, patch_pairs=PatchPair)
        check_kinds(
            "Patching", position_map=(self.position_map, PositionMap), forms=(self.forms, Mapping)
        )
        for form in self.forms.values():
            check_kinds("Patching", forms=(form, PromptForm))
        if self.forms and next(iter(self.forms.values())).patch_pairs != self.patch_pairs:
            raise SemanticHubError(
                "Patching",
                got=f"forms {', '.join(self.forms)}, the first with other pairs than patch_pairs",
                expected="the same pairs",
                fix="Give the first form's pairs as patch_pairs.",
            )


@dataclass(frozen=True)
class Steering:
    """Prompts to steer, the directions, and the rule that classifies each continuation.

    Args:
        prompts: What is continued.
        contrasts: Directions by name, the effect's first; the placebos have its norm.
        outcome: From prompt i and its continuation to its outcome, such as an
            `semantic_hub.interventions.steering.outcomes.ExpectedAnswer`; or a `RelativeOutcome`.
        strengths: Factors of the direction; 0 is always run as well.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`. Or the last token
            of a text that each prompt begins with, at its own position in each.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        max_new_tokens: How far to generate, greedily.
        all_later_layers: Steer every layer from each on, not it alone.

    Raises:
        SemanticHubError: No prompts or no contrasts, a paired contrast of another length,
            `LastTokenOf` texts that the prompts do not begin with, or positions that no pass
            reaches (``"generated"`` with one new token).

    Example:
        >>> contrast = ActivationContrast((sh.Prompt("dog"),), (sh.Prompt("cat"),))
        >>> Steering((sh.Prompt("the"),), {"pets": contrast},
        ...          lambda index, text: "other").strengths
        (0.0, 0.5, 1.0, 1.5, 2.0)
    """

    prompts: tuple[Prompt, ...]
    contrasts: Mapping[str, Contrast]
    outcome: OutcomeRule | RelativeOutcome
    strengths: tuple[float, ...] = STRENGTHS
    positions: SteeredPositions | LastTokenOf = "last"
    mode: Mode = "add"
    max_new_tokens: int = 1
    all_later_layers: bool = False
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_steered(self, (ActivationContrast, UnembeddingContrast))
        check_kinds(
            "Steering",
            outcome=(self.outcome, (RelativeOutcome, Callable)),
            max_new_tokens=(self.max_new_tokens, int),
            all_later_layers=(self.all_later_layers, bool),
        )
        _check_contrasts("Steering", self.prompts, self.contrasts)
        if isinstance(self.positions, LastTokenOf):
            _check_beginnings(self.prompts, self.positions.texts)
        else:
            check_reached("Steering", self.positions, self.max_new_tokens)


@dataclass(frozen=True)
class AnswerSteering:
    """Prompts to steer, and two answers whose probabilities are compared.

    Args:
        prompts: Questions, up to the answer.
        contrasts: Directions by name, the effect's first; the placebos have its norm.
        answers: The two answers; what is read is P(first) / (P(first) + P(second)).
        strengths: Factors of the direction; 0 is always run as well.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        right: Which of the two answers is right, for each prompt, if that is known.

    Raises:
        SemanticHubError: No prompts or no contrasts, a paired contrast of another length,
            generated positions, where nothing is generated, or right answers that are not one of
            the two for each prompt.

    Example:
        >>> contrast = ActivationContrast((sh.Prompt("dog"),), (sh.Prompt("cat"),))
        >>> AnswerSteering((sh.Prompt("the"),), {"pets": contrast}, ("dog", "cat")).answers
        ('dog', 'cat')
    """

    prompts: tuple[Prompt, ...]
    contrasts: Mapping[str, Contrast]
    answers: tuple[str, str]
    strengths: tuple[float, ...] = STRENGTHS
    positions: SteeredPositions = "last"
    mode: Mode = "add"
    right: tuple[str, ...] = ()
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_steered(self, (ActivationContrast, UnembeddingContrast))
        set_tuples(self, answers=str, right=str)
        if len(self.answers) != 2:
            raise SemanticHubError(
                "AnswerSteering",
                got=f"answers={self.answers!r}",
                expected="two words",
                fix="Give the answer to steer towards, and the one that it is compared with.",
            )
        check_right("AnswerSteering", self.right, self.answers, len(self.prompts))
        _check_contrasts("AnswerSteering", self.prompts, self.contrasts)
        check_reached("AnswerSteering", self.positions, max_new_tokens=0)


@dataclass(frozen=True)
class TextSteering:
    """Prompts to continue freely under steering, and scorers of the texts.

    Args:
        prompts: What is continued.
        contrasts: Directions by name, the effect's first, such as the same pair of words in two
            languages; not paired. The placebos have the norm of the first.
        scorers: Scorers by name, the primary one first. The texts' perplexity under the unsteered
            model is added, unless one of these is called ``"perplexity"``.
        depths: Where, as fractions of the model's depth from 0 (the embedding) to 1 (the last
            layer); None for every layer.
        strengths: Factors of the direction; 0 is always run as well.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        sampling: How the texts are sampled.

    Raises:
        SemanticHubError: No prompts or no contrasts, a contrast that is paired or lacks a side, a
            depth out of range, no strength but 0, or ``"generated"`` with one new token.

    Example:
        >>> contrast = ActivationContrast((sh.Prompt("good"),), (sh.Prompt("bad"),))
        >>> scorers = {"tokens": lambda texts: [float(len(text.new_tokens)) for text in texts]}
        >>> TextSteering((sh.Prompt("a day"),), {"mood": contrast}, scorers).mode
        'add'
    """

    prompts: tuple[Prompt, ...]
    contrasts: Mapping[str, ActivationContrast]
    scorers: Mapping[str, Scorer]
    depths: tuple[float, ...] | None = None
    strengths: tuple[float, ...] = (1.0, 2.0, 4.0)
    positions: SteeredPositions = "all"
    mode: Mode = "add"
    sampling: Sampling = field(default_factory=Sampling)
    __repr__ = short_repr

    def __post_init__(self) -> None:
        _check_steered(self, ActivationContrast)
        if self.depths is not None:
            set_tuples(self, depths=float)
        check_kinds(
            "TextSteering", scorers=(self.scorers, Mapping), sampling=(self.sampling, Sampling)
        )
        check_reached("TextSteering", self.positions, self.sampling.max_new_tokens)
        check_names("TextSteering", "contrast", self.contrasts)
        check_names("TextSteering", "scorer", self.scorers)
        if not any(self.strengths):
            raise SemanticHubError(
                "TextSteering",
                got=f"strengths {self.strengths}",
                expected="one that is not 0",
                fix="Strength 0 is run in any case.",
            )
        outside = [depth for depth in self.depths or () if not 0 <= depth <= 1]
        if outside:
            raise SemanticHubError(
                "TextSteering",
                got=f"depth {outside[0]}",
                expected="fractions of the model's depth, 0 to 1",
                fix="Give 0.5 for its middle layer.",
            )
        wrong = [
            name
            for name, contrast in self.contrasts.items()
            if contrast.paired or not contrast.plus or not contrast.minus
        ]
        if not self.prompts or not self.contrasts or wrong:
            raise SemanticHubError(
                "TextSteering",
                got=f"{len(self.prompts)} prompts; wrong contrasts: {', '.join(wrong) or 'none'}",
                expected="prompts, and contrasts that are not paired, with both sides",
                fix="Give each contrast what to steer towards, and what to steer away from.",
            )


def _check_steered(spec: Steering | AnswerSteering | TextSteering, contrast: Kind) -> None:
    """Check the fields that all kinds of steering have, and make tuples of those that are lists."""
    operation = type(spec).__name__
    set_tuples(spec, prompts=Prompt, strengths=float)
    check_kinds(operation, contrasts=(spec.contrasts, Mapping))
    for one in spec.contrasts.values():
        check_kinds(operation, contrasts=(one, contrast))
    check_choice(operation, "mode", spec.mode, get_args(Mode))
    if not isinstance(spec.positions, LastTokenOf):
        check_positions(operation, spec.positions)


def _check_contrasts(
    operation: str, prompts: Sequence[Prompt], contrasts: Mapping[str, Contrast]
) -> None:
    """Raise unless there are prompts, and contrasts that fit them."""
    check_names(operation, "contrast", contrasts)
    wrong = [name for name, one in contrasts.items() if not _fits(one, len(prompts))]
    if not prompts or not contrasts or wrong:
        raise SemanticHubError(
            operation,
            got=f"{len(prompts)} prompts; wrong contrasts: {', '.join(wrong) or 'none'}",
            expected="prompts, and contrasts with one plus and one minus for each prompt "
            "(paired) or at least one of either",
            fix="Give each contrast its prompts.",
        )


def _fits(contrast: Contrast, n_prompts: int) -> bool:
    """Whether a contrast has as many words or prompts as it needs."""
    if isinstance(contrast, UnembeddingContrast):
        words = (contrast.plus, contrast.minus)
        return all(isinstance(word, str) or len(word) == n_prompts for word in words)
    lengths = {len(contrast.plus), len(contrast.minus)}
    return lengths == {n_prompts} if contrast.paired else 0 not in lengths


def _check_beginnings(prompts: Sequence[Prompt], texts: Sequence[str]) -> None:
    """Raise unless each prompt begins with its text."""
    if len(texts) != len(prompts) or not all(
        (prompt.text or "").startswith(text) for prompt, text in zip(prompts, texts, strict=True)
    ):
        raise SemanticHubError(
            "Steering",
            got=f"{len(texts)} texts to end at in {len(prompts)} prompts",
            expected="for each prompt a text that it begins with",
            fix="Cut each prompt behind what is to be steered.",
        )
