"""Steering of the answer to a yes-no question about the animal of a clip.

Source: Wu et al. 2025, arXiv 2411.04986, section 5 (audio): "is it a mammal", with the difference
of two animals' unembeddings added at the clip's positions.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError, as_seed
from semantic_hub.interventions.spec import Steering, UnembeddingContrast
from semantic_hub.interventions.steering.outcomes import ExpectedAnswer, RelativeOutcome
from semantic_hub.plotting.values import short_repr
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.spokes.audio.inputs import EncodedClip, label_words
from semantic_hub.spokes.sampling import evenly_spaced

_MAMMALS = """
dog cat horse cow pig sheep goat mouse rabbit bear fox deer monkey elephant whale dolphin squirrel
hedgehog donkey camel lion tiger wolf chimpanzee
"""
_OTHER_ANIMALS = """
bird fish frog snake turtle bee ant butterfly spider duck goose hen rooster chicken owl eagle swan
shark snail fly crow dove pigeon penguin turkey cricket mosquito parrot woodpecker
"""
MAMMALS = frozenset(_MAMMALS.split())
"""Names of mammals."""

OTHER_ANIMALS = frozenset(_OTHER_ANIMALS.split())
"""Names of other animals."""


@dataclass(frozen=True)
class Question:
    """Yes-no question about an animal, with the animals that each answer is correct for.

    Args:
        template: Question after a clip, up to the answer.
        true_of: Animals whose answer is yes.
        false_of: Animals whose answer is no; clips without an animal of either kind are not used.
        yes: Word for yes.
        no: Word for no.

    Raises:
        SemanticHubError: An animal with both answers.

    Example:
        >>> Question().animal("dog barking"), Question().answer("owl"), Question().animal("rain")
        ('dog', 'no', None)
    """

    template: str = "{clip} mammal:"
    true_of: frozenset[str] = MAMMALS
    false_of: frozenset[str] = OTHER_ANIMALS
    yes: str = "yes"
    no: str = "no"
    __repr__ = short_repr

    def __post_init__(self) -> None:
        if both := self.true_of & self.false_of:
            raise SemanticHubError(
                "Question",
                got=f"{sorted(both)[0]!r} as true and as false",
                expected="one answer for each animal",
                fix="Take it out of one of the two.",
            )

    def animal(self, label: str) -> str | None:
        """First word of a label that is an animal of the question; None if there is none."""
        known = self.true_of | self.false_of
        return next((word for word in label_words(label) if word in known), None)

    def answer(self, animal: str) -> str:
        """Correct answer for an animal: the word for yes or the word for no."""
        return self.yes if animal in self.true_of else self.no


def other_answer(old: str, new: str) -> RelativeOutcome:
    """Make an outcome rule: success if steering changes the first word from `old` to `new`.

    Args:
        old: Answer that the model must give without steering; other prompts are dropped.
        new: The other answer.

    Example:
        >>> outcome = other_answer("yes", "no")
        >>> [outcome.compare(" yes", steered) for steered in (" No, it", " yes", " nobody")]
        ['success', 'unchanged', 'other']
    """
    expected = ExpectedAnswer(new=new.casefold(), old=old.casefold(), parse=_first_word)
    return RelativeOutcome(
        lambda unsteered, steered: expected(0, steered),
        lambda unsteered: _first_word(unsteered) == old.casefold(),
        f"own answer is not {old!r}",
    )


def steering(
    clips: Sequence[EncodedClip],
    question: Question | None = None,
    *,
    true_to_false: bool = True,
    strengths: Sequence[float | int] = (0.0, 0.5, 1.0, 1.5, 2.0),
    at_most: int = 100,
    seed: int = 0,
) -> Steering:
    """Steering of clips at their positions towards an animal with the other answer.

    The contrast ``"other answer"`` is U[new animal] − U[old animal], with the new animal drawn from
    those of the clips with the other answer. The contrast ``"same answer"`` has a new animal with
    the same answer: it should not change the answer. Clips for which the unsteered model does not
    give the right answer are dropped and counted.

    Args:
        clips: Encoded clips.
        question: The question; by default whether it is a mammal.
        true_to_false: Whether to steer clips whose answer is yes, or those whose answer is no.
        strengths: Factors, in lengths of the prompts' states.
        at_most: Clips to keep, evenly spaced.
        seed: Seed of the new animals.

    Raises:
        SemanticHubError: No clip to steer, no animal to steer towards, or only one animal with the
            answer to change.
    """
    question = question or Question()
    asked = [clip for clip in clips if question.animal(clip.clip.label)]
    own_side = question.true_of if true_to_false else question.false_of
    own = [_animal(question, clip) for clip in asked]
    kinds = sorted(set(own) & own_side), sorted(set(own) - own_side)
    chosen = evenly_spaced(
        [clip for clip, animal in zip(asked, own, strict=True) if animal in own_side], at_most
    )
    _check_kinds(kinds)
    return _steering(chosen, question, kinds, tuple(map(float, strengths)), seed)


def _steering(
    chosen: Sequence[EncodedClip],
    question: Question,
    kinds: tuple[list[str], list[str]],
    strengths: tuple[float, ...],
    seed: int,
) -> Steering:
    """Steering of the chosen clips, with new animals of both kinds."""
    rng = np.random.default_rng(as_seed(seed))
    own = tuple(_animal(question, clip) for clip in chosen)
    same_kind, other_kind = kinds
    other = _drawn(own, lambda animal: other_kind, rng)
    same = _drawn(own, lambda animal: [one for one in same_kind if one != animal], rng)
    return Steering(
        prompts=tuple(clip.prompt(question.template) for clip in chosen),
        contrasts={
            "other answer": UnembeddingContrast(other, own),
            "same answer": UnembeddingContrast(same, own),
        },
        outcome=other_answer(question.answer(own[0]), question.answer(other[0])),
        strengths=strengths,
        positions=SoftPositions(),
        max_new_tokens=2,
    )


def _first_word(text: str) -> str:
    """First word of a text, case-folded; empty if there is none."""
    return (re.findall(r"\w+", text) or [""])[0].casefold()


def _animal(question: Question, clip: EncodedClip) -> str:
    """Animal of a clip; empty if there is none."""
    return question.animal(clip.clip.label) or ""


def _drawn(
    own: Sequence[str], allowed: Callable[[str], Sequence[str]], rng: np.random.Generator
) -> tuple[str, ...]:
    """Draw one of the allowed animals for each animal."""
    return tuple(str(rng.choice(list(allowed(animal)))) for animal in own)


def _check_kinds(kinds: tuple[list[str], list[str]]) -> None:
    """Raise unless there are two animals of the old answer and one of the new."""
    own, other = kinds
    if len(own) < 2 or not other:
        raise SemanticHubError(
            "audio.steering",
            got=f"clips of {', '.join(own) or 'no animal'} to steer, towards "
            f"{', '.join(other) or 'no animal'}",
            expected="at least two animals of the answer to change, and one of the other answer",
            fix="Add clips of other animals, or name them in the Question.",
        )
