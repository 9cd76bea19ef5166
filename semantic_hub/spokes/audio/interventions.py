"""A question about a clip that its animal answers with yes or no, and interventions on the answer.

Source: Wu et al. 2025, arXiv 2411.04986, section 5 (audio): "is it a mammal", while the difference
of two animals' unembeddings is added at the clip's positions.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.spec import Steering, UnembeddingContrast
from semantic_hub.interventions.steering.outcomes import RelativeOutcome
from semantic_hub.prompts.soft_tokens import SoftPositions
from semantic_hub.spokes.audio.inputs import Heard, label_words
from semantic_hub.spokes.sampling import evenly_spaced

_MAMMALS = """
dog cat horse cow pig sheep goat mouse rabbit bear fox deer monkey elephant whale dolphin squirrel
hedgehog donkey camel lion tiger wolf chimpanzee
"""
_OTHER_ANIMALS = """
bird fish frog snake turtle bee ant butterfly spider duck goose hen rooster chicken owl eagle swan
shark snail crow dove pigeon penguin turkey cricket mosquito parrot woodpecker
"""
MAMMALS = frozenset(_MAMMALS.split())
OTHER_ANIMALS = frozenset(_OTHER_ANIMALS.split())


@dataclass(frozen=True)
class Question:
    """A question with the answers yes and no.

    Args:
        template: The question behind a clip, up to the answer.
        true_of: Animals whose answer is yes.
        false_of: Animals whose answer is no; a label that names none of either is not asked about.
        yes: The word for yes.
        no: The word for no.

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

    def __post_init__(self) -> None:
        if both := self.true_of & self.false_of:
            raise SemanticHubError(
                "Question",
                got=f"{sorted(both)[0]!r} as true and as false",
                expected="one answer for each animal",
                fix="Take it out of one of the two.",
            )

    def animal(self, label: str) -> str | None:
        """The first word of a label that is an animal asked about; None if there is none."""
        known = self.true_of | self.false_of
        return next((word for word in label_words(label) if word in known), None)

    def answer(self, animal: str) -> str:
        """The right answer for an animal."""
        return self.yes if animal in self.true_of else self.no


@dataclass(frozen=True)
class Flip:
    """From one answer to the other: what a steered text does to the answer that was there.

    The first word of a text decides, case aside.

    Args:
        own: The answer that the model gives without steering; a prompt with another is left out.
        new: The other answer.

    Example:
        >>> flip = Flip("yes", "no")
        >>> [flip(" yes", said) for said in (" No, it", " yes", " nobody")]
        ['success', 'unchanged', 'other']
    """

    own: str
    new: str

    def __call__(self, own: str, said: str) -> str:
        """One of `semantic_hub.interventions.steering.outcomes.OUTCOMES` for a steered text."""
        outcomes = {self.new.casefold(): "success", self.own.casefold(): "unchanged"}
        return outcomes.get(_first_word(said), "other")

    def applies(self, own: str) -> bool:
        """Whether the model's own text gives the answer that is to be changed."""
        return _first_word(own) == self.own.casefold()

    @property
    def outcome(self) -> RelativeOutcome:
        """As `semantic_hub.interventions.spec.Steering` takes it."""
        return RelativeOutcome(self, self.applies, drop_reason=f"own answer is not {self.own!r}")


def steering(
    heard: Sequence[Heard],
    question: Question | None = None,
    *,
    true_to_false: bool = True,
    strengths: Sequence[float | int] = (0.0, 0.5, 1.0, 1.5, 2.0),
    at_most: int = 100,
    seed: int = 0,
) -> Steering:
    """Clips of animals, steered at their positions towards an animal that has the other answer.

    The contrast ``"other answer"`` adds U[new animal] − U[own animal], the new animal drawn from
    those of the clips that have the other answer. The contrast ``"same answer"`` does so with one
    that has the same: it should leave the answer as it is. Clips of which the model itself does not
    give the right answer have none that could be changed; they are dropped and counted.

    Args:
        heard: Clips with their features.
        question: What is asked; by default whether it is a mammal.
        true_to_false: Steer the clips whose answer is yes; else those whose answer is no.
        strengths: Factors; see `semantic_hub.interventions.spec.UnembeddingContrast` for their unit.
        at_most: Clips to keep, evenly spaced.
        seed: Of the new animals.

    Raises:
        SemanticHubError: No clip to steer, no animal to steer towards, or just one of the clips'
            own kind.
    """
    question = question or Question()
    asked = [clip for clip in heard if question.animal(clip.clip.label)]
    own_side = question.true_of if true_to_false else question.false_of
    own = [_animal(question, clip) for clip in asked]
    kinds = sorted(set(own) & own_side), sorted(set(own) - own_side)
    chosen = evenly_spaced(
        [clip for clip, animal in zip(asked, own, strict=True) if animal in own_side], at_most
    )
    _check_kinds(kinds)
    return _steering(chosen, question, kinds, tuple(map(float, strengths)), seed)


def _steering(
    chosen: Sequence[Heard],
    question: Question,
    kinds: tuple[list[str], list[str]],
    strengths: tuple[float, ...],
    seed: int,
) -> Steering:
    rng = np.random.default_rng(seed)
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
        outcome=Flip(question.answer(own[0]), question.answer(other[0])).outcome,
        strengths=strengths,
        positions=SoftPositions(),
        max_new_tokens=2,
    )


def _first_word(text: str) -> str:
    return (re.findall(r"\w+", text) or [""])[0].casefold()


def _animal(question: Question, clip: Heard) -> str:
    return question.animal(clip.clip.label) or ""


def _drawn(
    own: Sequence[str], allowed: Callable[[str], Sequence[str]], rng: np.random.Generator
) -> tuple[str, ...]:
    """For each animal one of those allowed for it."""
    return tuple(str(rng.choice(list(allowed(animal)))) for animal in own)


def _check_kinds(kinds: tuple[list[str], list[str]]) -> None:
    own, other = kinds
    if len(own) < 2 or not other:
        raise SemanticHubError(
            "audio.steering",
            got=f"clips of {', '.join(own) or 'no animal'} to steer, towards "
            f"{', '.join(other) or 'no animal'}",
            expected="at least two animals of the answer to change, and one of the other answer",
            fix="Add clips of other animals, or name them in the Question.",
        )
