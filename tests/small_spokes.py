"""The smallest spokes: a few words of the fixtures' tokenizer, with every kind of evidence."""

import semantic_hub as sh
from semantic_hub.interventions.patching.pairs import PatchPair
from semantic_hub.interventions.spec import ActivationContrast, Patching, Steering, TextSteering
from semantic_hub.interventions.text.generation import Sampling
from semantic_hub.lenses.mass.texts import LanguageTexts


class Words(sh.Spoke):
    """The smallest spoke: two pairs and two read-outs in words of the fixtures' tokenizer."""

    name = "words"

    def pairs(self):
        return {"set <a>": sh.Pairs.from_prompts(["dog", "cat", "cat"], ["perro", "gato", "el"])}

    def readouts(self):
        candidates = {"surface": ("dog",), "hub": ("cat",)}
        return {"after the": [sh.Readout(sh.Prompt(t), candidates) for t in ("the", "a dog and")]}


SETTINGS = {"resampling": sh.Resampling(resamples=50, seed=3), "permutations": 20}


def says_dog(index: int, text: str) -> str:
    return "success" if "dog" in text else "other"


class Steered(Words):
    """The same, with one intervention of each kind."""

    def interventions(self):
        pair = PatchPair(
            (sh.Prompt("the cat"),), sh.Prompt("the dog"), {"a": ("cat",), "b": ("dog",)}
        )
        contrast = ActivationContrast((sh.Prompt("dog"),), (sh.Prompt("cat"),))
        asked = (sh.Prompt("the"), sh.Prompt("a dog and"))
        return {
            "move": Patching((pair,)),
            "push": Steering(asked, {"dog": contrast}, says_dog, strengths=(1.0,)),
            "write": TextSteering(
                asked,
                {"dog": contrast},
                {"length": lambda texts: [float(len(text.new_tokens)) for text in texts]},
                depths=(0.3,),
                strengths=(1.0,),
                sampling=Sampling(max_new_tokens=2, seeds=(0, 1)),
            ),
        }


class Told(Steered):
    """The same, with texts whose language mass is measured."""

    def texts(self):
        return {"tales": LanguageTexts.of(["el perro", "el gato huye"], "es", ("en", "es"))}
