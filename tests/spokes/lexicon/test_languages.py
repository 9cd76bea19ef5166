"""Which languages a spoke takes, and whose control is whose."""

import pytest

from semantic_hub.errors import SemanticHubError
from semantic_hub.spokes.arithmetic.spoke import ArithmeticSpoke
from semantic_hub.spokes.language.spoke import LanguageSpoke
from semantic_hub.spokes.lexicon.languages import control_for, is_unspaced


def test_a_control_is_another_language() -> None:
    languages = ("es", "fr", "ru")
    assert [control_for(code, languages) for code in languages] == ["fr", "es", "es"]
    assert control_for("digits", languages) == "es"


def test_spacing() -> None:
    assert [is_unspaced(code) for code in ("zh", "ja", "zh_TW", "ru")] == [True, True, True, False]


@pytest.mark.parametrize("spoke", [ArithmeticSpoke, LanguageSpoke])
@pytest.mark.parametrize(
    ("dominant", "languages"),
    [("en", ("es",)), ("en", ()), ("es", ("es", "fr")), ("en", ("fr", "fr"))],
)
def test_languages_without_a_control_are_refused(spoke, dominant, languages) -> None:
    with pytest.raises(SemanticHubError, match=f"{spoke.__name__}: got languages"):
        spoke(dominant=dominant, languages=languages)
