"""The data of free-text steering: complete, parallel, and in the languages that they claim."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.interventions.text.generation import Generation, Sampling
from semantic_hub.spokes.language.sentiment import (
    ANNOUNCEMENTS,
    OPENINGS,
    WORDS,
    sentiment_steering,
)
from semantic_hub.spokes.language.share import language_share
from semantic_hub.spokes.language.spoke import LANGUAGES


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
