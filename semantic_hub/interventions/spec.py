"""What a spoke hands over to be intervened on, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.patching.exchange import LAST, Alignment, Exchange, Span
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.interventions.text.scorers import Scorer
from semantic_hub.prompts.prompt import Prompt

Outcome = Callable[[int, str], str]
"""From a prompt's index and the text that was generated to one of `OUTCOMES`."""

OUTCOMES = ("success", "unchanged", "other")
"""What an intervention did: what it was meant to, nothing, or something else."""

SteeredPositions = Literal["all", "last", "prompt", "generated"] | Span | tuple[Span, ...]
"""Where to steer; see `semantic_hub.interventions.steering.hook.steer`."""

Mode = Literal["add", "replace", "project_out"]
"""How to steer; see `semantic_hub.interventions.steering.hook.steer`."""


@dataclass(frozen=True)
class Patching:
    """A set of exchanges of the residual stream.

    Args:
        exchanges: All with the same names of targets.
        alignment: Which positions are joined.
    """

    exchanges: tuple[Exchange, ...]
    alignment: Alignment = LAST


@dataclass(frozen=True)
class Contrast:
    """Prompts whose states differ by a direction: ``h(plus) − h(minus)``.

    Args:
        plus: What to steer towards.
        minus: What to steer away from.
        paired: Prompt i is steered by the difference of ``plus[i]`` and ``minus[i]``; otherwise
            all are by the difference of the two means.
    """

    plus: tuple[Prompt, ...]
    minus: tuple[Prompt, ...]
    paired: bool = False


@dataclass(frozen=True)
class EndsOf:
    """In each prompt the last token of a text that the prompt begins with.

    Args:
        texts: One for each prompt, such as ``"Anna helped Bo"`` for ``"Anna helped Bo . Who"``.
    """

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """Two words whose unembeddings differ by a direction, ``U[plus] − U[minus]``.

    There may be two words for each prompt, which then each have a direction of their own.
    Unembeddings have no length that fits a layer, so the direction is made as long, at each layer,
    as the steered prompts' own states are on average at their last position: a strength counts in
    these lengths.

    Args:
        plus: What to steer towards, a word that is one token; or one for each prompt.
        minus: What to steer away from, likewise.
    """

    plus: str | tuple[str, ...]
    minus: str | tuple[str, ...]

    def of_each(self, n_prompts: int) -> tuple[tuple[str, str], ...]:
        """The two words of every prompt; the only two where they are the same for all.

        Example:
            >>> Words("start", "end").of_each(3), Words(("red", "blue"), "grey").of_each(2)
            ((('start', 'end'),), (('red', 'grey'), ('blue', 'grey')))
        """
        if isinstance(self.plus, str) and isinstance(self.minus, str):
            return ((self.plus, self.minus),)
        plus, minus = (
            (words,) * n_prompts if isinstance(words, str) else words
            for words in (self.plus, self.minus)
        )
        return tuple(zip(plus, minus, strict=True))


@dataclass(frozen=True)
class AgainstOwn:
    """An outcome that is told by what the model says of its own, without steering.

    Args:
        compare: From a prompt's own continuation and the steered one to one of `OUTCOMES`.
        usable: Whether a prompt with this continuation of its own is steered at all.
        reason: Under which the others are counted.

    Example:
        >>> shorter = AgainstOwn(lambda own, said: "success" if len(said) < len(own) else "other",
        ...                      usable=lambda own: len(own) > 0, reason="nothing to shorten")
        >>> shorter.compare("two words", "one")
        'success'
    """

    compare: Callable[[str, str], str]
    usable: Callable[[str], bool]
    reason: str


@dataclass(frozen=True)
class Steering:
    """Prompts to steer, in which directions, and what then counts as what.

    Args:
        prompts: What is continued.
        contrasts: Directions by name; the placebo has the norm of the first.
        outcome: Says of prompt i and its continuation which of `OUTCOMES` it is, or an
            `AgainstOwn`.
        strengths: Factors of the direction; 0 is always run as well.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`. Or the last token of a text that each
            prompt begins with, which may be at another position in each.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        max_new_tokens: How far to generate, greedily.
        from_layer_on: Steer every layer from each on, not it alone.

    Raises:
        SemanticHubError: No prompts or no contrasts, a paired contrast of another length, or
            `EndsOf` texts that the prompts do not begin with.
    """

    prompts: tuple[Prompt, ...]
    contrasts: Mapping[str, Contrast | Words]
    outcome: Outcome | AgainstOwn
    strengths: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0)
    positions: SteeredPositions | EndsOf = "last"
    mode: Mode = "add"
    max_new_tokens: int = 1
    from_layer_on: bool = False

    def __post_init__(self) -> None:
        wrong = [name for name, contrast in self.contrasts.items() if not self._fits(contrast)]
        if not self.prompts or not self.contrasts or wrong:
            raise SemanticHubError(
                "Steering",
                got=f"{len(self.prompts)} prompts; contrasts {', '.join(wrong) or 'none'} amiss",
                expected="prompts, and contrasts with one plus and one minus for each prompt "
                "(paired) or at least one of either",
                fix="Give each contrast its prompts.",
            )
        if isinstance(self.positions, EndsOf) and not self._begins_with(self.positions.texts):
            raise SemanticHubError(
                "Steering",
                got=f"{len(self.positions.texts)} texts to end at in {len(self.prompts)} prompts",
                expected="for each prompt a text that it begins with",
                fix="Cut each prompt behind what is to be steered.",
            )

    def _fits(self, contrast: Contrast | Words) -> bool:
        if isinstance(contrast, Words):
            words = (contrast.plus, contrast.minus)
            return all(isinstance(w, str) or len(w) == len(self.prompts) for w in words)
        lengths = {len(contrast.plus), len(contrast.minus)}
        return lengths == {len(self.prompts)} if contrast.paired else 0 not in lengths

    def _begins_with(self, texts: tuple[str, ...]) -> bool:
        return len(texts) == len(self.prompts) and all(
            (prompt.text or "").startswith(text)
            for prompt, text in zip(self.prompts, texts, strict=True)
        )


@dataclass(frozen=True)
class TextSteering:
    """Prompts to continue freely under steering, and what is measured of the texts.

    Args:
        prompts: What is continued.
        contrasts: Directions by name, such as the same pair of words in two languages; not paired.
            The placebo has the norm of the first.
        scorers: What is measured, by name.
        depths: Where, as parts of the model's depth from 0 (the embedding) to 1 (the last layer);
            None for every layer.
        strengths: Factors of the direction; 0 is always run as well.
        positions: Where; see `semantic_hub.interventions.steering.hook.steer`.
        mode: How; see `semantic_hub.interventions.steering.hook.steer`.
        sampling: How the texts are sampled.

    Raises:
        SemanticHubError: No prompts or no contrasts, or a contrast that is paired or lacks a side.
    """

    prompts: tuple[Prompt, ...]
    contrasts: Mapping[str, Contrast]
    scorers: Mapping[str, Scorer]
    depths: tuple[float, ...] | None = None
    strengths: tuple[float, ...] = (1.0, 2.0, 4.0)
    positions: SteeredPositions = "all"
    mode: Mode = "add"
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, contrast in self.contrasts.items()
            if contrast.paired or not contrast.plus or not contrast.minus
        ]
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
                expected="parts of the model's depth, 0 to 1",
                fix="Give 0.5 for its middle layer.",
            )
        if not self.prompts or not self.contrasts or wrong:
            raise SemanticHubError(
                "TextSteering",
                got=f"{len(self.prompts)} prompts; contrasts {', '.join(wrong) or 'none'} amiss",
                expected="prompts, and contrasts that are not paired, with both sides",
                fix="Give each contrast what to steer towards, and what to steer away from.",
            )


@dataclass(frozen=True)
class Answers:
    """A steering, and two answers that share the next token's probability under it.

    Args:
        steering: What is steered, where, by which directions; its outcome does not matter.
        words: The two answers; what is read is P(first) / (P(first) + P(second)).

    Raises:
        SemanticHubError: A steering of every layer from each on, or at the ends of texts.
    """

    steering: Steering
    words: tuple[str, str]

    def __post_init__(self) -> None:
        if self.steering.from_layer_on or isinstance(self.steering.positions, EndsOf):
            raise SemanticHubError(
                "Answers",
                got="a steering of all layers from each on, or at the ends of texts",
                expected="one layer at a time, at positions that do not depend on the text",
                fix="Use Steering alone, which tells what is said.",
            )


Intervention = Patching | Steering | TextSteering | Answers
"""What a spoke's ``interventions()`` may hold."""
