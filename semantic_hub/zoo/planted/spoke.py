"""A planted world as a spoke: all three kinds of evidence, with a known answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import ActivationContrast, Intervention, Patching, Steering
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Readout
from semantic_hub.zoo.planted.world import PlantedWorld


@dataclass(frozen=True)
class PlantedSpoke(Spoke):
    """The languages of a planted world against each other, for `semantic_hub.run`.

    Args:
        world: With at least 3 languages.
        at_most: Prompts in each set of interventions, the first ones.
    """

    world: PlantedWorld
    at_most: int = 48
    name: str = "planted"

    def pairs(self) -> Mapping[str, Pairs]:
        """Every concept in the dominant language and in another one."""
        dominant, *others = self.world.languages
        return {f"words, {code}": self.world.pairs(dominant, code) for code in others}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Every concept in a language, its word against the dominant language's and a third's."""
        return {f"words, {code}": self.world.readouts(code) for code in self.world.languages[1:]}

    def interventions(self) -> Mapping[str, Intervention]:
        """From one language into another: states patched, and differences of concepts added."""
        routes = list(permutations(self.world.languages[1:], 2))
        moved = {f"words, {x} to {y}": self._patching(x, y) for x, y in routes}
        return moved | {f"steered, {x} to {y}": self._steering(x, y) for x, y in routes}

    def _patching(self, source: str, base: str) -> Patching:
        return Patching(self.world.patch_pairs(source, base)[: self.at_most])

    def _steering(self, source: str, base: str) -> Steering:
        """From each concept to the next: success is the next one's word, in the own language."""
        patch_pairs = self.world.patch_pairs(source, base)[: self.at_most]
        to = self.world.prompts(source)
        contrast = ActivationContrast(
            to[: self.at_most], (*to[-1:], *to[:-1])[: self.at_most], paired=True
        )
        wanted = [words for pair in patch_pairs for words in pair.answers["source"]]
        own = [pair.base.text or "" for pair in patch_pairs]

        def outcome(index: int, text: str) -> str:
            if text.strip() == wanted[index]:
                return "success"
            return "unchanged" if text.strip() in own[index].split() else "other"

        prompts = tuple(pair.base for pair in patch_pairs)
        return Steering(prompts, {"concept": contrast}, outcome, strengths=(0.0, 1.0, 2.0))
