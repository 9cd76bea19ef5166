"""Texts of a spoke: what they must name, and that their mass is the single call's."""

import pytest
import torch

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.lenses.mass.texts import LanguageTexts, mass_of_texts
from semantic_hub.spokes.language.spoke import LanguageSpoke, sentences
from semantic_hub.statistics.resampling import Resampling
from semantic_hub.zoo.world.facts import World
from semantic_hub.zoo.world.spokes import WorldLanguageSpoke

TEXTS = LanguageTexts.of(["el perro", "el gato huye"], "es", ("en", "es"))


def test_mass_is_the_single_call(model) -> None:
    found = mass_of_texts(
        model,
        TEXTS,
        resampling=Resampling(resamples=20, seed=3),
    )
    alone = sh.language_mass(
        model, ["el perro", "el gato huye"], ["en", "es"], resampling=Resampling(resamples=20)
    )
    assert torch.equal(found.mass, alone.mass)
    assert (found.text_language, found.resampling.seed) == ("es", 3)


@pytest.mark.parametrize(
    ("texts", "language", "got"),
    [([], "es", "no texts; expected at least one"), (["le chien"], "fr", "1 texts in 'fr'")],
)
def test_texts_name_their_language(texts: list[str], language: str, got: str) -> None:
    with pytest.raises(SemanticHubError, match=got):
        LanguageTexts.of(texts, language, ("en", "es"))


def test_the_language_spokes_offer_their_sentences() -> None:
    authored = LanguageSpoke(languages=("es", "zh")).texts()
    assert list(authored) == ["sentences, es", "sentences, zh"]
    assert [prompt.text for prompt in authored["sentences, zh"].prompts] == list(sentences("zh"))
    assert authored["sentences, zh"].languages == ("en", "es", "zh")
    world = WorldLanguageSpoke(World(seed=0))
    for name, texts in world.texts().items():
        assert texts.prompts == world.pairs()[name].y
        assert name.endswith(texts.language)


def test_the_curve_is_the_mass_of_the_texts_own_language(model) -> None:
    texts = LanguageTexts.of(["el perro"], "es", ("en", "es"))
    found = mass_of_texts(model, texts)
    curve = found.effect_curve()
    assert curve is not None and curve.n == 1 and found.counts() == (1, {})
    assert torch.equal(curve.summary.value, found.mean_mass().value[:, 1])
    assert sh.language_mass(model, ["el perro"], ["en", "es"]).effect_curve() is None
    with pytest.raises(
        SemanticHubError, match="the text_language 'fr'; expected one of 'en', 'es'"
    ):
        sh.language_mass(model, ["el perro"], ["en", "es"], text_language="fr")
