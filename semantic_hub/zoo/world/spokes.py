"""Spokes of a model that was trained on a `World`, on what its training held out.

Held-out facts and sums occurred in English only, so whatever the model knows of them in another
language or in digits comes from what these share with English. Patching uses facts that were not
held out, because both runs must know their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from semantic_hub.experiment.spoke import Spoke
from semantic_hub.interventions.spec import Intervention, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.lenses.mass.texts import LanguageTexts
from semantic_hub.prompts.pairs import Pairs
from semantic_hub.prompts.prompt import HUB, SURFACE, Prompt, Readout
from semantic_hub.spokes.arithmetic.items import Problem
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.audio.spoke import AudioSpoke
from semantic_hub.spokes.code.spoke import CodeSpoke
from semantic_hub.spokes.lexicon.concepts import TOPICS, word_concepts
from semantic_hub.spokes.lexicon.languages import control_for
from semantic_hub.spokes.routes import Route, averaged_routes, make_pairs, patchings, ring_routes
from semantic_hub.spokes.semantics.spoke import SemanticsSpoke
from semantic_hub.spokes.vision.spoke import VisionSpoke
from semantic_hub.zoo.senses import encoders_of
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.formal_spokes import world_code, world_semantics
from semantic_hub.zoo.world.grammar import DOMINANT, LANGUAGES, Voice
from semantic_hub.zoo.world.meanings import Fact, Sentence
from semantic_hub.zoo.world.scorers import mood_steering

ATTRIBUTES = ("color", "place", "material")
"""Attributes of the facts that are asked for."""


@dataclass(frozen=True)
class WorldLanguageSpoke(Spoke):
    """Language spoke of a world: questions for held-out facts (``perro: color``), and sentences.

    Args:
        world: World that the model was trained on.
        languages: Languages to compare with English.
        held_out: Whether to ask for facts that were held out of these languages, or for others.
        at_most: Patch pairs in each set of interventions, evenly spaced: each is run at every
            layer.
        name: Name of the spoke in results.
    """

    world: World
    languages: tuple[str, ...] = LANGUAGES[1:]
    held_out: bool = True
    at_most: int = 100
    name: str = "language"

    @property
    def facts(self) -> list[Fact]:
        """Facts that the questions ask for; all languages ask for the same ones."""
        return self._facts(self.held_out)

    def pairs(self) -> Mapping[str, Pairs]:
        """Questions and newly drawn sentences, in English and another language."""
        sets = {f"facts, {code}": self._questions(code) for code in self.languages}
        return sets | {f"sentences, {code}": self._sentences(code) for code in self.languages}

    def hard_negatives(self) -> Mapping[str, Pairs]:
        """Questions about another thing, with another answer, and sentences with another agent."""
        sets = {f"facts, {code}": self._other_questions(code) for code in self.languages}
        return sets | {f"sentences, {code}": self._other_actors(code) for code in self.languages}

    def readouts(self) -> Mapping[str, Sequence[Readout]]:
        """Read-outs at the value of each fact, with its words in three languages."""
        return {f"facts, {code}": self._readouts(code) for code in self.languages}

    def interventions(self) -> Mapping[str, Intervention]:
        """Patching of facts between languages, and steering of lists of words towards the good.

        Facts that were not held out are patched into the same question about another thing in
        another language: from each language into the next, from English, and from all other
        languages at once.
        """
        routes = [
            *ring_routes(self.languages),
            *(Route((DOMINANT,), code) for code in self.languages),
            *averaged_routes(self.languages, (DOMINANT, *self.languages)),
        ]
        pairs = {
            f"facts {route.name}": make_pairs(
                self._facts(held_out=False),
                route.sources,
                route.base,
                _asked,
                _value,
                kind=lambda fact: fact.attribute,
                at_most=self.at_most,
            )
            for route in routes
        }
        moods = {f"mood, {code}": self._mood(code) for code in self.languages}
        return {**patchings(pairs), **moods}

    def concepts(self) -> Mapping[str, Mapping[str, Prompt]]:
        """Words for colors, animals and numbers, for comparison with other spokes."""
        words = (term.forms for topic in TOPICS for term in self.world.kind(topic))
        return word_concepts((DOMINANT, *self.languages), words)

    def texts(self) -> Mapping[str, LanguageTexts]:
        """Sentences in each language but English, to measure all languages' probability mass."""
        drawn, languages = self._drawn(), (DOMINANT, *self.languages)
        return {
            f"sentences, {code}": LanguageTexts.of(
                [sentence.say(Voice(code)) for sentence in drawn], code, languages
            )
            for code in self.languages
        }

    def _mood(self, code: str) -> TextSteering:
        """Steering of word lists, small enough for a report."""
        short = Sampling(max_new_tokens=12, seeds=(0, 1))
        experiment = mood_steering(self.world, code)
        return replace(experiment, depths=(0.25, 0.5, 0.75), strengths=(2.0,), sampling=short)

    def _facts(self, held_out: bool) -> list[Fact]:
        """Facts about the attributes, held out or not."""
        return [
            fact
            for fact in self.world.facts
            if (fact.key in self.world.held_out) == held_out and fact.attribute in ATTRIBUTES
        ]

    def _questions(self, code: str) -> Pairs:
        """Questions in English and another language."""
        sides = [[fact.question(Voice(side)) for fact in self.facts] for side in (DOMINANT, code)]
        labels = [fact.key for fact in self.facts]
        return Pairs.from_prompts(*sides, x_name=DOMINANT, y_name=code, labels=labels)

    def _sentences(self, code: str) -> Pairs:
        """Sentences in English and another language."""
        drawn = self._drawn()
        sides = [[sentence.say(Voice(side)) for sentence in drawn] for side in (DOMINANT, code)]
        return Pairs.from_prompts(*sides, x_name=DOMINANT, y_name=code)

    def _drawn(self) -> list[Sentence]:
        """Random sentences, the same for every language."""
        rng = np.random.default_rng([self.world.seed, 5])
        return [self.world.sentence(rng) for _ in range(200)]

    def _other_questions(self, code: str) -> Pairs:
        """English questions against questions about a thing with another value."""
        facts = self.facts
        others = [_other(fact, facts[i:] + facts[:i]) for i, fact in enumerate(facts)]
        questions = (fact.question(Voice(code)) for fact in others)
        return replace(self._questions(code), y=tuple(map(Prompt, questions)))

    def _other_actors(self, code: str) -> Pairs:
        """English sentences against sentences with another agent."""
        names = self.world.names
        after = {name.key: names[(i + 1) % len(names)] for i, name in enumerate(names)}
        others = (replace(drawn, who=after[drawn.who.key]) for drawn in self._drawn())
        texts = (sentence.say(Voice(code)) for sentence in others)
        return replace(self._sentences(code), y=tuple(map(Prompt, texts)))

    def _readouts(self, code: str) -> list[Readout]:
        """Read-outs of the facts in a language."""
        control = control_for(code, self.languages)
        return [
            Readout(
                Prompt(fact.question(Voice(code))),
                {
                    SURFACE: (fact.value.forms[code],),
                    HUB: (fact.value.forms[DOMINANT],),
                    "control": (fact.value.forms[control],),
                    "unrelated": (self._unrelated(fact),),
                },
            )
            for fact in self.facts
        ]

    def _unrelated(self, fact: Fact) -> str:
        """English word for another value of the same attribute."""
        others = [f.value.forms[DOMINANT] for f in self.facts if f.attribute == fact.attribute]
        start = others.index(fact.value.forms[DOMINANT])
        rotated = others[start:] + others[:start]
        return next(word for word in rotated if word != fact.value.forms[DOMINANT])


class WorldSpokes(NamedTuple):
    """Text spokes of a world."""

    language: WorldLanguageSpoke
    arithmetic: ArithmeticSpoke
    code: CodeSpoke
    semantics: SemanticsSpoke


class MultimodalWorldSpokes(NamedTuple):
    """Spokes of a world for a model that also reads images and sounds."""

    language: WorldLanguageSpoke
    arithmetic: ArithmeticSpoke
    code: CodeSpoke
    semantics: SemanticsSpoke
    vision: VisionSpoke
    audio: AudioSpoke


def world_spokes(world: World, *, held_out: bool = True) -> WorldSpokes:
    """Make the text spokes of a world, on what its training text held out or on the rest.

    Example:
        >>> [spoke.name for spoke in world_spokes(World(seed=0))]
        ['language', 'arithmetic', 'code', 'semantics']
    """
    return WorldSpokes(
        WorldLanguageSpoke(world, held_out=held_out),
        ArithmeticSpoke(DOMINANT, LANGUAGES[1:], world_problems(world, held_out=held_out)),
        world_code(world, held_out=held_out),
        world_semantics(world, held_out=held_out),
    )


def world_problems(world: World, *, held_out: bool = True) -> tuple[Problem, ...]:
    """Sums and products held out of a world's training text, or those that it contains.

    A problem is left out if its mirror image (8*7 for 7*8) is on the other side.

    Example:
        >>> len(world_problems(World(seed=0)))
        267
    """
    return tuple(
        Problem(item.left, item.operator, item.right)
        for item in world.sums
        if (item.key in world.held_out) == (item.mirror_key in world.held_out) == held_out
    )


def spokes_of(model: object) -> WorldSpokes | MultimodalWorldSpokes | None:
    """Make the spokes of a model that was trained on a world, on what the training held out.

    The tokenizer of such a model has the seed of its world (``world_seed`` in ``init_kwargs``).
    Pictures and clips are drawn from seeds that the projectors were not trained on.

    Returns:
        The spokes; None for any other model.
    """
    settings = getattr(getattr(model, "tokenizer", None), "init_kwargs", {})
    seed = settings.get("world_seed")
    if seed is None:
        return None
    text_spokes, encoders = world_spokes(World(int(seed))), encoders_of(model)
    if encoders is None:
        return text_spokes
    return MultimodalWorldSpokes(
        *text_spokes, VisionSpoke(encoders.encode_image), AudioSpoke(encoders.encode_audio)
    )


def _other(fact: Fact, facts: Sequence[Fact]) -> Fact:
    """First fact of the same attribute with another value."""
    return next(f for f in facts if f.attribute == fact.attribute and f.value.key != fact.value.key)


def _asked(fact: Fact, language: str) -> str:
    """Question for a fact in a language."""
    return fact.question(Voice(language))


def _value(fact: Fact, language: str) -> str:
    """Answer of a fact in a language."""
    return fact.value.forms[language]
