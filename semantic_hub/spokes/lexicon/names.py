"""Names of days, months, territories and languages in every language, from the Unicode CLDR."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from semantic_hub.errors import SemanticHubError, require

if TYPE_CHECKING:
    from babel import Locale

NameKind = Literal["day", "month", "territory", "language"]
"""Kinds of names."""

_NO_TERRITORIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # groups, and codes for tests
_NO_LANGUAGES = {"mis", "mul", "und", "zxx"}
_READERS: Mapping[str, Callable[["Locale"], Mapping[Any, Any]]] = {
    "day": lambda locale: locale.days["stand-alone"]["wide"],
    "month": lambda locale: locale.months["stand-alone"]["wide"],
    "territory": lambda locale: {
        key: name
        for key, name in locale.territories.items()
        if key.isalpha() and key not in _NO_TERRITORIES
    },
    "language": lambda locale: {
        key: name
        for key, name in locale.languages.items()
        if len(key) <= 3 and key not in _NO_LANGUAGES
    },
}
"""Names of each kind in the data of a language."""


@lru_cache(maxsize=256)
def cldr_names(kind: NameKind, language: str) -> Mapping[str, str]:
    """All names of one kind in one language, from the CLDR data in Babel.

    Args:
        kind: ``"day"``, ``"month"``, ``"territory"`` or ``"language"``.
        language: A CLDR locale such as ``"es"``, ``"zh"`` or ``"pt_BR"``.

    Returns:
        Mapping from identifier (``"0"`` for Monday, ``"1"`` for January, ``"FR"``, ``"fr"``) to
        name.

    Raises:
        SemanticHubError: The kind or the language is unknown.

    Example:
        >>> cldr_names("day", "es")["0"], cldr_names("territory", "ru")["FR"]
        ('lunes', 'Франция')
    """
    if kind not in _READERS:
        raise SemanticHubError(
            "cldr_names", got=repr(kind), expected=f"one of {get_args(NameKind)}", fix="Name one."
        )
    return {str(key): str(name) for key, name in _READERS[kind](_locale(language)).items()}


def official_languages(territory: str) -> tuple[str, ...]:
    """Codes of a territory's official languages in the CLDR.

    Example:
        >>> official_languages("FR")
        ('fr',)
    """
    require("babel")
    from babel.languages import get_official_languages

    return get_official_languages(territory, de_facto=True)


def _locale(language: str) -> "Locale":
    """CLDR data of a language."""
    require("babel")
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        raise SemanticHubError(
            "cldr_names",
            got=f"language {language!r}",
            expected="a CLDR locale",
            fix="Use a code such as 'es', 'zh' or 'pt_BR'.",
        ) from None
