"""Captions of pictures and sounds of hub-mini's world, with questions about them.

Text with a caption before a question teaches the model to answer from context; pictures and clips
then only have to take the place of captions.
"""

from dataclasses import dataclass

from semantic_hub.spokes.audio.interventions import MAMMALS
from semantic_hub.spokes.vision.images.picture import Region, caption_of
from semantic_hub.zoo.world.grammar import DOMINANT, Voice
from semantic_hub.zoo.world.meanings import Term


@dataclass(frozen=True)
class Scene:
    """Caption of a picture, optionally with a question: ``red circle, blue square. circle: red.``

    Args:
        regions: Regions of the picture: shapes, both sides, or one region without a name.
        asked: Index of the region that the question is about; None for no question.
    """

    regions: tuple[Region, ...]
    asked: int | None = None

    def say(self, voice: Voice) -> str:
        """English text, whatever the voice's language."""
        if self.asked is None:
            return self.caption()
        return f"{self.question()} {self.regions[self.asked].color}."

    def caption(self) -> str:
        """Caption of the regions."""
        return caption_of(self.regions)

    def question(self) -> str:
        """Caption and question, without the answer."""
        return f"{self.caption()} {self.regions[self.asked or 0].name or 'colour'}:"


@dataclass(frozen=True)
class Animal:
    """Caption of an animal's sound, optionally with a question: ``dog. mammal: yes.``

    Args:
        animal: The animal.
        asked: Question: ``"mammal"``, ``"animal"``, or empty for no question.
    """

    animal: Term
    asked: str = ""

    def say(self, voice: Voice) -> str:
        """English text, whatever the voice's language."""
        return f"{self.question()} {self.answer}." if self.asked else self.caption()

    @property
    def answer(self) -> str:
        """Answer to the question."""
        name = self.animal.forms[DOMINANT]
        return name if self.asked == "animal" else "yes" if name in MAMMALS else "no"

    def caption(self) -> str:
        """Caption: the animal's name."""
        return f"{self.animal.forms[DOMINANT]}."

    def question(self) -> str:
        """Caption and question, without the answer."""
        return f"{self.caption()} {self.asked}:"
