"""What can be seen and heard in hub-mini's world, as English says it: a caption, then a question.

Images and sounds are not text. That a caption stands before a question teaches the model to answer
from what it was just told; pictures and clips then only have to say what captions say.
"""

from dataclasses import dataclass

from semantic_hub.spokes.audio.interventions import MAMMALS
from semantic_hub.spokes.vision.images.picture import Region, caption_of
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Term


@dataclass(frozen=True)
class Scene:
    """``red circle, blue square. circle: red.``, ``left red, right blue.`` or ``red.``

    Args:
        regions: What there is: shapes, both sides, or one region without a name.
        asked: Which of them the question is about; None for no question.
    """

    regions: tuple[Region, ...]
    asked: int | None = None

    def say(self, voice: Voice) -> str:
        """In English, whatever the voice."""
        if self.asked is None:
            return self.caption()
        return f"{self.question()} {self.regions[self.asked].color}."

    def caption(self) -> str:
        """What there is, in one sentence."""
        return caption_of(self.regions)

    def question(self) -> str:
        """The caption and the question, without the answer."""
        return f"{self.caption()} {self.regions[self.asked or 0].name or 'colour'}:"


@dataclass(frozen=True)
class Animal:
    """``dog. mammal: yes.`` or ``dog. animal: dog.``

    Args:
        animal: Which animal.
        asked: ``"mammal"``, ``"animal"``, or empty for no question.
    """

    animal: Term
    asked: str = ""

    def say(self, voice: Voice) -> str:
        """In English, whatever the voice."""
        return f"{self.question()} {self.answer}." if self.asked else self.caption()

    @property
    def answer(self) -> str:
        """What the question is answered by."""
        name = _english(self.animal)
        return name if self.asked == "animal" else "yes" if name in MAMMALS else "no"

    def caption(self) -> str:
        """The animal's name."""
        return f"{_english(self.animal)}."

    def question(self) -> str:
        """The caption and the question, without the answer."""
        return f"{self.caption()} {self.asked}:"


def _english(term: Term) -> str:
    return term.forms[DOMINANT]
