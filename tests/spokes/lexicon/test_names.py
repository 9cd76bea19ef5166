"""CLDR names, as Babel gives them."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.lexicon.names import cldr_names, official_languages


def test_known_names() -> None:
    assert cldr_names("day", "es")["0"] == "lunes"
    assert cldr_names("month", "fr")["8"] == "août"
    assert cldr_names("territory", "ru")["FR"] == "Франция"
    assert cldr_names("language", "zh")["fr"] == "法语"
    assert official_languages("BR") == ("pt",)


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "ru", "zh", "ar", "hi", "ja"])
def test_counts(language: str) -> None:
    counts = [len(cldr_names(kind, language)) for kind in ("day", "month")]
    assert counts == [7, 12]
    assert len(cldr_names("territory", language)) > 240
    assert all(len(key) == 2 for key in cldr_names("territory", language))


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_only_real_territories_and_languages_are_named(language: str) -> None:
    assert not {"EU", "UN", "ZZ", "XA"} & cldr_names("territory", language).keys()
    assert not {"mul", "und", "zxx"} & cldr_names("language", language).keys()


def test_bad_kind_and_language(without_shape_checks) -> None:
    with pytest.raises(SemanticHubError, match="'planet'"):
        cldr_names("planet", "en")
    with pytest.raises(SemanticHubError, match="language 'not-a-locale'"):
        cldr_names("day", "not-a-locale")
