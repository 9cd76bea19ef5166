"""All spokes at once: the same concepts in words, digits, pictures and clips."""

from itertools import chain
from typing import Any

import pytest
import torch

import semantic_hub as sh
from semantic_hub.experiment.across import compare_concepts, concept_items
from semantic_hub.prompts.prompt import Prompt
from semantic_hub.prompts.soft_tokens import SoftTokens
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.audio.sounds.synthesis import animal_clips
from semantic_hub.spokes.audio.spoke import AudioSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.vision.images.drawn import drawn_pictures
from semantic_hub.spokes.vision.spoke import VisionSpoke
from semantic_hub.statistics.resampling import Resampling


def spokes_for(model: Any) -> list[Any]:
    draw = torch.Generator().manual_seed(0)
    seen, heard = (torch.randn(n, model.cfg.d_model, generator=draw) for n in (16, 20))
    return [
        LanguageSpoke(),
        ArithmeticSpoke(),
        VisionSpoke(lambda image: seen, drawn_pictures(per_kind=11)),
        AudioSpoke(lambda wave, rate: heard, animal_clips(seeds=range(2))),
    ]


def test_forms_say_the_same_words(model: Any) -> None:
    items = concept_items(spokes_for(model))
    assert list(items) == ["en", "es", "fr", "de", "zh", "ru", "digits", "pictures", "clips"]
    english = items["en"]
    assert all(prompt.text == word for word, prompt in english.items())
    assert items["es"]["red"].text == "rojo" and items["zh"]["dog"].text == "狗"
    assert items["digits"].keys() == {word for word in english if word in items["digits"]}
    assert len(items["pictures"]) == 11 and len(items["clips"]) == 12
    words = set(chain(items["pictures"], items["clips"], items["digits"]))
    assert words <= english.keys()
    assert all(isinstance(items["clips"][word], Prompt) for word in ("dog", "owl"))
    assert isinstance(items["pictures"]["red"].soft[0], SoftTokens)


def test_each_cell_is_the_similarity_of_its_two_forms(model: Any) -> None:
    spokes = spokes_for(model)
    found = compare_concepts(model, spokes, resampling=Resampling(resamples=10))
    assert found is not None
    names, items = found.forms, concept_items(spokes)
    for one, other in (("en", "digits"), ("es", "pictures"), ("ru", "clips")):
        both = [word for word in items[one] if word in items[other]]
        pairs = sh.Pairs.from_prompts(
            [items[one][word] for word in both], [items[other][word] for word in both]
        )
        expected = sh.similarity(
            model, pairs, resampling=Resampling(resamples=10), permutations=10
        ).similarity
        cell = found.similarity[names.index(one), names.index(other)]
        assert torch.allclose(cell, expected, atol=1e-5)
    assert found.similarity[names.index("digits"), names.index("clips")].isnan().all()


@pytest.mark.parametrize("spokes", [[], [ArithmeticSpoke()]])
def test_nothing_in_common(model: Any, spokes: list[Any]) -> None:
    assert compare_concepts(model, spokes) is None
