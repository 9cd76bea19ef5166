"""The data of free-text steering: complete, parallel, and in the languages that they claim."""

from dataclasses import replace

import pytest

import semantic_hub as sh
from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.dispatch import intervene
from semantic_hub.interventions.text.generation import Generation, Sampling
from semantic_hub.spokes.language.sentiment import (
    ANNOUNCEMENTS,
    OPENINGS,
    WORDS,
    sentiment_steering,
)
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.lexicon.languages import LANGUAGES


def test_every_language_has_the_same_data():
    for table in (WORDS, ANNOUNCEMENTS, OPENINGS):
        assert set(table) == set(LANGUAGES)
    for openings in OPENINGS.values():
        assert len(set(openings)) == len(openings) == 12
        assert all(opening == opening.strip() for opening in openings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_openings_are_in_their_language(language):
    text = " ".join([*OPENINGS[language], ANNOUNCEMENTS[language]])
    assert (
        language_share(language)([Generation(0, 0, (1,), (2,), "", text)])[0] > 0.95
    )  # hier is German too


def test_the_papers_settings_are_the_defaults():
    experiment = sentiment_steering("es", scorers={})
    assert experiment.strengths == (5.0,) and experiment.positions == (0, 1)
    assert experiment.sampling == Sampling(32, 1.0, 0.3, 1.0, tuple(range(10)))
    assert [(c.plus[0].text, c.minus[0].text) for c in experiment.contrasts.values()] == [
        ("Good", "Bad"),
        ("Bueno", "Malo"),
    ]


def test_prompts_are_announced_openings():
    said = [prompt.text for prompt in sentiment_steering("zh", scorers={}).prompts]
    assert said == [ANNOUNCEMENTS["zh"] + opening for opening in OPENINGS["zh"]]
    own = sentiment_steering("es", scorers={}, openings=["Hoy"], announced=False).prompts
    assert [prompt.text for prompt in own] == ["Hoy"]


def test_the_dominant_language_needs_no_second_pair():
    assert list(sentiment_steering("en", scorers={}).contrasts) == ["en"]
    assert list(sentiment_steering("es", "zh", scorers={}).contrasts) == ["zh", "es"]


@pytest.mark.parametrize("languages", [("it", "en"), ("es", "it")])
def test_unknown_languages(languages):
    with pytest.raises(SemanticHubError, match="language 'it'; expected one of en, es"):
        sentiment_steering(*languages, scorers={})


def _length(generations):
    return [float(len(generation.text)) for generation in generations]


def test_the_spoke_steers_sentiment_where_scorers_are_given():
    without = LanguageSpoke(languages=("es", "fr")).interventions()
    given = LanguageSpoke(languages=("es", "fr"), scorers={"length": _length}).interventions()
    assert list(given) == [*without, "sentiment, es", "sentiment, fr"]
    spanish = given["sentiment, es"]
    assert spanish.prompts == sentiment_steering("es", scorers={}).prompts
    assert list(spanish.contrasts) == ["en", "es"] and list(spanish.scorers) == ["length", "in es"]


def test_the_spokes_sentiment_steering_runs(model):
    spoke = LanguageSpoke(languages=("es", "fr"), scorers={"length": _length})
    spec = replace(
        spoke.interventions()["sentiment, es"],
        prompts=(sh.Prompt("Ayer fui"), sh.Prompt("El hotel")),  # the model's context is short
        depths=(0.5,),
        sampling=Sampling(max_new_tokens=4, seeds=(0,)),
    )
    result = intervene(model, spec, resampling=sh.Resampling(resamples=20))
    assert list(result.scorers) == ["length", "in es", "perplexity"]
    frame = result.to_frame().query("scorer == 'length' and measure == 'change'")
    assert {"en", "es"} <= set(frame["direction"]) and (frame["n"] == 2).all()
