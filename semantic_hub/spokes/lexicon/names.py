"""Names that the Unicode CLDR gives in every language: days, months, territories, languages."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

from semantic_hub.errors import SemanticHubError

NameKind = Literal["day", "month", "territory", "language"]


@lru_cache(maxsize=256)
def cldr_names(kind: NameKind, language: str) -> Mapping[str, str]:
    """Every name of one kind in one language, from the CLDR data in Babel.

    Args:
        kind: ``"day"``, ``"month"``, ``"territory"`` or ``"language"``.
        language: A CLDR locale such as ``"es"``, ``"zh"`` or ``"pt_BR"``.

    Returns:
        Identifier (``"0"`` for Monday, ``"1"`` for January, ``"FR"``, ``"fr"``) to name.

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
    """The official languages of a territory in the CLDR, as language codes.

    Example:
        >>> official_languages("FR")
        ('fr',)
    """
    from babel.languages import get_official_languages

    return get_official_languages(territory, de_facto=True)


def _locale(language: str) -> Any:
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


_NO_TERRITORIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # groups, and codes for tests
_NO_LANGUAGES = {"mis", "mul", "und", "zxx"}
_READERS: Mapping[str, Callable[[Any], Mapping[Any, Any]]] = {
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
