"""Spoke of a planted world: all three kinds of evidence, with known answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import ActivationContrast, Intervention, Patching, Steering
from semantic_hub.interventions.steering.outcomes import Outcome
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import Readout
from semantic_hub.zoo.planted.world import PlantedWorld


@dataclass(frozen=True)
class PlantedSpoke(Spoke):
    """Spoke of a planted world: its languages against each other.

    Args:
        world: World with at least 3 languages.
        at_most: Number of prompts in each set of interventions, the first ones.
        name: Name of the spoke in results.
    """

    world: PlantedWorld
    at_most: int = 48
    name: str = "planted"

    def pairs(self) -> Mapping[str, Pairs]:
        """Every concept in the dominant language and in another one."""
        dominant, *others = self.world.languages
        return {f"words, {code}": self.world.pairs(dominant, code) for code in others}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs of every concept in each language: its words in three languages."""
        return {f"words, {code}": self.world.readouts(code) for code in self.world.languages[1:]}

    def interventions(self) -> Mapping[str, Intervention]:
        """Patching of states between languages, and steering by differences of concepts."""
        routes = list(permutations(self.world.languages[1:], 2))
        patched = {f"words, {x} to {y}": self._patching(x, y) for x, y in routes}
        return patched | {f"steered, {x} to {y}": self._steering(x, y) for x, y in routes}

    def _patching(self, source: str, base: str) -> Patching:
        """Patching from each concept of the source into another of the base."""
        return Patching(self.world.patch_pairs(source, base)[: self.at_most])

    def _steering(self, source: str, base: str) -> Steering:
        """Steering from each concept to the next, whose word in the base's language is success."""
        patch_pairs = self.world.patch_pairs(source, base)[: self.at_most]
        towards = self.world.prompts(source)
        contrast = ActivationContrast(
            towards[: self.at_most],
            (*towards[-1:], *towards[:-1])[: self.at_most],
            paired=True,
        )
        new = [words for pair in patch_pairs for words in pair.answers["source"]]
        texts = [pair.base.text or "" for pair in patch_pairs]

        def outcome(index: int, text: str) -> Outcome:
            if text.strip() == new[index]:
                return "success"
            return "unchanged" if text.strip() in texts[index].split() else "other"

        prompts = tuple(pair.base for pair in patch_pairs)
        return Steering(prompts, {"concept": contrast}, outcome, strengths=(0.0, 1.0, 2.0))
