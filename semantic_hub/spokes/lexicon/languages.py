"""Languages of the built-in data, and checks that several spokes make on sets of languages."""

from collections.abc import Sequence

from semantic_hub.errors import SemanticHubError

LANGUAGES = ("en", "es", "fr", "de", "zh", "ru")
"""Languages of the authored sentences and of the built-in word list."""


def is_unspaced(language: str) -> bool:
    """Whether a language is written without spaces between words.

    Example:
        >>> is_unspaced("zh"), is_unspaced("zh_TW"), is_unspaced("en")
        (True, True, False)
    """
    return language.partition("_")[0] in ("zh", "ja", "th")


def check_languages(operation: str, dominant: str, languages: Sequence[str]) -> None:
    """Raise unless there are two or more different languages, none of them the dominant one.

    Raises:
        SemanticHubError: Fewer than two, repeated ones, or the dominant language among them.
    """
    if len(set(languages)) < len(languages) or dominant in languages or len(languages) < 2:
        raise SemanticHubError(
            operation,
            got=f"languages {', '.join(languages) or 'none'} beside the dominant {dominant}",
            expected="at least two different languages, the dominant one not among them",
            fix="Each language's control is another one of these: name two or more.",
        )


def control_for(language: str, languages: Sequence[str]) -> str:
    """Choose the control for a language: the first of `languages` that is another one.

    Its word for a concept is neither the text's own nor the dominant language's.

    Example:
        >>> control_for("es", ("es", "fr", "ru")), control_for("fr", ("es", "fr", "ru"))
        ('fr', 'es')
    """
    return next(other for other in languages if other != language)
